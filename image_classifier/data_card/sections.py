"""The sections of a data card: classes, labels that look wrong, duplicates, how values are spread."""

import html
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from image_classifier.data.duplicates import members
from image_classifier.data_card import pictures
from image_classifier.data_card.content import Content, Example

# So that the page stays below 5 MB, whatever the data: an image is 2 to 3 kB in it.
_MOST_CLASSES = 1000
_THUMBNAILS, _THUMBNAILS_A_CLASS = 600, 10
_MOST_SUSPECTS = 120
_SUSPECT = 0.7  # what the model agrees with more than that is not shown
_MOST_GROUPS, _MOST_MEMBERS = 40, 4
_MOST_QUANTITIES = 60
_LONGEST_NAME = 160
_CELLS = 6  # of a row of a table that are shown

Integers = npt.NDArray[np.int64]


def name(words: str) -> str:
    """A class or a file by name, whichever way its letters run."""
    cut = words if len(words) <= _LONGEST_NAME else f"{words[:100]}…{words[-50:]}"
    return f"<bdi>{html.escape(cut)}</bdi>"


def named(words: Sequence[str], most: int = 5) -> str:
    """Some names as a list for a sentence, the rest as a number."""
    rest = f" and {len(words) - most:,} more classes" if len(words) > most else ""
    return ", ".join(map(name, words[:most])) + rest


def surplus(groups: Integers) -> int:
    """How many examples could go, if one of each group stayed."""
    return len(groups) - len(np.unique(groups))


def classes(about: Content) -> list[str]:
    """Each class with its counts by split and some of its images."""
    names = about.store.classes
    counts = {split: np.bincount(about.store.splits[split].labels, minlength=len(names)) for split in about.starts}
    chosen = _shown_classes(counts["train"])
    most = int(counts["train"].max())
    a_class = 0 if about.store.columns else min(_THUMBNAILS_A_CLASS, _THUMBNAILS // len(chosen))
    head = "".join(f"<th class=number>{split}</th>" for split in counts)
    from_train = "<th>from train</th>" if a_class else ""
    head = f"<th class=name>class</th>{head}<th class=count></th>{from_train}"
    lines = [f"<div class=wide><table class=classes><tr>{head}</tr>"]
    for label in chosen:
        cells = "".join(f"<td class=number>{each[label]:,}</td>" for each in counts.values())
        strip = f"<td>{_strip(about, label, a_class, small=len(chosen) > 20)}</td>" if a_class else ""
        share = pictures.bar(counts["train"][label] / most)
        lines.append(f"<tr><td class=name>{name(names[label])}</td>{cells}<td class=count>{share}</td>{strip}</tr>")
    lines.append("</table></div>")
    if len(chosen) < len(names):
        lines.append(f"<p class=quiet>The largest and the smallest {len(chosen) // 2:,} of {len(names):,} classes.</p>")
    return lines


def _shown_classes(counts: Integers) -> Integers:
    if len(counts) <= _MOST_CLASSES:
        return np.arange(len(counts))
    order = np.argsort(-counts, kind="stable")
    return np.concatenate([order[: _MOST_CLASSES // 2], order[-_MOST_CLASSES // 2 :]])


def _strip(about: Content, label: int, most: int, *, small: bool) -> str:
    train = about.store.splits["train"]
    rows = np.flatnonzero(train.labels == label)
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))]
    images = "".join(_picture(about, about.example(about.starts["train"] + row)) for row in chosen)
    return f'<div class="strip{" small" if small else ""}">{images}</div>'


def labels(about: Content) -> list[str]:
    """The most suspicious labels, with what they might be instead."""
    doubts = about.suspicion
    if not len(doubts.order):
        return ["<p>No class has enough examples to judge labels by.</p>"]
    judged = f"all {about.noun}" if len(about.judged) == len(about.labels) else f"{len(about.judged):,} {about.noun}"
    weak = "" if about.telling else " That is little, so most of what it contradicts is right all the same."
    explained = (
        f"<p>A simple model learned four fifths of {judged} and was asked for the last fifth, five times. It agrees"
        f" with {100 * about.agreement:.0f} % of the labels.{weak} First come the labels that it contradicts most: look"
        " at them, and correct your data where it is right. The number is the normalised margin: 0 is sure of the other"
        " class, 1 is sure of the label.</p>"
    )
    figures = []
    most = _MOST_SUSPECTS if about.telling else _MOST_SUSPECTS // 2
    suspects = [index for index in doubts.order[:most] if doubts.margin[index] < _SUSPECT]
    for index in suspects:
        example = about.example(about.judged[index])
        figures.append(
            f"{_figure(about, example)}<b>{name(about.store.classes[example.label])}</b><br>rather "
            f"<span class=other>{name(about.store.classes[doubts.suggested[index]])}</span>? "
            f"{doubts.margin[index]:.2f}<br>{_place(example)}</figcaption></figure>"
        )
    if not figures:
        return [explained, "<p>None: the model agrees with every label.</p>"]
    return [explained, '<div class="grid">', *figures, "</div>"]


def duplicate_groups(about: Content) -> list[str]:
    """How many copies there are, within and across splits, and the groups that matter most."""
    exact, near = members(about.duplicates.exact), members(about.duplicates.near)
    images = about.store.columns is None
    if not near:
        return [f"<p>None{', neither exact nor near ones' if images else ''}.</p>"]
    only_near = [group for group in near if len(set(about.duplicates.exact[group])) > 1]
    kinds = [("equal", exact), *([("nearly equal", only_near)] if images else [])]
    splits = {number: about.split_of(number) for group in near for number in group}
    rows = []
    for kind, groups in kinds:
        across = [group for group in groups if len({splits[number] for number in group}) > 1]
        torn = sum(len(set(about.labels[group])) > 1 for group in groups)
        examples = sum(map(len, groups))
        figures = (len(groups), examples, len(groups) - len(across), len(across), torn)
        rows.append(f"<tr><td>{kind}</td>{''.join(f'<td class=number>{each:,}</td>' for each in figures)}</tr>")
    heads = ("groups", about.noun, "in one split", "across splits", "with different labels")
    table = (
        "<div class=wide><table><tr><th></th>"
        f"{''.join(f'<th class=number>{each}</th>' for each in heads)}</tr>{''.join(rows)}</table></div>"
    )

    def worth(group: Integers) -> tuple[bool, bool, int]:
        across = len({splits[number] for number in group}) > 1
        return len(set(about.labels[group])) == 1, not across, int(group[0])

    shown_groups = [_group(about, group) for group in sorted(near, key=worth)[:_MOST_GROUPS]]
    order = "those with different labels, then those across splits"
    rest = f"<p class=quiet>The first {_MOST_GROUPS} of {len(near):,} groups: {order}.</p>"
    return [table, "<ol class=groups>", *shown_groups, "</ol>", rest if len(near) > _MOST_GROUPS else ""]


def _group(about: Content, group: Integers) -> str:
    equal = len(set(about.duplicates.exact[group])) == 1
    torn = len(set(about.labels[group])) > 1
    figures = []
    for number in group[:_MOST_MEMBERS]:
        example = about.example(number)
        label = name(about.store.classes[example.label])
        label = f"<span class=other>{label}</span>" if torn else f"<b>{label}</b>"
        figures.append(f"{_figure(about, example)}{label}<br>{_place(example)}</figcaption></figure>")
    more = f"<p class=quiet>and {len(group) - _MOST_MEMBERS:,} more</p>" if len(group) > _MOST_MEMBERS else ""
    words = f"{'equal' if equal else 'nearly equal'}{', different labels' if torn else ''}"
    return f"<li>{words}<div class=group>{''.join(figures)}</div>{more}</li>"


def spread(about: Content) -> list[str]:
    """A histogram of each measure or column."""
    others = [split for split in about.starts if split != "train"]
    colours = {"val": "#009e73", "test": "var(--orange)"}
    lines = "".join(f'<i class=key style="background:{colours[split]}"></i>{split}' for split in others)
    key = f'<p class=quiet><i class=key style="background:var(--blue);opacity:.45"></i>train{lines}, each by shares</p>'
    charts = []
    for each in about.quantities[:_MOST_QUANTITIES]:
        text = each.values["train"].dtype.kind == "U"
        chart = pictures.shares(each.values) if text else pictures.histogram(each.values)
        charts.append(f"<div><h3>{name(each.name)}</h3>{chart}</div>")
    if not charts:
        return ["<p>All images are alike in these.</p>"]
    hidden = len(about.quantities) - len(charts)
    more = f"<p class=quiet>and {hidden:,} more columns</p>" if hidden else ""
    return [key, '<div class="grid charts">', *charts, "</div>", more]


def _figure(about: Content, example: Example) -> str:
    """The start of a figure: the image, and its caption's beginning; the values where there is no image."""
    if about.store.columns is None:
        return f"<figure>{_picture(about, example)}<figcaption>"
    return f"<figure><figcaption>{_cells(about, example)}<br>"


def _picture(about: Content, example: Example) -> str:
    return pictures.thumbnail(about.store.splits[example.split].inputs[example.row], _cut(example.name))


def _cells(about: Content, example: Example) -> str:
    """The first values of a row, by column."""
    values, start, cells = about.store.splits[example.split].inputs[example.row, 0, 0], 0, []
    for column in (about.store.columns or ())[:_CELLS]:
        end = start + len(column.numbers)
        part = values[start:end]
        if column.categories is None:
            said = f"{part[0]:.4g}"
        else:
            said = column.categories[int(part.argmax())] if part.any() else "(none of these)"
        cells.append(f"{name(column.name)} {name(said)}")
        start = end
    more = " …" if len(about.store.columns or ()) > _CELLS else ""
    return ", ".join(cells) + more


def _place(example: Example) -> str:
    says_split = example.name.startswith((f"{example.split}/", f"{example.split} "))
    return name(example.name) if says_split else f"{example.split}, {name(example.name)}"


def _cut(words: str) -> str:
    return words if len(words) <= _LONGEST_NAME else f"{words[:100]}…{words[-50:]}"
