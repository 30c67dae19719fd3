"""One look for all pictures, whatever the user's matplotlib settings: equal input gives equal bytes."""

import contextlib
import functools
import io
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

INK, QUIET, FAINT = "#222222", "#6f6f6f", "#e4e4e4"
BLUE, ORANGE = "#0072b2", "#d55e00"  # told apart by colour-blind readers (Okabe and Ito 2008)

_FONT = "DejaVu Sans"  # comes with matplotlib
_DPI = 150
_MARGIN = 0.12  # inches
_LONGEST_LABEL = 28
_SETTINGS: dict[Any, Any] = {
    "font.family": _FONT,
    "font.size": 9,
    "text.parse_math": False,  # a class may be called $x_1$
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """A block, or a function it decorates, in which matplotlib has our settings and nobody else's."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def blank(width: float, height: float, *, gap: float = 0.02, squares: bool = False) -> Figure:
    """An empty figure of that many inches that draws itself without a window.

    `gap` is the space between columns as a share of their width; `squares` keeps axes of fixed shape together.
    """
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.1, wspace=gap, compress=squares)
    figure = Figure(figsize=(width, height), dpi=_DPI, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def settled(figure: Figure) -> Figure:
    """The same figure with its layout computed for good: each further pass would move things a little."""
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")
    return figure


@style()
def png(figure: Figure) -> bytes:
    """The figure as a PNG file, cut to what is drawn, without the version of the software that drew it."""
    stream = io.BytesIO()
    drawn = figure.get_tightbbox().padded(_MARGIN)
    figure.savefig(stream, format="png", dpi=_DPI, bbox_inches=drawn, metadata={"Software": None})
    return stream.getvalue()


def heading(figure: Figure, text: str) -> None:
    """Put the picture's title at the top left."""
    figure.suptitle(text, x=0.012, ha="left", fontsize=11.5, fontweight="bold")


def percent(share: float, digits: int = 0) -> str:
    """A share of 1 as text: 0.5 is 50 %."""
    return f"{100 * share:.{digits}f} %"


def label(name: str, index: int, longest: int = _LONGEST_LABEL) -> str:
    """A name that fits and can be drawn; one whose letters the font lacks is told by its class number."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    drawn = "".join(letter if ord(letter) in _letters() else "□" for letter in line)
    if drawn != line or not line:
        drawn = f"#{index} {drawn}".strip()
    if len(drawn) <= longest:
        return drawn
    tail = longest // 3  # names that share a long beginning differ at their end
    return f"{drawn[: longest - tail - 1]}…{drawn[-tail:]}"


@functools.cache
def _letters() -> frozenset[int]:
    return frozenset(font_manager.get_font(font_manager.findfont(_FONT)).get_charmap())
