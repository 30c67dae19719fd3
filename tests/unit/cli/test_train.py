"""Train prints what came of a run, and refuses what it cannot do before the run's folder is made."""

import pytest

from image_classifier import runs
from image_classifier.main import trainer

pytestmark = pytest.mark.unit


@pytest.fixture
def give(trained, cache, tmp_path, capsys):
    """give(*words) is the exit code of a training on wine under `tmp_path`, and what it says."""

    def call(*words, run="r", folder=tmp_path):
        where = ["--experiments_folder", str(folder), "--cache_folder", str(cache), "--dataset_folder", "wine"]
        code = trainer(["--experiment_name", "e", "--run_name", run, *where, "--num_threads", "1", *words])
        return (code, *capsys.readouterr())

    return call


def test_a_run_is_trained_and_told_and_is_there_when_it_is_asked_for_again(give, tmp_path):
    asked = ["--model", "dense", "--num_epochs", "1", "--tag", "why=http://CANARY@host/"]
    code, printed, _ = give(*asked)
    assert code == 0
    done = runs.find("e/r", tmp_path)
    assert f"accuracy    {done.metrics()['accuracy']:.4f} (95 % interval" in printed
    assert printed.splitlines()[-1] == f"results     {done.folder}"
    assert done.record["tags"] == {"why": "http://***@host/"}
    assert {name for name, origin in done.origins.items() if origin.chosen} == {"model", "num_epochs", "num_threads"}
    code, _, said = give(*asked)
    assert code == 2
    assert "e/r is finished; a run is never overwritten" in said
    assert give(*asked, "--resume")[:2] == (0, printed)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--run_name", "../r"], "--run_name '../r' is not a valid name"),
        (["--model", "resnet18"], "resnet18 reads images, and this is a table"),
        (["--model", "dens"], "model must be the name of a model, not 'dens'"),
        (["--num_epochs", "0"], "num_epochs must be a whole number from 1"),
        (["--tag", "mlflow.user=me"], "--tag mlflow.user is set by the program itself"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_the_folder_is_made(give, tmp_path, words, told):
    code, printed, said = give(*words)
    assert (code, printed) == (2, "")
    assert f"error: {told}" in said
    assert list(tmp_path.iterdir()) == []


def test_a_run_has_two_names(capsys):
    assert trainer(["--run_name", "r"]) == 2
    assert "required: --experiment_name" in capsys.readouterr().err
