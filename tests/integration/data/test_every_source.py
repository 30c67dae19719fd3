"""One suite over every kind of source: the same images give the same store and the same model, wherever they are.

Each kind is a function that puts a folder of images there and says how a command is told of it.
"""

import contextlib
import csv
import os
import shutil
import sqlite3
import uuid

import boto3
import numpy as np
import postgres
import psycopg
import pyarrow as pa
import pytest
import torch
import yaml
from moto.server import ThreadedMotoServer
from PIL import Image
from pyarrow import parquet

from image_classifier import api
from image_classifier.data.preparing import prepare
from image_classifier.errors import UserError
from image_classifier.settings.database import AS_USUAL, Access

QUERY = "SELECT key, image, label, split FROM {} ORDER BY key"


def rows(folder):
    """What a team would write down of each image: its path, class and split."""
    for path in sorted(folder.rglob("*.png"), reverse=True):  # in an order that no source would choose
        *above, label, _ = path.relative_to(folder).parts
        yield path, path.relative_to(folder).as_posix(), label, above[0] if above else None


def as_folder(folder, place, servers):
    return str(shutil.copytree(folder, place / "copied")), AS_USUAL


def as_csv(folder, place, servers):
    shutil.copytree(folder, place / "copied")
    return str(written(folder, place / "copied" / "manifest.csv")), AS_USUAL


def written(folder, path, begin=""):
    """A manifest of the folder's images as a CSV file; without a column `split` where the folder has none."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        columns = 3 if (folder / "train").exists() else 2
        writer.writerow(["image", "label", "split"][:columns])
        writer.writerows([begin + name, label, split][:columns] for _, name, label, split in rows(folder))
    return path


def as_parquet(folder, place, servers):
    shutil.copytree(folder, place / "copied")
    _, images, labels, splits = zip(*rows(folder), strict=True)
    columns = {"image": images, "label": labels} | ({} if splits[0] is None else {"split": splits})
    parquet.write_table(pa.table(columns), place / "copied" / "manifest.parquet")
    return str(place / "copied" / "manifest.parquet"), AS_USUAL


def as_sqlite(folder, place, servers):
    with contextlib.closing(sqlite3.connect(place / "images.db")) as connection, connection:
        connection.execute("CREATE TABLE images (key TEXT, image BLOB, label TEXT, split TEXT)")
        found = [(name, path.read_bytes(), label, split) for path, name, label, split in rows(folder)]
        connection.executemany("INSERT INTO images VALUES (?, ?, ?, ?)", found)
    return described(place, {"dialect": "sqlite", "name": str(place / "images.db")}, "images")


def as_postgresql(folder, place, servers):
    name = f"images_{uuid.uuid4().hex}"
    login = {"host": "127.0.0.1", "port": servers.postgresql, "user": postgres.USER}
    with psycopg.connect(**login, password=postgres.PASSWORD, dbname="postgres") as connection:
        connection.execute(f"CREATE TABLE {name} (key text, image bytea, label text, split text)")
        for path, key, label, split in rows(folder):
            insertion = psycopg.sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, %s)").format(psycopg.sql.Identifier(name))
            connection.execute(insertion, (key, path.read_bytes(), label, split))
    return described(place, {"dialect": "postgresql", "name": "postgres", **login}, name)


def described(place, where, table):
    (place / "db_connect.yaml").write_text(yaml.safe_dump(where | {"query": QUERY.format(table)}))
    (place / "word").write_text(postgres.PASSWORD)
    word = place / "word" if where["dialect"] == "postgresql" else None
    return "database", Access(place / "db_connect.yaml", None, word)


def as_store(folder, place, servers):
    made = prepared(str(folder), AS_USUAL, place / "cache_of_the_store", output=place / "store")
    return str(made.folder), AS_USUAL


def as_bucket(folder, place, servers):
    return servers.uploaded(folder, "pets"), AS_USUAL


def as_csv_in_a_bucket(folder, place, servers):
    address = servers.uploaded(folder, "pets")
    servers.s3.upload_file(str(written(folder, place / "m.csv")), address.split("/")[2], "pets/manifest.csv")
    return f"{address}/manifest.csv", AS_USUAL


def as_csv_of_a_bucket(folder, place, servers):
    return str(written(folder, place / "manifest.csv", servers.uploaded(folder, "pets") + "/")), AS_USUAL


def as_store_in_a_bucket(folder, place, servers):
    return servers.uploaded(place / as_store(folder, place, servers)[0], "prepared"), AS_USUAL


KINDS = {
    kind.__name__.removeprefix("as_"): kind
    for kind in (
        as_folder, as_csv, as_parquet, as_sqlite, as_postgresql, as_store, as_bucket, as_csv_in_a_bucket,
        as_csv_of_a_bucket, as_store_in_a_bucket,
    )
}  # fmt: skip
STORES = {"store", "store_in_a_bucket"}  # of which the images are no longer read


class Servers:
    """A running PostgreSQL server, and one of S3."""

    def __init__(self, postgresql, endpoint):
        self.postgresql = postgresql
        self.s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")

    def uploaded(self, folder, name):
        """The address of a folder's files in a new bucket."""
        bucket = f"every-source-{uuid.uuid4().hex}"
        self.s3.create_bucket(Bucket=bucket)
        for path in filter(os.path.isfile, folder.rglob("*")):
            self.s3.upload_file(str(path), bucket, f"{name}/{path.relative_to(folder).as_posix()}")
        return f"s3://{bucket}/{name}"


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    if postgres.programs() is None:
        assert not os.environ.get("CI"), "CI must have PostgreSQL's programs"
        pytest.skip("PostgreSQL's programs: apt install postgresql")
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch, postgres.server(tmp_path_factory.mktemp("postgres") / "server") as port:
        moto.start()
        endpoint = "http://{}:{}".format(*moto.get_host_and_port())
        for name, value in (
            ("AWS_ENDPOINT_URL", endpoint), ("AWS_ACCESS_KEY_ID", "tester"), ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_SECRET_ACCESS_KEY", "canary-4c1d"),  # pragma: allowlist secret
        ):  # fmt: skip
            patch.setenv(name, value)
        yield Servers(port, endpoint)
        moto.stop()


def painted(folder, splits):
    """Images of 8 × 8 pixels in two classes, red and green with noise, in these splits or in none."""
    random = np.random.default_rng(0)
    for split, count in splits.items():
        for channel, name in enumerate(("cat", "dog")):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 128, (8, 8, 3), np.uint8)
                pixels[..., channel] += 100
                Image.fromarray(pixels).save(folder / split / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes in train/ and test/."""
    return painted(tmp_path_factory.mktemp("data") / "pets", {"train": 12, "test": 6})


@pytest.fixture
def pets(folder, tmp_path):
    """A copy of the folder to change."""
    return shutil.copytree(folder, tmp_path / "pets")


def prepared(name, access, cache, **more):
    settings = {"image_size": None, "split_seed": 0, "cache_folder": cache, "quiet": True, "access": access} | more
    return prepare(name, **settings)


@pytest.fixture
def placed(servers, tmp_path):
    """placed(kind, folder) puts a folder's images there and says how a command is told of it."""

    def put(kind, source):
        place = tmp_path / uuid.uuid4().hex
        place.mkdir()
        return KINDS[kind](source, place, servers)

    return put


@pytest.fixture(scope="module")
def trained_from_the_folder(folder, tmp_path_factory):
    return trained(str(folder), AS_USUAL, tmp_path_factory.mktemp("expected"))


def trained(name, access, place):
    return api.train(
        dataset_folder=name, db_connect=access.db_connect, db_pass_file=access.db_pass_file, experiment_name="e",
        run_name="r", experiments_folder=place / "experiments", cache_folder=place / "cache", tracking_uri="off",
        model="cnn", num_epochs=1, batch_size=8, num_threads=1,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_images_make_the_same_store_and_the_same_model_to_the_last_bit(
    placed, folder, tmp_path, kind, trained_from_the_folder
):
    name, access = placed(kind, folder)
    run = trained(name, access, tmp_path)
    expected = trained_from_the_folder
    assert run.card["dataset_digest"] == expected.card["dataset_digest"]
    weights, wanted = run.model().state_dict(), expected.model().state_dict()
    assert list(weights) == list(wanted)
    assert all(torch.equal(weights[part], wanted[part]) for part in wanted)
    assert run.path("predictions.npz").read_bytes() == expected.path("predictions.npz").read_bytes()
    if name != "database":  # whose card also has the digest of the query
        assert run.path("model.pth").read_bytes() == expected.path("model.pth").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_examples_have_the_names_classes_and_splits_of_the_folder_and_are_made_once(placed, folder, tmp_path, kind):
    expected = prepared(str(folder), AS_USUAL, tmp_path / "expected")
    name, access = placed(kind, folder)
    store = prepared(name, access, tmp_path / "cache")
    assert (store.classes, list(store.splits)) == (("cat", "dog"), ["train", "test"])
    for split, part in store.splits.items():
        names = [each.partition("/pets/")[2] if "://" in each else each for each in part.names]
        assert names == list(expected.splits[split].names)
        assert part.labels.tolist() == [int("dog" in each) for each in names]
    made = {path: path.stat().st_ino for path in (tmp_path / "cache").rglob("*_inputs.npy")}
    again = prepared(name, access, tmp_path / "cache")
    assert (again.digest, again.folder) == (store.digest, store.folder)
    assert made == {path: path.stat().st_ino for path in (tmp_path / "cache").rglob("*_inputs.npy")}


@pytest.mark.parametrize("kind", KINDS)
def test_a_test_split_is_drawn_alike(placed, tmp_path, kind):
    alone = painted(tmp_path / "alone", {"": 20})
    drawn = [prepared(str(alone), AS_USUAL, tmp_path / "expected", split_seed=seed).digest for seed in (0, 1)]
    assert drawn[0] != drawn[1]
    assert prepared(*placed(kind, alone), tmp_path / "cache").digest == drawn[0]
    if kind not in STORES:
        assert prepared(*placed(kind, alone), tmp_path / "cache", split_seed=1).digest == drawn[1]


@pytest.mark.parametrize("kind", KINDS)
def test_another_image_and_another_label_are_other_data(placed, pets, tmp_path, kind):
    digests = [prepared(*placed(kind, pets), tmp_path / "cache").digest]
    Image.new("RGB", (8, 8), "blue").save(pets / "train" / "cat" / "3.png")
    digests.append(prepared(*placed(kind, pets), tmp_path / "cache").digest)
    (pets / "train" / "cat" / "3.png").rename(pets / "train" / "dog" / "33.png")
    digests.append(prepared(*placed(kind, pets), tmp_path / "cache").digest)
    assert len(set(digests)) == 3
    assert digests[2] == prepared(str(pets), AS_USUAL, tmp_path / "expected").digest


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - STORES))
def test_a_broken_image_is_named_and_no_store_is_made(placed, pets, tmp_path, kind):
    whole = (pets / "train" / "dog" / "7.png").read_bytes()
    (pets / "train" / "dog" / "7.png").write_bytes(whole[: len(whole) // 2])
    name, access = placed(kind, pets)
    with pytest.raises(UserError, match=r"1 of 36 files cannot be used:\s.*train/dog/7\.png"):
        prepared(name, access, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("store.json"))


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - STORES))
def test_one_class_alone_is_refused(placed, pets, tmp_path, kind):
    for split in ("train", "test"):
        shutil.rmtree(pets / split / "dog")
    with pytest.raises(UserError, match=r"two classes|two or more"):
        prepared(*placed(kind, pets), tmp_path / "cache")
