"""A screen as HTML, for a notebook: one template, autoescaped, readable on a phone and on paper."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup
from rich.cells import cell_len as width

from popkit.cutover.pages.screen import MARKS, TYPE_NOW, Screen, Tone
from popkit.text import for_html, for_notebook
from popkit.texts import speak

if TYPE_CHECKING:
    from jinja2 import Template


COLOURS: dict[Tone, str] = {
    "plain": "inherit",
    "good": "#1a8a5f",
    "note": "#a86b00",
    "stop": "#d1440c",
}
"""Of the marks: each can be told from a white and from a dark page (4 to 1), and says nothing that
its mark does not.
"""
GAP = 2
"""Letters of room behind a label."""


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("popkit.cutover.pages"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("screen.html.j2")


def screen_html(screen: Screen) -> str:
    """The HTML of a screen in its own language."""

    def say(value: object) -> Markup:
        return Markup(for_html(speak(value, screen.language)))

    longest = max((width(speak(row.label, screen.language)) for row in screen.rows), default=0)
    label_width = max(8, 0.6 * (longest + GAP))
    return _template().render(
        screen=screen,
        marks=MARKS,
        colours=COLOURS,
        type_now=TYPE_NOW(),
        say=say,
        let_out=for_notebook,
        label_width=f"{label_width:.1f}",
    )
