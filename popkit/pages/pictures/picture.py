"""A figure with its alternative text, drawn the same way everywhere: one style, one font that has
Japanese, no date inside.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from popkit.text import for_terminal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")

# Okabe and Ito's colours: told apart with any colour vision, and of different lightness in grey.
BLUE, VERMILION, GREEN, ORANGE, GREY, INK = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#8A8A8A",
    "#1A1A1A",
)
DPI = 110
LAST_SECOND = 7_258_118_400.0
"""The beginning of 2200: anybody can sign or report a later time, and no axis can show the last of
them.
"""
WIDTH = 9.0
"""Inches; 990 pixels, which a phone shows at a third and paper in full."""

_STYLE: dict[str, Any] = {
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "figure.titlesize": 12.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "axes.unicode_minus": False,
    "timezone": "UTC",
    "text.parse_math": False,
}


@cache
def _family() -> list[str]:
    """The fonts, in the order in which glyphs are looked for; the Japanese one is added to
    matplotlib's list, not made its default.
    """
    from matplotlib import font_manager

    package = importlib.util.find_spec(
        "matplotlib_fontja"
    )  # found, not imported: importing it changes matplotlib's defaults
    places = list(package.submodule_search_locations or ()) if package is not None else []
    families = ["DejaVu Sans"]
    for font in sorted(font for place in places for font in Path(place, "fonts").glob("*.ttf")):
        font_manager.fontManager.addfont(str(font))
        families.append(font_manager.FontProperties(fname=str(font)).get_name())
    return families


@contextmanager
def style() -> Iterator[None]:
    """matplotlib's own defaults with this package's changes, whatever a matplotlibrc says; undone
    afterwards.
    """
    import matplotlib
    import matplotlib.style

    changes: dict[Any, Any] = {**_STYLE, "font.family": _family()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with matplotlib.style.context("default"), matplotlib.rc_context(changes):
            yield


@dataclass(frozen=True)
class Picture:
    """A figure and its `alt` text, which says in words what the picture shows.

    `is_empty` tells that there was nothing to draw. `png` is the same bytes for the same case and
    matplotlib; Jupyter shows it with its alternative text.
    """

    figure: Figure = field(repr=False)
    alt: str
    is_empty: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "alt", for_terminal(self.alt)
        )  # one visible line: it quotes errors that a node gave

    @cached_property
    def png(self) -> bytes:
        """The picture as PNG, without date or software in it."""
        buffer = io.BytesIO()
        with style():
            self.figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        return buffer.getvalue()

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        image = base64.b64encode(self.png).decode("ascii")
        return {"image/png": image, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def drawn(draw: Callable[P, Picture]) -> Callable[P, Picture]:
    """Draw inside the style, without pyplot."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> Picture:
        with style():
            return draw(*args, **kwargs)

    return inside


def new_figure(height: float) -> Figure:
    """An empty figure of the usual width, on the Agg canvas."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def put_title(figure: Figure, title: str) -> None:
    """The figure's title, at its left edge."""
    figure.suptitle(title, x=0.006, ha="left")


def time_axis(axes: Axes, start: float, end: float) -> None:
    """An x axis in UTC over [start, end] (unix seconds) with room at both ends."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    axes.set_xlim(day(start - room(start, end)), day(end + room(start, end)))
    locator = AutoDateLocator(tz="UTC", minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz="UTC"))  # type: ignore[no-untyped-call]
    axes.set_xlabel("time, UTC")


def room(start: float, end: float) -> float:
    """Seconds left free at either end of a time axis."""
    return max((end - start) * 0.03, 20.0)


def day(seconds: float) -> float:
    """A unix second as matplotlib's date number (days since 1970); what lies outside the axis'
    reach stands at its end.
    """
    return min(max(seconds, 0.0), LAST_SECOND) / 86400.0


def days(seconds: Sequence[float]) -> list[float]:
    return [day(second) for second in seconds]


def empty(title: str, words: str) -> Picture:
    """A picture that says that there is nothing to show."""
    figure = new_figure(0.9)
    axes = figure.add_subplot()
    axes.set_axis_off()
    put_title(figure, title)
    axes.text(0.0, 0.5, words, transform=axes.transAxes, va="center")
    return Picture(figure, f"{title}. {words}", is_empty=True)
