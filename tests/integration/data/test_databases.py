"""Images in a real PostgreSQL server and in SQLite: the folder's store, read in parts, and the password nowhere."""

import contextlib
import io
import json
import os
import select
import shutil
import socket
import socketserver
import subprocess
import sys
import threading

import numpy as np
import postgres
import psycopg
import pytest
import yaml
from PIL import Image

from image_classifier.data.preparing import prepare
from image_classifier.data.sources import querying
from image_classifier.data.sources.query_identity import read_if_new
from image_classifier.errors import UserError
from image_classifier.main import main, trainer
from image_classifier.settings.database import Access, described

QUERY = "SELECT key, image, label, split FROM images"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes of twelve images in train/ and test/."""
    random, made = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "pets"
    for split, count in (("train", 9), ("test", 3)):
        for name in ("cat", "dog"):
            (made / split / name).mkdir(parents=True)
            for number in range(count):
                image = Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8))
                image.save(made / split / name / f"{number}.png")
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory, folder, repository):
    """The port of a server that the example has filled, what the example said, and the server's log."""
    if postgres.programs() is None:
        assert not os.environ.get("CI"), "CI must have PostgreSQL's programs"
        pytest.skip("PostgreSQL's programs: apt install postgresql")
    place = tmp_path_factory.mktemp("postgres") / "server"
    with postgres.server(place) as port:
        url = f"postgresql://{postgres.USER}@127.0.0.1:{port}/postgres"
        done = filled(repository, folder, "--url", url, DB_PASS=postgres.PASSWORD)
        assert done.returncode == 0, done.stderr
        yield port, done.stdout, place / "log"


def filled(repository, folder, *words, cwd=None, **variables):
    command = [sys.executable, repository / "examples/database/fill.py", folder, *words]
    environment = os.environ | {"PYTHONPATH": str(repository)} | variables
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd)
    assert postgres.PASSWORD not in done.stdout + done.stderr
    return done


@pytest.fixture
def described_as(server, tmp_path, monkeypatch):
    """described_as(query, **changes) is the path of a description of the server."""
    monkeypatch.setenv("DB_PASS", postgres.PASSWORD)
    monkeypatch.setattr(querying, "_FIRST_PAUSE", 0)

    def write(query=QUERY, **changes):
        path = tmp_path / "db_connect.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(server[1]) | {"query": query} | changes))
        return path

    return write


@contextlib.contextmanager
def connected(port):
    login = {"user": postgres.USER, "password": postgres.PASSWORD, "dbname": "postgres"}
    with psycopg.connect(host="127.0.0.1", port=port, autocommit=True, **login) as connection:
        yield connection


def stored(data, cache, access=None):
    more = {} if access is None else {"access": access}
    return prepare(str(data), image_size=None, split_seed=0, cache_folder=cache, quiet=True, **more)


def test_folder_sqlite_and_postgresql_make_the_same_store_in_two_commands(
    described_as, folder, tmp_path, repository, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    done = filled(repository, folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "24 rows" in done.stderr
    again = filled(repository, folder, cwd=tmp_path)
    assert (again.returncode, "already" in again.stderr) == (2, True)
    cache = ["--cache_folder", str(tmp_path / "cache")]
    digests = []
    for words in (
        ["--dataset_folder", str(folder)],
        ["--dataset_folder", "database"],
        ["--dataset_folder", "database", "--db_connect", str(described_as())],
    ):
        assert main(["prepare", *words, *cache]) == 0
        digests.append(capsys.readouterr().out)
    assert len(set(digests)) == 1


def test_the_answer_comes_through_a_cursor_in_a_transaction_that_cannot_write(described_as, server, tmp_path):
    stored("database", tmp_path / "cache", Access(described_as()))
    log = server[2].read_text()
    assert "FETCH FORWARD 1 " in log
    assert "READ ONLY" in log.upper()
    with connected(server[0]) as other:
        other.execute("CREATE SEQUENCE n")
    with pytest.raises(UserError, match="may only read"):
        stored(
            "database", tmp_path / "cache", Access(described_as("SELECT key, image, label, nextval('n') FROM images"))
        )


def test_a_lost_connection_is_made_again_and_every_row_comes_once(described_as, server, caplog):
    source = described(Access(described_as("SELECT g, repeat('x', 99999) FROM generate_series(1, 500) g")))
    attempts = []

    def consume(names, batches):
        attempts.append(names)
        found = []
        for batch in batches:
            found += [row[0] for row in batch]
            if len(attempts) == 1:
                with connected(server[0]) as other:
                    ours = "application_name = 'image_classifier'"
                    other.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")  # noqa: S608
        return found

    assert querying.read(source, postgres.PASSWORD, consume) == list(range(1, 501))
    assert len(attempts) == 2
    assert "the database is gone" in caplog.text


def test_a_server_that_dies_half_way_each_time_costs_nothing_that_was_there(described_as, folder, tmp_path):
    cache = tmp_path / "cache"
    first = stored("database", cache, Access(described_as()))
    dying = f"{QUERY} WHERE CASE key WHEN 'test/dog/1.png' THEN pg_terminate_backend(pg_backend_pid()) ELSE true END"
    with pytest.raises(UserError) as caught:
        stored("database", cache, Access(described_as(dying)))
    assert "nothing is half done" in str(caught.value)
    assert [path.name for path in cache.iterdir()] == [first.folder.name]
    assert stored("database", cache, Access(described_as())).folder == first.folder


def test_a_table_that_is_written_to_meanwhile_is_read_as_it_was(described_as, server):
    """One query sees one state, however long it takes."""
    with connected(server[0]) as other:
        other.execute("CREATE TABLE grows AS SELECT g, repeat('x', 9999) FROM generate_series(1, 2000) g")

    def consume(names, batches):
        count = 0
        for batch in batches:
            count += len(batch)
            if count == 1:
                with connected(server[0]) as other:
                    other.execute("INSERT INTO grows SELECT g, '' FROM generate_series(1, 100) g")
        return count

    source = described(Access(described_as("SELECT * FROM grows")))
    assert querying.read(source, postgres.PASSWORD, consume) == 2000


@pytest.mark.parametrize(
    ("changes", "password", "said"),
    [
        ({}, "canary-wrong", "DB_PASS or --db_pass_file"),
        ({}, "", "DB_PASS or --db_pass_file"),
        ({"name": "elsewhere"}, postgres.PASSWORD, 'database "elsewhere" does not exist'),
        ({"port": 1}, postgres.PASSWORD, "nothing is lost: see that the server runs"),
        ({"sslmode": "require"}, postgres.PASSWORD, "check sslmode"),
        ({"query": "SELECT nothing FROM images"}, postgres.PASSWORD, 'column "nothing" does not exist'),
        ({"query": "SELECT * FROM elsewhere"}, postgres.PASSWORD, 'relation "elsewhere" does not exist'),
    ],
)
def test_what_keeps_the_server_from_answering_is_said_in_two_lines(
    described_as, monkeypatch, capsys, tmp_path, changes, password, said
):
    monkeypatch.setenv("DB_PASS", password)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = described_as(**changes)
    words = ["--dataset_folder", "database", "--db_connect", str(path), "--cache_folder", str(tmp_path / "cache")]
    assert main(["prepare", *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("error:") == told.count(" hint:") == 1
    assert password not in told or not password


def test_the_password_is_in_nothing_that_a_training_prints_writes_or_sends(
    described_as, monkeypatch, capsys, tmp_path, caplog
):
    monkeypatch.delenv("DB_PASS")
    (tmp_path / "word").write_text(postgres.PASSWORD + "\n")
    data = ["--dataset_folder", "database", "--db_connect", str(described_as())]
    data += ["--cache_folder", str(tmp_path / "out/cache")]
    assert main(["prepare", *data, "--db_pass_file", str(tmp_path / "word")]) == 0
    words = ["--experiment_name", "e", "--run_name", "r", "--experiments_folder", str(tmp_path / "out"), *data]
    words += ["--model", "knn", "--tracking_uri", "off", "--db_pass", postgres.PASSWORD]
    monkeypatch.setattr(sys, "argv", ["image_classifier_trainer", *words])  # which a run records
    assert trainer(words) == 0, capsys.readouterr().err
    printed = capsys.readouterr()
    secret = postgres.PASSWORD
    assert secret not in printed.out + printed.err + caplog.text
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) > 10
    assert [
        path for path in written if secret.encode() in path.read_bytes() or b"canary-9f2c" in path.read_bytes()
    ] == []
    query = [path for path in written if QUERY.encode() in path.read_bytes()]
    assert query == [], "an artifact holds the digest of the query and never the query"
    assert '"query_sha256"' in (tmp_path / "out/e/r/run.json").read_text()


def test_the_driver_s_own_file_serves_where_no_password_is_given(described_as, server, tmp_path, monkeypatch):
    monkeypatch.delenv("DB_PASS")
    own = tmp_path / "pgpass"
    own.write_text(f"127.0.0.1:{server[0]}:*:{postgres.USER}:{postgres.PASSWORD}\n")
    own.chmod(0o600)
    assert stored("database", tmp_path / "cache", Access(described_as(passfile=str(own)))).classes == ("cat", "dog")


def test_two_at_once_make_one_store(described_as, tmp_path):
    access, found = Access(described_as()), []
    both = [threading.Thread(target=lambda: found.append(stored("database", tmp_path / "cache", access))) for _ in "ab"]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert len({store.folder for store in found}) == 1
    assert len(found) == 2
    shutil.rmtree(tmp_path / "cache")


@contextlib.contextmanager
def counted(port):
    """A port that leads to this one, and how many bytes the server has sent through it, in a list of one."""
    sent = [0]

    class PassedOn(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.create_connection(("127.0.0.1", port)) as there, contextlib.suppress(OSError):
                while ready := select.select([self.request, there], [], [])[0]:
                    data = ready[0].recv(1 << 16)
                    if not data:
                        return
                    sent[0] += len(data) * (ready[0] is there)
                    (self.request if ready[0] is there else there).sendall(data)

    class Door(socketserver.ThreadingTCPServer):
        daemon_threads = True  # a connection that a failed test leaves open is not waited for

    with Door(("127.0.0.1", 0), PassedOn) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server.server_address[1], sent
        finally:
            server.shutdown()


@pytest.fixture
def photos(server):
    """A connection that may change a table of 20 images of 12 kB, and what it is asked."""
    random = np.random.default_rng(1)
    with connected(server[0]) as connection:
        connection.execute("CREATE TABLE photos (key text PRIMARY KEY, image bytea, label text)")
        for number in range(20):
            stream = io.BytesIO()
            Image.fromarray(random.integers(0, 256, (64, 64, 3), np.uint8)).save(stream, "PNG")
            row = (f"{number:02}", stream.getvalue(), "dog" if number % 2 else "cat")
            connection.execute("INSERT INTO photos VALUES (%s, %s, %s)", row)
        yield connection, "SELECT key, image, label FROM photos -- all of them"
        connection.execute("DROP TABLE photos")


def test_the_images_of_an_unchanged_query_do_not_cross_the_wire_again(described_as, server, photos, tmp_path, caplog):
    caplog.set_level("INFO")
    asked = server[2].read_text().count("string_agg(digest")
    with counted(server[0]) as (port, sent):
        access = Access(described_as(photos[1], port=port))
        first = stored("database", tmp_path / "cache", access)
        assert server[2].read_text().count("string_agg(digest") == asked, "an empty cache has nothing to look up"
        assert sent[0] > 20 * 12_000
        sent[0] = 0
        photos[0].execute("UPDATE photos SET label = label WHERE key < '05'")  # which moves these rows
        photos[0].execute("VACUUM FULL photos")
        again = stored("database", tmp_path / "cache", access)
        assert sent[0] < 12_000
    assert (again.folder, again.digest) == (first.folder, first.digest)
    assert "finds what it found before" in caplog.text
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ("UPDATE photos SET label = 'dog' WHERE key = '04'", 20),
        ("UPDATE photos SET image = set_byte(image, 9000, get_byte(image, 9000) # 255) WHERE key = '07'", None),
        ("UPDATE photos SET image = (SELECT image FROM photos WHERE key = '01') WHERE key = '07'", 20),
        ("UPDATE photos SET key = '99' WHERE key = '07'", 20),
        ("INSERT INTO photos SELECT 'new', image, label FROM photos WHERE key = '00'", 21),
        ("DELETE FROM photos WHERE key = '07'", 19),
    ],
)
def test_one_changed_value_or_row_is_read(described_as, photos, tmp_path, change, names):
    access = Access(described_as(photos[1]))
    first = stored("database", tmp_path / "cache", access)
    photos[0].execute(change)
    if names is None:  # the byte is in the middle of a PNG, so that it is broken: it was read
        with pytest.raises(UserError, match="1 of 20 files cannot be used"):
            stored("database", tmp_path / "cache", access)
        return
    now = stored("database", tmp_path / "cache", access)
    assert now.folder != first.folder
    assert sum(len(part.names) for part in now.splits.values()) == names


@pytest.fixture
def identified(described_as):
    """identified(query) is what is read, or "known", the identity that is looked up, and that of what was read."""

    def ask(query, known=()):
        looked_up = []

        def has(identity):
            looked_up.append(identity)
            return "known" if identity in known else None

        def consume(names, batches):
            return [tuple(row) for batch in batches for row in batch]

        read, identity = read_if_new(described(Access(described_as(query))), postgres.PASSWORD, consume, has)
        return read, (looked_up or [None])[-1], identity

    return ask


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS key, NULL AS a, 'x' AS b, 1.5::float8 AS c, now() AS d, '\\xff00'::bytea AS e",
        "WITH n AS (SELECT generate_series(1, 3000) AS key) SELECT key, 'a%s :b' AS text FROM n -- the end;",
        "SELECT g AS a FROM generate_series(1, 3000) AS g ORDER BY g DESC",
        "SELECT NULL AS key",
        "SELECT 1 AS found, 2 AS asked, 3 AS digest, 4 AS n, 5 AS key",
        "VALUES (1, 2), (3, 4) ORDER BY 1",
        "SELECT 1 AS key WHERE false",
    ],
)
def test_what_was_read_has_the_identity_that_was_looked_up(identified, query):
    read, looked_up, identity = identified(query)
    assert identity is not None
    assert identity == looked_up
    if "now()" not in query:
        assert identified(query, {identity}) == ("known", identity, identity)
    assert len(read) in (0, 1, 2, 3000)
    assert "DESC" not in query or read == [(number,) for number in range(3000, 0, -1)]


def test_the_order_of_rows_counts_where_they_have_no_key(identified, server):
    def read(connection, name):
        """The identities of the rows of one table, and of the same rows in another order."""
        query = f"SELECT number AS {name} FROM numbers ORDER BY place"  # noqa: S608
        found = [identified(query)]
        connection.execute("UPDATE numbers SET place = -place")
        found.append(identified(query))
        assert found[0][0] == found[1][0][::-1]
        return [identity for _, _, identity in found]

    with connected(server[0]) as connection:
        connection.execute("CREATE TABLE numbers AS SELECT g AS number, g AS place FROM generate_series(1, 9) AS g")
        one, other = read(connection, "key")
        assert one == other
        one, other = read(connection, "a")
        assert one != other


def test_rows_are_filed_under_what_was_read_where_each_evaluation_is_another(identified):
    read, looked_up, identity = identified("SELECT g AS key, random() AS x FROM generate_series(1, 9) AS g")
    assert looked_up != identity
    assert (
        identified("SELECT g AS key, random() AS x FROM generate_series(1, 9) AS g", {looked_up, identity})[0] != read
    )


def test_what_has_no_digest_is_read_all_the_same_and_what_is_wrong_is_said_as_before(identified):
    assert identified("SELECT 1 AS key, '=r/reader'::aclitem AS a") == ([(1, "=r/reader")], None, None)
    with pytest.raises(UserError, match=r'cannot be read: relation "elsewhere" does not exist .* FROM elsewhere \^'):
        identified("SELECT 1 FROM elsewhere")
    with pytest.raises(UserError, match="syntax error"):
        identified("SELECT 1) AS a; DROP TABLE images; SELECT (2")


def test_a_sweep_reads_the_database_once_and_its_runs_learn_from_one_store(described_as, photos, server, tmp_path):
    (tmp_path / "grid.yaml").write_text("model: knn\nnum_threads: 1\nseed: [0, 1]\n")
    with counted(server[0]) as (port, sent):
        words = ["--dataset_folder", "database", "--db_connect", str(described_as(photos[1], port=port))]
        words += ["--cache_folder", str(tmp_path / "cache"), "--experiments_folder", str(tmp_path / "e")]
        assert main(["prepare", *words[:6]]) == 0
        sent[0] = 0
        words += ["--config", str(tmp_path / "grid.yaml"), "--experiment_name", "s", "--tracking_uri", "off"]
        assert main(["sweep", *words]) == 0
        assert sent[0] < 5 * 12_000, "no worker has read the 20 images of 12 kB"
    cards = [json.loads(path.read_text())["card"] for path in (tmp_path / "e/s").glob("*/run.json")]
    assert len(cards) == 2
    assert len({card["dataset_digest"] for card in cards}) == 1
