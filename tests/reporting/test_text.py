"""Other people's text stays text: in HTML, in Markdown, in a terminal."""

from __future__ import annotations

from html.parser import HTMLParser

import mistune
import pytest
from hypothesis import given
from hypothesis import strategies as st

from popkit.pages.blocks import Code, Facts, Group, Lines, Mark, Note, Steps, Table
from popkit.pages.text import utc
from popkit.reporting.render import check_harmless
from popkit.text import for_markdown, shown

NASTY = (
    "<script>alert(1)</script>",
    "a | b",
    "`code`",
    "``",
    "[x](http://evil.example)",
    "](http://evil.example)",
    "![x](http://evil.example)",
    "http://evil.example",
    "www.evil.example",
    "**bold** _it_ ~~no~~",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "---",
    "***",
    "| a |",
    "&lt;b&gt;",
    "<img src=x onerror=alert(1)>",
    "$x$",
    "line\nbreak\r\n# heading",
    "\u202eesrever",
    "\x1b[31mred",
    "{{ 7*7 }}",
    "{% raw %}",
    "'\"><b>",
    "地域清掃|<b>",
)

render_markdown = mistune.create_markdown(
    escape=False, plugins=["table", "url", "strikethrough", "footnotes", "task_lists"]
)


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def page(text: str) -> Group:
    cells = [text, Code(text), Lines((text, Code(text)))]
    return Group(
        [
            Note(text),
            Table(text, ("a", "b", "c"), [cells, cells], note=text),
            Facts(text, {"k": text}),
            Steps(text, [text, (text, "ls")]),
        ]
    )


HARMLESS = page("harmless").html()


@pytest.mark.parametrize("text", NASTY)
def test_html_has_no_element_more(text: str) -> None:
    made = page(text).html()
    check_harmless(made, "test")
    assert [tag for tag in Tags(made).found if tag != "span"] == [
        tag for tag in Tags(HARMLESS).found if tag != "span"
    ]
    assert shown(text) in Tags(made).text


@pytest.mark.parametrize("text", NASTY)
def test_markdown_has_no_element_more(text: str) -> None:
    expected = Tags(render_markdown(page("harmless").markdown())).found
    assert Tags(render_markdown(page(text).markdown())).found == expected


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_no_text_gets_out_of_a_markdown_cell(text: str) -> None:
    html = render_markdown(
        f"| a | b |\n|---|---|\n| {for_markdown(text)} | x |\n\n{for_markdown(text)}\n"
    )
    found = Tags(html)
    assert set(found.found) <= {"table", "thead", "tbody", "tr", "th", "td", "p"}
    assert found.found.count("td") == 2


def test_times_are_utc_and_never_fail() -> None:
    assert utc(0) == "1970-01-01 00:00:00 UTC"
    assert utc(None) == "not known"
    assert utc(1 << 62) == f"{1 << 62} (unix seconds)"


def test_success_wears_no_sign_of_success_beside_a_critical_finding() -> None:
    mark = Mark("intact", "2 critical findings")
    assert (mark.symbol, mark.tone, mark.word) == ("!", "bad", "intact, but 2 critical findings")


def test_a_table_gives_a_frame_of_strings() -> None:
    frame = Table("t", ("hash", "n"), [[Code("0" * 64), 3]]).frame
    assert frame.loc[0, "hash"] == "0" * 64
    assert set(map(str, frame.dtypes)) == {"string"}


@pytest.mark.parametrize(
    "html",
    [
        "<script>x</script>",
        "<p onclick='x'>",
        '<img src="http://x">',
        "<a href='#'>x</a>",
        "<!-- x -->",
        "<p>",
        "</p>",
        "<br/>",
        "<div style='x'></div>",
    ],
)
def test_an_output_that_popkit_does_not_write_stops_the_report(html: str) -> None:
    from popkit.errors import PopkitError

    with pytest.raises(PopkitError, match="HTML that popkit does not write"):
        check_harmless(html, "00_overview")
