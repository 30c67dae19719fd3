"""Folders where Spark writes them, by Hadoop's file systems: this disk, HDFS, a bucket that a cluster can reach."""

import json
from typing import TYPE_CHECKING, Any

from image_classifier.errors import UserError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SUCCESS = "_SUCCESS"  # Spark's own mark, and ours: the folder is complete


class Folder:
    """A folder below which scopes are put; paths are relative to it."""

    def __init__(self, spark: "SparkSession", root: str) -> None:
        self._jvm: Any = spark._jvm  # noqa: SLF001  (Python's Spark has no calls of its own for files)
        configuration = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001
        self.root = root.rstrip("/") or "/"
        self._store = self._path("").getFileSystem(configuration)
        self._store.setWriteChecksum(False)  # a disk's own sums are enough; .crc files would be taken for data

    def _path(self, name: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(f"{self.root}/{name}" if name else self.root)

    def complete(self, name: str) -> bool:
        """Whether a scope is there in full."""
        return bool(self._store.exists(self._path(f"{name}/{SUCCESS}")))

    def exists(self, name: str) -> bool:
        """Whether there is anything of that name."""
        return bool(self._store.exists(self._path(name)))

    def publish(self, source: str, target: str) -> None:
        """Put the folder `source` in the place of `target`; the mark that it is complete comes last."""
        self.remove(target)
        if self.exists(source):
            self._rename(source, target)
        else:
            self._store.mkdirs(self._path(target))
        self._write(f"{target}/{SUCCESS}", b"")

    def remove(self, name: str) -> None:
        """Delete all of that name."""
        self._store.delete(self._path(name), True)

    def write_json(self, name: str, value: Any) -> None:
        """Replace one small file."""
        self._write(f".{name}", (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())
        self.remove(name)
        self._rename(f".{name}", name)

    def _rename(self, source: str, target: str) -> None:
        if not self._store.rename(self._path(source), self._path(target)):  # it refuses without a reason
            raise UserError(f"{self.root}/{target} cannot be written", "check the rights to --output, and the disk")

    def _write(self, name: str, data: bytes) -> None:
        stream = self._store.create(self._path(name), True)
        try:
            stream.write(bytearray(data))
        finally:
            stream.close()
