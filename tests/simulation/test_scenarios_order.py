"""Order of landing, races, and two incidents on one grant."""

from __future__ import annotations

from pathlib import Path

from popkit.drill.world import GrantHandle, Ticket, World, sound
from tests.simulation.expect import ANY, bad, diagnose, expect


def test_the_later_proof_arrives_first_and_never_comes_back(tmp_path: Path) -> None:
    world, handle, _ = sound()
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    early = Ticket(second, world.claim(handle, second, "dan"))
    world.tick(2)
    done = Ticket(first, world.claim(handle, first, "cat"))
    assert (early.landed.error, done.landed.error) == (6026, None)
    world.tick(30)
    files = world.collect()
    found = diagnose(tmp_path / "soon", files)
    expect(
        found,
        handle,
        "in_flight",
        last_good=done,
        first_bad=bad(early, "PopHashChainBroken"),
        missing=[second.entry],
        heals_until=second.issued_at + 600,
    )
    assert found.exit_code == 0
    world.tick(600)
    found = diagnose(tmp_path / "late", world.collect())
    expect(
        found,
        handle,
        "broken",
        causes={"abandoned_proof"},
        last_good=done,
        first_bad=bad(early, "PopHashChainBroken"),
        missing=[second.entry],
        affected={world.address("dan")},
    )
    assert found.exit_code == 1


def out_of_order(world: World, handle: GrantHandle) -> tuple[Ticket, Ticket]:
    """dan's proof stands on cat's and arrives first; it is sent again after hers: (the refusal, the
    landing).
    """
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    refused = Ticket(second, world.claim(handle, second, "dan"))
    world.tick(2)
    world.claim(handle, first, "cat")
    world.tick(2)
    landed = Ticket(second, world.claim(handle, second, "dan"))
    assert (refused.landed.error, landed.landed.error) == (6026, None)
    world.tick(30)
    return refused, landed


def test_two_incidents_on_one_grant(tmp_path: Path) -> None:
    world, handle, _ = sound()
    refused, landed = out_of_order(world, handle)
    lost = world.worker.issue(handle.address, world.address("eve"))
    world.tick(20)
    world.ticket(handle, "fay")
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    expect(
        found,
        handle,
        "broken",
        causes={"out_of_order", "abandoned_proof"},
        last_good=landed,
        first_bad=bad(refused, "PopHashChainBroken"),
        missing=[lost.entry],
        affected={world.address("eve"), world.address("fay")},
    )
    assert found.exit_code == 1


def test_two_incidents_that_healed(tmp_path: Path) -> None:
    world, handle, _ = sound()
    refused, landed = out_of_order(world, handle)
    burnt_then_landed = world.worker.issue(handle.address, world.address("eve"))
    world.switch(handle, "set_paused", {"paused": True})
    world.claim(handle, burnt_then_landed, "eve")
    world.switch(handle, "set_paused", {"paused": False})
    last = Ticket(burnt_then_landed, world.claim(handle, burnt_then_landed, "eve"))
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    expect(
        found,
        handle,
        "recovered",
        causes={"out_of_order"},
        last_good=last,
        first_bad=bad(refused, "PopHashChainBroken"),
    )
    assert found.exit_code == 0
    assert landed.landed.err is None


def test_racing_wallets_under_relaxed_rules(tmp_path: Path) -> None:
    world, handle, done = sound("relaxed", "D", "ann", "bob")
    head = world.head(handle)
    proofs = [
        world.worker.issue(handle.address, world.address(w), expected=head) for w in ("cat", "dan")
    ]
    world.tick(3)
    # The older proof lands last: PopState keeps the newer one's head.
    tied = proofs[0].issued_at == proofs[1].issued_at
    later, earlier = (
        Ticket(proofs[1], world.claim(handle, proofs[1], "dan")),
        Ticket(proofs[0], world.claim(handle, proofs[0], "cat")),
    )
    world.tick(3)
    assert later.landed.err is None
    assert earlier.landed.err is None
    found = diagnose(tmp_path, world.collect())
    row = expect(found, handle, "intact", last_good=ANY, forks=[head])
    assert row["forks"][0]["kind"] == "race"
    assert row["heads"]["on_chain"] == (proofs[0] if tied else proofs[1]).entry
    assert found.exit_code == 0
    assert done[-1].entry == head


def test_an_older_proof_lands_last_under_relaxed_rules(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D", "ann", "bob")
    head = world.head(handle)
    old = world.worker.issue(handle.address, world.address("cat"), expected=head)
    world.tick(40)
    new = world.worker.issue(handle.address, world.address("dan"), expected=head)
    world.claim(handle, new, "dan")
    world.tick(5)
    last = Ticket(old, world.claim(handle, old, "cat"))
    world.tick(5)
    found = diagnose(tmp_path, world.collect())
    row = expect(found, handle, "intact", last_good=last, forks=[head])
    assert row["heads"] == {
        "on_chain": new.entry,
        "worker": row["heads"]["worker"],
        "last_accepted": old.entry,
    }
    assert found.exit_code == 0


def test_a_worker_that_keeps_its_own_heads_under_relaxed_rules(tmp_path: Path) -> None:
    """A child lands before its parent: the relaxed program took it, so neither order nor era is in
    doubt.
    """
    world, handle, _ = sound("relaxed", "A", "ann", "bob")
    first, second = (world.worker.issue(handle.address, world.address(w)) for w in ("cat", "dan"))
    assert world.claim(handle, second, "dan").err is None
    world.tick(20)
    assert world.claim(handle, first, "cat").err is None
    found = diagnose(tmp_path, world.collect())
    assert found.verdict == "intact"
    assert found.exit_code == 0
    assert "relaxed" in found.grants[0].as_json()["eras"]


def test_a_proof_never_sent_under_relaxed_rules_is_listed_and_no_cause(tmp_path: Path) -> None:
    world, handle, _ = sound("relaxed", "D", "ann", "bob")
    lost = world.worker.issue(handle.address, world.address("cat"), expected=world.head(handle))
    [last] = world.tickets(handle, "dan", from_chain=True)
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    expect(found, handle, "intact", last_good=last, affected=ANY)
    assert found.reconciliation.abandoned_proofs == [lost.entry]
    assert found.exit_code == 0


def test_a_later_program_heals_a_strict_break(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(30)
    refused = world.ticket(handle, "dan")
    world.tick(86400 * 20)
    world.build, world.worker.model = "relaxed", "D"
    head = world.head(handle)
    proofs = [
        world.worker.issue(handle.address, world.address(w), expected=head) for w in ("eve", "fay")
    ]
    landed = [world.claim(handle, p, w) for p, w in zip(proofs, ("eve", "fay"), strict=True)]
    assert [t.err for t in landed] == [None, None]
    world.tick(30)
    [last] = world.tickets(handle, "gus", from_chain=True)
    world.tick(30)
    found = diagnose(tmp_path, world.collect())
    row = expect(
        found,
        handle,
        "recovered",
        causes=ANY,
        last_good=last,
        first_bad=bad(refused, "PopHashChainBroken"),
        forks=ANY,
        affected=ANY,
    )
    assert {"strict", "relaxed"} <= set(row["eras"])
    assert world.address("dan") in row["affected_claimers"]
    assert found.exit_code == 0
