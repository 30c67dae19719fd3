"""The door to this room: every picture of a run or a sweep, and `png` to turn one into bytes."""

from image_classifier.visualization.accuracy import accuracy_figure
from image_classifier.visualization.confusion import classes_in_a_cell, confusion_figure
from image_classifier.visualization.error_sets import MOST_SETS_SHOWN, Example, error_sets_figure
from image_classifier.visualization.gallery import gallery_figure
from image_classifier.visualization.history import history_figure
from image_classifier.visualization.style import png
from image_classifier.visualization.sweep import Level, Line, Panel, effects_figure, parallel_figure

__all__ = [
    "MOST_SETS_SHOWN", "Example", "Level", "Line", "Panel", "accuracy_figure", "classes_in_a_cell", "confusion_figure",
    "effects_figure",
    "error_sets_figure", "gallery_figure", "history_figure", "parallel_figure", "png",
]  # fmt: skip
