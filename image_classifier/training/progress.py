"""How a training shows itself: a bar on a terminal, one line per epoch elsewhere."""

import logging
import sys
from types import TracebackType
from typing import Self

from tqdm import tqdm

from image_classifier.training.loop import EpochReport, Step

logger = logging.getLogger(__name__)


class ProgressBar:
    """Shows the steps of a training that may have begun earlier."""

    def __init__(self, epochs: int, steps: int, epoch: int, step: int) -> None:
        self._epochs = epochs
        self._bar = tqdm(
            total=epochs * steps, initial=epoch * steps + step, unit="step", disable=not sys.stderr.isatty(), leave=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def update(self, at: Step) -> None:
        """Count a step; after an epoch show its figures."""
        self._bar.update(1)
        if at.report is None:
            return
        line = self._line(at.report)
        if self._bar.disable:
            logger.info("%s", line)
        else:
            self._bar.set_postfix_str(line)

    def _line(self, report: EpochReport) -> str:
        parts = [f"epoch {report.epoch}/{self._epochs}", f"loss {report.loss:.4f}", f"acc {report.acc:.4f}"]
        if report.val_acc is not None:
            parts += [f"val_loss {report.val_loss:.4f}", f"val_acc {report.val_acc:.4f}"]
        return "  ".join([*parts, f"{report.seconds:.1f} s"])
