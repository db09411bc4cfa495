"""Attempts that the program refused: by a chain rule, by another rule for good, of strangers; and
refusals that wallets report.
"""

from __future__ import annotations

from collections.abc import Iterator

from popkit.protocol.errors import CHAIN_RULE_ERRORS
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import REPORTS, TRANSACTIONS, GrantSide
from popkit.rules.words import NOTHING_TO_DO
from popkit.texts import Listed, Moment, Text
from popkit.wording import ATTEMPTS
from popkit.wording import REPORTS as REPORTED

_ON_HEAD = Text("claims on the chain's head", "チェーンの head に続く claim")
_REFUSALS = Text(
    "{attempts}, the first with {error} on the parent {parent}",
    "{attempts}があります。最初のものは親 {parent} に対して {error} で拒否されました",
)
_ACCEPTED = Text("the program accepts the claim", "claim が受理されること")
_REFUSED_WITH = Text(
    "the program refused the claim with {error}", "claim が {error} で拒否されました"
)
_REFUSED = Text("the program refused the claim", "claim が拒否されました")
_STRANGERS = Text("{attempts}: {reasons}", "{attempts}: {reasons}")
_NO_REFUSAL = Text("wallets report no refusal", "ウォレットから拒否の報告がないこと")
_REPORTS = Text(
    "{reports} of {error}, the first at {at}", "{error} の{reports}があり、最初のものは {at} です"
)


def _has_attempts(side: GrantSide) -> bool:
    return bool(side.chain.accepted or side.chain.refused)


def _has_reports(side: GrantSide) -> bool:
    return side.facts.evidence.reports is not None


CLAIMS_REFUSED = Rule(
    "claims_refused",
    "warning",
    "grant",
    source="program §1.8: 6026, 6027, 6028",
    holds=Text(
        "the evidence shows no claim of the grant's issuer that a chain rule refused",
        "grant の発行者の claim が、チェーンの規則で拒否された形跡がないこと",
    ),
    meaning=Text(
        "A chain rule refused claims of the grant's issuer.",
        "grant の発行者の claim が、チェーンの規則により拒否されました。",
    ),
    advice=Text(
        "See which proof the claims waited for, and whether the chain went on past them.",
        "どの proof を待っていたか、チェーンがその後も続いたかを確認してください。",
    ),
    applies=_has_attempts,
)


@CLAIMS_REFUSED.asks
def claims_refused(side: GrantSide) -> Iterator[Answer]:
    """All refusals by a chain rule in one finding, at the first."""
    refused = side.incident.chain_refused
    if refused:
        first = refused[0]
        count, parent = ATTEMPTS(len(refused)), str(first.prev_hash)[:16]
        observed = _REFUSALS(attempts=count, error=first.error, parent=parent)
        yield CLAIMS_REFUSED.violated(
            (TRANSACTIONS, first.signature), _ON_HEAD(), observed, slot=first.slot
        )


PROOF_BURNT = Rule(
    "proof_burnt",
    "warning",
    "grant",
    source="program §1.7",
    holds=Text(
        "the evidence shows no proof on the chain's head that another rule refused for good",
        "チェーンの head の上の proof が、他の規則による拒否で失効した形跡がないこと",
    ),
    meaning=Text(
        "A rule other than the chain's refused a proof on the chain's head, and the proof was "
        "never accepted.",
        "チェーンの head の上の proof が、チェーン以外の規則で拒否され、"
        "受理されないまま失効しました。",
    ),
    advice=Text(
        "Fix the reason, which is a cause of the break, before the new grant opens.",
        "拒否の理由が断絶の原因です。新しい grant を始める前に解消してください。",
    ),
    applies=_has_attempts,
)


@PROOF_BURNT.asks
def proof_burnt(side: GrantSide) -> Iterator[Answer]:
    """Every proof that a rule other than the chain's refused and that was never accepted."""
    for attempt in side.incident.burnt:
        observed = _REFUSED_WITH(error=attempt.error) if attempt.error else _REFUSED()
        where = TRANSACTIONS, attempt.signature
        yield PROOF_BURNT.violated(where, _ACCEPTED(), observed, slot=attempt.slot)


NOISE = Rule(
    "noise",
    "info",
    "grant",
    source="design §5",
    holds=Text(
        "every refused attempt is of the grant's issuer",
        "拒否された試行がすべて grant の発行者のものであること",
    ),
    meaning=Text(
        "Refused attempts are not of the grant's issuer: anyone can land a failing transaction.",
        "拒否された試行が、grant の発行者のものではありません。"
        "失敗するトランザクションは誰でも送れます。",
    ),
    advice=NOTHING_TO_DO,
    context=("observed",),
    applies=_has_attempts,
)


@NOISE.asks
def noise(side: GrantSide) -> Iterator[Answer]:
    """All attempts of strangers in one finding, at the first, with the reasons why none is the
    issuer's.
    """
    strangers = [attempt for attempt in side.chain.refused if attempt.noise is not None]
    if strangers:
        reasons = Listed(
            tuple(sorted({a.noise for a in strangers if a.noise is not None})), between=", "
        )
        observed, first = (
            _STRANGERS(attempts=ATTEMPTS(len(strangers)), reasons=reasons),
            strangers[0],
        )
        yield NOISE.violated((TRANSACTIONS, first.signature), observed=observed, slot=first.slot)


WALLETS_REPORT_BREAK = Rule(
    "wallets_report_break",
    "warning",
    "grant",
    source="design §5",
    holds=Text(
        "wallets report no refusal by a chain rule that nothing on the chain shows",
        "オンチェーンに現れていないチェーンの規則による拒否を、ウォレットが報告していないこと",
    ),
    meaning=Text(
        "Wallets reported refusals by a chain rule that never reached the chain.",
        "ウォレットがチェーンの規則による拒否を報告していますが、オンチェーンには現れていません。",
    ),
    advice=Text(
        "Confirm with the worker's records: nobody signs a wallet's report.",
        "ウォレットの報告には署名がありません。worker の記録で確認してください。",
    ),
    applies=_has_reports,
)


@WALLETS_REPORT_BREAK.asks
def wallets_report_break(side: GrantSide) -> Iterator[Answer]:
    """Reports of a chain-rule refusal that never landed, unless the chain is sound all the same:
    nobody signs a report.
    """
    quiet = [
        failure
        for failure in side.facts.reported
        if failure.grant == side.grant
        and not failure.report.landed
        and failure.error in CHAIN_RULE_ERRORS
    ]
    if quiet and not side.judgement.is_sound:
        first = quiet[0]
        observed = _REPORTS(
            reports=REPORTED(len(quiet)), error=first.error, at=Moment(first.report.at)
        )
        yield WALLETS_REPORT_BREAK.violated((REPORTS, first.report.wallet), _NO_REFUSAL(), observed)
