"""What a pipeline run is started with: texts, as Kubeflow's form passes them, and what they may mean."""

import json
import re
from dataclasses import dataclass

from image_classifier.errors import UserError, suggestion
from image_classifier.settings.names import RUN_NAME, check_name

RUN_TYPES = ("individual", "simulation", "recurring")
SWITCH = ("no", "yes")
_SCOPES = 'write a JSON list of names, as ["red", "white"]'
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


@dataclass(frozen=True)
class Parameters:
    """One pipeline run's parameters, as texts. Without an id nothing can be kept of it, so that is checked first."""

    root: str
    domain: str
    use_case: str
    run_type: str
    kf_run_id: str

    def check_id(self) -> None:
        """Refuse what is no id of a run: everything is kept under it."""
        if not _ID.fullmatch(self.kf_run_id):
            raise UserError(f"kf_run_id {self.kf_run_id!r} is no id of a run", "letters, digits and dashes, at most 64")

    def check(self) -> None:
        """Refuse what there is not; the storage checks root and domain, and who reads it the use case."""
        check_name(self.use_case, "use_case")
        chosen(self.run_type, RUN_TYPES, "run_type")


def chosen(value: str, choices: tuple[str, ...], name: str) -> str:
    """The value, if it is one of the choices."""
    if value not in choices:
        raise UserError(
            f"{name} {value!r} is none of {', '.join(choices)}", suggestion(value, choices) or "choose one of them"
        )
    return value


def scopes_of(text: str) -> list[str]:
    """The data scopes that a text holds: a JSON list of names, each once."""
    try:
        scopes = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(f"data_scopes {text!r} is not JSON", _SCOPES) from None
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise UserError(f"data_scopes {text!r} is no list of texts", _SCOPES)
    if not scopes:
        raise UserError("data_scopes names no data scope", _SCOPES)
    for scope in scopes:
        if not RUN_NAME.fullmatch(scope):
            raise UserError(
                f"{scope!r} in data_scopes is no name of a data scope",
                "use 1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit",
            )
    twice = sorted({scope for scope in scopes if scopes.count(scope) > 1})
    if twice:
        raise UserError(f"data_scopes names {', '.join(twice)} more than once", "name each data scope once")
    return scopes
