"""update_pipeline.py: what must be set up before anything is sent, and what is handed to the program."""

import sys

import kfp_api
import pytest
from steps import job, refused

KEY = "canary-of-the-key"
SET_UP = {
    "KFP_HOST": "http://127.0.0.1:9",
    "PIPELINE_ROOT": "s3://bucket/prefix/",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": KEY,
    "IMAGE": "registry.example/image:1",
    **dict.fromkeys(("KFP_TOKEN", "KFP_NAMESPACE", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"), ""),
}


@pytest.fixture
def update(tmp_path, repository):
    """update(**variables) is the finished step of a job whose environment is that of these tests."""
    made = job(tmp_path, file="content")
    (made.temporary / "kubeflow").symlink_to(sys.prefix)
    made.variables = SET_UP | {"PYTHONPATH": repository}
    return lambda **variables: made.run("update_pipeline.py", **variables)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (["KFP_HOST"], "the variable KFP_HOST is not set"),
        (["KFP_HOST", "PIPELINE_ROOT"], "the variable KFP_HOST and PIPELINE_ROOT is not set"),
        (["AWS_ACCESS_KEY_ID"], "the secret AWS_ACCESS_KEY_ID is not set"),
        (["AWS_SECRET_ACCESS_KEY"], "the secret AWS_SECRET_ACCESS_KEY is not set"),
    ],
)
def test_what_is_not_set_up_is_named(missing, words, update):
    assert refused(update(**dict.fromkeys(missing, "")), words, "docs/workflows.md")


def test_a_root_on_the_machine_that_ends_is_refused(update):
    assert refused(update(PIPELINE_ROOT="/tmp/root"), "PIPELINE_ROOT is no bucket", "s3://")


def test_a_bucket_that_refuses_is_an_error_before_anything_is_uploaded(update):
    with kfp_api.serving() as kfp, kfp_api.serving() as bucket:
        bucket.answers["all"] = lambda to: to.send(403, b"", "application/xml")
        step = update(KFP_HOST=kfp.url, AWS_ENDPOINT_URL=bucket.url)
        assert refused(step, "the update ended with 2", "its message is above")
        assert "error: s3://bucket/prefix/packages" in step.stderr
        assert KEY not in step.stderr + step.stdout
        assert (kfp.pipelines, step.summary) == ({}, "")


@pytest.mark.parametrize("name", ["PIPELINE_CRON", "PIPELINE_ROOT", "KFP_HOST"])
def test_a_variable_never_becomes_a_command_or_a_flag(name, update, tmp_path):
    text = f"$(touch {tmp_path}/pwned);`touch {tmp_path}/pwned` --output={tmp_path}/pwned"
    step = update(**{name: f"s3://{text}" if name == "PIPELINE_ROOT" else text})
    assert refused(step, "the update ended with 2")
    assert not (tmp_path / "pwned").exists()
