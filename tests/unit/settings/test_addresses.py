"""Tests of addresses: their parts, and that none with a secret in it is shown."""

import pytest

from image_classifier.errors import UserError
from image_classifier.settings.addresses import address_of, is_address


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("s3://b", ("s3", "b", "")),
        ("s3://b/", ("s3", "b", "")),
        ("S3://b/x/y.csv", ("s3", "b", "x/y.csv")),
        ("s3://b/x//y/", ("s3", "b", "x//y")),
        ("https://host:9000/t.csv", ("https", "host:9000", "t.csv")),
        ("gs://b/photo@2x.png", ("gs", "b", "photo@2x.png")),
        ("s3://b/what?.png", ("s3", "b", "what?.png")),
    ],
)
def test_an_address_has_a_scheme_a_bucket_and_a_path(text, parts):
    assert tuple(address_of(text)) == parts


@pytest.mark.parametrize("text", ["digits", "data/pets", "/x/s3://b", "C:\\x", "s3:/b", "://b", "~/s3"])
def test_a_path_is_no_address(text):
    assert not is_address(text)


def test_what_holds_it_and_what_is_in_it_are_addresses_too():
    address = address_of("s3://b/x/m.csv")
    assert str(address.folder.below("a/1.png")) == "s3://b/x/a/1.png"
    assert str(address_of("s3://b/m.csv").folder.below("1.png")) == "s3://b/1.png"
    assert str(address_of("s3://b/m.csv").folder) == "s3://b"


@pytest.mark.parametrize(
    "text",
    [
        "s3://AKIACANARY:canary@b/x",  # pragma: allowlist secret
        "s3://canary@b/x",
        "s3://AKIACANARY:canary/x@b/y",
        "s3://AKIACANARY:123/canary@b/y",
        "https://user:canary@host/x.csv",  # pragma: allowlist secret
        "https://host/x.csv?X-Amz-Signature=canary",
        "https://host/x.csv#canary",
        "s3:///canary",
        "s3a://canary::s3",
        "file:///etc/canary",
    ],
)
def test_an_address_that_may_hold_a_secret_is_refused_without_being_shown(text):
    with pytest.raises(UserError) as caught:
        address_of(text)
    assert "canary" not in str(caught.value).lower()
    assert caught.value.hint
