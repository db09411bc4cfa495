"""Two proofs on one parent: forks and races, and two proofs that were signed for one claimer and
period.
"""

from __future__ import annotations

from collections.abc import Iterator

from popkit.rules.model import Answer, Rule
from popkit.rules.sides import TRANSACTIONS, GrantSide
from popkit.rules.words import NOTHING_TO_DO
from popkit.texts import Text
from popkit.wording import PROOFS

_ONE_CHILD = Text("one proof on this parent", "この親に続く proof が 1 件だけであること")
_CHILDREN = Text("{children} on this parent", "この親に{children}が続いています")
_ONE_PROOF = Text(
    "one proof for a claimer and period on one parent",
    "同じ親の上で claimer と期間ごとに proof が 1 件だけであること",
)
_ALSO = Text("the proof {entry} as well", "proof {entry} もあります")


def _has_proofs_on_chain(side: GrantSide) -> bool:
    return bool(side.chain.linked or side.chain.attributed)


FORK = Rule(
    "fork",
    "warning",
    "grant",
    source="design §5",
    holds=Text(
        "no parent is followed by two proofs under strict rules, or by proofs of two issuers",
        "strict の規則の下で、または 2 つの発行者により、同じ親に proof が 2 件続いていないこと",
    ),
    meaning=Text(
        "Two different proofs stand on one parent under strict rules, or come from two issuers.",
        "strict の規則の下で、または 2 つの発行者により、"
        "同じ親に異なる proof が 2 件続いています。",
    ),
    advice=Text(
        "Find out who issued each: two workers, a reset or restored storage.",
        "それぞれの発行元を調べてください（worker の二重稼働、ストレージの初期化や復元など）。",
    ),
    applies=_has_proofs_on_chain,
)


@FORK.asks
def fork(side: GrantSide) -> Iterator[Answer]:
    """Each parent with two proofs or more where the rules allow one."""
    yield from _forks(side, FORK)


RACE = Rule(
    "race",
    "info",
    "grant",
    source="program commit 5ceddca",
    holds=Text(
        "no two proofs stand on one parent under relaxed rules",
        "relaxed の規則の下で、同じ親に proof が 2 件続いていないこと",
    ),
    meaning=Text(
        "Two proofs stand on one parent under relaxed rules; no rule is broken.",
        "relaxed の規則の下で、同じ親に proof が 2 件続いています。規則違反ではありません。",
    ),
    advice=NOTHING_TO_DO,
    applies=_has_proofs_on_chain,
)


@RACE.asks
def race(side: GrantSide) -> Iterator[Answer]:
    """Each parent with two proofs or more of one worker, where the rules allow as many."""
    yield from _forks(side, RACE)


def _forks(side: GrantSide, rule: Rule) -> Iterator[Answer]:
    for found in side.incident.forks:
        if found["kind"] == rule.code:
            children = PROOFS(len(found["children"]))
            yield rule.violated(
                (TRANSACTIONS, found["parent"]), _ONE_CHILD(), _CHILDREN(children=children)
            )


EQUIVOCATION = Rule(
    "equivocation",
    "critical",
    "grant",
    source="design §5",
    holds=Text(
        "no two proofs were signed for one claimer and period on one parent",
        "同じ claimer、期間、親に対して proof が 2 件署名されていないこと",
    ),
    meaning=Text(
        "Two different proofs were signed for one grant, claimer and period on one parent.",
        "同じ grant、claimer、期間、親に対して、異なる proof が 2 件署名されています。",
    ),
    advice=Text(
        "Treat the signing key as used in two places until shown otherwise.",
        "そうでないと確認できるまで、署名鍵が 2 か所で使われているものとして扱ってください。",
    ),
    applies=_has_proofs_on_chain,
)


@EQUIVOCATION.asks
def equivocation(side: GrantSide) -> Iterator[Answer]:
    """Each pair of such proofs that one honest worker does not sign."""
    for entry, other in side.incident.equivocations:
        yield EQUIVOCATION.violated((TRANSACTIONS, entry), _ONE_PROOF(), _ALSO(entry=other))


REPEAT_PROOF = Rule(
    "repeat_proof",
    "info",
    "grant",
    source="design §5",
    holds=Text(
        "no worker that takes its parents from the chain was asked twice for one claim",
        "親をチェーンから取得する worker が、同じ claim について 2 回依頼されていないこと",
    ),
    meaning=Text(
        "One worker that takes its parents from the chain was asked twice for the same claim.",
        "親をチェーンから取得する worker が、同じ claim について 2 回依頼されています。",
    ),
    advice=NOTHING_TO_DO,
    applies=_has_proofs_on_chain,
)


@REPEAT_PROOF.asks
def repeat_proof(side: GrantSide) -> Iterator[Answer]:
    """Each pair of such proofs that an honest worker signs when it is asked again."""
    for entry, other in side.incident.repeats:
        yield REPEAT_PROOF.violated((TRANSACTIONS, entry), _ONE_PROOF(), _ALSO(entry=other))
