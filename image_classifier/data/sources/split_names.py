"""Folders that are named nearly like a split: train, val and test are spelled so, and nothing is guessed."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from image_classifier.data.sources.columns import in_words
from image_classifier.errors import UserError

SPLITS = ("train", "val", "test")
_WORDS = {
    "train": r"train(?:ing)?|trn",
    "val": r"val|valid(?:ation)?|dev|eval(?:uation)?",
    "test": r"tests?|testing|tst",
}
# What people write before and after it: train_images, img_test, ValidationSet, training-data.
_FILLER = r"(?:images?|imgs?|pictures?|pics?|photos?|data|dataset|sets?|split|samples?|folders?)"
_PATTERN = re.compile("|".join(rf"{_FILLER}*(?P<{split}>{words}){_FILLER}*" for split, words in _WORDS.items()))


class Nearly(NamedTuple):
    """The split that a name seems to mean, and the other words in it: `seg` in `seg_train`."""

    split: str
    rest: str


def nearly(name: str) -> Nearly | None:
    """What a folder's name says of a split: nothing in `trains` and `contest`, `test` and `tube` in `test_tube`."""
    # TrainSet is two words, as train_set is.
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).casefold())
    meanings = [(str(found.lastgroup), word) for word in words if (found := _PATTERN.fullmatch(word))]
    if len(meanings) != 1:
        return None
    split, meant = meanings[0]
    return Nearly(split, " ".join(word for word in words if word != meant and not re.fullmatch(_FILLER, word)))


def meant(name: str) -> str | None:
    """The split that a word in a column of splits means; there is nothing else that it could mean."""
    found = nearly(name)
    plain = found is not None and not found.rest and not any(character.isdigit() for character in name)
    return found.split if found and plain else None


def misspelt(names: Collection[str], holding: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Which of the folders `names` are meant as splits, and as which; `holding` are those that hold folders only.

    A word is no proof: a class may be called `testing` and have sub-folders. Names that differ in nothing but the
    split are proof if nothing else is there, or if they hold folders of the same name; so is a name all alone.
    """
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        if found := nearly(name):
            groups[found.rest][name] = found.split
    for group in groups.values():
        inside = [name for folder in group if folder in holding for name in holding[folder]]
        different = len(set(group.values())) > 1 or len(names) == 1
        if different and inside and (len(group) == len(names) or len(set(inside)) < len(inside)):
            return group
    return {}


def of_rows(given: list[str], column: str, path: Path) -> list[str]:
    """The rows' splits; the usual other words for them are understood, as there is nothing else they could mean."""
    meaning = {name: meant(name) for name in set(given)}
    rows = [row for row, name in enumerate(given, 1) if meaning[name] is None]
    if rows:
        unknown = sorted(name for name, split in meaning.items() if split is None)
        raise UserError(
            f"{column} in {path} is {', '.join(map(repr, unknown[:8]))} in row {in_words(rows)}",
            f"a split is one of {', '.join(SPLITS)}; call the column otherwise if it says something else",
        )
    splits = [str(meaning[name]) for name in given]
    if "train" not in splits:
        raise UserError(f"{column} in {path} has no row with train", "name the rows to learn from")
    return splits
