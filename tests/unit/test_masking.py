"""Addresses in texts: scheme, host, port and path stay, and nothing else does."""

import pytest

from image_classifier.masking import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://host:5000/a/b", "http://host:5000/a/b"),
        ("http://CANARY@host:5000", "http://***@host:5000"),
        ("http://me:CANARY@host/a", "http://***@host/a"),  # pragma: allowlist secret
        ("http://:CANARY@host", "http://***@host"),
        ("http://CANARY:@host", "http://***@host"),
        ("http://me:CAN%41RY%2F@host", "http://***@host"),  # pragma: allowlist secret
        ("http://me:CANARY@CANARY@host", "http://***@host"),  # pragma: allowlist secret
        ("http://me:CAN/CANARY@host", "http://***@host"),
        ("http://CAN/CANARY@host", "http://***@host"),
        ("http://me:CAN?CANARY@host", "http://***"),
        ("http://me:CAN#CANARY@host/a", "http://***"),
        ("http://12#CANARY@host", "http://***"),
        ("http://me:CANARY", "http://***"),
        ("http://CANARY@[::1]:5000/a", "http://***@[::1]:5000/a"),
        ("http://host?CANARY", "http://host?***"),
        ("http://host/a?x=1&key=CANARY", "http://host/a?***"),
        ("http://host/a?x=CANARY@CANARY", "http://host/a?***"),
        ("http://host/a#CANARY", "http://host/a#***"),
        ("http://CANARY@host/a?CANARY#CANARY", "http://***@host/a?***"),
        (
            "postgresql+psycopg2://me:CANARY@host:1/name?password=CANARY",  # pragma: allowlist secret
            "postgresql+psycopg2://***@host:1/name?***",
        ),
        ("s3://CANARY:CANARY@bucket/key", "s3://***@bucket/key"),  # pragma: allowlist secret
        ("sqlite:///a/b@c/d#e.db", "sqlite:///a/b@c/d#e.db"),
        ("sqlite:////a.db?CANARY", "sqlite:////a.db?***"),
        ("sqlite+pysqlite:///a.db", "sqlite+pysqlite:///a.db"),
        ("file:///a@b", "file:///a@b"),
        ("http:///me:CANARY@host", "http://***@host"),
    ],
)
def test_of_an_address_only_scheme_host_port_and_path_stay(text, shown):
    assert masked(text) == masked(text, whole=True) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no address: me@host?x=1 and a//b", "no address: me@host?x=1 and a//b"),
        ("'http://CANARY@host/a', then (https://host?x=CANARY).", "'http://***@host/a', then (https://host?***)."),
        ("--tracking_uri=http://CANARY@host --seed 1", "--tracking_uri=http://***@host --seed 1"),
        ('{"a":"http://CANARY@a","b":"http://CANARY@b"}', '{"a":"http://***@b"}'),
        ("url=http://a?next=http://CANARY@b", "url=http://***"),
        ("http://host:5000: refused", "http://host:5000: refused"),
    ],
)
def test_addresses_inside_a_text_are_found(text, shown):
    assert masked(text) == shown


def test_an_argument_may_hold_an_address_with_spaces():
    assert masked("--tracking_uri=http://me:CAN ARY@host", whole=True) == "--tracking_uri=http://***@host"
    assert masked("sqlite:///a b.db?key=CAN ARY", whole=True) == "sqlite:///a b.db?***"
