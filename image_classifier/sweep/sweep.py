"""Sweep: one run for each combination of settings, several at a time, and what they come to."""

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from image_classifier import files, runs, tracking
from image_classifier.evaluation.markdown import percent
from image_classifier.runs import Run, provenance
from image_classifier.settings.families import family
from image_classifier.sweep import plan as sweep_plan
from image_classifier.sweep import record as sweep_record
from image_classifier.sweep.grid import Child
from image_classifier.sweep.plan import SweepPlan, SweepRequest
from image_classifier.sweep.pool import Pool
from image_classifier.sweep.record import Sweep
from image_classifier.sweep.worker import Outcome, Task

logger = logging.getLogger(__name__)


def sweep(request: SweepRequest) -> tuple[Sweep, int]:
    """The finished sweep, and how many of its runs and itself the tracking server lacks."""
    plan = sweep_plan.plan(request)
    with files.lock(request.folder, f"another sweep is at work in {request.folder}"):
        begun = _begin(request, plan)
        parent = _send(begun, request)
        replies = _train(request, plan, parent)
        done = _finish(begun, request, plan, replies)
        sent = [reply["sent"] for reply in replies.values()]
        if request.tracking:
            sent.append(_send(done, request) is not None)
        return done, sent.count(False)


def _begin(request: SweepRequest, plan: SweepPlan) -> Sweep:
    """The sweep's record, before the first run; one that goes on stays the same entry on a tracking server."""
    earlier = plan.earlier.record if plan.earlier else {}
    names = {child.name for child in plan.children}
    gone = [each["name"] for each in earlier.get("children", ()) if each["name"] not in names]
    if gone:
        logger.info("%d runs of an earlier grid stay where they are, and are not in the table: %s", len(gone), gone[0])
    record: dict[str, Any] = {
        "status": runs.UNFINISHED,
        "asked": {
            "grid": plan.grid,
            "settings": plan.fixed,
            "at_once": request.at_once,
            "num_threads": plan.threads,
        },
        "children": [],
        "failures": [],
        "best": None,
        "started": earlier.get("started") or provenance.now(),
        "finished": None,
        "command": provenance.command(sys.argv),
        "tracking": earlier.get("tracking") or {"key": runs.new_key()},
    }
    begun = Sweep(request.folder, record)
    sweep_record.write(begun)
    return begun


def _train(request: SweepRequest, plan: SweepPlan, parent: str | None) -> dict[str, Outcome]:
    """What became of each run, by name."""
    finished = {name: run for name, run in plan.trained.items() if run.finished}
    waiting = [child for child in plan.children if child.name not in finished]
    replies = {name: _keep(run, request, parent) for name, run in finished.items()}
    if finished:
        logger.info("%d of %d runs are finished already", len(finished), len(plan.children))
    total = len(plan.children)
    with tqdm(total=total, initial=len(finished), unit="run", disable=not sys.stderr.isatty()) as bar:

        def show(line: str) -> None:
            if bar.disable:
                logger.info("%s", line)
            else:
                bar.write(line, file=sys.stderr)

        with Pool(_imported(waiting, request), show) as pool:
            tasks = [_task(child, request, plan, parent) for child in waiting]
            for task, reply in pool.replies(tasks, request.at_once):
                name = task["run_name"]
                replies[name] = reply
                bar.update()
                show(f"{len(replies)}/{total}  {name}  {_outcome(reply, request, name)}")
    return replies


def _imported(children: Sequence[Child], request: SweepRequest) -> list[str]:
    """The modules that the runs need, besides what each imports in no time."""
    classical = any(not family(child.config.model).stepwise for child in children)
    return [
        "image_classifier.sweep.worker",
        *(["image_classifier.training.fit"] if classical else []),
        *(tracking.modules(request.tracking) if request.tracking else []),
    ]


def _keep(finished: Run, request: SweepRequest, parent: str | None) -> Outcome:
    sent = request.tracking is None or tracking.send(finished, request.tracking, parent)
    return Outcome(what=None, hint="", sent=sent)


def _task(child: Child, request: SweepRequest, plan: SweepPlan, parent: str | None) -> Task:
    return Task(
        experiment_name=request.experiment_name,
        run_name=child.name,
        layers=[(layer.origin.kind, layer.origin.name, dict(layer.values)) for layer in plan.layers(child)],
        experiments_folder=str(request.experiments_folder),
        cache_folder=str(request.cache_folder),
        where=request.tracking.uri if request.tracking else None,
        tags=dict(request.tags),
        parent=parent,
        command=sys.argv,
        access=request.access.as_json(),
    )


def _outcome(reply: Outcome, request: SweepRequest, name: str) -> str:
    """One line of a run that has ended."""
    if reply["what"]:
        return f"failed: {reply['what']}"
    done = runs.read(request.folder / name)
    metrics, seconds = done.metrics(), done.record["timing"]["last_process_seconds"]
    figures = [_share("validation", metrics["val"])] if metrics["val"] else []
    return "  ".join([*figures, _share("test", metrics), f"{seconds:.1f} s"])


def _share(split: str, figures: Mapping[str, Any]) -> str:
    low, high = figures["accuracy_ci95"]
    return f"{split} {percent(figures['accuracy'])} ({percent(low)} to {percent(high)})"


def _finish(begun: Sweep, request: SweepRequest, plan: SweepPlan, replies: Mapping[str, Outcome]) -> Sweep:
    """Write what the runs came to, and everything that is read off it."""
    children, failures = [], []
    for child in plan.children:
        reply = replies[child.name]
        entry, failure = sweep_record.entry(child.name, child.values, request.folder / child.name, reply["what"])
        children.append(entry)
        if failure:
            failures.append({"name": child.name, "what": failure, "hint": reply["hint"]})
    record = {**begun.record, "children": children, "failures": failures}
    best = Sweep(begun.folder, record).best
    done = Sweep(
        begun.folder,
        record
        | {
            "status": runs.FINISHED,
            "finished": provenance.now(),
            "best": {"name": best.name, "settings": dict(best.values)} if best else None,
        },
    )
    sweep_record.write_results(done)
    sweep_record.write(done)
    return done


def _send(sent: Sweep, request: SweepRequest) -> str | None:
    """The sweep on the tracking server, which its runs are shown under; None if it is not there."""
    if request.tracking is None:
        return None
    return tracking.send_entry(sweep_record.tracked(sent, request.tags), request.tracking)
