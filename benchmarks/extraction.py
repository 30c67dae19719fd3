"""What an extraction of few and of many rows takes: the peak memory of Java and of Python, and the time.

    python benchmarks/extraction.py [--rows 200000 2000000] [--rounds 3] [--heap 512m] [--fetch_size 10000] …

A PostgreSQL of its own with twelve numbers and two texts in each row, four data scopes of which three are extracted, by
the program in a process of its own; the sizes take turns. A fetch size above the rows, in one part, shows what a
cursor is for.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import postgres

SCOPES = '["a", "b", "c"]'
TABLE = """
create unlogged table t{rows} as select g as id, (array['a', 'b', 'c', 'd'])[g % 4 + 1] as site, md5(g::text) as code,
    (array['rose', 'aster'])[g % 2 + 1] as kind, {numbers} from generate_series(1, {rows}) g;
create index on t{rows} (id); analyze t{rows}
"""


def peak(process: int) -> int:
    """The most memory that a process has had, in MiB; 0 when it is gone."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    return 0


def children(process: int) -> list[int]:
    """The processes below a process."""
    found = []
    with contextlib.suppress(OSError):
        for each in Path(f"/proc/{process}/task").iterdir():
            for child in (each / "children").read_text(encoding="ascii").split():
                found += [int(child), *children(int(child))]
    return found


def is_java(process: int) -> bool:
    """Whether a process is the one that Spark runs in."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/exe").resolve().name == "java"
    return False


def extraction(port: int, rows: int, asked: argparse.Namespace) -> dict[str, float]:
    """One extraction: seconds, and the peaks of Java and Python in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "image_classifier.pipelines.extraction",
            "--source", f"jdbc:postgresql://127.0.0.1:{port}/postgres", "--table", f"t{rows}", "--user", postgres.USER,
            "--scope_column", "site", "--scopes", SCOPES, "--output", f"{folder}/out", "--partition_column", "id",
            "--fetch_size", str(asked.fetch_size), "--num_partitions", str(asked.num_partitions),
            "--jars", "/usr/share/java/postgresql.jar",
        ]  # fmt: skip
        settings = {"DB_PASS": postgres.PASSWORD, "PYSPARK_SUBMIT_ARGS": f"--driver-memory {asked.heap} pyspark-shell"}
        started = time.perf_counter()
        with subprocess.Popen(
            command, env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as running:
            words: list[str] = []
            reader = threading.Thread(target=lambda: words.extend(running.stderr or ()))
            reader.start()
            java = python = 0
            while running.poll() is None:
                python = max(python, peak(running.pid))
                java = max([java, *(peak(each) for each in children(running.pid) if is_java(each))])
                time.sleep(0.05)
            reader.join()
    if running.returncode:
        print("".join(words[-2:]))
    return {"seconds": time.perf_counter() - started, "java": java, "python": python, "code": running.returncode}


def main() -> None:
    """Print a line for each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000, 2_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--heap", default="512m")
    parser.add_argument("--fetch_size", type=int, default=10_000)
    parser.add_argument("--num_partitions", type=int, default=8)
    arguments = parser.parse_args()
    numbers = ", ".join(f"random() as x{number}" for number in range(12))
    found: dict[int, list[dict[str, float]]] = {rows: [] for rows in arguments.rows}
    with tempfile.TemporaryDirectory() as folder, postgres.server(Path(folder) / "server") as port:
        login = f"host=127.0.0.1 port={port} dbname=postgres user={postgres.USER}"
        with psycopg.connect(login, password=postgres.PASSWORD) as connection:
            for rows in arguments.rows:
                connection.execute(TABLE.format(rows=rows, numbers=numbers))
        for _ in range(arguments.rounds):
            for rows, results in found.items():
                results.append(extraction(port, rows, arguments))
    for rows, results in found.items():
        line = [f"{rows:>9,} rows, n = {len(results)}"]
        for name, unit in (("java", "MiB"), ("python", "MiB"), ("seconds", "s")):
            values = [each[name] for each in results]
            line.append(f"{name} {statistics.median(values):.0f} {unit} ({min(values):.0f}-{max(values):.0f})")
        print(*line, f"exit codes {sorted({each['code'] for each in results})}", sep=", ")


if __name__ == "__main__":
    main()
