"""What only another process shows: the same bytes, its exit code, its memory, what it loads; or several at once."""

import hashlib
import os
import runpy
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import torch
from PIL import Image

from image_classifier.data.preparing import prepare
from image_classifier.files import digest_bytes
from image_classifier.model import artifact
from image_classifier.visualization import plot

# What draws pictures, and settings of matplotlib that would change them.
STYLE = "tests/unit/visualization/test_style.py"


def test_activation_makes_torch_deterministic_without_loading_its_compiler():
    code = (
        "import sys, torch; from image_classifier import runtime\n"
        "runtime.activate(runtime.resolve('auto', 'auto', '1'))\n"
        "print(torch.are_deterministic_algorithms_enabled(), torch.get_num_threads(), 'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "1", "False"]


def test_memory_that_was_freed_is_used_again_without_page_faults():
    code = (
        "import resource, torch; from image_classifier import runtime\n"
        "runtime.keep_freed_memory(); runtime.keep_freed_memory()\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "torch.ones(50_000_000); before = faults(); torch.ones(50_000_000); print(faults() - before)\n"
        "print(any(line.startswith('VmFlags') and ' hg' in line for line in open('/proc/self/smaps')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    faults, advised = done.stdout.split()
    assert int(faults) < 100  # 48,829 pages of 4 KB
    assert advised == "True"


def test_bytes_are_equal_in_another_process():
    code = (
        "import torch, hashlib; from image_classifier.model import artifact;"
        "data = artifact.dumps({'w': torch.arange(5.0), 'v': torch.ones(2)}, {'b': 1, 'a': 'x'});"
        "print(hashlib.sha256(data).hexdigest())"
    )
    here = digest_bytes(artifact.dumps({"v": torch.ones(2), "w": torch.arange(5.0)}, {"a": "x", "b": 1}))
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == here


def test_another_process_with_a_users_matplotlibrc_gives_the_same_bytes(repository, tmp_path):
    style = runpy.run_path(str(repository / STYLE))
    (tmp_path / "matplotlibrc").write_text("".join(f"{key}: {value}\n" for key, value in style["HOSTILE"].items()))
    script = (
        "import sys, runpy, hashlib; from image_classifier.visualization import plot; import matplotlib\n"
        "assert matplotlib.rcParams['font.size'] == 21\n"
        "for name, draw in runpy.run_path(sys.argv[1])['DRAWN'].items():\n"
        "    print(name, hashlib.sha256(plot.png(draw())).hexdigest())\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    environment = {
        **os.environ,
        "MATPLOTLIBRC": str(tmp_path / "matplotlibrc"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-W", "error", "-c", script, repository / STYLE]
    result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    here = {name: hashlib.sha256(plot.png(draw())).hexdigest() for name, draw in style["DRAWN"].items()}
    assert dict(line.split() for line in result.stdout.splitlines()) == here


def prepared(folder, cache):
    return prepare(str(folder), image_size=None, split_seed=0, cache_folder=cache, quiet=True)


def found_by(_, folder, cache):
    again = prepared(folder, cache)
    return again.digest, np.array(again.splits["train"].inputs).tobytes()


def test_many_who_find_a_damaged_store_at_once_all_get_a_whole_one(tmp_path):
    for number in range(20):
        path = tmp_path / "pets" / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    where = {"folder": tmp_path / "pets", "cache": tmp_path / "cache"}
    store, found = prepared(**where), partial(found_by, **where)
    # Processes, as trainings are: threads that parse headers at once can meet a fault of CPython's (gh-106905).
    with ProcessPoolExecutor(8, get_context("fork")) as pool:
        for _ in range(5):
            (store.folder / "test_labels.npy").unlink()
            assert set(pool.map(found, range(8))) == {(store.digest, store.splits["train"].inputs.tobytes())}
    assert os.listdir(store.folder.parent) == [store.folder.name]


def test_no_file_takes_the_place_of_a_closed_stream(tmp_path):
    program = (
        "import os, sys; from image_classifier.main import main; "
        "codes = [main(['config', '--as', 'reference']), main(['config', '--as', 'yml'])]; "
        f"file = os.open({str(tmp_path / 'file')!r}, os.O_CREAT | os.O_WRONLY); "
        "os.write(file, f'{codes} {file > 2} {[os.get_inheritable(number) for number in range(3)]}'.encode()); "
        "print('x'); sys.exit(7)"
    )
    done = subprocess.run(["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, program], timeout=60)
    assert done.returncode == 7
    assert (tmp_path / "file").read_text() == "[0, 2] True [True, True, True]"


def test_the_process_of_a_command_ends_with_the_code_that_it_earned():
    program = "import sys; from image_classifier.main import main; sys.exit(main(sys.argv[1:]))"
    for form, code in (("reference", 0), ("yml", 2)):
        command = [sys.executable, "-u", "-c", program, "config", "--as", form]
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as nobody:
            assert subprocess.run(command, stdout=nobody, stderr=nobody, timeout=60).returncode == code
