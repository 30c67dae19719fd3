"""Tests of attempts: what is tried again, what is refused at once, and what is said of it."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ProfileNotFound

from image_classifier.data.sources import attempts
from image_classifier.data.sources.attempts import GoneError, RefusedError, ShortError, attempted
from image_classifier.errors import UserError


@pytest.fixture
def calls(monkeypatch):
    """calls(errors) is a call that raises these errors, one each time, and then answers; and how often it was made."""
    monkeypatch.setattr(attempts, "_FIRST_PAUSE", 0)
    made = []

    def begin(*errors):
        made.clear()
        left = list(errors)

        def call():
            made.append(1)
            if left:
                raise left.pop(0)
            return "answer"

        return call

    return begin, made


def answer(code, status):
    said = {"Error": {"Code": code, "Message": "AKIACANARY"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    translated = OSError(5, "AKIACANARY")  # as s3fs has it, with what botocore raised as its cause
    translated.__cause__ = ClientError(said, "GetObject")
    return translated


@pytest.mark.parametrize(
    "error",
    [
        answer("SlowDown", 503),
        answer("InternalError", 500),
        answer("RequestTimeout", 400),
        answer("", 429),
        TimeoutError(),
        ConnectionResetError(104, "reset"),
        ShortError("3 bytes came instead of 5"),
        EndpointConnectionError(endpoint_url="http://host"),
    ],
)
def test_what_may_pass_is_tried_again_five_times_in_all(calls, error):
    begin, made = calls
    assert attempted(begin(*[error] * 4), "s3://b/x") == "answer"
    assert len(made) == 5
    with pytest.raises(UserError, match=r"s3://b/x cannot be read: .*5 attempts") as caught:
        attempted(begin(*[error] * 5), "s3://b/x")
    assert len(made) == 5
    assert "what was pulled is kept" in caught.value.hint
    assert not isinstance(caught.value, RefusedError)


@pytest.mark.parametrize(
    ("error", "words", "hint"),
    [
        (answer("NoSuchBucket", 404), "no such bucket", "AWS_ENDPOINT_URL"),
        (answer("AccessDenied", 403), "access is denied", "AWS_PROFILE"),
        (answer("403", 403), "access is denied", "AWS_ACCESS_KEY_ID"),
        (answer("ExpiredToken", 400), "expired", "log in again"),
        (answer("InvalidAccessKeyId", 403), "does not know these credentials", "AWS_ACCESS_KEY_ID"),
        (answer("SignatureDoesNotMatch", 403), "does not know these credentials", "AWS_ENDPOINT_URL"),
        (answer("PermanentRedirect", 301), "another region", "AWS_DEFAULT_REGION"),
        (answer("RequestTimeTooSkewed", 403), "clock", "clock"),
        (answer("InvalidArgument", 400), "the server answers 400 InvalidArgument", "check the address"),
        (NoCredentialsError(), "no credentials", "AWS_ACCESS_KEY_ID"),
        (ProfileNotFound(profile="dev"), "dev", "AWS_PROFILE"),
        (ValueError("Invalid endpoint: nonsense"), "Invalid endpoint: nonsense", "AWS_ENDPOINT_URL"),
        (ImportError("Please install gcsfs to access Google Storage"), "gcsfs", "install the package"),
    ],
)
def test_what_stays_as_it_is_is_refused_at_once_with_a_way_out(calls, error, words, hint):
    begin, made = calls
    with pytest.raises(RefusedError, match="s3://b/x cannot be read") as caught:
        attempted(begin(error), "s3://b/x")
    assert len(made) == 1
    assert words in caught.value.what
    assert hint in caught.value.hint
    assert "canary" not in repr(caught.value).lower() or "InvalidArgument" in words
    assert caught.value.__cause__ is None


def test_what_is_not_there_is_told_apart(calls):
    begin, _ = calls
    for error in (answer("NoSuchKey", 404), FileNotFoundError("x")):
        with pytest.raises(GoneError):
            attempted(begin(error), "s3://b/x")


def test_bugs_and_answers_of_ours_are_not_tried_again(calls):
    begin, made = calls
    for error in (KeyError("x"), TypeError(), FileExistsError(), UserError("full disk")):
        with pytest.raises(type(error)):
            attempted(begin(error), "s3://b/x")
        assert len(made) == 1


def test_a_password_in_the_server_s_address_is_not_shown(calls):
    begin, _ = calls
    error = EndpointConnectionError(endpoint_url="http://me:canary@host/b")
    with pytest.raises(UserError) as caught:
        attempted(begin(*[error] * 5), "s3://b/x")
    assert "canary" not in str(caught.value)
    assert "host" in str(caught.value)
