"""Data sets that come with scikit-learn: no file, no network."""

import numpy as np

from image_classifier.data.examples import Examples, Source

NAMES = ("digits",)
_BRIGHTEST = 16


def digits() -> Source:
    """Handwritten digits: 1797 gray images of 8 x 8 pixels."""
    return Source("digits", (), draws_test=True, load=_load_digits)


def _load_digits() -> tuple[tuple[str, ...], dict[str, Examples]]:
    # Imported here: it takes longer than everything else when the store exists already.
    from sklearn.datasets import load_digits  # noqa: PLC0415

    data = load_digits()
    pixels = np.rint(data.images * 255 / _BRIGHTEST).astype(np.uint8)[..., np.newaxis]
    labels = np.asarray(data.target, dtype=np.int64)
    return tuple(str(name) for name in data.target_names), {"train": Examples(labels, pixels)}
