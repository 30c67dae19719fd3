"""What tracking costs a run: a tracked run against an untracked one, its steps, and the first send of a process.

    python benchmarks/tracking.py [--repeats 10]

Peers are the same run with `--tracking_uri off`, in turn in one process. MLflow is imported and the SQLite store is
made before the first measurement; what these take is shown beside. `steps` are the seconds of each epoch's steps while
the run is sent after every epoch instead of every 30 s. `first send` is a process that has imported everything and
opens the store.
"""

import argparse
import logging
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from image_classifier import Config, compose, runs, train
from image_classifier.tracking import mirroring

SMALL = compose(model="naive_bayes")
NETWORK = compose(model="cnn", num_epochs=6)
FIRST = """
import importlib, sys, time
from pathlib import Path
from image_classifier import runs, tracking
folder = Path(sys.argv[1])
where = tracking.resolve(sys.argv[2], folder)
run = runs.read(folder / "e" / sys.argv[3])
started = time.perf_counter()
for name in tracking.modules(where):
    importlib.import_module(name)
imported = time.perf_counter()
assert tracking.send(run, where)
print(imported - started, time.perf_counter() - imported)
"""


def trained(config: Config, dataset: str, folder: Path, uri: str) -> tuple[float, runs.Run]:
    """The seconds of one run, and the run."""
    started = time.perf_counter()
    run = train(
        config, dataset_folder=dataset, experiment_name="e", run_name=uuid.uuid4().hex, experiments_folder=folder,
        cache_folder=folder / "cache", tracking_uri=uri,
    )  # fmt: skip
    return time.perf_counter() - started, run


def epochs(run: runs.Run) -> list[float]:
    """The seconds of each epoch's steps but the first's, which warms the machine."""
    return [float(row["seconds"] or 0) for row in run.history()[1:]]


def first_send(run: runs.Run, folder: Path, uri: str) -> tuple[float, float]:
    """Seconds of importing MLflow, and of sending a run, in a new process."""
    command = [sys.executable, "-W", "ignore", "-c", FIRST, str(folder), uri, run.folder.name]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(said[0]), float(said[1])


def shown(name: str, seconds: Sequence[float]) -> str:
    """One line of the table."""
    low, high = min(seconds), max(seconds)
    return f"{name:<34} {statistics.median(seconds):8.3f} s ({low:.3f} to {high:.3f}, n = {len(seconds)})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args().repeats
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uri = f"sqlite:///{folder}/mlflow.db"
        for config, dataset in ((SMALL, "wine"), (NETWORK, "digits")):  # warms everything, makes the store
            for each in ("off", uri):
                trained(config, dataset, folder, each)
        small: dict[str, list[float]] = {"off": [], uri: []}
        steps: dict[str, list[float]] = {"off": [], uri: []}
        unsent = []
        mirroring._SECONDS_BETWEEN = 0.0  # noqa: SLF001
        for _ in range(repeats):
            for each in ("off", uri):
                seconds, run = trained(SMALL, "wine", folder, each)
                small[each].append(seconds)
                if each == "off":
                    unsent.append(run)
                steps[each] += epochs(trained(NETWORK, "digits", folder, each)[1])
        firsts = [first_send(run, folder, uri) for run in unsent]
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(shown("small run, off", small["off"]))
    print(shown("small run, tracked", small[uri]))
    print(shown("difference, pairwise", [on - off for off, on in zip(small["off"], small[uri], strict=True)]))
    print(shown("steps of an epoch, off", steps["off"]))
    print(shown("steps of an epoch, tracked", steps[uri]))
    print(shown("first send of a process", [seconds for _, seconds in firsts]))
    print(shown("importing MLflow (not counted)", [seconds for seconds, _ in firsts]))


if __name__ == "__main__":
    main()
