"""A new grant that was poisoned or is wrong is given up: paused and closed, its tokens returned, the record kept; then one plans anew."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from popkit.cutover import survey
from popkit.cutover.attempts import of_step
from popkit.cutover.calls import close_grant
from popkit.cutover.confirmation import Confirmations
from popkit.cutover.errors import OutcomeUnknown
from popkit.cutover.preparing import Rules, dry, prepare
from popkit.cutover.reasons import REASONS, stop
from popkit.cutover.run import ACTING, FAILED, GIVEN_UP, UNKNOWN
from popkit.cutover.screen import Screen
from popkit.cutover.sending import resume, send
from popkit.cutover.stepping import place_of_new, tail
from popkit.errors import EXIT_WRONG
from popkit.texts import Text

if TYPE_CHECKING:
    from popkit.cutover.attempts import Outcome
    from popkit.cutover.run import Run

STEP = "abandon"
HEADING = Text("Give the new grant up", "新しい grant を放棄")
EFFECT, RISK, RESULT, TOKEN = Text("effect", "作用"), Text("risk", "リスク"), Text("result", "結果"), Text("token", "トークン")
LOOK_UP = Text("look up", "確認値")
CLOSES = Text(
    "the new grant and its vault are closed; the vault's tokens go back to the authority's account; transactions and receipts stay",
    "新しい grant と vault を閉じ、vault のトークンは authority の口座に戻ります。取引と受領は残ります",
)
HARM = Text(
    "whoever was given the new event's code must be told; its event stays linked to a grant that is gone, as it cannot be linked again",
    "新しいイベントのコードを受け取った人への連絡が必要です。イベントは紐付け直せず、消えた grant に紐付いたままになります",
)
NOT_THERE = Text("the new grant is not on chain: nothing needs closing", "新しい grant はチェーン上にありません。閉じる必要はありません")
DONE = Text("given up; plan anew with --given-up {grant}", "放棄しました。--given-up {grant} を付けて計画し直してください")
WHAT = Text("the last six letters of the new grant, on the plan page", "計画ページにある新しい grant の末尾 6 文字")


def abandon(run: Run, confirm: str | None) -> Screen:
    """Without `confirm` a dry run that shows what would be done; with it the new grant is closed, and the run given up."""
    new = run.plan.new_grant
    if new is None:
        raise stop("draft")
    screen = Screen(HEADING)
    held = survey.agreed(run.pair(), [new.address])[new.address]
    value = tail(new.address)
    if confirm is None:
        screen.add(EFFECT(), CLOSES if held is not None else NOT_THERE)
        screen.add(RISK(), HARM, tone="note")
        if held is not None:
            found = dry(run.pair().first, [close_grant(place_of_new(run.plan))], run.plan.roles.authority, rules=Rules(rewrites=True))
            if found.error is not None:
                screen.add(RESULT(), REASONS["would_fail"].stop(error=found.error).reason, tone="stop")
                screen.exit_code = EXIT_WRONG
                return screen.in_language(run.language)
        screen.add(LOOK_UP(), WHAT)
        screen.add(TOKEN(), Confirmations(run.journal).ask(STEP, value).token)
        screen.commands = [f"popkit cutover abandon {shlex.quote(str(run.root))} --confirm TOKEN:VALUE"]
        return screen.in_language(run.language)
    with run.journal.held():
        Confirmations(run.journal).check(confirm, STEP, value)
        signature = _close(run) if held is not None else None
        run.journal.write(GIVEN_UP, None, grant=new.address, signature=signature)
    from popkit.cutover.record import write_record

    write_record(run)
    screen.add(RESULT(), DONE(grant=new.address), tone="good")
    return screen.in_language(run.language)


def _close(run: Run) -> str:
    """Close the new grant; an earlier attempt that is open is settled first. Raises Stopped or OutcomeUnknown."""
    pair, earlier = run.pair(), of_step(run.attempts, STEP)
    how = {"beat": run.beat, "sleep": run.sleep}
    if run.state(STEP) == "unknown" and earlier:
        outcome: Outcome = resume(earlier[-1].file, pair.first, pair.second, run.journal, STEP, **how)  # type: ignore[arg-type]
    else:
        prepared = prepare(
            pair.first, [close_grant(place_of_new(run.plan))], run.plan.roles.authority, [run.key("authority")],
            fee_cap_lamports=run.plan.limits.fee_cap_lamports, rules=Rules(rewrites=True),
        )  # fmt: skip
        run.journal.write(ACTING, STEP, calls=["close_grant"])
        outcome = send(prepared, pair.first, pair.second, run.attempts, run.journal, STEP, **how)  # type: ignore[arg-type]
    if outcome.kind == "landed":
        return outcome.signature
    if outcome.kind == "unknown":
        run.journal.write(UNKNOWN, STEP, signature=outcome.signature)
        reason = REASONS["unknown_outcome"].stop(step=STEP)
        raise OutcomeUnknown(reason.code, reason.reason, reason.advice)
    run.journal.write(FAILED, STEP, signature=outcome.signature, error=outcome.error)
    raise stop("landed_failed", error=outcome.error or outcome.kind)
