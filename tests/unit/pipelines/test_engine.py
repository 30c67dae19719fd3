"""What is missing for Spark, said before it starts. A Spark that runs is tested in tests/integration."""

import sys

import pytest

from image_classifier.errors import UserError
from image_classifier.pipelines import engine


def said(jars=()):
    with pytest.raises(UserError) as caught, engine.session(jars):
        pass
    return str(caught.value)


def test_without_pyspark_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    assert "there is no Spark here" in said()
    assert "pip install 'image_classifier[spark]'" in said()


def test_without_java_it_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no Java on the PATH" in said()
    assert "Java 17" in said()


def test_a_java_home_without_java_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert f"there is no Java in JAVA_HOME={tmp_path}" in said()


def test_an_archive_that_is_not_there_is_named(tmp_path):
    assert f"there is no file {tmp_path / 'none.jar'}" in said([str(tmp_path / "none.jar")])


def test_an_error_that_is_not_spark_s_goes_its_own_way():
    with pytest.raises(ZeroDivisionError), engine.refusals("reading"):
        raise ZeroDivisionError


def test_a_java_that_is_gone_is_an_error_in_words():
    def call():
        raise ConnectionRefusedError(111, "Connection refused")

    with pytest.raises(UserError, match="Java process has ended") as caught:
        engine.apart(call)
    assert "--fetch_size" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "state", "words"),
    [
        ("OutOfMemoryError: Java heap space", "", "--driver-memory"),
        ("password authentication failed", "28P01", "DB_PASS"),
        ('relation "x" does not exist', "42P01", "--table"),
        ("Connection refused", "08001", "host and port"),
        ("permission denied for table t", "42501", "GRANT"),
        ("ClassNotFoundException: org.postgresql.Driver", "", "--jars"),
        ("ClassNotFoundException: Class org.apache.hadoop.fs.s3a.S3AFileSystem not found", "", "hadoop-aws"),
        ("IOException: No space left on device", "", "free disk space"),
        ("something new", "", "spark-submit"),
    ],
)
def test_what_went_wrong_has_a_way_out(text, state, words):
    assert words in engine._hint(text, state)
