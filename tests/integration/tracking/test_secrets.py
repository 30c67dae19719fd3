"""What is secret in an address of a tracking server is in no file and in no line of the output."""

import sys

import pytest

from image_classifier.main import main


@pytest.fixture
def said(monkeypatch, capfd, caplog):
    """said(code, …) is all that `image_classifier …` prints in this process."""

    def call(code, *arguments):
        caplog.clear()
        monkeypatch.setattr(sys, "argv", ["image_classifier", *map(str, arguments)])
        assert main() == code
        return "".join(capfd.readouterr()) + caplog.text

    return call


def test_no_file_and_no_line_holds_more_of_an_address_than_may_be_known(said, free_port, tmp_path):
    port = free_port()
    uri = f"http://CANARY@127.0.0.1:{port}/mlflow?key=CANARY%2FCANARY#CANARY"
    printed = said(
        4, "train", "--experiment_name", "e", "--run_name", "r", "--dataset_folder", "wine", "--model", "naive_bayes",
        "--experiments_folder", tmp_path, "--cache_folder", tmp_path / "cache", f"--tracking_uri={uri}",
        "--tag", f"see=the page {uri} of the team",
    )  # fmt: skip
    printed += said(4, "track", "e/r", "--experiments_folder", tmp_path, "--tracking_uri", uri)
    assert f"was not sent to http://***@127.0.0.1:{port}/mlflow?***" in printed
    assert "CANARY" not in printed
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert f"http://***@127.0.0.1:{port}/mlflow?***".encode() in written[tmp_path / "e/r/run.json"]
    assert [path for path, content in written.items() if b"CANARY" in content] == []
