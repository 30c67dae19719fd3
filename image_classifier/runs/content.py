"""What `run.json` holds, as types by which it is checked when it is read."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from image_classifier.schema import Amount, Count, Digest, FileName, Number, OneOrMore, Within


class ColumnRecord(TypedDict):
    """A column of a table that a model reads."""

    name: str
    categories: list[str] | None


class Input(TypedDict):
    """What one example is: (height, width, channels), and each channel's mean and deviation in training."""

    shape: Annotated[list[OneOrMore], 3]
    mean: list[Number]
    std: list[Annotated[float, Within(1e-300, 1e300)]]
    interpolation: NotRequired[Literal["bilinear", "bicubic"]]  # with `crop`, where weights have a published input
    crop: NotRequired[Annotated[float, Within(1e-3, 1)]]
    columns: NotRequired[list[ColumnRecord]]


class RuntimeRecord(TypedDict):
    """Where and how a run computed."""

    device: Literal["cpu", "cuda"]
    precision: Literal["fp32", "bf16"]
    num_threads: Annotated[int, Within(1, 9999)]
    capability: str
    world_size: OneOrMore


class Card(TypedDict):
    """What can change a number of a run."""

    settings: dict[str, Any]
    classes: list[str]
    input: Input
    dataset_digest: Digest
    query_sha256: NotRequired[Digest]
    runtime: RuntimeRecord
    versions: dict[str, str]
    parent_sha256: Digest | None
    parent_revision: NotRequired[str]  # the commit of the hub's repository that the weights are of


class ConfigRecord(TypedDict):
    """The settings, of which another version may have others; `Run.config` checks their values."""

    model: str


class OriginRecord(TypedDict):
    """Where a setting's value came from (`layers.Origin`)."""

    kind: Literal["default", "recipe", "data", "parent", "run", "sweep", "file", "flag", "code"]
    name: str


class Process(TypedDict):
    """The process that began a run."""

    commit: str | None
    dirty: bool | None
    image_digest: str | None
    command: NotRequired[str]


class Timing(TypedDict):
    """When a run began."""

    started: str


class WholeTiming(Timing):
    """When a run began and ended, and how long it took."""

    finished: str
    training_seconds: Amount
    last_process_seconds: Amount


class Sent(TypedDict):
    """What tracking servers know a run by."""

    key: NotRequired[str]
    parent: NotRequired[str | None]
    runs: NotRequired[dict[str, str]]


class File(TypedDict):
    """A file's digest and size."""

    sha256: Digest
    bytes: Count


class Begun(TypedDict):
    """The content of `run.json` before the first step."""

    status: Literal["unfinished", "finished"]
    config: ConfigRecord
    origins: dict[str, OriginRecord]
    dataset_folder: str
    card: Card
    provenance: Process
    resumed: list[dict[str, Any]]
    timing: Timing
    tags: dict[str, str]
    tracking: NotRequired[Sent]


class Finished(Begun):
    """The content of `run.json` at the end."""

    best_epoch: OneOrMore
    files: dict[FileName, File]
    timing: WholeTiming  # type: ignore[misc]  # narrower than before
