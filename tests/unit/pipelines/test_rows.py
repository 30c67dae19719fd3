"""What is told of a source before it is read. Reading is tested with a real PostgreSQL, in tests/integration."""

import pytest

from image_classifier.errors import UserError
from image_classifier.pipelines import rows


@pytest.mark.parametrize("source", ["data/in", "file:///data/in", "s3a://bucket/in", "./jdbc:odd"])
def test_a_folder_or_a_bucket_is_no_database(source):
    assert not rows.is_jdbc(source)


def test_postgresql_is_a_database():
    assert rows.is_jdbc("jdbc:postgresql://h:5432/d?sslmode=require")


@pytest.mark.parametrize(
    "source",
    [
        "jdbc:postgresql://joe:canary@h/d",  # pragma: allowlist secret
        "jdbc:postgresql://h/d?user=joe&password=canary",
        "jdbc:postgresql://h/d?PASSWORD=canary",
        "jdbc:postgresql://h/d?sslpassword=canary",
    ],
)
def test_a_login_in_the_address_is_refused_and_not_shown(source):
    with pytest.raises(UserError, match="holds a login") as caught:
        rows.is_jdbc(source)
    assert "canary" not in str(caught.value)
    assert "DB_PASS" in caught.value.hint


def test_another_kind_of_database_is_refused_by_its_name():
    with pytest.raises(UserError, match="of the kind mysql"):
        rows.is_jdbc("jdbc:mysql://h/d")
