"""The steps by their names, with what each is given and what it hands on: the program and the graph both read this."""

from collections.abc import Mapping
from typing import NamedTuple

COMMON = ("root", "domain", "use_case", "run_type", "kf_run_id")
STATE = "Output"  # KFP's name for the only output of a component; its local runner finds conditions by this name alone


class Step(NamedTuple):
    """What a step takes besides the common parameters, and what it hands on, with KFP's types."""

    inputs: tuple[str, ...]
    outputs: Mapping[str, str]


STEPS: Mapping[str, Step] = {
    "setup_extraction": Step(("data_scopes",), {STATE: "LIST", "extract": "STRING"}),
    "extract": Step(("data_scopes",), {}),
    "setup": Step(("scope",), {STATE: "STRING", "data": "STRING"}),
    "preprocessing": Step(("scope", "data"), {"data": "STRING"}),
    "feature_engineering": Step(("scope", "data"), {"store": "STRING"}),
    "train": Step(("scope", "store"), {"run": "STRING"}),
    "evaluate": Step(("scope", "store", "run"), {"evaluation": "STRING"}),
    "set_mining": Step(("scope", "store", "run"), {"mined": "STRING"}),
    "gather": Step(("data_scopes", "debug"), {}),
}
