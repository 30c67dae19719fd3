import pytest

from image_classifier.pipelines import training


@pytest.mark.parametrize("run_type", ["individual", "recurring"])
def test_a_servers_address_stays_in_the_environment(work, monkeypatch, run_type):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://user:canary@mlflow.example.org")  # pragma: allowlist secret
    assert training.tracking(work(run_type=run_type)) == []


def test_without_a_server_a_run_is_sent_nowhere(work, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert training.tracking(work()) == ["--tracking_uri=off"]


def test_a_simulation_is_sent_nowhere(work, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    assert training.tracking(work(run_type="simulation")) == ["--tracking_uri=off"]
