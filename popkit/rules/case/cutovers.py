"""Records of cutovers: that one is declared, and each of its statements against the chain."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.rules.cutover.points import CANNOT_TELL, VIOLATED
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import CaseSide
from popkit.texts import Text

_CUT_OVER = Text("cut over {what}; {open}", "切り替え: {what}。{open}")
_STATED = Text("{what}: {stated}", "{what}: {stated}")
_SHOWN = Text("{shown}", "{shown}")
_AGREES_ON = Text(
    "nothing on the chain contradicts the record of a cutover on {what}",
    "切り替えの記録と矛盾するものがチェーンにないこと（{what}）",
)


def _is_declared(side: CaseSide) -> bool:
    """Whether the case holds the record of a cutover of one of its grants."""
    return any(one.grant is not None for one in side.declared)


CUTOVER_DECLARED = Rule(
    "cutover_declared",
    "info",
    "case",
    source="design §8",
    holds=Text("no record declares a cutover", "切り替えを申告する記録がないこと"),
    meaning=Text(
        "A record of a cutover says which grant took over, or which signer; this is what its "
        "authors state.",
        "切り替えの記録が、切り替え先の grant または signer を示しています。"
        "記録の作成者の申告です。",
    ),
    advice=Text(
        "Settle the record's open points; check it from outside with popkit cutover verify.",
        "記録の未完了の手順を片付け、`popkit cutover verify` で外部からも確認してください。",
    ),
    context=("observed",),
    applies=_is_declared,
)


@CUTOVER_DECLARED.asks
def declared(side: CaseSide) -> Iterator[Answer]:
    """Every record that is about a grant of the case, in a sentence."""
    for one in side.declared:
        if one.grant is not None:
            what = _CUT_OVER(what=one.summary, open=one.open_points)
            where = (one.given.file, one.record.old.grant)
            yield CUTOVER_DECLARED.violated(where, observed=what, grant=one.grant)


CUTOVER_CONTRADICTED = Rule(
    "cutover_contradicted",
    "critical",
    "case",
    source="design §5, §8",
    holds=Text(
        "nothing on the chain contradicts the record of a cutover",
        "切り替えの記録と矛盾するものがチェーンにないこと",
    ),
    meaning=Text(
        "The chain contradicts the record of a cutover: the record or the switch is not what it is "
        "said to be.",
        "チェーンが切り替えの記録と矛盾しています。記録または切り替えが、申告のとおりではありません。",
    ),
    advice=Text(
        "Do not send anybody to the new grant by this record; compare it with the plan and the "
        "journal of the run.",
        "この記録をもとに利用者を新しい grant へ誘導しないでください。"
        "計画およびジャーナルと照合してください。",
    ),
    # A statement that the case cannot tell leaves the claims of the case verified.
    is_optional=True,
    applies=_is_declared,
)


@CUTOVER_CONTRADICTED.asks
def statements(side: CaseSide) -> Iterator[Answer]:
    """Every statement of every record: each holds, is contradicted, or the case cannot tell."""
    rule = CUTOVER_CONTRADICTED
    for one in side.declared:
        for point in one.points:
            where, title = (one.given.file, point.key), _AGREES_ON(what=point.what)
            about = {"title": title, "grant": one.grant, "slot": point.slot}
            if point.result == VIOLATED:
                stated = _STATED(what=point.what, stated=point.stated)
                yield rule.violated(where, stated, _SHOWN(shown=point.shown), **about)
            elif point.result == CANNOT_TELL:
                yield rule.unknown(where, point.stated, point.shown, **about)
            else:
                yield rule.held(where, point.stated, point.shown, **about)
