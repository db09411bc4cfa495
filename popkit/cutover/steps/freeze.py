"""Step 0: freeze. Collect and diagnose again, wait once for what can still land, pause the old
grant, then watch what still arrives.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from popkit.case import Case
from popkit.cutover.errors import Stopped
from popkit.cutover.gathering import gather
from popkit.cutover.journals.journal import Entry
from popkit.cutover.looking import Looks
from popkit.cutover.pages.screen import Screen
from popkit.cutover.reasons import stop
from popkit.cutover.steps.switch import Switch
from popkit.diagnosis.result import GrantDiagnosis
from popkit.protocol.message import SKEW_SECONDS
from popkit.texts import Moment, Sentence, Text, sentence
from popkit.wording import PROOFS

if TYPE_CHECKING:
    from popkit.cutover.run import Run

CASE, FLIGHT, ANNOUNCE, ARRIVED = (
    Text("new case", "新しいケース"),
    Text("on the way", "送信途中"),
    Text("announce first", "先に告知"),
    Text("arrived since", "その後の到着"),
)
FALLBACK, AROUND = Text("meanwhile", "その間"), Text("case", "ケース")
OFF_CHAIN = Text(
    "take attendance off the chain (on paper, or by the app's off-chain participation); nothing of "
    "it is lost",
    "出席はチェーン外（紙、またはアプリの off-chain 参加）で記録してください。失われるものはありません",
)
NOTHING_FLIES = Text(
    "no proof of the old grant can still land",
    "元の grant の proof で、まだ取り込まれうるものはありません",
)
PAUSED_SINCE = Text(
    "somebody paused the old grant after the plan: no new case is needed to leave it so",
    "計画後に誰かが元の grant を停止しています。このままにするのに新しいケースは不要です",
)
LESS = Text(
    "the new case knows less than the plan's ({because}), and contradicts nothing of it: the last "
    "good claim is the same",
    "このケースは計画時より情報が少ない（{because}）ものの、矛盾はありません。直近正常点は同じです",
)
WATCH_ROWS = 1000
WATCHED = "watched"


def watch(run: Run) -> Entry:
    """Look at what still arrives on the old grant after the pause, and write it down, counted and
    with slots. Raises Silent.

    Where this run did not pause it, everything after the plan's look at the cluster counts.
    """
    paused = run.result("0")
    slot = paused.facts.get("slot") if paused is not None else None
    if slot is None:
        slot = run.plan.cluster.block.slot if run.plan.cluster is not None else 0
    later = [
        row
        for row in run.pair().first.signatures(run.plan.old_grant.address, limit=WATCH_ROWS)
        if row["slot"] > slot
    ]
    accepted = sum(row.get("err") is None for row in later)
    return run.journal.write(
        WATCHED, "0", arrived=len(later), accepted=accepted, slots=[row["slot"] for row in later]
    )


def arrived(run: Run, screen: Screen) -> None:
    """Add the newest count of what arrived after the pause."""
    watched = run.journal.last(WATCHED)
    if watched is not None:
        count = sentence("{n} transactions, {accepted} accepted", "{n} 件、うち受理 {accepted} 件", n=watched.facts["arrived"],
            accepted=watched.facts["accepted"])  # fmt: skip
        screen.add(ARRIVED(), count)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the new case says of the old grant."""

    case: Case
    grant: GrantDiagnosis
    until: int | None
    flying: int


class Freeze(Switch):
    """Pause the old grant, once nothing can land any more or a person says that the waiting is
    over.
    """

    wait_over = False
    """Whether a person decided to freeze although proofs can still land."""
    _seen: Seen | None = None

    def look_closer(self, looks: Looks) -> None:
        super().look_closer(looks)
        if looks.stopped is None and self._is_paused_since():
            looks.note(CASE, PAUSED_SINCE)
            return
        looks.add(CASE, self._same_answer)
        looks.add(FLIGHT, self._in_flight)
        if (
            looks.stopped is None
            and self.seen().grant.verdict != self.run.plan.broken.verdict
            and self._knows_less()
        ):
            looks.note(CASE, LESS(because=self.seen().grant.judgement.because))

    def _is_paused_since(self) -> bool:
        """Whether somebody paused the grant after the plan: then nothing is left that a new answer
        or a wait could change.
        """
        return bool(self.plan.instructions) and not self.remaining(self.held())

    def seen(self) -> Seen:
        """The old grant, collected and diagnosed anew; once a look."""
        if self._seen is None:
            old = self.run.plan.old_grant.address
            case = gather(self.run, "0-before", old)
            grant = case.diagnose().grant(old)
            # Every proof, not only the line to the worker's head: where the worker follows the chain, none that is on its way is in it.
            waiting = (proof for proof in case.facts.line(old).proofs.values() if not proof.landed)
            flying = [
                proof for proof in waiting if proof.issued_at + SKEW_SECONDS >= case.collected_at
            ]
            until = max((proof.issued_at + SKEW_SECONDS for proof in flying), default=None)
            self._seen = Seen(case, grant, until, len(flying))
        return self._seen

    def _same_answer(self) -> Sentence:
        seen, plan = self.seen(), self.run.plan
        is_waited_for = (
            seen.grant.verdict == "in_flight" and seen.flying
        )  # the next check decides about those
        if (
            seen.grant.verdict != plan.broken.verdict
            and not is_waited_for
            and not self._knows_less()
        ):
            raise stop("other_answer", was=plan.broken.verdict, now=seen.grant.verdict)
        return sentence(
            "{verdict} ({case}); the plan was made for {planned}",
            "{verdict}（{case}）。計画時の判定は {planned}",
            verdict=seen.grant.verdict,
            case=seen.case.name,
            planned=plan.broken.verdict,
        )

    def _knows_less(self) -> bool:
        """Whether the new case only lacks what the plan's had, as the worker's list shows its
        newest rows alone, and contradicts nothing.

        Every look of ours adds rows to that list: the wait and a few dry runs push out what the
        plan was made from.
        """
        seen, planned = self.seen(), self.run.plan.broken
        was, now = (
            (good or {}).get("signature") for good in (planned.last_good, seen.grant.last_good)
        )
        return seen.grant.verdict == "inconclusive" and was == now

    def _in_flight(self) -> Sentence:
        seen = self.seen()
        if not seen.flying:
            return NOTHING_FLIES()
        count = PROOFS(seen.flying)
        if seen.grant.verdict == "broken":
            # On a broken grant none of them can land in order: what pausing burns was lost before.
            return sentence(
                "{count} issued in the last 600 s stand behind the lost one, and cannot land",
                "直近 600 秒に発行された{count}は失われた proof の後ろにあり、取り込まれません",
                count=count,
            )
        if not self.wait_over:
            if self._has_waited:
                raise stop("still_in_flight", count=count, until=Moment(seen.until))
            return sentence(
                "{count} can still land until {until}: once confirmed, this step waits for them "
                "first, once, {seconds} s at most",
                "{count}が {until} までまだ取り込まれる可能性があります。確認後、まず一度だけ、最長 {seconds} 秒待ちます",
                count=count,
                until=Moment(seen.until),
                seconds=self.run.plan.limits.wait_for_proofs_seconds,
            )
        return sentence(
            "{count} can still land; a person decided to freeze all the same",
            "{count}がまだ取り込まれうる状態ですが、担当者の判断で停止します",
            count=count,
        )

    @property
    def _has_waited(self) -> bool:
        return self.run.journal.last("waited", self.id) is not None

    def forget(self) -> None:
        self._seen = None

    def wait_first(self) -> None:
        """Wait for proofs that can still land: once in a run, at most as long as the plan allows."""
        if self.wait_over or self._has_waited or self._is_paused_since():
            return
        seen = self.seen()
        if not seen.flying or seen.grant.verdict == "broken" or seen.until is None:
            return
        seconds = min(
            seen.until - seen.case.collected_at + 1, self.run.plan.limits.wait_for_proofs_seconds
        )
        self.run.journal.write(
            "waited", self.id, seconds=seconds, until=seen.until, proofs=seen.flying
        )
        self.run.sleep(seconds)
        self.forget()

    def carry_out(self, looks: Looks) -> Entry:
        return (
            super().carry_out(looks) if self.plan.instructions else self.done(by="others", found=[])
        )

    def look_after(self, entry: Entry) -> None:
        if self.run.journal.last(WATCHED, self.id) is None:
            with suppress(Stopped):  # the pause stands; whoever looks next makes up for it
                watch(self.run)

    def simulated(self, screen: Screen, looks: Looks) -> None:
        from popkit.cutover.planning.announcing import pause_notice

        screen.add(ANNOUNCE(), pause_notice(self._titles()))
        screen.add(FALLBACK(), OFF_CHAIN)
        super().simulated(screen, looks)

    def _titles(self) -> list[str]:
        event = self.run.plan.event
        return (
            self._seen.grant.titles
            if self._seen is not None
            else [event.title]
            if event is not None
            else []
        )

    def result_rows(self, screen: Screen, entry: Entry) -> None:
        if self.plan.instructions or entry.facts.get("done_by") == "others":
            super().result_rows(screen, entry)
        arrived(self.run, screen)
        screen.add(FALLBACK(), OFF_CHAIN)
