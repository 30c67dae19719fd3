"""How fast a query's images are read, and in how much memory: SQLite, or PostgreSQL where its programs are.

    python benchmarks/database.py [--rows 20000 200000] [--bytes 10000]

Each reading is a process of its own: it reads, copies and digests every row as `prepare` does before it decodes, and
says its largest resident size. The rows are noise of the given size with a key and one of ten classes.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import postgres

from image_classifier.data.sources.database import database_source
from image_classifier.settings.database import Access

AT_ONCE = 1000


def fill(url: sa.URL, count: int, size: int) -> None:
    """A table of `count` rows with `size` bytes each."""
    table = sa.Table(
        f"images_{count}",
        sa.MetaData(),
        sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("image", sa.LargeBinary),
        sa.Column("label", sa.Text),
    )
    with sa.create_engine(url).begin() as connection:
        table.create(connection)
        for first in range(0, count, AT_ONCE):
            rows = range(first, min(first + AT_ONCE, count))
            found = [{"key": row, "image": os.urandom(size), "label": f"class {row % 10}"} for row in rows]
            connection.execute(table.insert(), found)


def read(description: Path) -> None:
    """Read the query and print the rows, seconds and MB: resident before and at most."""
    import psycopg  # noqa: F401, PLC0415  (what is imported is no part of the reading)
    import pyarrow  # noqa: F401, ICN001, PLC0415

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=description.parent) as spool:
        source = database_source(Access(description), None, None, (), Path(spool))
        seconds = time.perf_counter() - started
    ((_, total, count, _),) = source.stats
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{count} rows of {total / 1e6:.0f} MB in {seconds:.1f} s, {count / seconds:.0f} rows/s", end=", ")
    print(f"resident {before} MB before, {most} MB at most")


def measure(url: sa.URL, counts: list[int], size: int, folder: Path) -> None:
    """Fill and read tables of so many rows."""
    for count in counts:
        fill(url, count, size)
        description = folder / f"{count}.yaml"
        place = {"host": url.host, "port": url.port, "user": url.username}
        given = {"dialect": url.get_backend_name(), "name": url.database, **place}
        lines = [f"{name}: {value}" for name, value in given.items() if value is not None]
        query = f"query: SELECT key, image, label FROM images_{count}"  # noqa: S608  (a number)
        description.write_text("\n".join([*lines, query]) + "\n", encoding="utf-8")
        print(f"{url.get_backend_name():<12}", end="", flush=True)
        environment = os.environ | {"DB_PASS": url.password or ""}
        subprocess.run([sys.executable, __file__, "--read", description], check=True, env=environment)


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--bytes", type=int, default=10_000)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read(given.read)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure(sa.make_url(f"sqlite:///{folder / 'images.db'}"), given.rows, given.bytes, folder)
        if postgres.programs():
            with postgres.server(folder / "server") as port:
                made = sa.URL.create(
                    "postgresql+psycopg", postgres.USER, postgres.PASSWORD, "127.0.0.1", port, "postgres"
                )
                measure(made, given.rows, given.bytes, folder)


if __name__ == "__main__":
    main()
