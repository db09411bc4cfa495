"""What a diagnosis puts together: titles, the parts of a grant, the era that an operator insists
on.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from popkit.diagnosis.diagnose import _titles, diagnose
from popkit.drill.case import write_case
from popkit.drill.world import Ticket, World, sound
from popkit.evidence.bundle import Evidence
from popkit.wording import utc


def titles(
    *events: str, answer: Any = None, is_ok: bool = True, storage: dict[str, Any] | None = None
) -> list[str]:
    answers = {} if answer is None else {"events": SimpleNamespace(is_ok=is_ok, body=answer)}
    rows = (
        None
        if storage is None
        else {key: SimpleNamespace(value=value) for key, value in storage.items()}
    )
    facts: Any = SimpleNamespace(
        evidence=SimpleNamespace(answers=answers, storage=rows),
        events_of=lambda grant: sorted(events) if grant == "grant" else [],
    )
    return _titles(facts, "grant")


ITEMS = [
    {"id": "b", "title": "Beach"},
    {"id": "a", "title": "Forest"},
    {"id": "c", "title": "Not linked"},
    "no row",
    {"title": "no id"},
]


def test_the_titles_of_a_grant_s_events_stand_by_their_events() -> None:
    assert titles("a", "b", answer={"items": ITEMS}) == ["Forest", "Beach"]
    assert titles("a", answer={"items": ITEMS}) == ["Forest"]
    assert (
        titles(
            "None",
            answer={
                "items": [*ITEMS, {"id": None, "title": "none"}, {"id": ["a"], "title": "a list"}]
            },
        )
        == []
    )
    assert titles("a", answer={"items": [{"id": "a"}]}) == [""]
    assert titles("a", answer={"items": [{"id": "a", "title": 7}]}) == ["7"]


@pytest.mark.parametrize(
    "answer", [None, {}, {"items": None}, {"items": {"id": "a", "title": "Forest"}}, {"items": []}]
)
def test_titles_that_the_worker_does_not_tell(answer: Any) -> None:
    assert titles("a", answer=answer) == []


def test_titles_of_a_refused_answer_do_not_count() -> None:
    assert titles("a", answer={"items": ITEMS}, is_ok=False) == []


def test_titles_from_the_storage() -> None:
    storage = {
        "event:a": {"id": "a", "title": "Stored"},
        "claim:b": {"id": "b", "title": "no event"},
        "event:c": "text",
    }
    assert titles("a", "b", "c", storage=storage) == ["Stored"]
    assert titles("a", "b", answer={"items": ITEMS}, storage=storage) == ["Stored", "Beach"], (
        "the storage has the last word"
    )


# -- one grant --


def of(path: Path, world: World, era: str | None = None, **parts: bool) -> Any:
    return diagnose(Evidence(write_case(path, world.collect(**parts))), era)


def test_everything_that_is_told_of_a_grant(tmp_path: Path) -> None:
    world, handle, done = sound()
    clone = world.worker.clone()
    lost = world.worker.issue(handle.address, world.address("cat"))
    world.tick(10)
    world.switch(handle, "set_paused", {"paused": True})
    burnt = Ticket(lost, world.claim(handle, lost, "cat"))
    world.switch(handle, "set_paused", {"paused": False})
    foreign = world.ticket(handle, "dan", worker=clone)
    assert (burnt.landed.error, foreign.landed.err) == (6007, None)
    refused = world.ticket(handle, "eve")
    assert refused.landed.error == 6026
    world.switch(handle, "set_paused", {"paused": True})
    world.tick(900)
    [told] = of(tmp_path, world).grants
    assert told.grant == handle.address
    assert {c.name for c in told.causes} >= {"foreign_issuer"}
    assert told.last_good["signature"] == foreign.signature
    assert told.foreign_entries == [foreign.entry]
    assert told.first_bad["signature"] == burnt.signature
    assert [fork["parent"] for fork in told.forks] == [done[-1].entry]
    assert (told.paused, told.closed, told.superseded_by, told.cutover_of) == (
        True,
        False,
        None,
        None,
    )
    assert (told.events, told.titles) == ([world.worker.event_of(handle.address)], ["Clean-up"])
    assert told.affected_claimers == sorted(world.address(wallet) for wallet in ("cat", "eve"))


def test_every_grant_s_findings_and_losses_are_kept(tmp_path: Path) -> None:
    world = World()
    handles = [world.grant(number) for number in (1, 2, 3)]
    lost = {
        handle.address: world.worker.issue(handle.address, world.address("ann")).entry
        for handle in handles
    }
    world.tick(900)
    found = of(tmp_path, world)
    assert [f.grant for f in found.findings if f.code == "chain_broken"] == sorted(lost)
    assert found.reconciliation.abandoned_proofs == sorted(lost.values())


def test_equivocations_and_repeats_are_told_apart(tmp_path: Path) -> None:
    world, handle, _ = sound()
    backup = world.worker.backup()
    [first] = world.tickets(handle, "cat")
    world.worker.restore(backup, only_heads=True)
    second = world.ticket(handle, "cat")
    assert of(tmp_path, world).grants[0].equivocations == [sorted([first.entry, second.entry])]


def test_a_closed_grant_is_told_closed(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.switch(handle, "close_grant", {})
    [told] = of(tmp_path, world).grants
    assert (told.closed, told.paused) == (True, None)


def test_a_foreign_proof_that_was_refused_is_no_foreign_entry(tmp_path: Path) -> None:
    world, handle, _ = sound()
    clone = world.worker.clone()
    world.tickets(handle, "cat")
    assert world.ticket(handle, "dan", worker=clone).landed.error == 6026
    world.tick(60)
    found = of(tmp_path, world)
    assert found.grants[0].foreign_entries == []
    assert {f.code for f in found.findings} >= {"foreign_issuer"}


@pytest.mark.parametrize("era", ["strict_v2", "relaxed"])
def test_the_era_that_an_operator_insists_on(tmp_path: Path, era: str) -> None:
    world = World("strict_v2", "D", start=1773600000)
    world.tickets(world.grant(), "ann")
    [told] = of(tmp_path, world, era, worker=False).grants
    assert told.judgement.era_now == era


def test_a_diagnosis_is_of_its_case_and_its_moment(tmp_path: Path) -> None:
    world, handle, _ = sound()
    other = world.grant(2)
    files = world.collect()
    found = diagnose(Evidence(write_case(tmp_path, files)))
    assert (found.case, found.as_of) == (
        files["case.json"]["case"],
        files["case.json"]["collected_at"],
    )
    assert [g.grant for g in found.grants] == sorted([handle.address, other.address])
    assert utc(found.as_of).endswith("UTC")
