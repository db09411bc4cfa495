"""Two events on one grant."""

from __future__ import annotations

from popkit.causes.model import Cause, CauseKind
from popkit.texts import Listed, Text, sentence
from popkit.verdict.incident import Incident

_A_GRANT_OF_ITS_OWN = Text(
    "Give the later event a grant of its own: one event, one grant.",
    "後のイベントには専用の grant を用意してください（1イベント = 1grant）。",
)
GRANT_REUSE = CauseKind(
    "grant_reuse",
    rank=160,
    meaning=Text(
        "Two events are linked to one grant: the chain may hold, the guard of one event per grant "
        "does not.",
        "1 つの grant に 2 つのイベントが紐付けられています。チェーンが健全でも、1イベント = 1grant のガードは破られています。",
    ),
    advice=_A_GRANT_OF_ITS_OWN,
    ruled_out_by=Text(
        "one event alone is linked to the grant", "この grant に紐付くイベントが 1 つだけであること"
    ),
    # the guard is broken while the chain holds, and nothing of it keeps a proof from landing
    explains_a_break=False,
    shows_in_flight=True,
    if_it_goes_on=_A_GRANT_OF_ITS_OWN,
)


@GRANT_REUSE.asks
def grant_reuse(incident: Incident) -> Cause | None:
    """Several events linked to the grant: a broken guard, named even when the chain holds."""
    events = incident.facts.events_of(incident.judgement.grant)
    if len(events) < 2:
        return None
    because = sentence(
        "the grant is linked to the events {events}",
        "この grant は複数のイベントに紐付けられています: {events}",
        events=Listed(tuple(events)),
    )
    return GRANT_REUSE.shown(because)
