"""Data in buckets: the folder's store whatever the network does, pulled once, gone on with after a break."""

import functools
import hashlib
import http.server
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import pytest
import s3_server
from PIL import Image

from image_classifier.data.outline import outline
from image_classifier.data.preparing import prepare
from image_classifier.data.sources import attempts, bucket, pulling
from image_classifier.errors import UserError
from image_classifier.main import main, trainer
from image_classifier.settings.database import AS_USUAL

IMAGES = 16


@pytest.fixture(scope="module")
def served():
    """The proxy's address, the server's own, and the faults between them."""
    with s3_server.server() as found:
        yield found


@pytest.fixture(scope="module")
def fs(served):
    return s3_server.filesystem(served[1])


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """Two classes of eight images; a manifest and a README that are no images beside them."""
    random, made = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "pets"
    rows = []
    for name in ("cat", "dog"):
        (made / name).mkdir(parents=True)
        for number in range(IMAGES // 2):
            Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(made / name / f"{number}.png")
            rows.append(f"{name}/{number}.png,{name}")
    (made / "pets.csv").write_text("image,label\n" + "\n".join(rows) + "\n")
    (made / "README.md").write_text("no image")
    return made


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of some 30 kB."""
    path = tmp_path_factory.mktemp("data") / "flowers.csv"
    numbers = np.random.default_rng(0).normal(size=(600, 3)).round(6)
    lines = [",".join([*map(str, row), "ab"[at % 2]]) for at, row in enumerate(numbers)]
    path.write_text("x,y,z,kind\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def faults(served, monkeypatch):
    """The faults, of which none is left; this process and those it starts find the server through the proxy."""
    for name, value in {**s3_server.VARIABLES, "AWS_ENDPOINT_URL": served[0]}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(attempts, "_FIRST_PAUSE", 0)
    served[2].clear()
    yield served[2]
    served[2].clear()


@pytest.fixture
def place(fs, faults):
    """A bucket of this test's own: moto keeps one set of buckets for a whole process."""
    name = f"b-{uuid.uuid4().hex}"
    fs.call_s3("create_bucket", Bucket=name)
    return name


@pytest.fixture
def photos(fs, place, pets):
    """The address of the images in a bucket."""
    s3_server.put(fs, pets, f"{place}/pets")
    return f"s3://{place}/pets"


@pytest.fixture
def prepared(tmp_path, faults):
    """prepared(data) is its store, by a cache of this test's own."""

    def call(data, cache="cache", **settings):
        asked = {"image_size": None, "split_seed": 0, "quiet": True} | settings
        return prepare(str(data), cache_folder=tmp_path / cache, **asked)

    return call


def refusal(call, *arguments, **named):
    with pytest.raises(UserError) as caught:
        call(*arguments, **named)
    return caught.value


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def started(*words, cwd, **variables):
    """A process of its own, to be killed."""
    program = "import sys; from image_classifier.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, *map(str, words)]
    return subprocess.Popen(
        command, cwd=cwd, env=os.environ | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until(true):
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def at_work():
    return [thread for thread in threading.enumerate() if thread.name == "pulling"]


def test_the_folder_s_store_comes_of_a_bucket_that_fails_now_and_then(faults, photos, pets, prepared, monkeypatch):
    monkeypatch.setattr(bucket, "_READ_SECONDS", 3)
    broken = {"drop": 3, "close": 3, "500": 4, "503": 3, "truncate": 3, "corrupt": 1, "hang": 1}
    for number, (kind, times) in enumerate(broken.items()):
        faults.add(kind, times=times, path=rf"/cat/{number}\.png$")
    faults.add("drop", path="list-type")
    faults.add("503", times=2, path="list-type")
    store = prepared(photos)
    assert digests(store.folder) == digests(prepared(pets, cache="folder's").folder)
    gets = [path.split("/pets/")[1] for path in faults.gets()]
    again = {f"cat/{number}.png": 1 + times for number, times in enumerate(broken.values())}
    assert {name: gets.count(name) for name in set(gets)} == dict.fromkeys(gets, 1) | again


def test_what_was_pulled_stays_when_the_server_does_not_come_back(faults, photos, prepared, tmp_path):
    faults.add("close", times=10**6, path=r"/dog/7\.png$")
    error = refusal(prepared, photos)
    assert "/pets/dog/7.png cannot be read: " in error.what
    assert f"({attempts.ATTEMPTS} attempts)" in error.what
    assert "what was pulled is kept" in error.hint
    until(lambda: not at_work())
    noted = len(next(tmp_path.glob("cache/pulled/*/journal")).read_text().splitlines())
    assert noted > 0
    faults.clear()
    prepared(photos)
    assert len(faults.gets()) == IMAGES - noted
    faults.clear()
    prepared(photos)
    assert faults.gets() == []
    assert len(faults.listings()) == 1


def test_a_killed_run_is_gone_on_with(faults, photos, pets, prepared, tmp_path):
    faults.add("hold", times=10**6, path="/dog/")
    words = ("--model", "cnn", "--cache_folder", tmp_path / "cache")  # without a model the images are looked at first
    begun = started("prepare", "--dataset_folder", photos, *words, cwd=tmp_path)

    def noted():
        journals = list(tmp_path.glob("cache/pulled/*/journal"))
        return journals and journals[0].read_text().count("\n") == IMAGES // 2

    until(noted)
    begun.send_signal(signal.SIGKILL)
    begun.communicate()
    faults.clear()
    store = prepared(photos)
    assert {path.split("/pets/")[1] for path in faults.gets()} == {f"dog/{n}.png" for n in range(IMAGES // 2)}
    assert store.digest == prepared(pets).digest


def test_only_what_differs_is_pulled_again(faults, fs, photos, place, pets, prepared, tmp_path):
    first = prepared(photos)
    mapped = first.splits["train"].inputs.copy()
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "new.png")
    fs.pipe_file(f"{place}/pets/cat/3.png", (tmp_path / "new.png").read_bytes())
    fs.rm(f"{place}/pets/dog/5.png")
    faults.clear()
    second = prepared(photos)
    assert [path.split("/pets/")[1] for path in faults.gets()] == ["cat/3.png"]
    names = [name for split in second.splits.values() for name in split.names]
    assert len(names) == IMAGES - 1
    assert "dog/5.png" not in names
    assert second.digest != first.digest
    assert np.array_equal(first.splits["train"].inputs, mapped)


def test_what_changed_here_is_pulled_again(faults, photos, pets, prepared, tmp_path):
    prepared(photos)
    copy = next(tmp_path.glob("cache/pulled/*/files/cat/3.png"))
    copy.write_bytes(bytes(copy.stat().st_size))
    stray = copy.with_name("stray.png")
    stray.write_bytes(b"left by a kill")
    (copy.parent.parent / "old").mkdir()
    faults.clear()
    assert prepared(photos, image_size=8).splits["train"].inputs.shape[1] == 8  # another store of the same images
    assert [path.split("/pets/")[1] for path in faults.gets()] == ["cat/3.png"]
    assert not stray.exists()


@pytest.mark.parametrize("times", [1, 10**6])
def test_a_bucket_that_changes_while_it_is_pulled(faults, fs, photos, place, pets, prepared, times):
    content = [(pets / "cat" / f"{number}.png").read_bytes() for number in (1, 2)]
    left = [times]

    def change(method, path):
        if path.endswith("/dog/0.png") and left[0] and method == "GET":
            left[0] -= 1
            fs.pipe_file(f"{place}/pets/dog/0.png", content[left[0] % 2])

    faults.before = change
    if times > 1:
        error = refusal(prepared, photos)
        assert "changes all the time: it was pulled 3 times" in error.what
        return
    store = prepared(photos)
    faults.before = None
    assert store.digest == prepared(photos, cache="afresh").digest
    assert store.digest != prepared(pets, cache="afresh").digest


def test_an_object_that_is_gone_when_it_is_asked_for_is_left_out(faults, fs, photos, place, prepared):
    gone = []

    def remove(method, path):
        if "list-type" in path and not gone:
            gone.append(path)
            fs.rm(f"{place}/pets/dog/0.png")

    faults.before = remove
    names = [name for split in prepared(photos).splits.values() for name in split.names]
    assert gone
    assert sorted(names) == sorted(
        f"{kind}/{n}.png" for kind in ("cat", "dog") for n in range(IMAGES // 2) if (kind, n) != ("dog", 0)
    )


def test_etags_that_are_no_md5_are_found_out(faults, photos, pets, prepared):
    faults.rewritten.append((rb"&quot;[0-9a-f]{31}([0-9a-f])&quot;", rb"&quot;" + b"0" * 31 + rb"\1&quot;"))
    faults.rewritten.append((rb'"[0-9a-f]{31}([0-9a-f])"', rb'"' + b"0" * 31 + rb'\1"'))
    assert prepared(photos).digest == prepared(pets).digest
    assert IMAGES < len(faults.gets()) < 2 * IMAGES + 1


def test_two_that_prepare_the_same_at_once_pull_it_once(faults, photos, prepared, caplog):
    caplog.set_level(logging.INFO, "image_classifier")
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(prepared, [photos] * 2)
    assert one.digest == other.digest
    assert len(faults.gets()) == IMAGES
    assert "waiting for another process" in caplog.text


class TestLargeObjects:
    """With parts of a kilobyte, a table of 30 kB is one."""

    @pytest.fixture(autouse=True)
    def address(self, fs, place, table, monkeypatch):
        monkeypatch.setattr(pulling, "PART", 1024)
        fs.put_file(str(table), f"{place}/{table.name}")
        return f"s3://{place}/{table.name}"

    @pytest.mark.parametrize("kind", ["drop", "503", "truncate", "corrupt"])
    def test_parts_that_come_broken_are_read_again(self, faults, address, table, prepared, kind):
        faults.add(kind, times=1 if kind == "corrupt" else 2, path="flowers", ranges="bytes=5120-")
        store = prepared(address, target_column="kind")
        assert digests(store.folder).keys() == digests(prepared(table, target_column="kind").folder).keys()
        assert store.digest == prepared(table, target_column="kind").digest

    def test_whole_parts_stay_after_a_break_until_the_object_changes(self, faults, fs, address, place, table, prepared):
        parts = -(-table.stat().st_size // 1024)
        faults.add("500", times=10**6, path="flowers", ranges=f"bytes={(parts - 1) * 1024}-")
        assert "flowers.csv cannot be read" in refusal(prepared, address, target_column="kind").what
        until(lambda: not at_work())
        faults.clear()
        store = prepared(address, target_column="kind")
        assert 0 < len(faults.gets()) < parts
        assert store.digest == prepared(table, target_column="kind").digest
        changed = table.read_text().replace(",a\n", ",c\n")
        fs.pipe_file(f"{place}/flowers.csv", changed.encode())
        faults.clear()
        assert prepared(address, target_column="kind").classes == ("b", "c")
        assert len(faults.gets()) == parts


def test_a_table_on_a_web_server_is_read_and_known_again(table, prepared):
    handler = functools.partial(_Quiet, directory=table.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            address = f"http://127.0.0.1:{web.server_port}/{table.name}"
            assert outline(address, 16).is_table
            store = prepared(address, target_column="kind")
            assert store.digest == prepared(table, target_column="kind").digest
            asked = len(_Quiet.seen)
            assert prepared(address, target_column="kind").folder == store.folder
            assert not [line for line in _Quiet.seen[asked:] if line.startswith("GET")]
            assert "there is nothing at" in refusal(prepared, address.replace("flowers", "weeds")).what
        finally:
            web.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    seen: ClassVar = []

    def log_message(self, *_):
        self.seen.append(self.requestline)


class TestManifests:
    """Of a bucket's objects only those that the rows name are looked for and pulled."""

    def test_one_in_the_bucket_and_one_here_give_the_folder_s_store(
        self, faults, fs, photos, place, pets, prepared, tmp_path
    ):
        fs.pipe_file(f"{place}/pets/other/unasked.png", b"x")
        wanted = prepared(pets, cache="folder's")
        there = prepared(f"{photos}/pets.csv")
        assert there.digest == wanted.digest
        assert there.splits["train"].names == wanted.splits["train"].names
        assert "/other" not in "".join(faults.gets() + faults.listings())
        assert len(faults.gets()) == IMAGES + 1
        rows = (
            (pets / "pets.csv")
            .read_text()
            .replace("cat/", f"{photos}/cat/", IMAGES // 2)
            .replace("dog/", f"{photos}/dog/")
        )
        (tmp_path / "here.csv").write_text(rows)
        faults.clear()
        assert prepared(tmp_path / "here.csv").digest == wanted.digest
        assert len(faults.gets()) == IMAGES
        faults.clear()
        for manifest in (f"{photos}/pets.csv", tmp_path / "here.csv"):
            assert prepared(manifest).digest == wanted.digest
        assert faults.gets() == []

    def test_all_rows_that_name_nothing_are_told_at_once(self, photos, place, pets, prepared, tmp_path):
        rows = (pets / "pets.csv").read_text()
        rows += f"{photos}/cat/77.png,cat\nno/file.png,cat\ns3://nobucket-{place}/x.png,dog\n"
        rows += (
            f"s3://{s3_server.KEY}:{s3_server.SECRET}@b/x.png,dog\n{photos}/../x.png,cat\n"  # pragma: allowlist secret
        )
        (pets / "broken.csv").write_text(rows)
        what = refusal(prepared, pets / "broken.csv").what
        (pets / "broken.csv").unlink()
        assert f"5 of {IMAGES + 5} rows" in what
        for row, words in (
            (1, "there is no such object"),
            (2, "No such file or directory"),
            (3, "there is no such bucket"),
            (4, "names no bucket"),
            (5, "leads elsewhere"),
        ):
            assert words in what.partition(f"row {IMAGES + row},")[2].partition("\n")[0]
        assert s3_server.SECRET not in what
        assert s3_server.KEY not in what


class TestStores:
    """`prepare --output s3://…`, and what comes of it."""

    def test_a_killed_upload_is_absent_and_the_next_one_finishes_it(
        self, faults, fs, place, pets, prepared, tmp_path, capsys
    ):
        address = f"s3://{place}/deep/store"
        faults.add("hold", times=10**6, method="PUT", path="/train_inputs.npy")
        words = ("prepare", "--dataset_folder", pets, "--output", address, "--model", "cnn")
        begun = started(*words, "--cache_folder", tmp_path / "cache", cwd=tmp_path)
        until(lambda: any("train_inputs" in path for path in faults.puts()))
        begun.kill()
        begun.communicate()
        assert "is not complete: it has no store.json" in refusal(prepared, address, cache="other").what
        faults.clear()
        asked = ["--dataset_folder", str(pets), "--output", address, "--model", "cnn"]
        assert main(["prepare", *asked, "--cache_folder", str(tmp_path / "cache")]) == 0
        assert capsys.readouterr().out.strip() == prepared(pets).digest
        assert [path.rpartition("/")[2].partition("?")[0] for path in faults.puts()] == [
            "train_inputs.npy", "train_labels.npy", "store.json",
        ]  # fmt: skip
        faults.clear()
        store = prepared(address, cache="other")
        assert digests(store.folder) == digests(prepared(pets).folder)
        assert faults.puts() == []
        faults.clear()
        assert prepared(address, cache="other").digest == store.digest
        assert faults.gets() == []
        assert sorted(fs.find(place)) == sorted(f"{place}/deep/store/{name}" for name in digests(store.folder))

    def test_nothing_that_is_there_is_replaced(self, faults, fs, place, photos, tmp_path, capsys):
        fs.pipe_file(f"{place}/used/notes.txt", b"mine")
        fs.pipe_file(f"{place}/half/train_labels.npy", b"another's")
        for address, data, words in (
            (f"s3://{place}/used", "digits", "holds something else: notes.txt"),
            (f"s3://{place}/half", "digits", "holds another store's train_labels.npy"),
            (f"{photos}/cat", photos, f"is inside the data set {photos}"),
        ):
            asked = ["--dataset_folder", data, "--output", address, "--model", "cnn"]
            assert main(["prepare", *asked, "--cache_folder", str(tmp_path / "cache")]) == 2
            said = capsys.readouterr()
            assert said.out == ""
            assert words in said.err
            assert " hint: " in said.err
        assert faults.puts() == []

    def test_who_comes_second_replaces_nothing(self, faults, place, prepared):
        stores = {"digits": prepared("digits"), "wine": prepared("wine")}
        address = f"s3://{place}/store"

        def put_another(method, path):
            if method == "PUT":  # the first one has looked, and found nothing
                faults.ahead = None
                put_at(address, stores["wine"])

        faults.ahead = put_another
        error = refusal(put_at, address, stores["digits"])
        assert "holds another store's test_inputs.npy" in error.what
        store = prepared(address)
        assert digests(store.folder) == digests(stores["wine"].folder)

    def test_two_that_put_the_same_store_are_both_right(self, place, prepared):
        with ThreadPoolExecutor(2) as threads:
            answers = set(threads.map(put_at, [f"s3://{place}/store"] * 2, [prepared("digits")] * 2))
        assert answers == {prepared(f"s3://{place}/store").digest}

    def test_a_damaged_copy_is_pulled_again_and_a_damaged_store_is_refused(self, faults, fs, place, prepared, tmp_path):
        put_at(f"s3://{place}/store", prepared("wine"))
        store = prepared(f"s3://{place}/store")
        labels = store.folder / "test_labels.npy"
        data = bytearray(labels.read_bytes())
        data[-1] ^= 1
        labels.write_bytes(data)
        faults.clear()
        assert prepared(f"s3://{place}/store").digest == store.digest
        assert [path.rpartition("/")[2] for path in faults.gets()] == ["test_labels.npy"]
        fs.pipe_file(f"{place}/store/test_labels.npy", bytes(data))
        error = refusal(prepared, f"s3://{place}/store")
        assert f"the prepared store s3://{place}/store is damaged: test_labels.npy" in error.what


def put_at(address, store):
    from image_classifier.data.uploading import Place

    Place(address).put(store, quiet=True)
    return store.digest


def test_odd_names_are_files_and_one_that_climbs_is_refused(fs, place, pets, prepared, tmp_path):
    image = (pets / "cat" / "0.png").read_bytes()
    names = ["cat/ü.png", "cat/u\u0308.png", "cat/a\\b.png", "cat/tab\t.png", "cat/UPPER.png", "cat/upper.png"]
    for name in [*names, "dog/1.png", "dog/sub folder/%41+.png"]:
        fs.pipe_file(f"{place}/odd/{name}", image)
        (tmp_path / "odd" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "odd" / name).write_bytes(image)
    fs.call_s3("put_object", Bucket=place, Key="odd/cat/", Body=b"")
    assert prepared(f"s3://{place}/odd").splits["train"].names == prepared(tmp_path / "odd").splits["train"].names
    fs.pipe_file(f"{place}/odd/../../../../../climbed.png", image)
    fs.pipe_file(f"{place}/odd/cat/upper.png/x.png", image)
    error = refusal(prepared, f"s3://{place}/odd")
    assert "'cat/upper.png' is an object and a folder" in error.what
    fs.pipe_file(f"{place}/odd/cat/../../../../../../../climbed.png", image)
    assert "leads elsewhere" in refusal(prepared, f"s3://{place}/odd").what
    assert not list(tmp_path.parent.rglob("climbed.png"))


def test_what_it_is_is_told_by_little(faults, fs, photos, place, pets, table, prepared):
    put_at(f"s3://{place}/store", prepared(pets))
    fs.put_file(str(table), f"{place}/{table.name}")
    for data in (photos, f"{photos}/pets.csv", f"s3://{place}/store"):
        faults.clear()
        assert outline(data, 16) == outline(str(pets), 16)
        assert len(faults.gets()) <= 20
    assert outline(f"s3://{place}/{table.name}", 16).is_table
    assert outline(f"s3://{place}/nothing", 16, AS_USUAL).size is None


@pytest.mark.parametrize(
    ("address", "variables", "words"),
    [
        ("s3://nothing-is-called-so/x", {}, "there is no such bucket"),
        ("s3://{place}/nothing", {}, "there is nothing at"),
        ("s3://{place}/x", {"AWS_ACCESS_KEY_ID": None, "AWS_EC2_METADATA_DISABLED": "true"}, "no credentials"),
        ("s3://{place}/x", {"AWS_PROFILE": "nobody"}, "nobody"),
        ("s3://{place}/x", {"AWS_ENDPOINT_URL": "nonsense"}, "Invalid endpoint"),
        ("s3://{place}/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "Could not connect"),
        ("gs://{place}/x", {}, "gcsfs"),
        ("nosuch://{place}/x", {}, "nothing here reads nosuch://"),
        ("http://127.0.0.1:1/folder", {}, "web servers have no listings"),
        ("s3://me:canary@{place}/x", {}, "names no bucket"),  # pragma: allowlist secret
    ],
)
def test_what_cannot_be_reached_is_refused_in_words(place, prepared, monkeypatch, tmp_path, address, variables, words):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    error = refusal(prepared, address.format(place=place))
    assert words in error.what
    assert error.hint
    assert "canary" not in str(error)


def test_a_profile_s_server_and_keys_are_found(served, photos, pets, prepared, monkeypatch, tmp_path):
    (tmp_path / "config").write_text(
        f"[profile lab]\nregion = us-east-1\nendpoint_url = {served[0]}\n"
        f"aws_access_key_id = {s3_server.KEY}\naws_secret_access_key = {s3_server.SECRET}\n"
    )
    for name in [*s3_server.VARIABLES, "AWS_ENDPOINT_URL"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert prepared(photos).digest == prepared(pets).digest


def test_the_keys_are_nowhere(faults, photos, tmp_path, caplog, capfd, one_cpu, monkeypatch):
    """In nothing that a training prints, logs, records, sends to MLflow or keeps; and the address is recorded."""
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.DEBUG):
        prepare(photos, image_size=None, split_seed=0, cache_folder=tmp_path / "cache", quiet=True)
    words = ["--experiment_name", "e", "--run_name", "r", "--dataset_folder", photos, "--model", "cnn"]
    words += ["--num_epochs", "1", "--cache_folder", "cache", "--tracking_uri", f"sqlite:///{tmp_path}/mlflow.db"]
    with one_cpu():
        assert trainer(words) == 0
        faults.clear()
        assert main(["evaluate", "e/r", "--cache_folder", "cache"]) == 0
    assert faults.gets() == []
    assert json.loads((tmp_path / "experiments/e/r/run.json").read_text())["dataset_folder"] == photos
    texts = [text.encode() for text in (*capfd.readouterr(), caplog.text)]
    assert b"pulling" in texts[2]
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) > IMAGES
    for secret in (s3_server.KEY, s3_server.SECRET):
        assert not [text[:80] for text in texts + kept if secret.encode() in text]
