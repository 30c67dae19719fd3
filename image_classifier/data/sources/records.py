"""What a query says of each row beside the example: its key, class, split and group, checked and put in order."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np

from image_classifier.data.examples import Labels, checked_class_names, shown
from image_classifier.data.sources.split_names import SPLITS, meant
from image_classifier.errors import UserError

_SHOWN = 8  # keys in one message
# What may hold the words ORDER BY without being them: comments, texts, quoted names, PostgreSQL's dollar quotes.
_QUOTED = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$""", re.DOTALL)
_INNERMOST = re.compile(r"\([^()]*\)")


class Records:
    """The keys, classes, splits and groups of the rows read so far, those of them that the query has.

    `called` are the columns' names by what they are: key, label, split, group.
    """

    def __init__(self, names: Sequence[str], called: Mapping[str, str], query: str, where: str) -> None:
        self.where = where
        self.count = 0
        self.columns: dict[str, list[Any]] = {what: [] for what, name in called.items() if name in names}
        self._at = {what: names.index(called[what]) for what in self.columns}
        self._same: dict[tuple[type, Any], Any] = {}
        if "key" not in self.columns and not ordered(query):
            raise UserError(
                f"{where} has neither a column key nor an order: its rows may come in another order each time",
                "select what identifies a row AS key, or end the query with ORDER BY",
            )

    def add(self, row: Sequence[Any]) -> None:
        """Take down one row; equal texts are kept once."""
        self.count += 1
        for name, values in self.columns.items():
            value = row[self._at[name]]
            if isinstance(value, bytes | bytearray | memoryview):
                raise UserError(f"{name} of {self.key(self.count - 1)} in {self.where} is bytes", "cast it to text")
            values.append(value if name == "key" else self._same.setdefault((type(value), value), value))

    def key(self, at: int) -> str:
        """How a row is called: by its key, else by its place."""
        keys = self.columns.get("key", [])
        return shown(str(keys[at])) if at < len(keys) and keys[at] is not None else f"row {at + 1}"

    def check(self) -> None:
        """Refuse what is missing, of mixed types, or there twice."""
        if not self.count:
            raise UserError(f"{self.where} finds no rows", "correct the query, or fill the table that it reads")
        for name in ("key", "label"):
            self._refuse_missing(name)
        for name in ("split", "group"):
            if name in self.columns and set(self.columns[name]) == {None}:
                del self.columns[name]  # nobody says anything
            self._refuse_missing(name)
        self._refuse_types()
        self._refuse_twice()
        if "split" in self.columns:
            self._name_splits()

    def order(self, *, by_class: bool) -> list[int]:
        """The rows by class and key, as a folder of class folders has them; without a key as they came."""
        keys, labels = self.columns.get("key"), self.columns.get("label") if by_class else None
        names = {label: _composed(str(label)) for label in set(labels or ())}
        members = defaultdict(list)  # class by class: what is compared is made for one class at a time
        for at in range(self.count):
            members[names[labels[at]] if labels else ""].append(at)
        place = (lambda at: _place(keys[at])) if keys else None
        return [at for name in sorted(members) for at in sorted(members[name], key=place)]

    def splits(self, order: Sequence[int]) -> dict[str, list[int]]:
        """The rows of each split, in this order."""
        said = self.columns.get("split")
        if said is None:
            return {"train": list(order)}
        return {name: [at for at in order if said[at] == name] for name in SPLITS if name in said}

    def names(self, rows: Iterable[int]) -> tuple[str, ...]:
        """How these rows are called."""
        return tuple(map(self.key, rows))

    def groups(self, rows: Iterable[int]) -> tuple[str, ...] | None:
        """The groups of these rows, if the query has any."""
        said = self.columns.get("group")
        return None if said is None else tuple(str(said[at]) for at in rows)

    def classes(self, splits: dict[str, list[int]]) -> tuple[tuple[str, ...], dict[str, Labels]]:
        """The classes of the training rows in the order of their names, and each row's class by split."""
        said = self.columns["label"]
        known = sorted({said[at] for at in splits["train"]}, key=lambda label: _composed(str(label)))
        names = checked_class_names([str(label) for label in known], self.where)
        if len(names) < 2:
            raise UserError(f"{self.where} names one class only: {names[0]}", "a classifier needs at least two classes")
        number = {label: at for at, label in enumerate(known)}
        foreign = [at for rows in splits.values() for at in rows if said[at] not in number]
        if foreign:
            raise UserError(
                f"{self.where} has classes that no training row has: {self._joined(said[at] for at in foreign)}",
                "rows of every class must be in the split train",
            )
        return names, {split: np.array([number[said[at]] for at in rows], np.int64) for split, rows in splits.items()}

    def _refuse_missing(self, name: str) -> None:
        missing = [at for at, value in enumerate(self.columns.get(name, ())) if value is None]
        if missing:
            called = self._joined(map(self.key, missing)) if name != "key" else f"row {missing[0] + 1}"
            raise UserError(
                f"{name} is missing in {len(missing)} of {self.count} rows of {self.where}: {called}",
                f"fill it in, or leave these rows out: WHERE {name} IS NOT NULL",
            )

    def _refuse_types(self) -> None:
        for name, admitted in (("label", (str, int, bool)), ("key", (str, int, UUID))):
            kinds = sorted({type(value).__name__ for value in self.columns.get(name, ())})
            if len(kinds) > 1:
                one, other = (next(v for v in self.columns[name] if type(v).__name__ == kind) for kind in kinds[:2])
                raise UserError(
                    f"{name} is of mixed types in {self.where}: {' and '.join(kinds)}, as {one!r} and {other!r}",
                    f"make it one: CAST({name} AS text) AS {name}",
                )
            if kinds and kinds[0] not in [kind.__name__ for kind in admitted]:
                raise UserError(
                    f"{name} in {self.where} is of the type {kinds[0]}, as {self.columns[name][0]!r}",
                    f"a {name} is a text or a whole number: CAST({name} AS text) AS {name}",
                )

    def _refuse_twice(self) -> None:
        keys = self.columns.get("key", [])
        if len(set(keys)) == len(keys):
            return
        seen: set[Any] = set()
        twice = {key for key in keys if key in seen or seen.add(key)}  # type: ignore[func-returns-value]
        raise UserError(
            f"{len(twice)} keys stand more than once in {self.where}: {self._joined(sorted(twice))}",
            "a key names one row: a join may have made several of it, or another column is the key",
        )

    def _name_splits(self) -> None:
        """Put the splits' own names in the place of the usual other words for them, and refuse what is none."""
        meaning = {said: meant(str(said)) for said in set(self.columns["split"])}
        unknown = [said for said, split in meaning.items() if split is None]
        if unknown:
            raise UserError(
                f"split in {self.where} holds {self._joined(sorted(unknown, key=str))}",
                f"a split is one of {', '.join(SPLITS)}; call the column otherwise if it says something else",
            )
        self.columns["split"] = [meaning[said] for said in self.columns["split"]]
        if "train" not in self.columns["split"]:
            raise UserError(f"{self.where} has no rows in the split train", "say which rows are to be learned from")

    def _joined(self, values: Iterable[Any]) -> str:
        texts = list(dict.fromkeys(shown(str(value)) for value in values))
        return ", ".join(texts[:_SHOWN]) + (" …" if len(texts) > _SHOWN else "")


def ordered(query: str) -> bool:
    """Whether the query's rows have an order: an ORDER BY that is no part of a sub-query, a text or a comment."""
    plain = _QUOTED.sub(" ", query)
    while (shorter := _INNERMOST.sub(" ", plain)) != plain:
        plain = shorter
    return bool(re.search(r"\border\s+by\b", plain, re.IGNORECASE))


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _place(key: Any) -> Any:
    """Numbers by size; paths as folders are listed: in each its files, then its folders, by name."""
    if isinstance(key, int):
        return key
    *above, last = _composed(str(key)).split("/")
    return (*((1, folder) for folder in above), (0, last))
