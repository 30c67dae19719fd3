"""The door to this room: every picture of a run, and `png` to turn one into bytes."""

from image_classifier.visualization.accuracy import accuracy_figure
from image_classifier.visualization.confusion import confusion_figure
from image_classifier.visualization.gallery import gallery_figure
from image_classifier.visualization.history import history_figure
from image_classifier.visualization.style import png

__all__ = ["accuracy_figure", "confusion_figure", "gallery_figure", "history_figure", "png"]
