"""How fast objects are pulled from an S3 server (moto, a process of its own), by how many are asked for at a time.

    python benchmarks/buckets.py ARCHIVE [--prefix cifar10/test] [--count 10000] [--at_once 1 8 16 32] [--times 3]

The images of a tar archive become objects. Each pull is into a fresh folder, in turn between the numbers; what it
takes includes the checks and the journal, not the listing, which is timed apart. Most of the processor's time is
moto's: a figure says what the number at a time changes, and nothing of a real server.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path

import s3fs

from image_classifier.data.sources import pulling
from image_classifier.data.sources.contents import look
from image_classifier.data.sources.pulling import PulledCopy, Wanted

PORT = 5123
KEYS = {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "x"}  # pragma: allowlist secret
os.environ |= {**KEYS, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}"}


def fill(archive: Path, prefix: str, count: int) -> None:
    """Put the archive's images into the bucket `benchmark`."""
    fs = s3fs.S3FileSystem()
    fs.call_s3("create_bucket", Bucket="benchmark")
    with tarfile.open(archive) as tar:
        names: dict[str, bytes] = {}
        for member in tar:
            if prefix in member.name and member.name.lower().endswith((".jpg", ".jpeg", ".png")):
                file = tar.extractfile(member)
                names[f"benchmark/data/{member.name}"] = file.read() if file else b""
            if len(names) == count:
                break
    fs.pipe(names)


def pulled(at_once: int, folder: Path) -> tuple[float, float, float, int]:
    """Seconds for the listing and for the pull, those of this process's own for the latter, and how many objects."""
    pulling.AT_ONCE = at_once
    began = time.perf_counter()
    there = look("s3://benchmark/data")
    listed = time.perf_counter() - began
    wanted = [Wanted(each.path, there.bucket, there.inside(each)) for each in there.objects]
    began, own = time.perf_counter(), time.process_time()
    PulledCopy(folder, quiet=True).pull(wanted)
    return listed, time.perf_counter() - began, time.process_time() - own, len(wanted)


def main() -> None:
    """Print a line for each number at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--at_once", type=int, nargs="+", default=[1, 8, 16, 32])
    parser.add_argument("--times", type=int, default=3)
    asked = parser.parse_args()
    program = Path(sys.executable).with_name("moto_server")
    with subprocess.Popen([program, "-p", str(PORT)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(100):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{PORT}/moto-api/", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.2)
            fill(asked.archive, asked.prefix, asked.count)
            rates: dict[int, list[float]] = {number: [] for number in asked.at_once}
            for _ in range(asked.times):
                for number in asked.at_once:
                    with tempfile.TemporaryDirectory() as folder:
                        listed, seconds, own, count = pulled(number, Path(folder))
                    rates[number].append(count / seconds)
                    taken = f"listed in {listed:.1f} s, pulled in {seconds:.1f} s ({own:.1f} s own)"
                    print(f"{number} at a time: {count} {taken}", flush=True)
            for number, found in rates.items():
                spread = f"{min(found):.0f} to {max(found):.0f}"
                print(f"{number:3} at a time: {statistics.median(found):.0f} objects/s ({spread}, n = {len(found)})")
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
