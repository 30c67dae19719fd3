"""Where runs are sent: what is accepted, what is refused, and that a password never shows."""

from pathlib import Path

import pytest

from image_classifier.errors import UserError
from image_classifier.tracking import Where, resolve

FOLDER = Path("some runs")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_a_flag_wins_over_the_environment_and_that_over_a_store_beside_the_runs(monkeypatch):
    assert resolve(None, FOLDER).uri == "sqlite:///some runs/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere:5000")
    assert resolve(None, FOLDER).uri == "http://elsewhere:5000"
    assert resolve("sqlite:///mine.db", FOLDER).uri == "sqlite:///mine.db"
    assert resolve("", FOLDER).uri == "http://elsewhere:5000"


@pytest.mark.parametrize("word", ["off", "OFF", " off "])
def test_off_turns_tracking_off_by_flag_and_by_environment(word, monkeypatch):
    assert resolve(word, FOLDER) is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", word)
    assert resolve(None, FOLDER) is None


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("http://host", ("host", 80)),
        ("https://host/mlflow", ("host", 443)),
        ("http://host:5000/", ("host", 5000)),
        ("http://[::1]:5000", ("::1", 5000)),
        ("postgresql+psycopg2://user:word@host/name", ("host", 5432)),  # pragma: allowlist secret
        ("mysql+pymysql://user@host:3307/name", ("host", 3307)),
        ("sqlite:////var/mlflow.db", None),
    ],
)
def test_host_and_port_are_those_that_the_address_means(uri, address):
    assert resolve(uri, FOLDER).address == address


@pytest.mark.parametrize(
    ("uri", "page"),
    [
        ("http://host:5000", "http://host:5000/#/experiments/3/runs/ab"),
        (
            "https://me:s3cret@host/mlflow/?s3cret#s3cret",  # pragma: allowlist secret
            "https://host/mlflow/#/experiments/3/runs/ab",
        ),
        ("http://12#s3cret@host", None),
        ("postgresql://host/name", None),
        ("sqlite:///a.db", None),
    ],
)
def test_a_run_of_a_server_has_a_page_without_secrets_in_its_address(uri, page):
    assert Where(uri, FOLDER).page("3", "ab") == page


@pytest.mark.parametrize(
    ("uri", "environment", "proxied"),
    [
        ("http://host", {"HTTP_PROXY": "http://proxy:1"}, True),
        ("http://host", {"http_proxy": "http://proxy:1"}, True),
        ("http://host", {"HTTPS_PROXY": "http://proxy:1"}, False),
        ("https://host", {"HTTPS_PROXY": "http://proxy:1"}, True),
        ("https://host", {"ALL_PROXY": "http://proxy:1"}, True),
        ("http://host", {"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "a,host"}, False),
        ("http://a.host:5", {"HTTP_PROXY": "http://proxy:1", "no_proxy": ".host"}, False),
        ("http://host", {"HTTP_PROXY": "http://proxy:1", "no_proxy": "*"}, False),
        ("http://host", {}, False),
        ("postgresql://host/name", {"ALL_PROXY": "http://proxy:1"}, False),
        ("sqlite:///a.db", {"ALL_PROXY": "http://proxy:1"}, False),
    ],
)
def test_a_proxy_is_in_the_way_where_the_environment_says_so(uri, environment, proxied, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Where(uri, FOLDER).proxied is proxied


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("sqlite:///a/b.db", "a/b.db"),
        ("sqlite:////a/b.db", "/a/b.db"),
        ("sqlite:///a b.db?mode=rw", "a b.db"),
        ("sqlite+pysqlite:///b.db", "b.db"),
        ("http://host/sqlite:///b.db", None),
    ],
)
def test_the_file_of_a_sqlite_store_is_found(uri, file):
    assert Where(uri, FOLDER).store == (file and Path(file))


def test_files_lie_beside_a_sqlite_store_and_else_under_the_experiments_folder():
    assert Where("sqlite:////a/b.db", FOLDER).artifacts == Path("/a/mlartifacts")
    assert Where("postgresql://host/b", FOLDER).artifacts == FOLDER / "mlartifacts"


@pytest.mark.parametrize(
    "uri",
    [
        "mlruns", "/var/mlflow", "file:///mlruns", "htp://host:5000", "http://", "http://:5000", "http://host:port",
        "http://host:99999", "http://ho st", "http://[::1", "sqlite://", "sqlite:///", "sqlite:mlflow.db", "databricks",
        "http//host", "offf", "postgres://host/name", "http://host:0", "sqlite:///a\nb.db",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_a_way_out(uri):
    with pytest.raises(UserError, match="is not the address of a tracking server") as refused:
        resolve(uri, FOLDER)
    assert refused.value.hint


def test_a_misspelled_scheme_is_met_with_the_nearest():
    with pytest.raises(UserError, match="did you mean http"):
        resolve("htp://host:5000", FOLDER)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://me:s3cret@host:5000", "http://***@host:5000"),  # pragma: allowlist secret
        ("http://s3cret@host:5000", "http://***@host:5000"),
        ("http://me:s3@cret@host:5000", "http://***@host:5000"),  # pragma: allowlist secret
        (
            "postgresql+psycopg2://me:s%2F3cret@host/name",  # pragma: allowlist secret
            "postgresql+psycopg2://***@host/name",
        ),
        ("postgresql://host/name?user=me&password=s3cret&x=1", "postgresql://host/name?***"),
        ("http://host:5000/?s3cret", "http://host:5000/?***"),
        ("http://host:5000/#s3cret", "http://host:5000/#***"),
        ("http://:s3cret@host", "http://***@host"),
        ("http://host:5000", "http://host:5000"),
        ("sqlite:///a b@c.db?key=s3 cret", "sqlite:///a b@c.db?***"),
    ],
)
def test_an_address_is_shown_without_its_secrets(uri, shown):
    where = resolve(uri, FOLDER)
    assert where.shown == shown
    assert "s3" not in repr(where)


@pytest.mark.parametrize("uri", ["http://{}@host/", "http://me:{}@host/", "http://host/?key={}", "http://host/?{}#x"])
@pytest.mark.parametrize("secret", ["s/3 cret", "s%2F3%20cret", "s%2F3+cret"])
def test_an_error_that_quotes_a_secret_by_itself_is_shown_without_it(uri, secret, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    where = Where(uri.format(secret), FOLDER)
    said = where.hidden("s/3 cret, s%2F3%20cret and s%2F3+cret of http://you:other@host are wrong, t0ken too")
    assert said == "***, *** and *** of http://***@host are wrong, *** too"


def test_a_refused_address_is_shown_without_its_password():
    for uri in (
        "htp://me:s3cret@host",  # pragma: allowlist secret
        "http://me:a s3cret@host",
        "http://me:s3cret",
        "htp://host?s3cret",
    ):
        with pytest.raises(UserError) as refused:
            resolve(uri, FOLDER)
        assert "s3cret" not in str(refused.value)
