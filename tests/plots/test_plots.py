"""The pictures: reproducible, with words, with Japanese, without touching anything global.
tests/pages shows every view of every case.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit import notebook
from popkit.pages import pictures as plots
from tests.conftest import CASES

DRAW: tuple[Callable[[Any, str], plots.Picture], ...] = (
    plots.chain_over_time,
    plots.heads,
    plots.fork_lanes,
    plots.impact,
)


@pytest.mark.parametrize("name", ["cutover", "foreign-issuer", "relaxed-race", "unused"])
@pytest.mark.parametrize("draw", DRAW, ids=lambda draw: draw.__name__)
def test_a_picture_is_the_same_bytes_and_has_words(
    name: str, draw: Callable[[Any, str], plots.Picture]
) -> None:
    one, two = (popkit.open_case(CASES / name) for _ in range(2))
    for grant in one.grants:
        first, second = draw(one, grant), draw(two, grant)
        assert first.png == second.png
        assert first.png.startswith(b"\x89PNG")
        assert b"Software" not in first.png
        assert len(first.alt) > 40
        data, metadata = first._repr_mimebundle_()
        assert metadata["image/png"]["alt"] == data["text/plain"] == first.alt


def test_words_say_what_is_drawn() -> None:
    case = popkit.open_case(CASES / "cutover")
    assert (
        "5 accepted; 1 refused by a chain rule"
        in plots.chain_over_time(case, "GyNErNFYyguDK24JREUeQvazex3M2WoUvELAnZPpqkvH").alt
    )
    assert (
        "3 proofs off the chain's head"
        in plots.heads(case, "GyNErNFYyguDK24JREUeQvazex3M2WoUvELAnZPpqkvH").alt
    )
    foreign = popkit.open_case(CASES / "foreign-issuer")
    assert "another issuer" in plots.fork_lanes(foreign, foreign.grants[0]).alt


def test_japanese_has_glyphs() -> None:
    from matplotlib.font_manager import FontProperties, fontManager, get_font

    from popkit.pages.pictures.picture import _family

    fonts = [get_font(fontManager.findfont(FontProperties(family=family))) for family in _family()]
    known = {code for font in fonts for code in font.get_charmap()}
    assert {ord(character) for character in "地域清掃ボランティア（再開）進路説明会"} <= known


def test_nothing_global_is_touched() -> None:
    """In a fresh interpreter: rcParams stay as they were, pyplot is not even imported."""
    code = (
        "import sys, matplotlib; kept = lambda: "
        "{k: matplotlib.rcParams[k] for k in matplotlib.rcParams if not k.startswith('backend')}\n"
        "before = kept()\n"
        "import popkit; from popkit.pages import pictures as plots\n"
        f"case = popkit.open_case({str(CASES / 'cutover')!r})\n"
        "plots.heads(case, case.grants[0]).png\n"
        "assert kept() == before and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_three_hundred_claimers_fit() -> None:
    case = popkit.open_case(CASES / "cutover")
    broken = case.diagnose().grant(case.grants[1])
    one = next(hit for hit in broken.people if hit.refused and hit.lost)
    broken.people = [replace(one, claimer=f"wallet{n:04}") for n in range(300)]
    picture = plots.impact(case, case.grants[1])
    assert picture.figure.get_figheight() < 12
    assert picture.alt.endswith(
        "300 claimers hit; 300 had a claim refused, 300 held a proof that was lost; 0 had a claim "
        "accepted later."
    )
    assert "300 claimers" in picture.figure.axes[0].get_ylabel()


def test_a_grant_that_is_none_is_refused() -> None:
    from popkit.errors import UsageError

    with pytest.raises(UsageError, match="no grant of the case is"):
        notebook.verdict_cards(popkit.open_case(CASES / "cutover"), "nobody")


def test_a_case_is_found_from_a_folder_further_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES.parent)
    assert notebook.find_case("data/cases/cutover") == CASES / "cutover"
    assert notebook.find_case("no/such/case") == Path("no/such/case")
