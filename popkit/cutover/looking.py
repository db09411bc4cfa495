"""The look before a step: everything that could have changed since the plan, each as a check that
holds, stops, or is worth a note.

A dry run shows all checks; acting raises the first that stops. Drift names the field, what it was
and what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from popkit.cutover.errors import Stopped
from popkit.cutover.plan import Plan, Terms
from popkit.cutover.planning import survey
from popkit.cutover.planning.survey import Pair
from popkit.cutover.reasons import stop
from popkit.protocol.accounts import Grant, decode_grant, decode_pop_config
from popkit.texts import Moment, Sentence, Text, sentence

Result = Literal["holds", "note", "stop"]
CLUSTER = Text("cluster", "クラスター")
PROGRAM = Text("program", "プログラム")
ACCOUNTS = Text("accounts", "アカウント")
PLAN = Text("plan", "計画")
AS_PLANNED = Text(
    "the old grant's terms and the named signer are as planned",
    "元の grant の条件と登録された署名者は計画どおりです",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what, how it is, in words; `stopped` is the error that it raises where
    it stops the step.
    """

    what: Text
    result: Result
    words: Sentence | Text
    stopped: Stopped | None = None


@dataclass(slots=True)
class Looks:
    """The checks of one look, in order."""

    checks: list[Check] = field(default_factory=list)

    def add(self, what: Text, ask: Callable[[], Sentence | Text | None]) -> None:
        """Make a check: that it holds, as `ask` says, or the Stopped that `ask` raises. One of
        which `ask` says None is left out.
        """
        try:
            words = ask()
        except Stopped as stopped:
            self.stop(what, stopped)
            return
        if words is not None:
            self.checks.append(Check(what, "holds", words))

    def stop(self, what: Text, stopped: Stopped) -> None:
        """Something that stops the step."""
        self.checks.append(Check(what, "stop", stopped.reason, stopped))

    def note(self, what: Text, words: Sentence | Text) -> None:
        """Something worth knowing that does not stop the step."""
        self.checks.append(Check(what, "note", words))

    @property
    def stopped(self) -> Stopped | None:
        """The first check that stops, as its error."""
        return next((check.stopped for check in self.checks if check.stopped is not None), None)

    def refuse(self) -> None:
        """Raise the first check that stops."""
        if self.stopped is not None:
            raise self.stopped


def age_of_plan(plan: Plan, now: float) -> Sentence:
    """How old the plan is. Raises Stopped for a draft, and for one that is too old."""
    if plan.draft:
        raise stop("draft")
    age = now - plan.made_at
    if age > plan.limits.plan_seconds:
        raise stop("stale_plan", age=round(age / 3600), limit=plan.limits.plan_seconds // 3600)
    return sentence(
        "{minutes} minutes old", "{minutes} 分前に作成", minutes=max(round(age / 60), 0)
    )


def same_cluster(plan: Plan, pair: Pair, wall: float) -> Sentence:
    """The plan's cluster, by genesis hash and by the plan's finalized block on both endpoints.
    Raises Stopped.
    """
    assert plan.cluster is not None
    now = survey.cluster_seen(pair, plan.cluster.name, plan.limits, newest=None, wall=wall)
    if now.genesis_hash != plan.cluster.genesis_hash:
        raise stop(
            "drift", field="getGenesisHash", was=plan.cluster.genesis_hash, now=now.genesis_hash
        )
    for endpoint in (pair.first, pair.second):
        found = survey.block_at(endpoint, plan.cluster.block.slot)
        if found is not None and found != plan.cluster.block.blockhash:
            raise stop(
                "drift",
                field=f"getBlock {plan.cluster.block.slot}",
                was=plan.cluster.block.blockhash,
                now=found,
            )
    return sentence(
        "{name}, the same on both endpoints", "{name}（二つの接続先で一致）", name=plan.cluster.name
    )


def same_program(plan: Plan, pair: Pair) -> Sentence:
    """The program is the one of the plan: its ProgramData's slot, digest and upgrade authority.
    Raises Stopped.
    """
    from popkit.chain.eras import EraAt

    was = plan.program
    now = survey.program_seen(
        pair, was.program_id, EraAt(was.era, was.era_shown_by, "", ()), was.init
    )
    for name in ("kind", "program_data", "slot", "sha256", "upgrade_authority"):
        if getattr(was, name) != getattr(now, name):
            raise stop("other_program", field=name, was=getattr(was, name), now=getattr(now, name))
    return sentence(
        "unchanged since slot {slot}",
        "スロット {slot} から変更なし",
        slot=was.slot if was.slot is not None else "-",
    )


def same_period(plan: Plan, now: int) -> Sentence:
    """The old grant's period that runs is the plan's: the people who are owed and the amount are of
    that period. Raises Stopped.

    For the steps that freeze and fund; once the new grant is funded, a new period is nothing new.
    """
    terms = plan.old_grant.terms
    period = (now - terms.start_ts) // terms.period_seconds
    if period != plan.people.period:
        raise stop("drift", field="period", was=plan.people.period, now=period)
    return sentence(
        "{period}, until {when}",
        "{period}（{when} まで）",
        period=period,
        when=Moment(plan.people.period_ends_at),
    )


TERMS = ("amount_per_period", "period_seconds", "start_ts", "expires_at", "merkle_root")
"""A grant's terms; whether it is paused is none of them."""


def refuse_other_terms(
    whose: str, planned: Terms, found: Grant, names: Sequence[str] = TERMS
) -> None:
    """Hold a grant's terms to the plan's. Raises Stopped at the first that is another, with `whose`
    it is, what was planned and what is.
    """
    for name in names:
        was, now = str(getattr(planned, name)), str(getattr(found, name))
        if was != now:
            raise stop("drift", field=f"{whose} {name}", was=was, now=now)


def same_terms(plan: Plan, pair: Pair) -> Sentence:
    """The old grant has the terms that the new one copies, and pop-config names the key that it
    did, or the plan's. Raises Stopped.

    For the steps before the new grant is there. Whether the old one is paused is left out: pausing
    it is a step of its own.
    """
    old, signer = plan.old_grant, plan.signer
    assert signer is not None
    held = survey.agreed(pair, [old.address, signer.pop_config])
    grant, config = held[old.address], held[signer.pop_config]
    if grant is None or grant.owner != plan.program.program_id:
        raise stop("grant_closed")
    refuse_other_terms("old grant", old.terms, decode_grant(grant.data))
    named = decode_pop_config(config.data).signer_pubkey if config is not None else None
    if named not in (signer.now, signer.planned):
        raise stop("drift", field="pop-config signer", was=signer.now, now=named)
    return AS_PLANNED()
