"""Fill a database from a folder of images, so that `--dataset_folder database` has something to read.

    python examples/database/fill.py photos
    python examples/database/fill.py photos --url postgresql://reader@localhost/photos

The first makes the SQLite file `data/images.db`, which the package's own db_connect.yaml describes; the second a table
in PostgreSQL, with the password from the variable DB_PASS or ~/.pgpass, and prints the db_connect.yaml for it. The
table `images` gets a row for each file: its path in the folder (key), its bytes, its class, and its split if the folder
has train/ and test/. It is there in full or not at all.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from image_classifier.data.sources.folder import folder_of_images
from image_classifier.errors import UserError, one_line

USUAL = "sqlite:///data/images.db"
AT_ONCE = 100  # rows of one insertion
TABLE = sa.Table(
    "images",
    sa.MetaData(),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("image", sa.LargeBinary, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("split", sa.Text),
)


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """A row for each image of the folder."""
    source = folder_of_images(folder)
    classes, examples = source.load()
    for split, part in examples.items():
        for label, image, name in zip(part.labels, part.images, part.names or (), strict=True):
            content = Path(image.path).read_bytes()
            said = None if set(examples) == {"train"} else split
            yield {"key": name, "image": content, "label": classes[label], "split": said}


def address(text: str) -> sa.URL:
    """Where to write; the password comes from the environment, where other users of the machine do not see it."""
    url = sa.make_url(text)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
        if url.password is None and os.environ.get("DB_PASS"):
            url = url.set(password=os.environ["DB_PASS"])
    elif url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    return url


def fill(folder: Path, url: sa.URL) -> int:
    """The number of rows in the new table."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    count, waiting = 0, []
    with engine.begin() as connection:
        if sa.inspect(connection).has_table(TABLE.name):
            hint = "remove it first, or give another --url"
            raise UserError(f"there is a table {TABLE.name} already in {url.database}", hint)
        TABLE.create(connection)
        for row in rows(folder):
            waiting.append(row)
            count += 1
            if len(waiting) == AT_ONCE:
                connection.execute(TABLE.insert(), waiting)
                waiting = []
        if waiting:
            connection.execute(TABLE.insert(), waiting)
    return count


def description(url: sa.URL) -> str:
    """The db_connect.yaml of what was filled."""
    sqlite = url.get_backend_name() == "sqlite"
    place = {} if sqlite else {"host": url.host, "port": url.port}
    given = {"dialect": url.get_backend_name(), **place, "name": url.database, "user": url.username}
    lines = [f"{name}: {value}" for name, value in given.items() if value is not None]
    return "\n".join([*lines, "query: SELECT key, image, label, split FROM images"])


def main() -> int:
    """Fill the table, and say how it is read."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="class folders, or train/ and test/ of class folders")
    parser.add_argument("--url", default=USUAL, help="where to write (default: %(default)s)")
    given = parser.parse_args()
    try:
        url = address(given.url)
        count = fill(given.folder, url)
    except UserError as error:
        sys.stderr.write(f"error: {error.what}\n hint: {error.hint}\n")
        return 2
    except sa.exc.SQLAlchemyError as error:
        told = one_line(getattr(error, "orig", None) or error)
        sys.stderr.write(f"error: {told}\n hint: check --url, and the password in DB_PASS\n")
        return 2
    sys.stderr.write(f"{count} rows in the table {TABLE.name} of {url.database}\n")
    if given.url != USUAL:
        sys.stderr.write("its description, for --db_connect FILE:\n")
        sys.stdout.write(description(url) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
