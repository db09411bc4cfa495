"""A screen as HTML, for a notebook: one template, autoescaped, readable on a phone and on paper."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

from popkit.cutover.screen import MARKS, TYPE_NOW, Screen
from popkit.text import for_html
from popkit.texts import speak

if TYPE_CHECKING:
    from jinja2 import Template


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("popkit.cutover"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("screen.html.j2")


def screen_html(screen: Screen) -> str:
    """The HTML of a screen in its own language."""

    def say(value: object) -> Markup:
        return Markup(for_html(speak(value, screen.language)))

    return _template().render(screen=screen, marks=MARKS, type_now=TYPE_NOW(), say=say)
