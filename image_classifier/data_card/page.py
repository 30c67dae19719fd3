"""The data card as one HTML file that needs nothing else: no network, no script."""

import html
from collections.abc import Iterator, Sequence

import numpy as np

from image_classifier.data.duplicates import members
from image_classifier.data.examples import shown
from image_classifier.data_card import sections
from image_classifier.data_card.content import Content
from image_classifier.data_card.style import CSS

# A browser then refuses what the page must not do, whatever a class is called.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_MOST_BROKEN = 1000
_UNEVEN = 3  # times as many examples as the smallest class
_FEW = 20


def page(title: str, about: Content) -> str:
    """The card of a prepared store."""
    parts = [
        ("classes", "Classes", sections.classes(about)),
        ("labels", "Labels that look wrong", sections.labels(about)),
        ("duplicates", "Duplicates", sections.duplicate_groups(about)),
        ("spread", "Columns" if about.store.columns else "Brightness, contrast, size", sections.spread(about)),
        ("broken", "Broken files", [_NOTHING_BROKEN if about.store.columns is None else _NO_FILES]),
    ]
    head = [_tiles(about), "<ul class=found>", *(f"<li>{each}</li>" for each in _findings(about)), "</ul>"]
    return _document(title, about.store.digest, head, parts)


def broken_page(title: str, failures: Sequence[tuple[str, str]], total: int) -> str:
    """The card of files that cannot be prepared: which ones, and why."""
    rows = [
        f"<tr><td><bdi>{_text(shown(path))}</bdi></td><td>{_text(shown(reason))}</td></tr>"
        for path, reason in sorted(failures)[:_MOST_BROKEN]
    ]
    table = ["<div class=wide><table><tr><th>file</th><th>what is wrong</th></tr>", *rows, "</table></div>"]
    if len(failures) > _MOST_BROKEN:
        table.append(f"<p>and {len(failures) - _MOST_BROKEN:,} more</p>")
    text = "Replace or remove them and make the card again: it then shows the rest."
    head = [f"<p><b>{len(failures):,} of {total:,} files cannot be used.</b> {text}</p>"]
    return _document(title, None, head, [("broken", "Broken files", table)])


_NOTHING_BROKEN = "<p>None: every file was read to its end.</p>"
_NO_FILES = "<p>None: a table has no files of its own for each row.</p>"


def _document(
    title: str, digest: str | None, head: Sequence[str], parts: Sequence[tuple[str, str, Sequence[str]]]
) -> str:
    links = "".join(f'<a href="#{key}">{_text(name)}</a>' for key, name, _ in parts)
    body = [f'<section id="{key}"><h2>{_text(name)}</h2>{"".join(lines)}</section>' for key, name, lines in parts]
    version = f"<p class=quiet>digest <code>{digest}</code></p>" if digest else ""
    return "\n".join([
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Data card: {_text(title)}</title><style>{CSS}</style></head><body>",
        f"<header><h1>Data card: <bdi>{_text(title)}</bdi></h1>{version}<nav>{links}</nav></header>",
        *head, *body,
        "<footer>Made by <code>image_classifier prepare --report</code>. The same data give the same page.</footer>",
        "</body></html>\n",
    ])  # fmt: skip


def _tiles(about: Content) -> str:
    copies, near = sections.surplus(about.duplicates.exact), sections.surplus(about.duplicates.near)
    height, width, channels = about.store.shape
    sized = f"{height} × {width} × {channels}" if about.store.columns is None else f"{len(about.store.columns)}"
    tiles = [
        (f"{len(about.labels):,}", about.noun, False),
        *((f"{len(about.store.splits[name].labels):,}", f"in {name}", False) for name in about.starts),
        (f"{len(about.store.classes):,}", "classes", False),
        (sized, "stored size" if about.store.columns is None else "columns", False),
        (f"{copies:,}", "exact copies", copies > 0),
        *([(f"{near - copies:,}", "near-duplicates", near > copies)] if about.store.columns is None else []),
        *([_in_doubt(about)] if about.telling else []),
    ]
    lines = (f"<li{' class=bad' if bad else ''}><b>{figure}</b>{name}</li>" for figure, name, bad in tiles)
    return f"<ul class=tiles>{''.join(lines)}</ul>"


def _in_doubt(about: Content) -> tuple[str, str, bool]:
    return f"{np.count_nonzero(about.suspicion.doubted):,}", "labels in doubt", bool(about.suspicion.doubted.any())


def _findings(about: Content) -> Iterator[str]:
    """What to look at first, in sentences."""
    names, noun = about.store.classes, about.noun
    train = np.bincount(about.store.splits["train"].labels, minlength=len(names))
    least, most = int(train.argmin()), int(train.argmax())
    if train[most] >= _UNEVEN * max(1, train[least]):
        counts = f"{sections.name(names[most])} has {train[most]:,}, {sections.name(names[least])} {train[least]:,}"
        yield f"The classes are uneven in train: {counts}. The setting <code>class_weights</code> may help."
    few = np.flatnonzero(train < _FEW)
    if len(few):
        which = sections.named([names[index] for index in few])
        yield f"Fewer than {_FEW} {noun} in train: {which}."
    if about.store.duplicates:
        yield f"{about.store.duplicates:,} test {noun} are also in train: the accuracy will look better than it is."
    torn = sum(len(set(about.labels[group])) > 1 for group in members(about.duplicates.exact))
    if torn:
        yield f"Equal {noun} have different labels in {torn:,} {'group' if torn == 1 else 'groups'}."
    if about.telling and about.suspicion.doubted.any():
        doubted = np.count_nonzero(about.suspicion.doubted)
        yield f"{doubted:,} of {len(about.judged):,} labels are in doubt: look at the first ones below."
    if about.store.draws_test:
        yield "The test split was drawn at random from the data, the same share of each class."
    else:
        yield "The test split is the data set's own."


def _text(words: str) -> str:
    return html.escape(words)
