"""A new grant that was poisoned or is wrong is given up: closed, its tokens returned, the record
kept; then one plans anew.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from popkit.cutover.errors import OutcomeUnknown
from popkit.cutover.journals.confirmation import Confirmations
from popkit.cutover.pages.screen import Screen
from popkit.cutover.planning import survey
from popkit.cutover.planning.stepping import place_of_new, tail
from popkit.cutover.reasons import REASONS, stop
from popkit.cutover.resolving import newest_attempt
from popkit.cutover.run import ACTING, EXPIRED, FAILED, GIVEN_UP, UNKNOWN
from popkit.cutover.sending.attempts import of_step
from popkit.cutover.sending.calls import close_grant
from popkit.cutover.sending.preparing import Rules, dry, prepare
from popkit.cutover.sending.sending import resume, send
from popkit.cutover.steps.switch import whole
from popkit.errors import EXIT_WRONG
from popkit.texts import Text

if TYPE_CHECKING:
    from popkit.cutover.run import Run
    from popkit.cutover.sending.attempts import Outcome

STEP = "abandon"
HEADING = Text("Give the new grant up", "新しい grant を放棄")
EFFECT, RISK, RESULT, TOKEN = (
    Text("effect", "作用"),
    Text("risk", "リスク"),
    Text("result", "結果"),
    Text("token", "トークン"),
)
LOOK_UP = Text("look up", "確認値")
CLOSES = Text(
    "the new grant and its vault are closed; the vault's tokens go back to the authority's "
    "account; transactions and receipts stay",
    "新しい grant と vault を閉じ、vault のトークンは authority の口座に戻ります。取引とレシートは残ります",
)
HARM = Text(
    "whoever was given the new event's code must be told; its event stays linked to a grant that "
    "is gone, as it cannot be linked again",
    "新しいイベントのコードを受け取った人への連絡が必要です。イベントは紐付け直せず、消えた grant に紐付いたままになります",
)
NOT_THERE = Text(
    "the new grant is not on chain: nothing needs closing",
    "新しい grant はチェーン上にありません。閉じる必要はありません",
)
DONE = Text(
    "given up; plan anew with --given-up {grant}",
    "放棄しました。--given-up {grant} を付けて計画し直してください",
)
AGAIN = Text(
    "run 'popkit cutover abandon' again, with a new token: it settles this closing first, and "
    "closes nothing twice",
    "新しいトークンで `popkit cutover abandon` をもう一度実行してください。先にこの取引の結果を確定し、二重に閉じることはありません",
)
WHAT = Text(
    "the last six letters of the new grant, on the plan page",
    "計画ページにある新しい grant の末尾 6 文字",
)


def abandon(run: Run, confirm: str | None) -> Screen:
    """Without `confirm` a dry run that shows what would be done; with it the new grant is closed,
    and the run given up.

    Raises NotConfirmed, Stopped, or OutcomeUnknown where nobody knows how the closing ended: the
    same again settles it.
    """
    from popkit.cutover.records.record import write_record

    new = run.plan.new_grant
    if new is None:
        raise stop("draft")
    screen = Screen(HEADING)
    held = survey.agreed(run.pair(), [new.address])[new.address]
    value = tail(new.address)
    confirmations = Confirmations(run.journal, run.plan.limits.confirmation_seconds)
    if confirm is None:
        screen.add(EFFECT(), CLOSES if held is not None else NOT_THERE)
        screen.add(RISK(), HARM, tone="note")
        if held is not None:
            found = dry(
                run.pair().first,
                [close_grant(place_of_new(run.plan))],
                run.plan.roles.authority,
                rules=Rules(rewrites=True),
            )
            if found.error is not None:
                screen.add(
                    RESULT(), REASONS["would_fail"].stop(error=found.error).reason, tone="stop"
                )
                screen.exit_code = EXIT_WRONG
                return screen.in_language(run.language)
        screen.add(LOOK_UP(), WHAT)
        screen.add(TOKEN(), confirmations.ask(STEP, value).token)
        screen.commands = [
            f"popkit cutover abandon {shlex.quote(str(run.root))} --confirm TOKEN:VALUE"
        ]
        return screen.in_language(run.language)
    with run.journal.held():
        if not run.is_given_up:
            confirmations.check(confirm, STEP, value)
            signature = _closed_before(run) or (_close(run) if held is not None else None)
            run.journal.write(GIVEN_UP, None, grant=new.address, signature=signature)
        write_record(run)
    screen.add(RESULT(), DONE(grant=new.address), tone="good")
    return screen.in_language(run.language)


def _closed_before(run: Run) -> str | None:
    """The transaction by which an earlier, unfinished giving up closed the grant; None where it
    never did. Raises OutcomeUnknown.
    """
    attempt = newest_attempt(run, STEP) if run.state(STEP) == "unknown" else None
    if attempt is None:
        return None
    pair = run.pair()
    outcome = resume(
        attempt.file, pair.first, pair.second, run.journal, STEP, beat=run.beat, sleep=run.sleep
    )
    if outcome.kind == "expired":  # proven that it never closed anything: it is closed now
        run.journal.write(EXPIRED, STEP, signature=outcome.signature)
        return None
    return _judged(run, outcome)


def _close(run: Run) -> str:
    """Close the new grant. Raises Stopped or OutcomeUnknown."""
    pair = run.pair()
    prepared = prepare(
        pair.first, [close_grant(place_of_new(run.plan))], run.plan.roles.authority, [run.key("authority")],
        fee_cap_lamports=run.plan.limits.fee_cap_lamports, rules=Rules(rewrites=True),
    )  # fmt: skip
    run.journal.write(
        ACTING, STEP, calls=["close_grant"], attempts_before=len(of_step(run.attempts, STEP))
    )
    outcome = send(
        prepared,
        pair.first,
        pair.second,
        run.attempts,
        run.journal,
        STEP,
        beat=run.beat,
        sleep=run.sleep,
    )
    if outcome.kind == "expired":
        run.journal.write(EXPIRED, STEP, signature=outcome.signature)
        raise whole(stop("expired", step=STEP), outcome)
    return _judged(run, outcome)


def _judged(run: Run, outcome: Outcome) -> str:
    """The signature of a closing that landed. Raises for any other end."""
    if outcome.kind == "landed":
        return outcome.signature
    if outcome.kind == "unknown":
        run.journal.write(UNKNOWN, STEP, signature=outcome.signature)
        reason = REASONS["unknown_outcome"].stop(step=STEP)
        raise OutcomeUnknown(reason.code, reason.reason, AGAIN())
    run.journal.write(FAILED, STEP, signature=outcome.signature, error=outcome.error)
    raise whole(stop("landed_failed", error=outcome.error or outcome.kind), outcome)
