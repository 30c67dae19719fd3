"""The picture of the Kubeflow pipeline's graph, drawn from the compiled pipeline.yaml.

python -m image_classifier.pipelines.kubeflow --type compile
python docs/pictures/make_kubeflow_graph.py pipeline.yaml docs/pictures/kubeflow-graph.png
"""

import graphlib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from image_classifier import files
from image_classifier.visualization.plot import png
from image_classifier.visualization.style import BLUE, FAINT, INK, ORANGE, QUIET, blank, style

# In inches.
_BOX = (2.5, 0.46)
_GAP = 0.34  # between one row and the next
_MARGIN = 0.22  # inside a group's frame
_TITLE = 0.26
_BEHIND = 0.07  # how far the next frame of a loop peeps out
_WHATEVER = "ALL_UPSTREAM_TASKS_COMPLETED"


@dataclass(frozen=True)
class Node:
    """A task, with the tasks inside it in rows where it is no container: its title is then what holds for them."""

    title: str
    outputs: tuple[str, ...] = ()
    rows: tuple[tuple["Node", ...], ...] = ()
    loop: bool = False
    always: bool = False

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        if not self.rows:
            return _BOX
        wide = max(sum(each.size[0] + _GAP for each in row) - _GAP for row in self.rows)
        high = sum(max(each.size[1] for each in row) + _GAP for row in self.rows) - _GAP
        title = _TITLE if self.title else 0
        return wide + 2 * _MARGIN, high + 2 * _MARGIN + title


def read(text: str) -> Node:
    """The whole graph of a compiled pipeline."""
    package = next(iter(yaml.safe_load_all(text)))
    return Node("", rows=tuple(_rows(package["root"]["dag"]["tasks"], package["components"])))


def _rows(tasks: Mapping[str, Any], components: Mapping[str, Any]) -> Iterator[tuple[Node, ...]]:
    """The tasks in rows: each below all that it waits for."""
    order = graphlib.TopologicalSorter({name: task.get("dependentTasks", ()) for name, task in tasks.items()})
    order.prepare()
    while order.is_active():
        row = sorted(order.get_ready())
        yield tuple(_node(tasks[name], components) for name in row)
        order.done(*row)


def _node(task: Mapping[str, Any], components: Mapping[str, Any]) -> Node:
    component = components[task["componentRef"]["name"]]
    policy = task.get("triggerPolicy", {})
    always = policy.get("strategy") == _WHATEVER
    if "dag" not in component:
        outputs = component.get("outputDefinitions", {}).get("parameters", {})
        return Node(task["taskInfo"]["name"], tuple(sorted(outputs)), always=always)
    loop = "parameterIterator" in task
    title = "for each data scope, all at once" if loop else task["taskInfo"]["name"]
    if "condition" in policy:
        title = _condition(policy["condition"])
    return Node(title, rows=tuple(_rows(component["dag"]["tasks"], components)), loop=loop, always=always)


def _condition(text: str) -> str:
    found = re.fullmatch(r".*'pipelinechannel--([\w-]+)'\] == '(\w+)'", text.strip())
    return f"only if {found[1].replace('-', '’s ')} is {found[2]}" if found else text


@style()
def graph_figure(graph: Node) -> Figure:
    """The graph from top to bottom."""
    width, height = graph.size
    figure = blank(width, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    _draw(axes, graph, 0, 0, depth=0)
    return figure


def _draw(axes: Axes, node: Node, left: float, top: float, depth: int) -> None:
    """One node with its left upper corner there; the outermost group has no frame."""
    width, _ = node.size
    if not node.rows:
        _box(axes, node, left, top)
        return
    if depth:
        for behind in (2, 1, 0) if node.loop else (0,):
            shift = behind * _BEHIND
            _frame(axes, (left + shift, top + shift), node.size, "white", QUIET)
        axes.text(left + 0.12, top + 0.2, node.title, color=QUIET, fontsize=8, va="center")
    y, before = top + _MARGIN + (_TITLE if node.title else 0), None
    for row in node.rows:
        wide = sum(each.size[0] + _GAP for each in row) - _GAP
        x = left + (width - wide) / 2
        for each in row:
            _draw(axes, each, x, y, depth + 1)
            if before is not None:
                _arrow(axes, left + width / 2, before, y, always=each.always)
            x += each.size[0] + _GAP
        before = y + max(each.size[1] for each in row)
        y = before + _GAP


def _box(axes: Axes, node: Node, left: float, top: float) -> None:
    """A container, and under its name what it hands on."""
    width, height = _BOX
    _frame(axes, (left, top), _BOX, FAINT, ORANGE if node.always else BLUE)
    middle, below = left + width / 2, bool(node.outputs)
    axes.text(middle, top + (0.17 if below else height / 2), node.title, color=INK, ha="center", va="center")
    if below:
        text = f"hands on {', '.join(node.outputs)}"
        axes.text(middle, top + 0.34, text, color=QUIET, fontsize=7, ha="center", va="center")


def _frame(axes: Axes, corner: tuple[float, float], size: tuple[float, float], face: str, edge: str) -> None:
    shape = "round,pad=0,rounding_size=0.07"
    axes.add_patch(FancyBboxPatch(corner, *size, boxstyle=shape, facecolor=face, edgecolor=edge))


def _arrow(axes: Axes, x: float, begin: float, end: float, *, always: bool) -> None:
    """From one row to the next; dashed, with its words, where it does not matter how the row before ended."""
    color = ORANGE if always else QUIET
    how = {"arrowstyle": "-|>", "color": color, "shrinkA": 0, "shrinkB": 0, "linestyle": "--" if always else "-"}
    axes.annotate("", (x, end), (x, begin), arrowprops=how)
    if always:
        axes.text(x + 0.1, (begin + end) / 2, "whatever happened", color=color, fontsize=8, va="center")


def main(argv: list[str]) -> int:
    """Draw the file named first into the one named second."""
    source, target = map(Path, argv)
    files.write_bytes(target, png(graph_figure(read(source.read_text(encoding="utf-8")))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
