"""Links of events to grants, from whatever of the worker's records is at hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from popkit.drill.addresses import grant_address
from popkit.evidence.bundle import Evidence
from popkit.facts import Facts
from popkit.protocol.keys import PROGRAM_ID
from popkit.worker.event_links import event_link, event_links
from tests.conftest import CASES, NAMES

AUTHORITY = "6MVimhATeGJrvNWYJcozsxMCWQK78oEM1sd6KqpMq3Kz"
MINT = "9g6BSqJBefXHLPhhdBTyGXNBuRPNqmJ9BedNc8ENnHL"
GRANT = grant_address(AUTHORITY, MINT, 1)
EVENT = {
    "id": "evt-1",
    "title": "t",
    "solanaAuthority": AUTHORITY,
    "solanaMint": MINT,
    "solanaGrantId": "1",
}
CREATED = {
    "event": "EVENT_CREATE",
    "eventId": "evt-1",
    "data": {name: value for name, value in EVENT.items() if name != "id"},
}


@pytest.mark.parametrize("case", NAMES)
def test_they_are_those_that_a_diagnosis_goes_by(case: str) -> None:
    evidence = Evidence(CASES / case)
    facts = Facts(evidence)
    bodies = {name: answer.body for name, answer in evidence.answers.items()}
    found = event_links(
        program=PROGRAM_ID,
        events=bodies.get("events"),
        audit_logs=bodies.get("audit-logs"),
        storage={key: row.value for key, row in (evidence.storage or {}).items()},
        objects=[item.text for item in (evidence.bucket or {}).values()],
    )
    assert found == sorted(
        {(link.event, link.grant) for link in facts.event_links if link.source != "case.json"}
    )


@pytest.mark.parametrize(
    "given",
    [
        {"events": {"items": [EVENT, EVENT]}},
        {"audit_logs": {"logs": [CREATED, {"event": "OTHER"}]}},
        {"storage": {"event:evt-1": EVENT}},
        {"storage": {"audit_entry:x": CREATED, "claim:x": EVENT}},
        {"objects": [json.dumps({"version": 1, "entry": CREATED}), "EVENT_CREATE {", "[]"]},
        {"others": [EVENT, {**EVENT, "solanaGrantId": 1}, None]},
    ],
)
def test_every_record_tells(given: dict[str, Any]) -> None:
    assert event_links(**given, program=PROGRAM_ID) == [("evt-1", GRANT)]
    assert event_links(**given, program="8SVRtAyWXcd47PKeeMSGpC1oQFNt2yM865M46QgjKUZ") != [
        ("evt-1", GRANT)
    ]


NO_GRANT_ID = ("", None, "-1", str(1 << 64), "1" * 5000, "１", 1.5)


@pytest.mark.parametrize(
    "change",
    [
        {"id": 3},
        {"solanaMint": None},
        {"solanaAuthority": "x"},
        *({"solanaGrantId": odd} for odd in NO_GRANT_ID),
    ],
)
def test_an_event_without_all_three_has_no_grant(change: dict[str, Any]) -> None:
    assert event_link({**EVENT, **change}, PROGRAM_ID) is None


@pytest.mark.parametrize("odd", [None, [], {}, {"items": None}, {"items": [None, 3]}, "x"])
def test_odd_answers_give_nothing(odd: Any) -> None:
    assert event_links(events=odd, audit_logs=odd, others=[odd], program=PROGRAM_ID) == []
