"""What describes a database, what is refused in it, and where its password is and is not."""

import json
import pickle

import pytest

from image_classifier.errors import UserError
from image_classifier.settings.database import DIALECTS, PACKAGED, Access, described

CANARY = "canary-7b1e'%&"
GOOD = {"dialect": "postgresql", "host": "h", "port": 5432, "name": "photos", "user": "reader", "query": "SELECT 1"}


@pytest.fixture
def file(tmp_path):
    """file(**changes) is a description with other values; None leaves a key out."""

    def write(**changes):
        given = {name: value for name, value in (GOOD | changes).items() if value is not None}
        path = tmp_path / "db_connect.yaml"
        path.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in given.items()))
        return path

    return write


def refusal(call, *arguments):
    with pytest.raises(UserError) as caught:
        call(*arguments)
    return str(caught.value)


def test_every_key_arrives_and_a_semicolon_at_the_end_is_no_part_of_the_query(file):
    found = described(Access(file(query="SELECT ';' ;\n", sslmode="verify-full", sslrootcert="ca.pem")))
    assert (found.dialect, found.host, found.port, found.name, found.user) == (
        "postgresql", "h", 5432, "photos", "reader",
    )  # fmt: skip
    assert found.query == "SELECT ';'"
    assert found.options == {"sslmode": "verify-full", "sslrootcert": "ca.pem"}


def test_the_packaged_one_is_a_sqlite_file_in_the_current_folder():
    found = described(Access())
    assert found.file == PACKAGED
    assert (found.dialect, found.name, found.options) == ("sqlite", "data/images.db", {})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dialect": "mysql"}, f"choose {' or '.join(DIALECTS)}"),
        ({"dialect": None}, "dialect in"),
        ({"name": None}, "name in"),
        ({"query": "  "}, "query in"),
        ({"query": 5}, "query in"),
        ({"hots": "h"}, "did you mean host?"),
        ({"password": CANARY}, "secrets do not belong in files"),
        ({"sslpassword": CANARY}, "secrets do not belong in files"),
        ({"port": "5432"}, "port in"),
        ({"port": 70000}, "port in"),
        ({"host": 5}, "host in"),
        ({"host": f"postgresql://u:{CANARY}@h"}, "an address where a name is expected"),
        ({"dialect": "sqlite"}, "means nothing to sqlite"),
        ({"query": "SELECT ${oc.env:HOME}"}, "could read secrets"),
    ],
)
def test_what_is_wrong_in_it_is_named_and_no_secret_is_shown(file, changes, said):
    path = file(**changes)
    shown = refusal(described, Access(path))
    assert said in shown
    assert str(path) in shown
    assert CANARY not in shown


def test_a_file_that_is_not_there_or_no_yaml_is_named(tmp_path):
    assert "none.yaml is not a file" in refusal(described, Access(tmp_path / "none.yaml"))
    (tmp_path / "list.yaml").write_text("- a\n- b\n")
    assert "list.yaml" in refusal(described, Access(tmp_path / "list.yaml"))


def test_the_password_comes_from_the_flag_the_file_or_the_environment_in_this_order(tmp_path, monkeypatch):
    monkeypatch.delenv("DB_PASS", raising=False)
    assert Access().password() is None, "the driver's own files decide"
    monkeypatch.setenv("DB_PASS", "outer")
    assert Access().password() == "outer"
    (tmp_path / "word").write_text(" with spaces \n")
    assert Access(db_pass_file=tmp_path / "word").password() == " with spaces "
    assert Access(db_pass="flag").password() == "flag"  # noqa: S106  # pragma: allowlist secret
    assert "two places" in refusal(Access(db_pass="a", db_pass_file=tmp_path / "word").password)  # noqa: S106


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), (b"\n", "is empty"), (CANARY.encode() + b"\xff", "not UTF-8")]
)
def test_a_password_file_that_holds_none_is_named_and_not_shown(tmp_path, content, said):
    path = tmp_path / "word"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        Access(db_pass_file=path).password()
    assert said in str(caught.value)
    assert caught.value.__cause__ is None, "a decoding error carries the file's bytes"
    assert CANARY not in str(caught.value)


def test_the_password_is_in_no_text_of_it_and_another_process_gets_it(tmp_path):
    access = Access(tmp_path / "a.yaml", CANARY)
    assert CANARY not in f"{access} {access!r}"
    assert Access.from_json(json.loads(json.dumps(access.as_json()))) == access
    assert pickle.loads(pickle.dumps(access)).password() == CANARY
    assert Access.from_json(Access().as_json()) == Access()
    assert access.given == ("db_connect", "db_pass")
