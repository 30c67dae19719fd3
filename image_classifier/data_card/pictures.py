"""What a page shows inside itself: small images and histograms, as text."""

import base64
import html
import io
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image

THUMBNAIL = 64  # pixels
_TINY = 16  # below this every pixel is shown as a square, and PNG is the smaller file
_BINS = 24
_WIDE, _HIGH = 240, 64
_MOST_CATEGORIES = 8

Values = npt.NDArray[np.generic]


def thumbnail(image: npt.NDArray[np.uint8], words: str) -> str:
    """An `<img>` that holds the image itself, at most `THUMBNAIL` pixels wide and high."""
    picture = Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image)
    tiny = max(picture.size) <= _TINY
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    stream = io.BytesIO()
    if tiny:
        picture.save(stream, "PNG")
    else:
        picture.save(stream, "JPEG", quality=80)
    content = base64.b64encode(stream.getvalue()).decode()
    words = html.escape(words)
    kind, look = ("png", ' class="tiny"') if tiny else ("jpeg", "")
    return f'<img{look} src="data:image/{kind};base64,{content}" alt="{words}" title="{words}">'


def histogram(values: Mapping[str, Values]) -> str:
    """How the values of train are spread, as bars, and those of the other splits, as lines, each by its own shares."""
    numbers = {name: np.asarray(each, np.float64) for name, each in values.items() if len(each)}
    low, high = min(each.min() for each in numbers.values()), max(each.max() for each in numbers.values())
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    shares = {name: np.histogram(each, edges)[0] / len(each) for name, each in numbers.items()}
    top = max(float(each.max()) for each in shares.values())
    step = _WIDE / _BINS
    drawn = []
    for name, share in shares.items():
        heights = share / top * _HIGH
        if name == "train":
            drawn += [
                f'<rect class="train" x="{index * step:.1f}" y="{_HIGH - height:.1f}" '
                f'width="{step - 1:.1f}" height="{height:.1f}"/>'
                for index, height in enumerate(heights) if height > 0
            ]  # fmt: skip
        else:
            points = " ".join(
                f"{x:.1f},{_HIGH - height:.1f}"
                for index, height in enumerate(heights) for x in (index * step, (index + 1) * step)
            )  # fmt: skip
            drawn.append(f'<polyline class="{name}" points="{points}"/>')
    said = f"from {low:.4g} to {high:.4g}"
    return (
        f'<svg viewBox="0 -2 {_WIDE} {_HIGH + 3}" role="img" aria-label="{said}">{"".join(drawn)}</svg>'
        f'<div class="ends"><span>{low:.4g}</span><span>{high:.4g}</span></div>'
    )


def shares(values: Mapping[str, Values]) -> str:
    """How often each category stands in train, the most frequent first."""
    words, counts = np.unique(values["train"], return_counts=True)
    chosen = np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES]
    lines = [
        f'<div class="share"><bdi>{html.escape(str(words[index]))}</bdi>{bar(counts[index] / counts.sum())}'
        f"<span>{100 * counts[index] / counts.sum():.0f} %</span></div>"
        for index in chosen
    ]
    more = f"<p>and {len(words) - len(chosen)} more</p>" if len(words) > len(chosen) else ""
    return "".join(lines) + more


def bar(share: float) -> str:
    """A bar that fills that share of its room."""
    return f'<span class="bar"><i style="width:{100 * share:.1f}%"></i></span>'
