"""Track says where a run was sent, or that it was not; tests/integration/tracking sends it."""

import shutil

import pytest

from image_classifier.main import main

pytestmark = pytest.mark.unit


@pytest.fixture
def copied(trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "e" / "r")
    return ["--experiments_folder", str(tmp_path)]


def test_where_tracking_is_off_there_is_nowhere_to_send_it(copied, capsys):
    assert main(["track", "e/r", "--tracking_uri", "off", *copied]) == 2
    assert "error: tracking is off" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_code_4_and_its_secrets_are_not_shown(copied, capsys):
    uri = "http://CANARY@127.0.0.1:1"
    assert main(["track", "e/r", "--tracking_uri", uri, *copied]) == 4
    said = capsys.readouterr().err
    assert "error: e/r was not sent" in said
    assert "CANARY" not in said


def test_a_run_that_is_not_there_is_refused(copied, capsys):
    assert main(["track", "e/s", "--tracking_uri", "http://127.0.0.1:1", *copied]) == 2
    assert "e/s is not a run" in capsys.readouterr().err
