"""How fast a query's images are read and stored, and in how much memory: SQLite, and PostgreSQL where it is.

    python benchmarks/database.py ARCHIVE|FOLDER [--rows 20000 200000] [--times 3]

The rows are the images of a folder, or of a tar archive, again and again under new keys, with one of ten classes. Each
reading is a process of its own, in turn between the databases and the numbers of rows: `read` copies and digests every
row as `prepare` does before it decodes, `prepare` is all of it. What a process keeps in memory of its own (RssAnon) is
looked at fifty times a second. Everything lies under the folder of temporary files, whose kind is told: with --folder
on another disk.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import postgres

from image_classifier.data.examples import ColumnNames
from image_classifier.data.preparing import prepare
from image_classifier.data.sources.database import database_source
from image_classifier.settings.database import Access

AT_ONCE = 1000
ENDINGS = (".jpg", ".jpeg", ".png")


def images(where: Path) -> Iterator[bytes]:
    """The images of a folder or an archive, without end."""
    if where.is_dir():
        found = [path.read_bytes() for path in sorted(where.rglob("*")) if path.suffix.lower() in ENDINGS]
    else:
        with tarfile.open(where) as archive:
            members = (member for member in archive if member.name.lower().endswith(ENDINGS))
            found = [file.read() for member in members if (file := archive.extractfile(member))]
    return cycle(found)


def fill(url: sa.URL, count: int, contents: Iterator[bytes]) -> None:
    """A table of `count` images."""
    table = sa.Table(
        f"images_{count}",
        sa.MetaData(),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("image", sa.LargeBinary),
        sa.Column("label", sa.Text),
    )
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        table.create(connection)
        for first in range(0, count, AT_ONCE):
            taken = enumerate(islice(contents, min(AT_ONCE, count - first)), first)
            rows = [{"key": f"{at:07}.jpg", "image": image, "label": f"class {at % 10}"} for at, image in taken]
            connection.execute(table.insert(), rows)
    engine.dispose()


def anonymous() -> int:
    """The MB of memory that this process has of its own."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) // 1024


def watched(work: Callable[[], Any]) -> dict[str, Any]:
    """How long the work took, and the MB before it and at most."""
    most, ended = [anonymous()], threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            most.append(anonymous())

    before, watcher = most[0], threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    ended.set()
    watcher.join()
    return {"seconds": seconds, "before": before, "most": max(most)}


def work(what: str, description: Path) -> dict[str, Any]:
    """One reading, or all of preparing, in this process."""
    import pyarrow  # noqa: F401, ICN001, PLC0415  (what is imported is no part of the reading)
    import scipy.spatial  # noqa: F401, PLC0415

    access = Access(description)
    with tempfile.TemporaryDirectory(dir=description.parent) as name:
        folder = Path(name)
        if what == "read":
            return watched(lambda: database_source(access, ColumnNames(), folder, known=lambda _: None, quiet=True))
        asked: dict[str, Any] = {"image_size": None, "split_seed": 0, "cache_folder": folder, "quiet": True}
        return watched(lambda: prepare("database", access=access, **asked))


def described(url: sa.URL, count: int, folder: Path) -> Path:
    """The file that describes one of the tables."""
    given = {"dialect": url.get_backend_name(), "name": url.database}
    given |= {"host": url.host, "port": url.port, "user": url.username}
    lines = [f"{name}: {value}" for name, value in given.items() if value is not None]
    query = f"query: SELECT key, image, label FROM images_{count}"  # noqa: S608  (a number)
    path = folder / f"{url.get_backend_name()}_{count}.yaml"
    path.write_text("\n".join([*lines, query]) + "\n", encoding="utf-8")
    return path


def measure(urls: list[sa.URL], given: argparse.Namespace, folder: Path) -> None:
    """Fill the tables, read them in turn and print what was found."""
    contents = images(given.images)
    for url in urls:
        for count in given.rows:
            fill(url, count, contents)
    tasks = [(what, url, count) for what in ("read", "prepare") for url in urls for count in given.rows]
    found: dict[Any, list[dict[str, Any]]] = {task: [] for task in tasks}
    for _ in range(given.times):
        for task in tasks:
            what, url, count = task
            command = [sys.executable, __file__, "-", "--work", what, described(url, count, folder)]
            environment = os.environ | {"DB_PASS": url.password or ""}
            done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
            found[task].append(json.loads(done.stdout))
    for (what, url, count), runs in found.items():
        print(f"{what:<8}{url.get_backend_name():<11}{count:>8} rows: {told(count, runs)}")


def told(count: int, runs: list[dict[str, Any]]) -> str:
    """The median and the range of some runs."""
    rates = [count / run["seconds"] for run in runs]
    before, most = ([run[name] for run in runs] for name in ("before", "most"))
    return (
        f"{statistics.median(rates):,.0f} rows/s ({min(rates):,.0f} to {max(rates):,.0f}), "
        f"MB of its own {statistics.median(before):.0f} before, {statistics.median(most):.0f} at most "
        f"({min(most)} to {max(most)}), n = {len(runs)}"
    )


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        print(json.dumps(work(given.work[0], Path(given.work[1]))))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        kind = subprocess.run(["stat", "-f", "-c", "%T", name], capture_output=True, text=True, check=True).stdout
        print(f"{os.cpu_count()} cores {platform.machine()}, load {os.getloadavg()[0]:.1f}, {kind.strip()}, Python")
        print(f"{platform.python_version()}, SQLAlchemy {sa.__version__}, psycopg {psycopg.__version__}", flush=True)
        urls = [sa.make_url(f"sqlite:///{folder / 'images.db'}")]
        if not postgres.programs():
            measure(urls, given, folder)
            return
        with postgres.server(folder / "server") as port:
            login = (postgres.USER, postgres.PASSWORD, "127.0.0.1", port, "postgres")
            measure([*urls, sa.URL.create("postgresql+psycopg", *login)], given, folder)


if __name__ == "__main__":
    main()
