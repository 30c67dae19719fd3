"""The extraction with a real Spark, from a real PostgreSQL and from Parquet: one Java process for all of it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import fsspec
import postgres
import psycopg
import pyarrow as pa
import pyspark
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import parquet

from image_classifier.data.preparing import prepare
from image_classifier.pipelines import engine, extraction, step, use_case

ROWS, PARTS = 3000, 3
SCOPES = '["north", "south", "007", "nowhere"]'
# In the order of `id`: every thousandth row is of the scope 007, the others take turns.
TABLES = """
create table flowers (id bigint primary key, site text, length double precision, price numeric(10, 2), petals smallint,
    red boolean, kind text);
insert into flowers select g, case when g % 1000 = 0 then '007' else (array['north', 'south', 'east'])[g % 3 + 1] end,
    g / 10.0, g / 7.0, g % 5, g % 2 = 0, (array['rose', 'aster'])[g % 2 + 1] from generate_series(1, 3000) g;
create table odd (id int, site int, day date, bytes bytea, x double precision);
insert into odd values (1, 7, '2026-01-01', '\\x00', 0.5);
create table twice (site text, id int, "ID" int);
create view numbered as select id, id % 2 as site, length, kind from flowers;
create view breaking as select id, site, 1 / (id - 2902) as inverse, kind from flowers;
create view slow as select id, site, kind from flowers where pg_sleep(0.005) is not null;
create table empty (like flowers);
"""
# A Java that lives for seconds is not worth compiling for: a third of the processor's time.
QUICK = {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
JARS = next((jar for jar in ("/usr/share/java/postgresql.jar",) if Path(jar).exists()), None)


def missing():
    if postgres.programs() is None:
        return "PostgreSQL's programs: apt install postgresql"
    if JARS is None:
        return "PostgreSQL's JDBC driver: apt install libpostgresql-jdbc-java"
    if shutil.which("java") is None:
        return "Java: apt install openjdk-17-jre-headless"
    return None


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """The address of a server with the tables, and the file in which it notes every query."""
    if reason := missing():
        assert not os.environ.get("CI"), f"CI must have it: {reason}"
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("postgres") / "server"
    with postgres.server(folder) as port:
        login = {"user": postgres.USER, "password": postgres.PASSWORD, "dbname": "postgres"}
        with psycopg.connect(host="127.0.0.1", port=port, **login) as connection:
            connection.execute(TABLES)
        yield f"jdbc:postgresql://127.0.0.1:{port}/postgres", folder / "log"


@pytest.fixture(scope="module")
def spark(database):
    """The Spark in which every `extraction.main` of this process runs."""
    os.environ.update(QUICK)  # read when Java starts
    with engine.session([JARS]) as running:
        for name in QUICK:
            del os.environ[name]
        yield running
        gateway = running.sparkContext._gateway
    # Nothing of it is left for the garbage collector, whose warnings are errors here.
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()
    type(running.sparkContext)._gateway = type(running.sparkContext)._jvm = None


@pytest.fixture
def extract(spark, database, tmp_path, monkeypatch, capsys):
    """extract(**flags) runs the program on `flowers`; its exit code, stdout and stderr."""
    monkeypatch.setenv("DB_PASS", postgres.PASSWORD)

    def run(*switches, **flags):
        usual = {
            "source": database[0], "table": "flowers", "scope_column": "site", "scopes": SCOPES,
            "partition_column": "id", "num_partitions": PARTS, "user": postgres.USER, "output": tmp_path / "out",
        }  # fmt: skip
        flags = {name: value for name, value in (usual | flags).items() if value is not None}
        code = extraction.main(
            [*switches, *(word for name, value in flags.items() for word in (f"--{name}", str(value)))]
        )
        out, err = capsys.readouterr()
        assert postgres.PASSWORD not in out + err
        return code, out, err

    return run


def expected(scope):
    """What PostgreSQL was given for a scope."""
    numbers = [g for g in range(1, ROWS + 1) if site(g) == scope]
    return [(g, g / 10, g % 5, g % 2 == 0, ("rose", "aster")[g % 2]) for g in numbers]


def site(g):
    return "007" if g % 1000 == 0 else ("north", "south", "east")[g % 3]


def rows_of(folder):
    table = pa.concat_tables([parquet.read_table(path) for path in sorted(folder.glob("*.parquet"))])
    return list(zip(*(table[name].to_pylist() for name in ("id", "length", "petals", "red", "kind")), strict=True))


@pytest.fixture
def everything(extract, tmp_path):
    """The scopes' folders, extracted from the database."""
    code, out, _ = extract()
    assert code == 0
    assert out == "north: 999 rows\nsouth: 999 rows\n007: 3 rows\nnowhere: no rows\n"
    return tmp_path / "out"


def test_each_scope_becomes_a_table_that_a_training_reads_and_an_empty_one_is_seen(everything, tmp_path):
    assert sorted(os.listdir(everything)) == ["007", "extraction.json", "north", "nowhere", "south"]
    for scope in ("north", "south", "007"):
        assert rows_of(everything / scope) == expected(scope)
    assert os.listdir(everything / "nowhere") == ["_SUCCESS"]
    assert (everything / "nowhere" / "_SUCCESS").stat().st_size == 0
    report = json.loads((everything / "extraction.json").read_text())
    assert report["rows"] == {"north": 999, "south": 999, "007": 3, "nowhere": 0}
    assert report["columns"] == {
        "id": "bigint", "length": "double", "price": "decimal(10,2)", "petals": "smallint", "red": "boolean",
        "kind": "string",
    }  # fmt: skip
    settings = {"image_size": None, "split_seed": 0, "cache_folder": tmp_path / "cache", "quiet": True}
    store = prepare(str(everything / "north"), target_column="kind", drop_columns=("red",), **settings)
    assert sum(len(split.labels) for split in store.splits.values()) == 999
    assert store.classes == ("aster", "rose")


def test_the_source_is_read_once_in_parts_with_cursors_and_its_rows_are_chosen_there(extract, database):
    _, log = database
    before = log.stat().st_size
    assert extract(fetch_size=100)[0] == 0
    queries = log.read_text()[before:]
    asked = re.findall(r"execute (\S+): SELECT (.*) FROM flowers\s+WHERE (.*)", queries)
    data = [(portal, condition) for portal, _, condition in asked if "1=0" not in condition]
    assert len(data) == PARTS
    for portal, condition in data:
        assert "/C_" in portal, "without a cursor all rows of the part would be in memory"
        assert "'north'" in condition
        assert '"id" ' in condition
    assert len(re.findall(r'execute \S+: SELECT "low","high" FROM \(SELECT min\("id"\)', queries)) == 1
    fetched = re.findall(r"execute fetch from", queries)
    assert len(fetched) >= sum(len(expected(scope)) for scope in ("north", "south", "007")) // 100 - PARTS


def test_written_again_it_is_the_same_table_and_not_without_being_asked(everything, extract, tmp_path):
    before = rows_of(everything / "north")
    code, _, err = extract()
    assert (code, err.splitlines()) == (
        2,
        [f"error: {everything} has been extracted already: north, south, 007, nowhere",
         " hint: --replace writes it again"],
    )  # fmt: skip
    assert extract("--replace", scopes='["north"]', columns="kind,petals,red,length,id")[0] == 0
    assert rows_of(everything / "north") == before
    assert json.loads((everything / "extraction.json").read_text())["rows"] == {"north": 999}
    assert rows_of(everything / "south") == expected("south")


def test_what_a_killed_extraction_left_is_replaced(extract, tmp_path):
    left = tmp_path / "out" / "north" / "part-00000.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a file")
    assert extract()[0] == 0
    assert not left.exists()
    assert rows_of(tmp_path / "out" / "north") == expected("north")


def test_a_source_that_fails_on_the_way_leaves_everything_as_it_was(everything, extract):
    before = {path: path.stat().st_mtime_ns for path in everything.rglob("*")}
    code, _, err = extract("--replace", table="breaking")
    assert code == 2
    assert "division by zero" in err
    assert {path: path.stat().st_mtime_ns for path in everything.rglob("*")} == before


def test_numbers_are_scopes_too_and_columns_that_are_not_read_do_not_matter(extract, tmp_path):
    assert extract(table="numbered", scopes='["1", "5"]')[1] == "1: 1500 rows\n5: no rows\n"
    assert extract(table="odd", scopes='["7"]', columns="x", partition_column=None, output=tmp_path / "odd")[0] == 0
    assert parquet.read_table(tmp_path / "odd" / "7").to_pydict() == {"x": [0.5]}


def test_a_table_without_rows_has_scopes_without_rows(extract, tmp_path):
    assert extract(table="empty", scopes='["north"]')[1] == "north: no rows\n"
    assert os.listdir(tmp_path / "out" / "north") == ["_SUCCESS"]


@pytest.fixture
def some_where(tmp_path):
    """A folder with the rows of `flowers` as Parquet."""
    folder = tmp_path / "some where"
    folder.mkdir()
    numbers = list(range(1, ROWS + 1))
    table = pa.table(
        {
            "id": numbers, "site": [site(g) for g in numbers], "length": [g / 10 for g in numbers],
            "petals": [g % 5 for g in numbers], "red": [g % 2 == 0 for g in numbers],
            "kind": [("rose", "aster")[g % 2] for g in numbers],
        }
    )  # fmt: skip
    parquet.write_table(table, folder / "flowers.parquet")
    return folder


def test_parquet_is_a_source_as_well(extract, some_where, tmp_path):
    given = {"table": None, "partition_column": None, "user": None}
    assert extract(source=f"file://{some_where}", output=f"file://{tmp_path}/out", **given)[0] == 0
    for scope in ("north", "007"):
        assert rows_of(tmp_path / "out" / scope) == expected(scope)


def test_without_a_cluster_buckets_are_copied_over_the_disk(extract, some_where, tmp_path, monkeypatch):
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in (keys | {"AWS_ENDPOINT_URL": address}).items():
        monkeypatch.setenv(name, value)
    store = fsspec.filesystem("s3", skip_instance_cache=True)
    store.mkdir("meadow")  # moto keeps one set of buckets for a whole process, and other tests have theirs
    store.put_file(str(some_where / "flowers.parquet"), "meadow/in/flowers.parquet")
    given = {"table": None, "partition_column": None, "user": None, "scopes": '["007", "nowhere"]'}
    code, out, _ = extract(source="s3://meadow/in", output="s3://meadow/out", **given)
    assert code == 0
    assert out.endswith("007: 3 rows\nnowhere: no rows\n")  # the server has spoken before
    store.get("meadow/out", str(tmp_path / "got"), recursive=True)
    server.stop()
    assert rows_of(tmp_path / "got" / "007") == expected("007")
    assert os.listdir(tmp_path / "got" / "nowhere") == ["_SUCCESS"]
    report = json.loads((tmp_path / "got" / "extraction.json").read_text())
    assert (report["source"], report["rows"]) == ("s3://meadow/in", {"007": 3, "nowhere": 0})


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"table": "flower"}, ['relation "flower" does not exist', "check --table"]),
        ({"table": "flowers; drop table flowers"}, ["is no table's name", "view"]),
        ({"scope_column": "sites"}, ["--scope_column names no column", "did you mean site?"]),
        ({"columns": "Kind"}, ["--columns names no column", "did you mean kind?"]),
        ({"partition_column": "ids"}, ["--partition_column names no column"]),
        ({"partition_column": "kind"}, ["kind has the type string"]),
        ({"scope_column": "length"}, ["--scope_column length has the type double"]),
        ({"table": "numbered"}, ["holds whole numbers, and 'north' is none"]),
        ({"table": "odd", "scopes": '["7"]', "columns": "id,day,bytes,x", "partition_column": None},
         ["day is date, bytes is binary", "--columns id,x"]),
        ({"table": "twice", "partition_column": None}, ["COLUMN_ALREADY_EXISTS", "no case in names", "a view"]),
        ({"source": "jdbc:postgresql://127.0.0.1:1/postgres"}, ["Connection to 127.0.0.1:1 refused", "host and port"]),
        ({"user": "nobody"}, ['password authentication failed for user "nobody"', "DB_PASS"]),
        ({"output": "/proc/nowhere"}, ["/proc/nowhere", "rights"]),
        ({"source": "nowhere", "table": None, "partition_column": None}, ["Path does not exist", "check --source"]),
        ({"source": "s3a://bucket/x", "table": None, "partition_column": None}, ["S3AFileSystem", "hadoop-aws"]),
    ],
)  # fmt: skip
def test_what_cannot_be_extracted_is_refused_in_words_and_nothing_is_written(extract, tmp_path, flags, words):
    code, out, err = extract(**flags)
    assert (code, out) == (2, "")
    for word in words:
        assert word in err
    assert re.fullmatch(r"error: .*\n hint: .*\n", err)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_parquet_is_refused(extract, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("no table")
    code, _, err = extract(source=str(tmp_path / "in"), table=None, partition_column=None)
    assert code == 2
    assert "--source is a folder of Parquet files" in err


def test_a_stop_ends_it_with_nothing_left_at_work_or_half_done(extract, tmp_path, database):
    """After all others that use this Spark: the stop leaves this thread's line to Java with an answer on its way."""
    begun = threading.Event()

    def stop():
        while not any((tmp_path / "out").glob(".extraction-*")):
            time.sleep(0.01)
        begun.set()
        os.kill(os.getpid(), signal.SIGTERM)

    stopping = threading.Thread(target=stop)
    stopping.start()
    code, out, err = extract(table="slow")
    stopping.join()
    assert begun.is_set()
    assert (code, out, err) == (143, "", "stopped by SIGTERM\n")
    assert os.listdir(tmp_path / "out") == []


def test_a_cluster_s_way_to_run_it_shows_the_password_nowhere(database, tmp_path, repository):
    """spark-submit with the package as an archive, its driver, INFO's log and the record of events."""
    wheel = tmp_path / "image_classifier-0.1.0-py3-none-any.whl"
    Path(shutil.make_archive(str(tmp_path / "package"), "zip", repository, "image_classifier")).rename(wheel)
    (tmp_path / "events").mkdir()
    conf = {
        "spark.eventLog.enabled": "true", "spark.eventLog.dir": f"file://{tmp_path}/events",
        "spark.eventLog.compress": "false", "spark.ui.enabled": "false", "spark.log.level": "INFO",
        "spark.driver.host": "127.0.0.1",
    }  # fmt: skip
    command = [
        tmp_path / "spark/bin/spark-submit", "--master", "local[1]", "--jars", JARS,
        *(word for name, value in conf.items() for word in ("--conf", f"{name}={value}")),
        "--py-files", wheel, repository / "image_classifier" / "pipelines" / "extraction.py",
        "--source", database[0], "--table", "flowers", "--scope_column", "site", "--scopes", '["north"]',
        "--user", postgres.USER, "--output", tmp_path / "out",
    ]  # fmt: skip
    environment = os.environ | QUICK | {"DB_PASS": postgres.PASSWORD, "PYSPARK_PYTHON": sys.executable}
    environment.pop("PYTHONPATH", None)
    # Spark's scripts do not quote their own path, and a clone's may have a space.
    (tmp_path / "spark").symlink_to(Path(pyspark.__file__).parent)
    environment["SPARK_HOME"] = str(tmp_path / "spark")
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("north: 999 rows\n")
    assert rows_of(tmp_path / "out" / "north") == sorted(expected("north"))
    events = "".join(path.read_text() for path in (tmp_path / "events").rglob("*") if path.is_file())
    assert "SparkListenerJobEnd" in events
    assert "INFO" in done.stderr
    escaped = json.dumps(postgres.PASSWORD)[1:-1]
    for text in (events, done.stdout, done.stderr, (tmp_path / "out" / "extraction.json").read_text()):
        assert postgres.PASSWORD not in text
        assert escaped not in text


USE_CASE = """
data: table
numbers: [length, petals]
target_column: kind
model: naive_bayes
source: {source}
table: flowers
scope_column: site
partition_column: id
num_partitions: 2
fetch_size: 100
user: {user}
jars: {jars}
"""


def test_the_pipeline_s_step_extracts_and_the_next_one_reads_what_it_wrote(database, tmp_path, monkeypatch, capfd):
    (tmp_path / "cases").mkdir()
    text = USE_CASE.format(source=database[0], user=postgres.USER, jars=JARS)
    (tmp_path / "cases/flowers.yaml").write_text(text)
    monkeypatch.setattr(use_case, "FOLDER", tmp_path / "cases")
    for name, value in (QUICK | {"DB_PASS": postgres.PASSWORD}).items():
        monkeypatch.setenv(name, value)
    common = {
        "root": tmp_path / "areas", "domain": "test_data", "use_case": "flowers", "run_type": "individual",
        "kf_run_id": "one",
    }  # fmt: skip

    def done(name, **more):
        """What the step hands on as its only output."""
        words = [f"--{flag}={value}" for flag, value in (common | more).items()]
        file = tmp_path / "handed"
        output = next((each for each in step.STEPS[name].outputs if each != "Output"), None)
        assert step.main([name, *words, *([f"--{output}_file={file}"] if output else [])]) == 0
        return file.read_text() if output else None

    scopes = '["north", "nowhere"]'
    assert done("setup_extraction", data_scopes=scopes) == "yes"
    done("extract", data_scopes=scopes)
    data = done("setup", scope="north")
    table = parquet.read_table(f"{done('preprocessing', scope='north', data=data)}/table.parquet")
    numbers = [g for g in range(1, ROWS + 1) if site(g) == "north"]
    assert table.to_pydict() == {
        "length": [g / 10 for g in numbers],
        "petals": [g % 5 for g in numbers],
        "kind": [("rose", "aster")[g % 2] for g in numbers],
    }
    assert done("setup", scope="nowhere") == "", "a scope without rows is skipped"
    assert postgres.PASSWORD not in "".join(capfd.readouterr())
