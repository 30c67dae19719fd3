"""A user's way through the commands: train, look, compare, predict, stop and go on; and ways to get it wrong."""

import csv
import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

import numpy as np
import pytest
import warm
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from image_classifier import load_run
from image_classifier.files import digest_file

pytestmark = pytest.mark.integration

DIGITS = ("--experiment_name", "e", "--run_name", "r", "--dataset_folder", "digits", "--model", "cnn")
TINY = ("--model", "cnn", "--num_epochs", "2", "--num_threads", "1")


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def surroundings(folder):
    return os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}


def program(*arguments, folder):
    return warm.run("image_classifier_trainer", *arguments, folder=folder, environment=surroundings(folder))


def cold(*arguments, folder):
    """The same in a process of its own, whose sets and addresses are in another order."""
    command = [sys.executable, "-m", "image_classifier.main", *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=surroundings(folder), capture_output=True, text=True, timeout=300
    )  # fmt: skip


def train(folder, run, *arguments, dataset="digits", how=program):
    names = ("--experiment_name", "e", "--run_name", run, "--dataset_folder", dataset)
    return how(*names, *arguments, folder=folder)


def command(folder, *arguments):
    return warm.run("image_classifier", *arguments, folder=folder, environment=surroundings(folder))


def refused(done, *words):
    assert done.returncode == 2, done.stderr
    assert any(line.startswith("error: ") for line in done.stderr.splitlines())
    assert done.stderr.splitlines()[-1].startswith(" hint: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    return True


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the finished runs e/one and e/two, and what the first printed."""
    folder = tmp_path_factory.mktemp("work")
    done = train(folder, "one", *TINY)
    assert done.returncode == 0, done.stderr
    assert (
        train(
            folder, "two", "--model", "cnn", "--num_epochs", "1", "--num_threads", "1", "--learning_rate", "0.0001"
        ).returncode
        == 0
    )
    return folder, done


def test_a_run_folder_holds_what_the_design_promises_and_nothing_else(trained):
    folder, _ = trained
    assert sorted(os.listdir(folder / "experiments/e/one")) == [
        "confusion_matrix.png", "error_sets.csv", "error_sets.json", "error_sets.png", "metrics.json", "metrics.png",
        "model.pth", "predictions.npz", "run.json", "training_history.csv", "training_history.png",
    ]  # fmt: skip
    record = json.loads((folder / "experiments/e/one/run.json").read_text())
    assert record["status"] == "finished"
    for name, about in record["files"].items():
        assert about["sha256"] == digest_file(folder / "experiments/e/one" / name)
    assert record["provenance"]["command"].endswith("--model cnn --num_epochs 2 --num_threads 1")


def test_elsewhere_than_a_terminal_there_is_one_line_per_epoch(trained):
    lines = [line for line in trained[1].stderr.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert "\r" not in trained[1].stderr


def test_the_metrics_equal_scikit_learns_on_the_stored_predictions(trained):
    run = load_run(trained[0] / "experiments/e/one")
    arrays, report = run.predictions(), run.metrics()
    labels, predicted = arrays["test_labels"], arrays["test_probabilities"].argmax(1)
    assert report["n"] == len(labels) == 270
    assert report["accuracy"] == pytest.approx(accuracy_score(labels, predicted))
    assert report["macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    recalls = confusion_matrix(labels, predicted, normalize="true").diagonal()
    assert [each["accuracy"] for each in report["per_class"].values()] == pytest.approx(recalls.tolist())
    assert report["val"]["n"] == len(arrays["val_labels"]) == 153
    assert f"{report['accuracy']:.4f}" in trained[1].stdout


def test_the_same_command_gives_the_same_model_to_the_bit(trained, tmp_path):
    assert train(tmp_path, "again", *TINY, "--num_workers", "0", how=cold).returncode == 0
    for name in ("model.pth", "predictions.npz", "metrics.json", "metrics.png", "error_sets.json", "error_sets.png"):
        first, second = trained[0] / "experiments/e/one" / name, tmp_path / "experiments/e/again" / name
        assert first.read_bytes() == second.read_bytes(), name


def test_evaluating_again_rewrites_the_same_bytes(trained):
    folder, _ = trained
    run = folder / "experiments/e/one"
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    (run / "metrics.json").unlink()
    (run / "metrics.png").write_bytes(b"")
    done = command(folder, "evaluate", "e/one")
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_evaluating_validation_writes_beside_the_run(trained):
    folder, _ = trained
    before = {path: path.stat().st_mtime_ns for path in (folder / "experiments/e/one").iterdir()}
    done = command(folder, "evaluate", "e/one", "--split", "val", "--output", "val.json")
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "val.json").read_text())
    val = load_run(folder / "experiments/e/one").metrics()["val"]
    assert (report["split"], report["n"], report["accuracy"]) == ("val", val["n"], val["accuracy"])
    assert {path: path.stat().st_mtime_ns for path in (folder / "experiments/e/one").iterdir()} == before


def test_a_finished_run_is_never_overwritten(trained):
    folder, _ = trained
    before = digest_file(folder / "experiments/e/one/run.json")
    assert refused(train(folder, "one", *TINY), "never overwritten")
    done = train(folder, "one", "--resume")
    assert done.returncode == 0
    assert "results" in done.stdout
    assert digest_file(folder / "experiments/e/one/run.json") == before


def without_streams(folder, redirections, *arguments):
    """The exit code of a training whose standard streams are what the shell's words make of them."""
    shell = ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-m", "image_classifier.main"]
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run([*shell, *arguments], cwd=folder, env=environment, timeout=300).returncode


@pytest.mark.parametrize(("redirections", "code"), [("<&- >&- 2>&-", 0), (">/dev/full 2>/dev/full", 2)])
def test_a_training_that_cannot_print_is_complete_all_the_same(tmp_path, redirections, code):
    names = ("--experiment_name", "e", "--run_name", "r", "--dataset_folder", "digits")
    assert without_streams(tmp_path, redirections, *names, *TINY) == code
    assert load_run(tmp_path / "experiments/e/r").metrics()["n"] == 270


def test_an_experiment_is_measured_to_its_end_though_nobody_reads_the_first_line(trained):
    folder, _ = trained
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; from image_classifier.main import main; sys.exit(main())"
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    asked = [sys.executable, "-u", "-c", code, "evaluate", "e", "--output", "both.json"]
    with os.fdopen(writer, "wb") as nobody:
        done = subprocess.run(asked, cwd=folder, env=environment, stdout=nobody, stderr=subprocess.PIPE, timeout=300)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert sorted(json.loads((folder / "both.json").read_text())) == ["one", "two"]


def test_runs_lists_every_run_with_its_accuracy(trained):
    folder, _ = trained
    done = command(folder, "runs")
    head, one, two = done.stdout.splitlines()
    assert head.split()[:3] == ["run", "status", "model"]
    assert one.startswith("e/one")
    assert f"{load_run(folder / 'experiments/e/one').metrics()['accuracy']:.4f}" in one
    assert two.startswith("e/two")


def test_compare_says_in_words_which_run_is_worse(trained):
    folder, _ = trained
    done = command(folder, "compare", "e/one", "e/two", "--output", "c.json")
    assert done.returncode == 0, done.stderr
    verdict = json.loads((folder / "c.json").read_text())["runs"][1]["verdict"]
    assert verdict == "worse"
    assert "| worse |" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "e/none"], ["e/none is not a run"]),
        (["evaluate", "e/one", "--dataset_folder", "nowhere/at/all"], ["nowhere"]),
        (["predict", "e/one", "missing.png"], ["missing.png"]),
        (["predict", "e/one", "cache", "--output", "x.txt"], ["x.txt"]),
        (["compare", "e/one"], ["nothing to compare"]),
        (["compare", "e/one", "e/two", "--output", "x.html"], [".json"]),
        (["notify", "e/none"], ["e/none is not a run"]),
        (["notify", "e/one", "--output", "x.html"], ["x.html", ".md"]),
        (["runs", "--experiments_folder", "nowhere"], ["nowhere"]),
        (["prepare", "--dataset_folder", "digit"], ["digits"]),
        (["config", "--model", "resnet81"], ["resnet18"]),
        (["config", "--learning_rte", "1"], ["--learning_rate"]),
        ([], ["COMMAND"]),
        (["trian"], ["train"]),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(trained, arguments, words):
    assert refused(command(trained[0], *arguments), *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--experiment_name", "../x", "--run_name", "r"], ["--experiment_name"]),
        (["--experiment_name", "%2e%2e", "--run_name", "r"], ["--experiment_name"]),
        (["--experiment_name", "e"], ["--run_name"]),
        (["--experiment_name", "e", "--run_name", "r", "--exp", "x"], ["--exp "]),
        (["--experiment_name", "e", "--run_name", "r", "--pretrained_model", "no/model.pth"], ["no/model.pth"]),
        (["--experiment_name", "e", "--run_name", "r", "--dataset_folder", "./digits"], ["./digits"]),
        (["--experiment_name", "e", "--run_name", "r", "--dataset_folder", "digits", "--device", "cuda"], ["GPU"]),
        (["--experiment_name", "e", "--run_name", "r", "--dataset_folder", "digits", "--model", "net"], ["16×16"]),
        (["--experiment_name", "e", "--run_name", "r", "--config", "none.yaml"], ["none.yaml"]),
        (["--experiment_name", "e", "--run_name", "r", "stray"], ["stray"]),
        ([*DIGITS, "--cutout", "8"], ["cutout"]),
        ([*DIGITS, "--pretrained_model", "torchvision"], ["publishes no weights for cnn"]),
        ([*DIGITS, "--pretrained_model", "/"], ["not a regular file"]),
        ([*DIGITS, "--num_threads", "9" * 5000], ["num_threads"]),
        ([*DIGITS, "--dataset_folder", "x" * 5000], ["x"]),
    ],
)
def test_a_training_that_cannot_be_is_refused_before_anything_is_written(tmp_path, arguments, words):
    done = program(*arguments, folder=tmp_path)
    if "--device" in arguments and done.returncode == 0:
        pytest.skip("this machine has a GPU")
    assert refused(done, *words)
    assert not (tmp_path / "experiments").exists()


def test_a_diverging_training_exits_with_2_and_keeps_its_record(tmp_path):
    done = train(tmp_path, "r", "--model", "cnn", "--optimizer", "sgd", "--learning_rate", "100", "--momentum", "0.99")
    assert refused(done, "loss became", "learning_rate")
    assert json.loads((tmp_path / "experiments/e/r/run.json").read_text())["status"] == "unfinished"


def begun(folder, *arguments):
    """A training in its own process, stopped by the caller once the first epoch is reported."""
    names = ("--experiment_name", "e", "--run_name", "r", "--dataset_folder", "digits", *TINY)
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    process = subprocess.Popen(
        [sys.executable, "-m", "image_classifier.main", *names, "--num_epochs", "12", *arguments],
        cwd=folder, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    for line in process.stderr:
        if line.startswith("epoch 2/"):
            return process
    raise AssertionError("the training ended early")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert train(folder, "r", *TINY, "--num_epochs", "12").returncode == 0
    return folder / "experiments/e/r"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_training_that_is_stopped_and_resumed_equals_the_uninterrupted_one(tmp_path, uninterrupted, how):
    process = begun(tmp_path, "--checkpoint_minutes", "0")
    process.send_signal(how)
    process.stderr.read()
    process.stderr.close()
    assert process.wait() == {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -9}[how]
    assert (tmp_path / "experiments/e/r/checkpoint.pth").exists()
    assert refused(train(tmp_path, "r", "--model", "cnn"), "--resume")
    assert refused(train(tmp_path, "r", "--resume", "--learning_rate", "0.5"), "learning_rate")
    done = train(tmp_path, "r", "--resume")
    assert done.returncode == 0, done.stderr
    assert "going on after epoch" in done.stderr
    for name in ("model.pth", "predictions.npz", "metrics.json"):
        assert (tmp_path / "experiments/e/r" / name).read_bytes() == (uninterrupted / name).read_bytes(), name
    assert not list((tmp_path / "experiments/e/r").glob("checkpoint*"))


def test_two_processes_cannot_train_the_same_run(tmp_path):
    process = begun(tmp_path)
    try:
        assert refused(train(tmp_path, "r", "--resume"), "in use")
    finally:
        process.kill()
        process.stderr.close()
        process.wait()


def test_resume_starts_a_run_that_is_not_there(tmp_path):
    assert train(tmp_path, "r", *TINY, "--resume").returncode == 0
    assert load_run(tmp_path / "experiments/e/r").finished


@pytest.fixture
def copied(trained, tmp_path):
    """Finished runs that a test may damage."""
    shutil.copytree(trained[0], tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_a_damaged_file_of_a_run_is_named_and_no_bug(copied):
    one = copied / "experiments/e/one"
    good = (one / "predictions.npz").read_bytes()
    for data, word in ((good[:1000], "predictions.npz"), (POINTER, "git lfs pull")):
        (one / "predictions.npz").write_bytes(data)
        assert refused(command(copied, "compare", "e/one", "e/two"), word)
    (one / "predictions.npz").write_bytes(good)
    (one / "model.pth").write_bytes((copied / "experiments/e/two/model.pth").read_bytes())
    assert refused(command(copied, "evaluate", "e/one"), "not the model that this run wrote")
    (one / "model.pth").write_bytes(POINTER)
    assert refused(command(copied, "predict", "e/one", "x.png"), "x.png")
    assert refused(command(copied, "evaluate", "e/one"), "git lfs pull")
    (one / "metrics.json").unlink()
    done = command(copied, "runs")
    assert done.returncode == 0
    assert "e/two" in done.stdout
    (copied / "experiments/e/two/run.json").write_text("[]")
    assert refused(command(copied, "evaluate", "e/two"), "is not as it was written: it is a list")


def test_evaluating_on_new_images_matches_classes_by_name_and_takes_them_all(photos, tmp_path):
    assert train(tmp_path, "r", *TINY, "--image_size", "16", dataset=photos).returncode == 0
    new = tmp_path / "new"
    shutil.copytree(photos / "test", new)
    done = command(tmp_path, "evaluate", "e/r", "--dataset_folder", "new", "--output", "new.json")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "new.json").read_text())
    own = load_run(tmp_path / "experiments/e/r").metrics()
    assert (report["n"], report["accuracy"]) == (own["n"], own["accuracy"]) == (10, own["accuracy"])
    (new / "red").rename(new / "green")
    assert refused(command(tmp_path, "evaluate", "e/r", "--dataset_folder", "new"), "does not know the class green")


def test_a_parents_model_is_where_a_child_begins(trained):
    folder, _ = trained
    parent = "e/one/model.pth"
    done = train(folder, "child", "--pretrained_model", parent, "--num_epochs", "1", "--learning_rate", "1e-9")
    assert done.returncode == 0, done.stderr
    child = load_run(folder / "experiments/e/child")
    assert child.config.model == "cnn"
    assert child.card["parent_sha256"] == digest_file(folder / "experiments" / parent)
    assert child.history()[0]["acc"] > 0.8
    assert command(folder, "notify", "e/child", "--output", "child.md").returncode == 0
    told = (folder / "child.md").read_text()
    assert "Not distinguishable from its parent e/one" in told
    assert f"{100 * child.metrics()['accuracy']:.1f} %" in told
    assert child.card["parent_sha256"] in told
    assert "| pretrained_model | e/one/model.pth" in told
    assert "| momentum |" not in told, "what the recipe says was chosen by nobody"


def test_a_summary_without_its_parent_at_hand_has_no_comparison(trained):
    folder, _ = trained
    done = command(folder, "notify", "e/one")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("## e/one\n")
    assert "parent" not in done.stdout


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Images of two classes, red and blue, of different sizes and formats."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for split, count in (("train", 40), ("test", 10)):
        for index in range(count):
            name, colour = (("red", (200, 30, 30)), ("blue", (30, 30, 200)))[index % 2]
            (folder / split / name).mkdir(parents=True, exist_ok=True)
            size = (int(generator.integers(20, 50)), int(generator.integers(20, 50)))
            noise = generator.integers(-25, 25, (*size, 3))
            image = Image.fromarray((np.array(colour) + noise).astype(np.uint8))
            image.save(folder / split / name / f"{index}.{('png', 'jpg')[index // 2 % 2]}")
    return folder


def test_a_folder_of_photos_trains_with_the_default_network_and_classifies_new_ones(photos, tmp_path):
    small = ("--num_epochs", "4", "--batch_size", "8", "--image_size", "32", "--num_threads", "1")
    done = train(tmp_path, "r", *small, dataset=photos)
    assert done.returncode == 0, done.stderr
    assert load_run(tmp_path / "experiments/e/r").metrics()["accuracy"] == 1.0
    done = command(tmp_path, "predict", "e/r", photos / "test", "--output", "p.csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    assert len(rows) == 10
    for row in rows:
        assert row["class"] == row["path"].split("/")[-2]
        assert float(row[f"p_{row['class']}"]) == float(row["probability"]) > 0.5
        assert float(row["p_red"]) + float(row["p_blue"]) == pytest.approx(1, abs=1e-6)
    done = command(tmp_path, "predict", "e/r", photos / "test", "--output", "p.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [line["class"] for line in lines] == [row["class"] for row in rows]


def test_predictions_of_the_test_files_equal_those_the_run_kept(photos, tmp_path):
    done = train(tmp_path, "r", *TINY, "--num_epochs", "1", "--image_size", "24", dataset=photos)
    assert done.returncode == 0, done.stderr
    done = command(tmp_path, "predict", "e/r", photos / "test")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    kept = load_run(tmp_path / "experiments/e/r").predictions()["test_probabilities"]
    found = [[float(row["p_blue"]), float(row["p_red"])] for row in rows]
    np.testing.assert_allclose(found, kept, atol=1e-5)


def test_one_broken_image_is_named_and_nothing_is_written(photos, tmp_path):
    assert train(tmp_path, "r", *TINY, "--image_size", "16", dataset=photos).returncode == 0
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = command(tmp_path, "predict", "e/r", photos / "test", "broken.png", "--output", "p.csv")
    assert refused(done, "broken.png", "leave these files out")
    assert not (tmp_path / "p.csv").exists()


def test_prepare_prints_the_digest_that_the_run_records(trained, tmp_path):
    done = command(tmp_path, "prepare", "--dataset_folder", "digits", "--output", "store")
    assert done.returncode == 0, done.stderr
    digest = json.loads((tmp_path / "store/store.json").read_text())["digest"]
    assert done.stdout == f"{digest}\n"
    assert load_run(trained[0] / "experiments/e/one").card["dataset_digest"] == digest
    assert train(tmp_path, "r", *TINY, dataset="store").returncode == 0
    first, second = (base / "experiments/e" / run / "model.pth" for base, run in ((trained[0], "one"), (tmp_path, "r")))
    assert first.read_bytes() == second.read_bytes()


def test_on_a_terminal_a_bar_moves(tmp_path):
    control, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 160, 0, 0))
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    names = ("--experiment_name", "e", "--run_name", "r", "--dataset_folder", "digits", *TINY)
    process = subprocess.Popen(
        [sys.executable, "-m", "image_classifier.main", *names],
        cwd=tmp_path, env=environment, stderr=terminal, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(control, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(control)
    assert process.wait() == 0
    assert b"\r" in shown
    assert b"44/44" in shown or b"100%" in shown
    assert b"epoch 2/2" in shown


def test_the_time_of_a_run_is_recorded(trained):
    timing = json.loads((trained[0] / "experiments/e/one/run.json").read_text())["timing"]
    assert timing["training_seconds"] > 0
    assert time.strptime(timing["started"], "%Y-%m-%dT%H:%M:%SZ") <= time.strptime(
        timing["finished"], "%Y-%m-%dT%H:%M:%SZ"
    )
