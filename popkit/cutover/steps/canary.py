"""Step 2.5: a wallet of the operator's takes the first claim on the new grant, and the whole way is
checked before anybody is told.

It goes on where it stopped: a proof that was issued is used, as one that never lands breaks a
strict grant.
"""

from __future__ import annotations

from popkit.cutover.errors import OutcomeUnknown, Stopped
from popkit.cutover.first_claim.canary import CanaryResult, countdown, take
from popkit.cutover.first_claim.checks import Terms
from popkit.cutover.first_claim.notes import Notes
from popkit.cutover.first_claim.words import NOT_FIRST
from popkit.cutover.journals.journal import Entry
from popkit.cutover.looking import Looks
from popkit.cutover.pages.screen import Screen
from popkit.cutover.planning.stepping import place_of_new
from popkit.cutover.reasons import stop
from popkit.cutover.run import EXPIRED, UNKNOWN
from popkit.cutover.sending.attempts import of_step
from popkit.cutover.sending.sending import resume
from popkit.cutover.steps.anchored import watch_anchors
from popkit.cutover.steps.base import Step
from popkit.cutover.steps.event import ANCHORS, WORKER, worker_ready
from popkit.texts import Sentence, Text, sentence

WALLET, CLOCK, CLAIM, CHECKS, SERVER = (
    Text("wallet", "ウォレット"),
    Text("time left", "残り時間"),
    Text("claim", "claim"),
    Text("checks", "検査"),
    Text("the worker's own", "worker 自身の確認"),
)
FIRST = Text("first claim", "最初の claim")
NOBODY = Text(
    "nobody has claimed on the new grant yet", "新しい grant ではまだ誰も claim していません"
)
MODELS = {"strict": "A", "strict_v2": "B", "relaxed": "D", "head": "E", "pre_pop": "A"}
"""The worker's model where the case holds no anchor that shows it: that of the program's day."""
STRICT = ("strict", "strict_v2")


class Canary(Step):
    """The first claim. `--wallet-key` names the operator's wallet."""

    def look_closer(self, looks: Looks) -> None:
        looks.add(WORKER, lambda: worker_ready(self))
        looks.add(WALLET, self._wallet)
        if looks.stopped is None:
            looks.add(FIRST, self._first)
        if looks.stopped is None:
            looks.add(ANCHORS, lambda: watch_anchors(self, self.run.key("wallet").public_key))
            looks.add(CLOCK, self._left)

    def _first(self) -> Text | None:
        """That nobody claimed on the new grant before. Raises Stopped: a claim that landed is to be
        verified, not given up as poisoned.
        """
        place = place_of_new(self.run.plan)
        held = self.run.pair().first.accounts([place.pop_state])[place.pop_state]
        if Notes(self.run.journal, self.id).asked("claim"):
            return None  # it may be ours
        if held is not None and held.owner == place.program:
            raise Stopped("not_first", NOT_FIRST.sentence(), NOT_FIRST.advice())
        return NOBODY

    def _wallet(self) -> Sentence:
        key = self.run.key("wallet").public_key
        held = self.run.pair().first.accounts([key])[key]
        lamports = held.lamports if held is not None else 0
        return sentence(
            "{key} holds {lamports} lamports",
            "{key} の残高 {lamports} lamports",
            key=key,
            lamports=lamports,
        )

    def _left(self) -> Sentence | None:
        """How long an issued proof can still land; None where none is out."""
        left = countdown(self.run.journal, self.run.pair().first.clock().block_time, self.id)
        return None if left is None else left.sentence

    def terms(self) -> Terms:
        """The new grant as the canary is to find it."""
        plan = self.run.plan
        new, signer = plan.new_grant, plan.signer
        assert new is not None
        assert signer is not None
        model = (plan.worker.model if plan.worker is not None else None) or MODELS.get(
            plan.program.era, "A"
        )
        return Terms(
            place=place_of_new(plan),
            amount=int(new.terms.amount_per_period),
            start_ts=new.terms.start_ts,
            period_seconds=new.terms.period_seconds,
            signer=signer.planned,
            model=model,
            is_strict=plan.program.era in STRICT,
        )

    def carry_out(self, looks: Looks) -> Entry:
        run = self.run
        event = run.result("2.4")
        assert event is not None
        pair = run.pair()
        try:
            result = take(
                run.desk(), pair.first, pair.second, run.key("wallet"), str(event.facts["event"]), self.terms(), run.journal,
                run.attempts, step=self.id, fee_cap_lamports=run.plan.limits.fee_cap_lamports, beat=run.beat, sleep=run.sleep,
            )  # fmt: skip
        except OutcomeUnknown as unknown:
            run.journal.write(UNKNOWN, self.id, code=unknown.code)
            raise
        return self._judged(result)

    def resolve(self) -> None:
        """Where nobody knows: settle the claim, if one was sent, without sending anything; then the
        step can go on. Raises Silent.

        A request to the worker leaves nothing to settle: the step asks again where it stopped, and
        what it is given is held to what the first proof must be before anything is sent.
        """
        run, pair = self.run, self.run.pair()
        attempts = of_step(run.attempts, self.id)
        if attempts:
            outcome = resume(
                attempts[-1].file,
                pair.first,
                pair.second,
                run.journal,
                self.id,
                beat=run.beat,
                sleep=run.sleep,
            )
            if outcome.kind == "unknown":
                return
        run.journal.write(EXPIRED, self.id, why="run the step again: it goes on where it stopped")

    def _judged(self, result: CanaryResult) -> Entry:
        if not result.is_verified:
            names = ", ".join(check.name for check in result.failed)
            self.failed(stop("not_green", why=names), result=result.as_json())
        return self.done(by="us", **result.as_json())

    def result_rows(self, screen: Screen, entry: Entry) -> None:
        facts = entry.facts
        screen.add(WALLET(), str(facts["wallet"]))
        screen.add(
            CLAIM(),
            str(facts["signature"]),
            f"slot {facts['slot']}, entry {facts['entry_hash']}",
            tone="good",
        )
        held = [str(check["name"]) for check in facts["checks"] if check["holds"] is True]
        screen.add(
            CHECKS(),
            sentence(
                "{n} hold: {names}", "{n} 件成立: {names}", n=len(held), names=", ".join(held)
            ),
            tone="good",
        )
        screen.add(
            SERVER(),
            ", ".join(f"{name}: {str(value).lower()}" for name, value in facts["by_worker"].items())
            or "-",
        )
