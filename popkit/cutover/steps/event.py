"""Steps 2.4 and 4.1: the new event is linked to the new grant; the old one is closed when the new
grant is verified.

Nothing about making an event is idempotent at the worker: it is looked for first, sent once, and
read back.
"""

from __future__ import annotations

from typing import Any

from popkit.cutover.desk.answers import Answered
from popkit.cutover.desk.events import compared
from popkit.cutover.errors import Stopped
from popkit.cutover.journals.journal import Entry
from popkit.cutover.looking import Looks
from popkit.cutover.pages.screen import Screen
from popkit.cutover.planning.linking import fields_of, refuse_unready
from popkit.cutover.reasons import stop
from popkit.cutover.steps.anchored import watch_anchors
from popkit.cutover.steps.base import Step
from popkit.texts import Sentence, Text, sentence

WORKER, EVENT, ANCHORS = (
    Text("worker", "worker"),
    Text("event", "イベント"),
    Text("proofs of the new grant", "新しい grant の proof"),
)
READY = Text("answers, and is not frozen", "応答あり、凍結なし")


def worker_ready(step: Step) -> Sentence:
    """That the worker answers and lets this operator work. Raises Stopped, as when it was planned."""
    refuse_unready(step.run.desk())
    return READY()


class LinkEvent(Step):
    """Step 2.4: one POST, after a look; the answer and a GET are held against the plan, all fields."""

    @property
    def fields(self) -> dict[str, Any]:
        """The event as it is to be."""
        event = self.run.plan.event
        assert event is not None
        return fields_of(event)

    def look_closer(self, looks: Looks) -> None:
        looks.add(WORKER, lambda: worker_ready(self))
        looks.add(EVENT, self._linked)
        if (
            looks.stopped is None and self._found() is None
        ):  # else somebody went on, and the canary judges whose proofs those are
            looks.add(ANCHORS, lambda: watch_anchors(self))

    def _linked(self) -> Sentence | Text:
        """That no event is linked to the new grant yet, or the one that is as planned. Raises
        Stopped for any other.
        """
        found = self._found()
        if found is None:
            return sentence(
                "no event is linked to the new grant yet",
                "新しい grant に紐付くイベントはまだありません",
            )
        return sentence(
            "the event {event} is linked already, as planned",
            "イベント {event} がすでに計画どおり紐付いています",
            event=found,
        )

    def _found(self) -> str | None:
        desk, fields = self.run.desk(), self.fields
        link = desk.find_event(
            fields["solanaAuthority"], fields["solanaMint"], fields["solanaGrantId"]
        )
        if link.is_linked is None:
            raise stop("worker_unreachable", why=link.reason)
        if not link.is_linked:
            return None
        apart = compared(desk.event(link.events[0]), fields)
        if apart or len(link.events) > 1:
            raise stop("already_linked", event=", ".join(link.events))
        return link.events[0]

    def simulated(self, screen: Screen, looks: Looks) -> None:
        screen.add(EVENT(), *(f"{name}: {value}" for name, value in self.fields.items()))

    def carry_out(self, looks: Looks) -> Entry:
        found = self._found()
        if found is not None:
            return self.done(by="others", event=found)
        self.acting(title=self.fields["title"])
        return self.settle(self.run.desk().create_event(self.fields, wait=True))

    def settle(self, answered: Answered) -> Entry:
        """Write how the POST ended, read the event back, and hold both against the plan. Raises
        Stopped.
        """
        facts = answered.as_json()
        if answered.kind == "not_known":
            self.not_known(answer=facts)
        if answered.kind == "already_linked":
            event = self._found()
            if event is not None:
                return self.done(by="others", event=event, answer=facts)
        if answered.kind != "created" or answered.event is None:
            self.failed(Stopped(answered.why, answered.sentence, answered.advice), answer=facts)
        read = self.run.desk().event(answered.event)
        for row in (*compared(answered, self.fields), *compared(read, self.fields)):
            error = stop("wrong_result", what=f"event {row.field}", was=row.expected, now=row.found)
            self.failed(error, answer=facts, event=answered.event)
        return self.done(by="us", event=answered.event, answer=facts)

    def resolve(self) -> Entry | None:
        """Where nobody knows how the POST ended: the event that is linked now, or that none is.
        Raises Stopped where it is another.
        """
        found = self._found()
        if found is not None:
            return self.done(
                by="us or others", event=found
            )  # as planned either way, and the worker links a grant once
        return self.run.journal.write("expired", self.id, why="no event is linked")

    def result_rows(self, screen: Screen, entry: Entry) -> None:
        screen.add(EVENT(), str(entry.facts.get("event")), tone="good")


class CloseEvent(Step):
    """Step 4.1: close the old event, once step 4 is green."""

    def look_closer(self, looks: Looks) -> None:
        looks.add(WORKER, lambda: worker_ready(self))

    def carry_out(self, looks: Looks) -> Entry:
        event = self.run.plan.event
        assert event is not None
        assert event.old_id is not None
        self.acting(event=event.old_id)
        answered = self.run.desk().close_event(event.old_id)
        if answered.kind == "not_known":
            self.not_known(answer=answered.as_json())
        if not answered.is_done:
            self.failed(
                Stopped(answered.why, answered.sentence, answered.advice), answer=answered.as_json()
            )
        return self.done(by="us", event=event.old_id, answer=answered.as_json())

    def resolve(self) -> Entry | None:
        """Where nobody knows: whether the event has ended."""
        event = self.run.plan.event
        assert event is not None
        assert event.old_id is not None
        if self.run.desk().event(event.old_id).get("state") == "ended":
            return self.done(by="us", event=event.old_id)
        return self.run.journal.write("expired", self.id, why="the event is still open")

    def result_rows(self, screen: Screen, entry: Entry) -> None:
        screen.add(EVENT(), str(entry.facts.get("event")), tone="good")
