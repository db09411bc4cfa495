"""The rules by which step 4 and its notebook call a grant verified: which claims count, and what a
beginning is.
"""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

import popkit
from popkit.case import Case
from popkit.cutover.plan import Plan, Signer
from popkit.cutover.planning.making import Request, make_plan
from popkit.cutover.records import independent
from popkit.cutover.records.judging import begins_at_genesis, claims_since, unexplained
from popkit.drill.case import write_case
from popkit.drill.proofs import sign_proof
from popkit.drill.world import GrantHandle, World, sound

OTHER = "ab" * 32


def taken(world: World, place: Path) -> Case:
    return popkit.open_case(write_case(place, world.collect()))


def going_on(case: Case, handle: GrantHandle, signer: str) -> Plan:
    """A plan that names a signer alone, from what the case says."""
    draft = make_plan(Request(case=case, grant=handle.address, reason="a test's own"))
    named = Signer(
        pop_config=handle.config, now=None, planned=signer, source="typed by a person", upsert=True
    )
    return replace(draft, remedy="signer", signer=named)


def test_claims_of_the_planned_key_count_since_no_other_key_was_named(tmp_path: Path) -> None:
    """The plan's key signed the first claims too: they say nothing of the change, whoever made it."""
    world, handle, before = sound("relaxed", "D", "ann", "bob")
    key, wrong = world.worker.signer, world.address("somebody's key")
    world.name_signer(handle, wrong)
    plan = going_on(taken(world, tmp_path / "planned"), handle, key)

    def counted(name: str) -> list[str]:
        return [
            claim.signature
            for claim in claims_since(taken(world, tmp_path / name).facts, handle.address, plan)
        ]

    world.name_signer(handle, key)
    assert counted("named") == [], "nobody claimed since"
    after = world.tickets(handle, "cat", "dan")
    world.name_signer(handle, key)  # a second time, which changes nothing
    assert counted("claimed") == [ticket.landed.signature for ticket in after]
    world.name_signer(handle, wrong)
    assert counted("undone") == [], (
        "what was claimed before the change was undone does not show that it holds"
    )
    world.name_signer(handle, key)
    (last,) = world.tickets(handle, "eve")
    assert counted("again") == [last.landed.signature]
    every = claims_since(taken(world, tmp_path / "whole").facts, handle.address, None)
    assert [claim.signature for claim in every] == [
        ticket.landed.signature for ticket in (*before, *after, last)
    ]


def test_a_plan_explains_its_own_causes_where_the_grant_goes_on(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D", "ann", "bob")
    world.name_signer(handle, world.address("somebody's key"))
    case = taken(world, tmp_path / "case")
    plan, found = going_on(case, handle, world.worker.signer), case.diagnose()
    assert unexplained(found, handle.address, None) == ["signer_mismatch"]
    assert unexplained(found, handle.address, plan) == []
    other = replace(plan, broken=replace(plan.broken, causes=[]))
    assert unexplained(found, handle.address, other) == ["signer_mismatch"]


def test_a_beginning_is_judged_by_both_links(tmp_path: Path) -> None:
    """Relaxed rules take a first claim whatever it follows, so that either link may be the one that
    shows it.
    """
    for number, (prev, stream) in enumerate(
        (("0" * 64, "0" * 64), ("0" * 64, OTHER), (OTHER, "0" * 64))
    ):
        world = World("relaxed", "D")
        handle = world.grant()
        proof = sign_proof(
            world.worker.key,
            handle.address,
            world.address("eve"),
            0,
            prev,
            stream,
            "cd" * 32,
            world.now,
        )
        assert world.claim(handle, proof, "eve").err is None
        world.tick(20)
        case = taken(world, tmp_path / str(number))
        (first,) = case.facts.chain(handle.address).accepted
        is_whole = number == 0
        assert begins_at_genesis(first) is is_whole
        shown = (
            independent.open_grant(str(case.evidence.root), grant=handle.address, language="en")
            .start()
            .text()
        )
        assert ("GENESIS, by" in shown) is is_whole
        assert (f"follows {OTHER}, not GENESIS" in shown.replace("\n", " ")) is not is_whole
