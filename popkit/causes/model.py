"""What a cause is: its words, what rules it out, its steps, and the function that looks for it.

    GRANT_REUSE = CauseKind(
        "grant_reuse",
        rank=160,
        meaning=Text("Two events are linked to one grant: …", "…"),
        advice=Text("Give the later event a grant of its own: one event, one grant.", "…"),
        ruled_out_by=Text("one event alone is linked to the grant", "…"),
    )

    @GRANT_REUSE.asks
    def grant_reuse(incident: Incident) -> Cause | None:
        events = incident.facts.events_of(incident.judgement.grant)
        return GRANT_REUSE.shown(LINKED(events=Listed(tuple(events)))) if len(events) > 1 else None

`registry` finds every cause below `popkit/causes/`: a new one touches its file and its test.
Causes are judged from attributed attempts and from this worker's own records. A stranger can send
any transaction that names a grant, so that a stranger's failure never shows one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from popkit.chain.attempts import Attempt
from popkit.texts import Sentence, Text
from popkit.verdict.incident import Incident

Question = Callable[[Incident], "Cause | None"]
Step = Text | Callable[[Incident], Sentence | None]
"""A step of what to do now: its words, or a function that makes them of the incident."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause that the evidence shows.

    `because` says by what; `entries` (entry hashes, 64 hex digits) and `signatures` (base58) name
    what it rests on, both ascending.
    """

    name: str
    because: Sentence
    entries: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class CauseKind:
    """One cause that popkit knows.

    `name` is API: it stands in findings.json and in `popkit explain`. `rank` orders lists of all
    causes, ascending. `meaning` and `advice` are whole sentences; `ruled_out_by` is what the
    evidence would hold if this were not the cause.

    `explains_a_break`: a broken grant that shows nothing else is not 'unexplained'.
    `shows_in_flight`: it is also asked while every proof can still land.

    The steps that it adds to what to do now: `at_once` stands before all others, unless the grant
    is broken; `before_step` stands before a numbered step of the cutover, of a broken grant;
    `if_it_goes_on` stands after the verdict's own advice, of a grant that is neither broken nor in
    flight.
    """

    name: str
    rank: int
    meaning: Text
    advice: Text
    ruled_out_by: Text
    explains_a_break: bool = True
    shows_in_flight: bool = False
    at_once: Step | None = None
    before_step: tuple[int, Step] | None = None
    if_it_goes_on: Step | None = None
    question: Question | None = field(default=None, repr=False)

    def asks(self, question: Question) -> Question:
        """Make a function the one that looks for this cause (a decorator)."""
        self.question = question
        return question

    def look(self, incident: Incident) -> Cause | None:
        """The cause with its evidence; None where the evidence does not show it."""
        return self.question(incident) if self.question is not None else None

    def shown(
        self, because: Sentence, attempts: Iterable[Attempt] = (), entries: Iterable[str] = ()
    ) -> Cause:
        """That the evidence shows it: by attempts, and by further entries."""
        attempts = list(attempts)
        hashes = {str(a.entry_hash) for a in attempts if a.entry_hash} | set(entries)
        signatures = {a.signature for a in attempts}
        return Cause(self.name, because, tuple(sorted(hashes)), tuple(sorted(signatures)))
