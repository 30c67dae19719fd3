"""Whatever is damaged and whenever the process is killed, a checkpoint that was good can be gone on from."""

import functools
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from image_classifier import compose, files, runtime
from image_classifier.data.batches import Batches
from image_classifier.data.store import Split
from image_classifier.errors import UserError
from image_classifier.model import artifact
from image_classifier.training import checkpoint
from image_classifier.training.checkpoint import NEWEST, PREVIOUS, Checkpoints
from image_classifier.training.loop import Training

pytestmark = pytest.mark.unit


class KilledError(BaseException):
    """The process ends here."""


CONFIG = compose(model="dense", num_epochs=5, num_threads=1, batch_size=2)
RUNTIME = runtime.of(CONFIG)
torch.set_num_threads(RUNTIME.num_threads)


def training(columns=4):
    """A layer before its first step, of ten steps an epoch."""
    train = Split(np.ones((20, 1, 1, columns), np.float32), np.arange(20) % 2, None)
    batches = Batches(
        train, np.arange(20), batch_size=2, seed=0, shuffle=True, mean=(0.0,) * columns, std=(1.0,) * columns,
        device=RUNTIME.torch_device,
    )  # fmt: skip
    network = nn.Sequential(nn.Flatten(), nn.Linear(columns, 2))
    return Training(network, CONFIG, RUNTIME, train=batches, val=None, counts=torch.tensor([10, 10]))


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Folders 1, 2 and 3, with the checkpoint after that step as the newest one."""
    folder, one = tmp_path_factory.mktemp("three"), training()
    for step, _ in zip((1, 2, 3), one.fit(), strict=False):
        Checkpoints(folder / str(step), "run").write(one, [{"epoch": step}])
    return folder


def step_of(folder, run="run"):
    """The step from which a new process would go on."""
    fresh = training()
    history = Checkpoints(folder, run).restore(fresh)
    return None if history is None else fresh.step


def put(folder, three, newest, previous):
    """A run's folder with the checkpoints of these steps; 0 is a damaged one, `None` none."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, step in ((NEWEST, newest), (PREVIOUS, previous)):
        if step is not None:
            data = (three / str(step or 3) / NEWEST).read_bytes()
            (folder / name).write_bytes(data if step else data[:1000])


class Changes:
    """Counts the changes of files, two moments for each: before and after it; the process ends at `last`."""

    def __init__(self, patch):
        self.count, self.last = 0, None
        for name in ("move", "write_bytes", "remove"):
            patch.setattr(files, name, functools.partial(self.change, getattr(files, name)))

    def moment(self):
        self.count += 1
        if self.count == self.last:
            raise KilledError

    def change(self, real, *arguments):
        self.moment()
        real(*arguments)
        self.moment()


def go_on(folder):
    """A process that goes on and writes two checkpoints."""
    one = training()
    kept = Checkpoints(folder, "run")
    kept.restore(one)
    for _ in zip(range(2), one.fit(), strict=False):
        kept.write(one, [])


@pytest.mark.parametrize(("newest", "previous"), [(2, 1), (0, 1), (None, 1), (2, 0), (2, None)])
def test_a_kill_at_any_moment_leaves_a_checkpoint_that_can_be_read(tmp_path, monkeypatch, three, newest, previous):
    folder, changes = tmp_path / "run", Changes(monkeypatch)
    put(folder, three, newest, previous)
    began = step_of(folder)
    go_on(folder)
    assert step_of(folder) == began + 2
    for point in range(1, changes.count + 1):
        put(folder, three, newest, previous)
        for last in (point, 1):  # killed there, and the next process as soon as it writes
            changes.count, changes.last = 0, last
            before = step_of(folder)
            with pytest.raises(KilledError):
                go_on(folder)
            assert step_of(folder) >= before, (point, last)
        changes.last, before = None, step_of(folder)
        go_on(folder)
        assert step_of(folder) == before + 2


def test_a_damaged_newest_one_falls_back_and_never_takes_the_place_of_the_good_one(tmp_path, three, caplog):
    put(tmp_path / "run", three, 0, 1)
    kept, one = Checkpoints(tmp_path / "run", "run"), training()
    assert kept.restore(one) == [{"epoch": 1}]
    assert "damaged" in caplog.text
    next(one.fit())
    kept.write(one, [])
    assert (tmp_path / "run" / PREVIOUS).read_bytes() == (three / "1" / NEWEST).read_bytes()
    assert step_of(tmp_path / "run") == 2


def test_two_damaged_ones_are_an_error_that_names_them_and_stay_as_they_are(tmp_path, three):
    put(tmp_path / "run", three, 0, 0)
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(UserError, match=r"no checkpoint of .* can be read: .*checkpoint\.pth"):
        step_of(tmp_path / "run")
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_no_checkpoint_is_none(tmp_path):
    assert Checkpoints(tmp_path, "run").restore(training()) is None


@pytest.mark.parametrize(("newest", "previous"), [(2, 1), (None, 1), (0, 1)])
def test_one_of_another_run_is_refused_by_its_name(tmp_path, three, newest, previous):
    put(tmp_path / "run", three, newest, previous)
    name = NEWEST if newest else PREVIOUS
    one = training()
    with pytest.raises(UserError, match=f"{name} is a checkpoint of another run") as caught:
        Checkpoints(tmp_path / "run", "other").restore(one)
    assert "remove it" in caught.value.hint
    assert one.step == 0


@pytest.mark.parametrize("change", ["another network", "fewer tensors", "half of the best", "another number"])
def test_one_that_does_not_fit_the_network_is_refused_and_changes_nothing(tmp_path, change):
    other = training(columns=5) if change == "another network" else training()
    tensors, numbers = other.state()
    if change == "fewer tensors":
        tensors.pop("sums")
    if change == "half of the best":
        name, value = next((name, value) for name, value in tensors.items() if name.startswith("model/"))
        tensors[f"best/{name.removeprefix('model/')}"] = value
    if change == "another number":
        numbers["model"] = 1
    (tmp_path / NEWEST).write_bytes(artifact.dumps(tensors, {"run": "run", "numbers": numbers, "history": []}))
    one = training()
    before = {name: value.clone() for name, value in one.model.state_dict().items()}
    with pytest.raises(UserError, match=r"checkpoint\.pth does not fit the network"):
        Checkpoints(tmp_path, "run").restore(one)
    assert all(torch.equal(value, before[name]) for name, value in one.model.state_dict().items())


def test_a_training_that_has_diverged_leaves_the_last_good_checkpoint(tmp_path, three):
    put(tmp_path / "run", three, 2, 1)
    kept, one = Checkpoints(tmp_path / "run", "run"), training()
    kept.restore(one)
    next(one.model.parameters()).data.fill_(torch.nan)
    kept.write(one, [])
    assert step_of(tmp_path / "run") == 2


def test_removing_leaves_none(tmp_path, three):
    put(tmp_path / "run", three, 2, 1)
    checkpoint.remove(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
