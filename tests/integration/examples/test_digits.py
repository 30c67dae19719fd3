"""The pipeline of the digits: what runs again and what does not, and what DVC shows of two versions."""

import csv
import io
import json
import re

import pytest

HERE = "examples/digits"
RUN = f"{HERE}/artifacts/digits/cnn"
ALL = ["prepare", "train", "notify"]


@pytest.fixture(scope="module")
def digits(make_project):
    """The pipeline run once with two epochs, and what came of it, committed."""
    project = make_project("digits")
    project.edit(f"{HERE}/config.yaml", ("num_epochs: 30", "num_epochs: 2"))
    ran, left, printed = project.repro("digits")
    assert (ran, left) == (ALL, [])
    assert "## digits/cnn" in printed
    project.committed = project.commit("two epochs")
    return project


@pytest.fixture(scope="module")
def changed(digits):
    """The same with another rate, and which stages that ran."""
    digits.edit(f"{HERE}/config.yaml", ("learning_rate: 0.003", "learning_rate: 0.0001"))
    digits.parameters = digits.dvc("params", "diff", "--json", where=HERE)
    return digits.repro("digits")[:2]


def test_git_gets_the_lock_file_and_no_result(digits):
    assert digits.committed == [f"{HERE}/config.yaml", f"{HERE}/dvc.lock"]
    assert digits.run("git", "status", "--porcelain").stdout == ""


def test_it_leaves_the_model_the_history_and_the_pictures(digits):
    folder = digits.folder / RUN
    rows = list(csv.DictReader((folder / "training_history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    for name in ("training_history.png", "confusion_matrix.png", "metrics.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG"), name
    assert (folder / "model.pth").is_file()
    assert (digits.folder / HERE / "artifacts/store/store.json").is_file()


def test_the_store_and_the_model_are_dvc_s(digits):
    tracked = {each["path"] for each in json.loads(digits.dvc("list", ".", "-R", "--dvc-only", "--json"))}
    assert {f"{RUN}/model.pth", f"{RUN}/metrics.json", f"{HERE}/artifacts/store/train_inputs.npy"} <= tracked


def test_a_second_run_only_tells(digits):
    ran, left, printed = digits.repro("digits")
    assert (ran, left) == (["notify"], ["prepare", "train"])
    assert "## digits/cnn" in printed


def test_a_remark_in_the_settings_is_no_change_and_compiled_code_is_none(digits):
    with (digits.folder / HERE / "config.yaml").open("a") as stream:
        stream.write("# a remark\n")
    cache = digits.folder / "image_classifier/__pycache__"
    cache.mkdir()
    (cache / "config.cpython-311.pyc").write_bytes(b"x")
    assert set(json.loads(digits.dvc("status", "dvc.yaml", "--json", where=HERE))) == {"notify"}
    digits.run("git", "checkout", "-q", "--", HERE)


@pytest.mark.parametrize(
    ("path", "old", "new", "stale"),
    [
        ("requirements/requirements-prod.txt", "numpy==", "numpy==9", {"prepare", "train"}),
        ("image_classifier/randomness.py", '"""', '"""Another. ', {"prepare", "train"}),
        (f"{HERE}/config.yaml", "split_seed: 0", "split_seed: 1", {"prepare", "train"}),
        (f"{HERE}/config.yaml", "image_size: ", "image_size: 10 ", {"prepare", "train"}),
        (f"{HERE}/config.yaml", "num_epochs: 2", "num_epochs: 3", {"train"}),
        (f"{HERE}/config.yaml", "seed: 0\nnum", "seed: 0\nweight_decay: 0.1\nnum", {"train"}),
    ],
)
def test_a_change_makes_exactly_what_depends_on_it_stale(digits, path, old, new, stale):
    before = (digits.folder / path).read_text()
    (digits.folder / path).write_text(before.replace(old, new, 1))
    status = json.loads(digits.dvc("status", "dvc.yaml", "--json", where=HERE))
    (digits.folder / path).write_text(before)
    assert {name for name, reasons in status.items() if reasons != ["always changed"]} == stale


def test_a_changed_setting_runs_what_depends_on_it(changed):
    assert changed == (["train", "notify"], ["prepare"])


def test_the_settings_are_compared(digits, changed):
    difference = json.loads(digits.parameters)
    assert list(difference) == ["config.yaml"]
    assert list(difference["config.yaml"]) == ["learning_rate"]
    told = difference["config.yaml"]["learning_rate"]
    assert (told["old"], told["new"]) == (0.003, 0.0001)


def test_the_figures_are_compared(digits, changed):
    difference = json.loads(digits.dvc("metrics", "diff", "--json", where=HERE))
    (figures,) = difference.values()
    accuracy = figures["accuracy"]
    now = json.loads((digits.folder / RUN / "metrics.json").read_text())
    assert accuracy["new"] == now["accuracy"]
    assert accuracy["new"] < accuracy["old"], "two epochs at a thirtieth of the rate"
    assert accuracy["diff"] == pytest.approx(accuracy["new"] - accuracy["old"])
    assert "val.accuracy" in figures


def test_the_curves_of_both_versions_are_in_one_plot_beside_both_confusion_matrices(digits, changed, tmp_path):
    plots = json.loads(digits.dvc("plots", "diff", "--json", "-o", tmp_path / "plots", where=HERE))["data"]
    (curve,) = plots["digits_accuracy"]
    assert sorted(curve["revisions"]) == ["HEAD", "workspace"]
    points = curve["content"]["data"]["values"]
    now = list(csv.DictReader((digits.folder / RUN / "training_history.csv").read_text().splitlines()))
    for field in ("acc", "val_acc"):
        drawn = [point[field] for point in points if point["rev"] == "workspace" and point["field"] == field]
        assert drawn == [row[field] for row in now]
    assert {point["rev"] for point in points} == {"HEAD", "workspace"}
    pictures = plots["artifacts/digits/cnn/confusion_matrix.png"]
    assert sorted(rev for each in pictures for rev in each["revisions"]) == ["HEAD", "workspace"]


def test_the_page_of_plots_shows_them(digits, changed, tmp_path):
    digits.dvc("plots", "show", "-o", tmp_path / "plots", where=HERE)
    page = (tmp_path / "plots" / "index.html").read_text()
    assert "Accuracy by epoch" in page
    (picture,) = (tmp_path / "plots" / "static").glob("*confusion_matrix*")
    assert picture.read_bytes() == (digits.folder / RUN / "confusion_matrix.png").read_bytes()


def test_what_python_reads_of_another_version_is_that_version(repository, digits, changed):
    """The code of docs/pipelines.md, in a repository with two versions."""
    digits.commit("another rate")
    text = (repository / "docs" / "pipelines.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    said = digits.run("python", "-W", "error", "-c", code).stdout
    before, now = (float(number) for number in re.findall(r"0\.\d+|1\.0", said)[:2])
    assert now == json.loads((digits.folder / RUN / "metrics.json").read_text())["accuracy"]
    assert before > now
    history = digits.run(
        "python", "-c", f"import dvc.api; print(dvc.api.read('{RUN}/training_history.csv', rev='HEAD~1'), end='')"
    ).stdout
    assert len(list(csv.DictReader(io.StringIO(history)))) == 2


def test_a_setting_that_was_tried_before_comes_from_dvc_s_cache(digits, changed):
    digits.edit(f"{HERE}/config.yaml", ("learning_rate: 0.0001", "learning_rate: 0.003"))
    assert digits.repro("digits")[:2] == (["notify"], ["prepare", "train"])
    assert digits.run("git", "diff", "--stat", "HEAD~1").stdout == "", "settings and results of before"
