"""The last step, whatever happened: outputs, KPIs, the error log, and the temporary area deleted."""

import csv
import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from image_classifier import files
from image_classifier.errors import UserError
from image_classifier.pipelines import records, structure, use_case
from image_classifier.pipelines.parameters import RUN_TYPES, SWITCH, chosen, scopes_of
from image_classifier.pipelines.records import Record, State
from image_classifier.pipelines.storage import TMP
from image_classifier.pipelines.training import EVALUATION, SIMULATION
from image_classifier.pipelines.work import Work

ERROR_LOG, KPIS, SUMMARY, LATEST = "error_logs.csv", "kpis.csv", "pipeline.json", "latest.json"
_RECURRING = "recurring"
_UNKNOWN = "unknown"  # where the outputs of a run go whose use case or run type does not exist


def gather(work: Work, inputs: Mapping[str, str]) -> None:
    """Write what became of the pipeline run and clean up; one in which something failed ends as an error."""
    work = dataclasses.replace(work, parameters=_placeable(work))
    found = records.read(work.storage, work.parameters)
    gathered = work.storage.read_json(f"{work.place('outputs')}/{SUMMARY}")
    if gathered and not found:  # tried again after the temporary area was deleted
        _refuse(gathered["failures"], work.place("outputs"))
        return
    scopes, failures = _outcomes(work, found, _scopes(inputs["data_scopes"]))
    target = _store(work, scopes, failures)
    if not failures and work.parameters.run_type != SIMULATION:
        work.storage.write_json(f"{work.place('latest')}/{LATEST}", {**_identity(work), "path": target})
    debugging = chosen(inputs["debug"], SWITCH, "debug") == "yes"
    if not debugging or work.parameters.run_type == _RECURRING:  # on a schedule nobody looks, and the disk would fill
        work.storage.remove(work.storage.path(TMP, work.parameters.kf_run_id))
    _refuse(_named(failures), target)


def _outcomes(
    work: Work, found: Mapping[str, Sequence[Record]], asked: Sequence[str]
) -> tuple[dict[str, Record], list[tuple[str, Record]]]:
    """What became of each data scope, and what failed, by its run; where a step before them failed, all have."""
    before = records.of_the_run(found, _expected(work))
    scopes = {
        scope: before if before is not None and scope not in found else records.outcome(found.get(scope, ()))
        for scope in asked
    }
    failures = [(work.parameters.use_case, before)] if before is not None else []
    failures += [
        (_run_id(work, scope), end) for scope, end in scopes.items() if end.state == State.FAILED and end is not before
    ]
    return scopes, failures


def _named(failures: Iterable[tuple[str, Record]]) -> list[str]:
    """Each failure as its run and its step."""
    return [f"{run_id} in {end.step}" for run_id, end in failures]


def _refuse(failures: list[str], target: str) -> None:
    """End the step as an error if anything failed, so that the pipeline run is red."""
    if failures:
        raise UserError(f"not all of the pipeline run did: {', '.join(failures)}", f"why: {target}/{ERROR_LOG}")


def _placeable(work: Work) -> Any:
    """The parameters, with a name to keep outputs under where they name a use case or a run type that is none."""
    given = work.parameters
    return dataclasses.replace(
        given,
        use_case=given.use_case if given.use_case in use_case.names() else _UNKNOWN,
        run_type=given.run_type if given.run_type in RUN_TYPES else _UNKNOWN,
    )


def _expected(work: Work) -> list[str]:
    """The steps before the data scopes that must have ended for any scope to begin."""
    name = work.parameters.use_case
    extracting = name != _UNKNOWN and bool(use_case.read(name).extraction)
    return ["setup_extraction", *(["extract"] if extracting else [])]


def _scopes(text: str) -> list[str]:
    """The data scopes that were asked for; none where the text names none, which the first step has refused."""
    try:
        return scopes_of(text)
    except UserError:
        return []


def _run_id(work: Work, scope: str) -> str:
    """The run of a data scope, as experiment and run."""
    return f"{work.parameters.use_case}/{scope}"


def _identity(work: Work) -> dict[str, str]:
    given = work.parameters
    return {"kf_run_id": given.kf_run_id, "use_case": given.use_case, "run_type": given.run_type}


def _store(work: Work, scopes: Mapping[str, Record], failures: list[tuple[str, Record]]) -> str:
    """Store tables, summary and the run folders of the scopes that have one; the path of it all."""
    folder = work.folder / "outputs"
    errors = [
        {
            "kf_run_id": work.parameters.kf_run_id,
            "run_id": run_id,
            "pipeline_step": end.step,
            "error_msg": end.error_msg,
        }
        for run_id, end in failures
    ]
    kpis = [_kpis(work, scope, end) for scope, end in scopes.items()]
    states = {scope: str(end.state) for scope, end in scopes.items()}
    _write_table(folder / KPIS, structure.kinds()["outputs"].files[KPIS]["columns"], kpis)
    _write_table(folder / ERROR_LOG, structure.kinds()["outputs"].files[ERROR_LOG]["columns"], errors)
    summary = {**_identity(work), "data_scopes": list(scopes), "states": states, "failures": _named(failures)}
    files.write_json(folder / SUMMARY, summary)
    structure.check(folder, "outputs")
    copies = [pair for scope, end in scopes.items() if end.state == State.DONE for pair in _copies(work, scope)]
    target = work.place("outputs")
    work.storage.put(folder, target, copies)
    return target


def _copies(work: Work, scope: str) -> list[tuple[str, str]]:
    """What is kept of a scope: its run folder and the figures that were measured again."""
    own = dataclasses.replace(work, scope=scope)
    sources = [own.place("mined"), own.place("evaluation")]
    structure.check_names([name for source in sources for name in work.storage.manifest(source)], "scope_outputs")
    return [(source, f"runs/{scope}") for source in sources]


def _kpis(work: Work, scope: str, end: Record) -> dict[str, Any]:
    """A scope's row in the table of KPIs."""
    row: dict[str, Any] = {"kf_run_id": work.parameters.kf_run_id, "run_id": _run_id(work, scope)}
    row |= {"data_scope": scope, "state": str(end.state)}
    if end.state == State.DONE:
        own = dataclasses.replace(work, scope=scope)
        figures = work.storage.read_json(f"{own.place('evaluation')}/{EVALUATION}")
        sets = work.storage.read_json(f"{own.place('mined')}/error_sets.json")
        row |= {"n": figures["n"], "accuracy": figures["accuracy"]}
        row |= dict(zip(("accuracy_low", "accuracy_high"), figures["accuracy_ci95"] or (None, None), strict=True))
        row |= {name: sets[name] for name in ("nb_freq_sets", "max_support_value")}
    return row


def _write_table(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a CSV file; a line's end inside a text is kept."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(columns), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    files.write_text(path, text.getvalue())
