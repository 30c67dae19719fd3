"""What an extraction's command line means, and what is refused before Spark starts."""

import json

import boto3
import pytest
from moto import mock_aws

from image_classifier.errors import UserError
from image_classifier.pipelines.extraction_request import Request, parsed

PARQUET = ("--source", "in", "--scope_column", "site", "--output", "out")
DATABASE = ("--source", "jdbc:postgresql://h:5432/d", "--table", "t", "--scope_column", "site", "--output", "out")
A = ("--scopes", '["a"]')
WORD = "ca nary"


@pytest.fixture(autouse=True)
def no_password(monkeypatch):
    monkeypatch.delenv("DB_PASS", raising=False)


def said(*words):
    with pytest.raises(UserError) as caught:
        parsed(words)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return str(caught.value)


def test_the_words_are_understood(monkeypatch):
    monkeypatch.setenv("DB_PASS", WORD)
    more = ("--columns", "x,kind", "--partition_column", "id", "--num_partitions", "3", "--user", "u", "--replace")
    assert parsed([*DATABASE, "--scopes", '["a", "b"]', *more, "--jars", "p.jar,q.jar"]) == Request(
        source="jdbc:postgresql://h:5432/d",
        table="t",
        scope_column="site",
        scopes=("a", "b"),
        columns=("x", "kind"),
        output="out",
        partition_column="id",
        num_partitions=3,
        fetch_size=10_000,
        user="u",
        replace=True,
        jars=("p.jar", "q.jar"),
        password=WORD,
    )


def test_columns_may_be_a_list_in_json_whose_names_have_commas():
    assert parsed([*PARQUET, *A, "--columns", '["a,b", "c"]']).columns == ("a,b", "c")


def test_a_file_of_the_password_comes_before_the_variable_and_its_line_end_is_none_of_it(monkeypatch, tmp_path):
    monkeypatch.setenv("DB_PASS", "other")
    (tmp_path / "word").write_text(f"{WORD}\n")
    assert parsed([*DATABASE, *A, "--db_pass_file", str(tmp_path / "word")]).password == WORD


@pytest.mark.parametrize("text", [WORD, json.dumps({"username": "u", "password": WORD})])
def test_the_password_may_be_a_secret_of_aws(text, monkeypatch):
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ):
        monkeypatch.setenv(name, value)
    with mock_aws():
        boto3.client("secretsmanager").create_secret(Name="flowers/reader", SecretString=text)
        assert parsed([*DATABASE, *A, "--db_pass_secret", "flowers/reader"]).password == WORD
        assert "the secret rose cannot be read" in said(*DATABASE, *A, "--db_pass_secret", "rose")


def test_a_request_that_is_shown_shows_no_password(monkeypatch):
    monkeypatch.setenv("DB_PASS", WORD)
    request = parsed([*DATABASE, *A])
    assert request.password == WORD
    assert WORD not in repr(request)


@pytest.mark.parametrize(
    ("scopes", "words"),
    [
        ("a,b", "no list of texts: a,b"),
        ('{"a": 1}', "no list of texts"),
        ('["a", 2]', "no list of texts"),
        ("[" * 100_000, "no list of texts"),
        ("[]", "nothing to extract"),
        ('["a", "b", "a"]', "names a more than once"),
        ('["../a"]', "'../a' cannot name a folder"),
        ('["_a"]', "cannot name a folder"),
        ('[".a"]', "cannot name a folder"),
        ('["a/b"]', "cannot name a folder"),
        ('[""]', "cannot name a folder"),
        (json.dumps(["a" * 129]), "cannot name a folder"),
        ('["extraction.json"]', "cannot name a folder"),
    ],
)
def test_scopes_that_are_no_list_of_names_are_refused(scopes, words):
    assert words in said(*PARQUET, "--scopes", scopes)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((*PARQUET, *A, "--table", "t"), "--table belongs to"),
        ((*PARQUET, *A, "--columns", "[1]"), "--columns is no list"),
        ((*PARQUET, *A, "--columns", "a,a"), "more than once"),
        ((*PARQUET, *A, "--num_partitions", "0"), "'0' is no whole number above 0"),
        ((*PARQUET, *A, "--fetch", "5"), "unrecognized arguments: --fetch"),
        (PARQUET, "--scopes"),
        ((*DATABASE, *A, "--db_pass_file", "nowhere"), "nowhere cannot be read"),
        ((*DATABASE, *A, "--db_pass_file", "x", "--db_pass_secret", "y"), "two places of one password"),
        (("--source", "jdbc:postgresql://h/d", *PARQUET[2:], *A), "--table belongs to"),
    ],
)
def test_what_does_not_fit_together_is_refused(words, expected):
    assert expected in said(*words)
