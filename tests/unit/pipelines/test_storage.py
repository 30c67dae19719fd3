"""Which paths of a storage are names, roots and places, and which are refused."""

import pytest

from image_classifier.errors import UserError
from image_classifier.pipelines.storage import Storage, refuse_climbing


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a\\b", ""])
def test_a_name_that_climbs_is_refused(name):
    with pytest.raises(UserError, match="leads elsewhere"):
        refuse_climbing(name, "here")


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "a b", "x" * 200, "a\n"])
def test_only_a_plain_name_becomes_part_of_a_path(storage, name):
    with pytest.raises(UserError, match="no name that can be stored"):
        storage.path("pipeline_tmp", name)


@pytest.mark.parametrize("path", ["{other}/x", "{own}/../other", "/etc", "{own}x", "{own}/a/../../b", "{own}//x"])
def test_a_path_outside_a_runs_own_is_refused(storage, path):
    own, other = storage.path("pipeline_tmp", "one"), storage.path("pipeline_tmp", "other")
    assert storage.inside(f"{own}/a/b", "pipeline_tmp", "one") == f"{own}/a/b"
    with pytest.raises(UserError):
        storage.inside(path.format(own=own, other=other), "pipeline_tmp", "one")


@pytest.mark.parametrize("root", ["", " ", "s3://", "s3://UPPER", "gs://bucket", "s3://bucket/../x", "http://x/y"])
def test_a_root_that_is_no_place_is_refused(root):
    with pytest.raises(UserError, match="no place for the pipeline's files"):
        Storage(root, "kubeflow")


def test_a_domain_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UserError, match="kubeflow, playground, test_data"):
        Storage(str(tmp_path), "production")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        Storage(str(tmp_path / "file"), "kubeflow").write(str(tmp_path / "file" / "x"), b"1")
