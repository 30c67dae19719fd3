"""Config prints the composed settings, in each of its forms."""

import pytest

from image_classifier.main import main
from image_classifier.settings import views
from image_classifier.settings.config import FIELDS

pytestmark = pytest.mark.unit


def test_config_prints_what_it_would_use_and_from_where(capsys):
    assert main(["config", "--model", "net", "--seed", "7"]) == 0
    lines = {line.split(":")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert list(lines) == list(FIELDS)
    assert lines["seed"].split() == ["seed:", "7", "#", "the", "command", "line"]
    assert lines["learning_rate"].split() == ["learning_rate:", "0.001", "#", "recipe", "net.yaml"]


def test_params_are_read_alike_by_dvc_and_by_config(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    given = ["config", "--model", "cnn", "--learning_rate", "1e-5", "--dataset_folder", "digits", "--num_threads", "2"]
    assert main([*given, "--as", "params"]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "params.yaml").write_text(printed)
    from dvc.utils.serialize import load_yaml

    read = load_yaml("params.yaml")
    assert list(read) == ["dataset_folder", *FIELDS]
    assert (read["dataset_folder"], read["learning_rate"], read["num_threads"]) == ("digits", 1e-5, "2")
    assert (read["freeze_backbone"], read["width"], read["flip"]) == (False, None, "none")
    assert main(["config", "--config", "params.yaml", "--as", "params"]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(("form", "page"), [("reference", views.reference_page), ("dispatch", views.dispatch_form)])
def test_a_page_of_all_settings_is_printed_whatever_is_given(capsys, form, page):
    assert main(["config", "--as", form]) == 0
    assert capsys.readouterr().out == page()
