"""The verdict of a grant as a rule, and whether the chain was read too early for a final one."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.rules.model import Answer, Rule
from popkit.rules.sides import TRANSACTIONS, GrantSide
from popkit.texts import Moment, Text

_LIVING_HEAD = Text(
    "a worker's head that can become the chain's head",
    "worker の head がチェーンの head になり得ること",
)
_NOTHING_AFTER = Text("no record after {until}", "{until} より後の記録がないこと")
_RECORD_OF = Text("a record of {at}", "{at} の記録があります")

CHAIN_BROKEN = Rule(
    "chain_broken",
    "critical",
    "grant",
    source="runbook §4",
    holds=Text(
        "the chain takes the worker's next proof",
        "worker の次の proof がチェーンに受理されること",
    ),
    meaning=Text(
        "The program will accept no proof that the worker issues now on this grant.",
        "この grant では、worker が今後発行する proof をプログラムが受理しません。",
    ),
    advice=Text(
        "Freeze the event (Step 0), note the last good claim (Step 1), cut over to a new "
        "grant (Step 2).",
        "イベントを凍結し（Step 0）、直近正常点を控え（Step 1）、"
        "新しい grant に切り替えてください（Step 2）。",
    ),
)


@CHAIN_BROKEN.asks
def chain_broken(side: GrantSide) -> Iterator[Answer]:
    """The verdict, at the last good claim: a grant that nothing decides cannot be told."""
    last, judgement = side.last_good, side.judgement
    where, slot = (
        (TRANSACTIONS, last.signature if last else side.grant),
        last.slot if last else None,
    )
    answer = {"broken": CHAIN_BROKEN.violated, "inconclusive": CHAIN_BROKEN.unknown}.get(
        judgement.verdict, CHAIN_BROKEN.held
    )
    yield answer(where, _LIVING_HEAD(), judgement.because, slot=slot)


def _is_in_flight(side: GrantSide) -> bool:
    return side.judgement.could_land_until is not None


CHAIN_READ_EARLY = Rule(
    "chain_read_early",
    "warning",
    "grant",
    source="design §5",
    holds=Text(
        "the case holds nothing younger than the last second at which a proof on the way "
        "could land",
        "未確定の proof が取り込まれ得る最後の時刻より新しいものが、ケースにないこと",
    ),
    meaning=Text(
        "The case holds something younger than the last second at which the proofs on the way "
        "could land.",
        "未確定の proof が取り込まれ得た最後の時刻より新しいものが、ケースに含まれています。",
    ),
    advice=Text(
        "Collect the chain again: whether those proofs landed is decided by now.",
        "チェーンを再収集してください。これらの proof の結果はすでに確定しています。",
    ),
    applies=_is_in_flight,
)


@CHAIN_READ_EARLY.asks
def chain_read_early(side: GrantSide) -> Iterator[Answer]:
    """A grant in flight whose evidence goes on past the last second at which its proofs could
    land: collect again.
    """
    facts, until = side.facts, side.judgement.could_land_until
    times = [t for t in facts.claims.transactions.block_time if t is not None]
    times += [facts.records_until] if facts.records_until is not None else []
    if until is not None and times and max(times) > until:
        newest = _RECORD_OF(at=Moment(max(times)))
        yield CHAIN_READ_EARLY.violated(
            ("case.json", "collected_at"), _NOTHING_AFTER(until=Moment(until)), newest
        )
