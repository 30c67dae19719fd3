"""What it costs to find that a query's rows have not changed, against reading them: PostgreSQL on this machine.

    python benchmarks/recognising.py ARCHIVE [--rows 50000] [--times 5]

ARCHIVE is a tar of images. Asked in turn, each time on a connection of its own: the rows alone; the rows with the
digests that they bring; the digest of all of them alone, which is what an unchanged query costs; all of `prepare` where
nothing has changed, whose store is checked byte by byte. Seconds on the clock, seconds of processor time in the server,
and megabytes of images that the client was sent.
"""

import argparse
import platform
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from os import sysconf
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import postgres

from image_classifier.data.preparing import prepare
from image_classifier.data.sources.query_identity import read_if_new
from image_classifier.data.sources.querying import read
from image_classifier.settings.database import Access, Connection

QUERY = "SELECT key, image, label FROM images"


def fill(port: int, archive: Path, count: int) -> None:
    """A table of the archive's first images."""
    login = {"host": "127.0.0.1", "port": port, "user": postgres.USER, "password": postgres.PASSWORD}
    with psycopg.connect(dbname="postgres", **login) as connection, tarfile.open(archive) as members:
        connection.execute("CREATE TABLE images (key text PRIMARY KEY, image bytea, label text)")
        files = (member for member in members if member.isfile() and member.name.endswith(".jpg"))
        with connection.cursor().copy("COPY images FROM STDIN") as copy:
            for member in islice(files, count):
                content = members.extractfile(member).read()
                copy.write_row((member.name, content, member.name.split("/")[-2]))
    with psycopg.connect(dbname="postgres", autocommit=True, **login) as connection:
        connection.execute("VACUUM ANALYZE images")


def server_seconds(folder: Path) -> float:
    """Processor time of the server's processes that have ended: of connections, above all."""
    postmaster = (folder / "data" / "postmaster.pid").read_text().split()[0]
    fields = Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / sysconf("SC_CLK_TCK")


def measured(folder: Path, ask: Callable[[], int]) -> tuple[float, float, int]:
    """Seconds on the clock and in the server, and what was asked for."""
    before, started = server_seconds(folder), time.perf_counter()
    found = ask()
    seconds = time.perf_counter() - started
    time.sleep(0.3)  # the connection's process ends
    return seconds, server_seconds(folder) - before, found


def bytes_of(names: list[str], batches: object) -> int:
    """The size of the images that came."""
    at = names.index("image")
    return sum(len(row[at]) for batch in batches for row in batch)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, postgres.server(Path(name) / "server") as port:
        folder = Path(name) / "server"
        fill(port, given.archive, given.rows)
        source = Connection(Path("db.yaml"), "postgresql", "postgres", QUERY, "127.0.0.1", port, postgres.USER)
        word = postgres.PASSWORD
        ways = {
            "the rows": lambda: read(source, word, bytes_of),
            "the rows with digests": lambda: read_if_new(source, word, bytes_of, None)[0],
            "the digest of all": lambda: read_if_new(source, word, bytes_of, lambda _: 0)[0],
        }
        description = folder / "db.yaml"
        description.write_text(f"dialect: postgresql\nhost: 127.0.0.1\nport: {port}\nname: postgres\n")
        with description.open("a") as stream:
            stream.write(f"user: {postgres.USER}\nquery: {QUERY}\n")
        how = {"image_size": None, "split_seed": 0, "quiet": True, "access": Access(description, word)}

        def prepared(cache: Path) -> int:
            return 0 * prepare("database", cache_folder=cache, **how).draws_test

        ways["prepare, unchanged"] = lambda: prepared(folder / "cache")
        for ask in ways.values():  # imports, and the store
            ask()
        found = {way: [] for way in ways}
        for _ in range(given.times):
            for way, ask in ways.items():
                found[way].append(measured(folder, ask))
        new = measured(folder, lambda: prepared(folder / "another"))
        print(f"prepare for the first time: {new[0]:.1f} s, n = 1")
    print(f"{platform.machine()}, Python {platform.python_version()}, {given.rows} rows, n = {given.times}")
    for way, times in found.items():
        parts = []
        for what, values in zip(("s", "s in the server"), list(zip(*times, strict=True))[:2], strict=True):
            parts.append(f"{statistics.median(values):.2f} {what} ({min(values):.2f} to {max(values):.2f})")
        print(f"{way:<24}{', '.join(parts)}, {times[0][2] / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
