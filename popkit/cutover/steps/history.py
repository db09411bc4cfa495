"""Steps 1 and 3: what the old chain is left as. Nothing is changed; both go into the record."""

from __future__ import annotations

from pybase64 import b64encode

from popkit.cutover.journals.journal import Entry
from popkit.cutover.looking import ACCOUNTS, Looks, refuse_other_terms
from popkit.cutover.pages.screen import Screen
from popkit.cutover.pages.words import STEPS
from popkit.cutover.planning import survey
from popkit.cutover.reasons import stop
from popkit.cutover.steps.base import Step
from popkit.cutover.steps.freeze import arrived, watch
from popkit.errors import UsageError
from popkit.protocol.accounts import AccountError, decode_grant
from popkit.texts import Sentence, Text, sentence

GOOD, BAD, HEADS = (
    Text("last good", "直近正常点"),
    Text("first bad", "最初の異常"),
    Text("heads", "head"),
)
PLACE = Text("place", "場所")
TO_CHANGE = Text("to change", "差し替えるもの")
LINKS = (
    Text(
        "every QR code of the old event, on walls and screens",
        "掲示・画面に出ている旧イベントの QR コード",
    ),
    Text(
        "links to the old event in messages, mails and pages",
        "メッセージ・メール・ページ内の旧イベントへのリンク",
    ),
    Text(
        "confirmation codes that were given out: they do not work on the new event",
        "配布済みの確認コード（新しいイベントでは使えません）",
    ),
)
CHANGED, TICKED = Text("changed", "差し替え済み"), "ticked"
NO_ITEM = Text(
    "--tick {number}: expected the number of an item (1 to {last}), '=', and what it is now",
    "--tick {number}: 項目の番号（1 から {last}）、「=」、差し替え後の値を指定してください",
)
UNCHANGED = Text("unchanged but for the pause", "一時停止以外に変更なし")


class LastGood(Step):
    """Step 1: the last good claim and the first bad one, from the plan's findings."""

    def look_around(self, looks: Looks) -> None:
        """Nothing is asked of anybody: the plan holds the findings."""

    def carry_out(self, looks: Looks) -> Entry:
        broken = self.run.plan.broken
        return self.done(
            by="us",
            last_good=broken.last_good,
            first_bad=broken.first_bad,
            heads=broken.heads,
            causes=broken.causes,
        )

    def simulated(self, screen: Screen, looks: Looks) -> None:
        self._rows(screen)

    def result_rows(self, screen: Screen, entry: Entry) -> None:
        self._rows(screen)

    def _rows(self, screen: Screen) -> None:
        broken = self.run.plan.broken
        good, bad = broken.last_good, broken.first_bad
        if good is not None:
            screen.add(
                GOOD(),
                str(good["signature"]),
                f"slot {good['slot']}, receipt {good['receipt']}, entry {good['entry_hash']}",
            )
            screen.add(PLACE(), f"rpc/transactions.jsonl {good['signature']}")
        else:
            screen.add(
                GOOD(),
                sentence(
                    "no claim of the old grant was accepted",
                    "元の grant で受理された claim はありません",
                ),
            )
        if bad is not None:
            error = [str(bad["error"])] if bad["error"] else []
            screen.add(BAD(), *error, f"{bad['signature'] or bad['entry_hash']} ({bad['source']})")
        screen.add(HEADS(), *(f"{name}: {value or '-'}" for name, value in broken.heads.items()))


class ForkHandling(Step):
    """Step 3: the old accounts are as they were but for the pause; what leads people to the old
    event is listed.
    """

    def look_closer(self, looks: Looks) -> None:
        looks.add(ACCOUNTS, self._unchanged)

    def _unchanged(self) -> Sentence:
        """Old grant and PopState against the plan's bytes. Raises Stopped where more than the pause
        is otherwise.
        """
        plan, old = self.run.plan, self.run.plan.old_grant
        held = survey.agreed(self.run.pair(), [old.address, old.pop_state])
        account = held[old.address]
        if account is None and any(step.id == "2.0" for step in plan.steps):
            return sentence(
                "the old grant was closed by step 2.0", "元の grant は手順 2.0 で閉じられました"
            )
        try:
            found = decode_grant(account.data) if account is not None else None
        except AccountError as error:
            raise stop("drift", field=old.address, was="grant", now=str(error)) from None
        if found is None:
            raise stop("drift", field=old.address, was="grant", now="null")
        refuse_other_terms("old grant", old.terms, found)
        state = held[old.pop_state]
        now_state = b64encode(state.data).decode() if state is not None else None
        if now_state != old.pop_state_bytes:
            raise stop(
                "drift",
                field="PopState",
                was=(old.pop_state_bytes or "null")[:16],
                now=(now_state or "null")[:16],
            )
        return UNCHANGED()

    def carry_out(self, looks: Looks) -> Entry:
        plan, pair = self.run.plan, self.run.pair()
        old = plan.old_grant
        held = survey.agreed(pair, [old.address, old.vault, old.pop_state])
        digests = {key: survey.state_digest(account) for key, account in held.items()}
        watch(self.run)
        return self.done(
            by="us",
            accounts=digests,
            slot=held.slot,
            heads=plan.broken.heads,
            case=plan.case.manifest_sha256,
        )

    def simulated(self, screen: Screen, looks: Looks) -> None:
        self._list(screen)

    def result_rows(self, screen: Screen, entry: Entry) -> None:
        screen.add(ACCOUNTS(), UNCHANGED, tone="good")
        arrived(self.run, screen)
        self._list(screen)

    def tick(self, number: int, value: str) -> Screen:
        """Write down that an item of the list was changed, and to what. Raises UsageError for a
        number that the list does not have.
        """
        items = self.items()
        if not (1 <= number <= len(items) and value.strip()):
            raise UsageError(NO_ITEM(number=number, last=len(items)))
        self.run.journal.write(
            TICKED, self.id, item=number, what=str(items[number - 1]), value=value.strip()
        )
        screen = Screen(STEPS[self.id].heading)
        self._list(screen)
        return screen.in_language(self.run.language)

    def items(self) -> list[Text | Sentence]:
        """What leads people to the old event: a person changes each, and ticks it with what it is
        now.
        """
        event = self.run.plan.event
        ids = [] if event is None else [i for i in (event.old_id, *event.others_on_old_grant) if i]
        named = [
            sentence("the event {event} at the worker", "worker のイベント {event}", event=i)
            for i in ids
        ]
        return [*LINKS, *named]

    def _list(self, screen: Screen) -> None:
        ticked = {
            entry.facts["item"]: entry.facts["value"]
            for entry in self.run.journal.of(self.id)
            if entry.kind == TICKED
        }
        for number, item in enumerate(self.items(), 1):
            value = ticked.get(number)
            if value is None:
                screen.add(
                    TO_CHANGE(),
                    sentence("{number}. {item}", "{number}. {item}", number=number, item=item),
                )
            else:
                words = sentence(
                    "{number}. {item}: {value}",
                    "{number}. {item}: {value}",
                    number=number,
                    item=item,
                    value=value,
                )
                screen.add(CHANGED(), words, tone="good")
