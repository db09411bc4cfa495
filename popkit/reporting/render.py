"""report.html and report.md from the executed notebooks: one file each, nothing loaded from
anywhere.

The notebooks' outputs are popkit's own blocks. They are held against a list of harmless elements
all the same: a report that holds anything else is not written.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib import resources
from typing import TYPE_CHECKING, Any

from popkit import __version__
from popkit.errors import PopkitError
from popkit.pages.blocks import environment
from popkit.pages.naming import case_mark
from popkit.pages.text import count, utc
from popkit.reporting.normal import HIDDEN
from popkit.text import for_markdown, for_notebook

if TYPE_CHECKING:
    from popkit.diagnosis.result import Diagnosis

_HARMLESS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        ("br", "caption", "li", "ol", "pre", "code", "tbody", "td", "thead", "tr"), frozenset[str]()
    ),
    "p": frozenset({"class"}),
    "div": frozenset({"class", "tabindex"}),
    "span": frozenset({"class", "lang", "aria-hidden"}),
    "strong": frozenset({"class"}),
    "table": frozenset({"class"}),
    "th": frozenset({"scope"}),
}
"""The elements and attributes that popkit's blocks are made of."""


@dataclass(frozen=True)
class Part:
    """A piece of a section: `kind` is prose, block or picture; `html` and `markdown` are its two
    forms, `alt` a picture's words.
    """

    kind: str
    html: str = ""
    markdown: str = ""
    alt: str = ""


@dataclass(frozen=True)
class Section:
    """One notebook as a section of the report."""

    name: str
    title: str
    parts: list[Part] = field(default_factory=list)


def render(diagnosis: Diagnosis, notebooks: Mapping[str, Any]) -> tuple[str, str]:
    """(report.html, report.md) of a diagnosis and its executed notebooks, in the order given.

    Raises PopkitError when a notebook holds an output that popkit does not make.
    """
    sections = [read_section(name, notebook) for name, notebook in notebooks.items()]
    return _html(diagnosis, sections), _markdown(diagnosis, sections)


def read_section(name: str, notebook: Any) -> Section:
    """A notebook's prose and outputs, without its code."""
    title, parts = name, []
    for cell in notebook["cells"]:
        if HIDDEN in cell["metadata"].get("tags", ()):
            continue
        if cell["cell_type"] == "markdown":
            heading, prose = _split_title(cell["source"])
            title = heading or title
            parts.append(Part("prose", _prose(prose), _deeper(prose)))
            continue
        parts += [_part(name, output) for output in cell["outputs"]]
    return Section(name, title, parts)


def _split_title(source: str) -> tuple[str, str]:
    """The heading of the first level, which becomes the section's, and the rest."""
    first, _, rest = source.partition("\n")
    return (first[2:].strip(), rest.strip()) if first.startswith("# ") else ("", source)


def _prose(source: str) -> str:
    """The notebooks' own prose as HTML: headings one level down, raw HTML and links as text."""
    import mistune

    class Deeper(mistune.HTMLRenderer):
        def heading(self, text: str, level: int, **_: Any) -> str:
            return f"<h{level + 1}>{text}</h{level + 1}>\n"

        def link(self, text: str, url: str, title: str | None = None) -> str:
            return text

        def image(self, text: str, url: str, title: str | None = None) -> str:
            return text

    return str(mistune.create_markdown(renderer=Deeper(escape=True))(source))


def _deeper(source: str) -> str:
    return re.sub(r"^#", "##", source, flags=re.MULTILINE)


def _part(name: str, output: Any) -> Part:
    data = output.get("data", {})
    if "image/png" in data:
        alt = output["metadata"].get("image/png", {}).get("alt", "")
        if not alt:
            raise PopkitError(
                f"notebook {name}: a picture has no alternative text; nothing was written"
            )
        return Part("picture", html="".join(data["image/png"].split()), alt=alt)
    if "text/html" in data:
        check_harmless(data["text/html"], name)
        return Part("block", html=data["text/html"], markdown=data.get("text/plain", ""))
    raise PopkitError(
        f"notebook {name}: a cell ends in something that is neither a block nor a picture; nothing "
        f"was written"
    )


def check_harmless(html: str, name: str) -> None:
    """Raise PopkitError unless the HTML is made of the blocks' own elements and attributes, well
    nested.
    """
    _Check(name).feed_all(html)


class _Check(HTMLParser):
    """Refuses elements and attributes that are not on the list, comments, declarations and bad
    nesting.
    """

    def __init__(self, name: str) -> None:
        super().__init__(convert_charrefs=True)
        self.name, self.open = name, list[str]()

    def feed_all(self, html: str) -> None:
        self.feed(html)
        self.close()
        if self.open:
            self.refuse(f"<{self.open[-1]}> is not closed")

    def refuse(self, what: str) -> None:
        raise PopkitError(
            f"notebook {self.name}: an output holds HTML that popkit does not write ({what}); "
            f"nothing was written"
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        allowed = _HARMLESS.get(tag)
        if allowed is None or any(key not in allowed for key, _ in attrs):
            self.refuse(f"<{tag}> with {', '.join(key for key, _ in attrs) or 'no attributes'}")
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.refuse(f"</{tag}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.refuse(f"<{tag}/>")

    def handle_comment(self, data: str) -> None:
        self.refuse("a comment")

    def handle_decl(self, decl: str) -> None:
        self.refuse("a declaration")

    def handle_pi(self, data: str) -> None:
        self.refuse("a processing instruction")

    def unknown_decl(self, data: str) -> None:
        self.refuse("a declaration")


def _html(diagnosis: Diagnosis, sections: Sequence[Section]) -> str:
    css = resources.files("popkit.reporting").joinpath("templates/report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    template = environment().get_template("report.html.j2")
    text = template.render(
        diagnosis=diagnosis,
        mark=case_mark(diagnosis),
        sentence=_sentence(diagnosis),
        as_of=utc(diagnosis.as_of),
        sections=sections,
        css=css,
        digest=digest,
        version=__version__,
    )
    return str(text).rstrip("\n") + "\n"


def _sentence(diagnosis: Diagnosis) -> str:
    """How many grants have which verdict, worst first."""
    counts = sorted(
        diagnosis.verdicts.items(), key=lambda row: (row[0] != diagnosis.verdict, row[0])
    )
    return (
        "; ".join(f"{count(number, 'grant')} {verdict}" for verdict, number in counts)
        or "no grant is in the case"
    )


def _markdown(diagnosis: Diagnosis, sections: Sequence[Section]) -> str:
    told = f"Evidence taken {utc(diagnosis.as_of)}; exit code {diagnosis.exit_code}."
    mark = case_mark(diagnosis)
    lines = [
        f"# Case {for_markdown(diagnosis.case)}: {for_markdown(mark.word)}",
        "",
        f"{mark.markdown()} — {for_markdown(_sentence(diagnosis))}. {told}",
        "",
    ]
    for section in sections:
        lines += [f"## {section.title}", "", *_markdown_parts(section)]
    lines += [
        "---",
        "",
        f"Made by popkit {__version__} from the case alone. Pictures are in report.html; here "
        f"their words stand.",
    ]
    return for_notebook("\n".join(lines).rstrip("\n") + "\n")


def _markdown_parts(section: Section) -> Iterator[str]:
    for part in section.parts:
        yield f"*Picture:* {for_markdown(part.alt)}" if part.kind == "picture" else part.markdown
        yield ""
