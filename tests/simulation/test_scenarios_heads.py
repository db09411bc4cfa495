"""Worker's heads that were rolled back, reset or torn apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from popkit.drill.proofs import GENESIS
from popkit.drill.world import sound
from tests.simulation.expect import ANY, bad, diagnose, expect


def test_head_rolled_back(tmp_path: Path) -> None:
    world, handle, done = sound()
    backup = world.worker.backup()
    [cat] = world.tickets(handle, "cat")
    world.worker.restore(backup, only_heads=True)
    refused = [world.ticket(handle, w) for w in ("dan", "eve")]
    found = diagnose(tmp_path, world.collect())
    expect(
        found,
        handle,
        "broken",
        causes={"worker_head_rollback"},
        last_good=cat,
        first_bad=bad(refused[0], "PopHashChainBroken"),
        forks=[done[-1].entry],
        affected={world.address("dan"), world.address("eve")},
    )
    assert found.exit_code == 1


@pytest.mark.parametrize("storage", [False, True])
def test_head_rolled_back_quietly(tmp_path: Path, storage: bool) -> None:
    world, handle, _ = sound()
    backup = world.worker.backup()
    [cat] = world.tickets(handle, "cat")
    world.worker.restore(backup, only_heads=True)
    quiet = world.worker.issue(handle.address, world.address("dan"))
    assert world.simulate(handle, quiet, "dan").error == 6026
    world.tick(900)
    found = diagnose(tmp_path, world.collect(storage=storage, bucket=not storage, reports=True))
    expect(
        found,
        handle,
        "broken",
        causes={"worker_head_rollback"},
        last_good=cat,
        first_bad=ANY,
        affected={world.address("dan")},
    )
    assert found.exit_code == 1


def test_head_rolled_back_and_nothing_issued_since(tmp_path: Path) -> None:
    world, handle, _ = sound()
    backup = world.worker.backup()
    [cat] = world.tickets(handle, "cat")
    world.worker.restore(backup, only_heads=True)
    found = diagnose(tmp_path, world.collect(storage=True))
    expect(found, handle, "broken", causes=ANY, last_good=cat)
    assert found.exit_code == 1


def test_whole_backup_restored_leaves_a_side_branch(tmp_path: Path) -> None:
    world, handle, done = sound()
    backup = world.worker.backup()
    [cat] = world.tickets(handle, "cat")
    world.worker.restore(backup)
    refused = world.ticket(handle, "dan")
    found = diagnose(tmp_path, world.collect(storage=True))
    expect(
        found,
        handle,
        "broken",
        causes={"worker_head_rollback"},
        last_good=cat,
        first_bad=bad(refused, "PopHashChainBroken"),
        forks=[done[-1].entry],
        affected={world.address("dan")},
    )
    assert found.exit_code == 1
    # cat's anchor is in the bucket and named by her proof on chain; the storage, which covers its time, lacks it.
    assert cat.proof.anchor in found.audit.removed


def test_heads_reset_quietly(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads.clear()
    quiet = world.worker.issue(handle.address, world.address("cat"))
    assert quiet.prev == GENESIS
    world.simulate(handle, quiet, "cat")
    world.tick(900)
    found = diagnose(tmp_path, world.collect(reports=True))
    expect(
        found,
        handle,
        "broken",
        causes={"worker_head_reset"},
        last_good=done[-1],
        first_bad=ANY,
        affected={world.address("cat")},
    )
    assert found.exit_code == 1


def test_heads_reset_and_nothing_issued_since(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address] = [GENESIS, GENESIS]
    found = diagnose(tmp_path, world.collect(storage=True))
    expect(found, handle, "broken", causes=ANY, last_good=done[-1])
    assert found.exit_code == 1


def test_stream_head_diverged(tmp_path: Path) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address][1] = done[0].entry
    refused = [world.ticket(handle, w) for w in ("cat", "dan")]
    assert [t.landed.error for t in refused] == [6027, 6026]
    world.tick(900)
    found = diagnose(tmp_path, world.collect())
    expect(
        found,
        handle,
        "broken",
        causes={"stream_divergence"},
        last_good=done[-1],
        first_bad=bad(refused[0], "PopStreamChainBroken"),
        affected={world.address("cat"), world.address("dan")},
    )
    assert found.exit_code == 1
    [cause] = found.grants[0].causes
    assert cause.signatures == (refused[0].signature,)
    alone = diagnose(tmp_path / "alone", world.collect(worker=False)).grants[0]
    assert {told.name for told in alone.causes} >= {"stream_divergence"}
    assert next(told for told in alone.causes if told.name == "stream_divergence").signatures == (
        refused[0].signature,
    )


@pytest.mark.parametrize("source", ["bucket", "storage"])
def test_stream_head_diverged_quietly(tmp_path: Path, source: str) -> None:
    world, handle, done = sound()
    world.worker.heads[handle.address][1] = done[0].entry
    quiet = world.worker.issue(handle.address, world.address("cat"))
    assert world.simulate(handle, quiet, "cat", tell=False).error == 6027
    world.tick(900)
    found = diagnose(
        tmp_path, world.collect(bucket=source == "bucket", storage=source == "storage")
    )
    expect(
        found,
        handle,
        "broken",
        causes={"stream_divergence"},
        last_good=done[-1],
        first_bad=ANY,
        affected={world.address("cat")},
    )
    assert found.exit_code == 1


def test_stream_head_diverged_in_storage_alone(tmp_path: Path) -> None:
    world, handle, done = sound()
    for number, stream in enumerate((done[0].entry, GENESIS)):
        world.worker.heads[handle.address][1] = stream
        found = diagnose(tmp_path / str(number), world.collect(storage=True))
        expect(found, handle, "broken", causes={"stream_divergence"}, last_good=done[-1])
        assert found.exit_code == 1
        [where] = [
            finding.where for finding in found.findings if finding.code == "stream_divergence"
        ]
        assert where == ("worker/storage.jsonl", f"pop_chain:lastHash:stream:{handle.address}")


@pytest.mark.parametrize("source", ["bucket", "storage"])
def test_stream_head_diverged_behind_a_proof_that_can_still_land(
    tmp_path: Path, source: str
) -> None:
    """Whether the first lands or not, the second follows it by one link alone."""
    world, handle, done = sound()
    young = world.worker.issue(handle.address, world.address("cat"))
    world.worker.heads[handle.address][1] = done[-1].entry
    behind = world.worker.issue(handle.address, world.address("dan"))
    world.tick(30)
    found = diagnose(
        tmp_path, world.collect(bucket=source == "bucket", storage=source == "storage")
    )
    expect(
        found,
        handle,
        "broken",
        causes={"stream_divergence"},
        last_good=done[-1],
        first_bad=bad(behind, None),
        missing=[young.entry],
        affected={world.address("cat"), world.address("dan")},
    )
    assert found.exit_code == 1


def test_stored_heads_that_differ_behind_a_proof_that_can_still_land(tmp_path: Path) -> None:
    world, handle, done = sound()
    young = world.worker.issue(handle.address, world.address("cat"))
    as_it_should_be = diagnose(tmp_path / "sound", world.collect(storage=True))
    assert (as_it_should_be.verdict, as_it_should_be.exit_code) == ("in_flight", 0)
    world.worker.heads[handle.address][1] = done[-1].entry
    found = diagnose(tmp_path / "differ", world.collect(storage=True))
    wanted = {"missing": [young.entry], "affected": {world.address("cat")}}
    expect(found, handle, "broken", causes={"stream_divergence"}, last_good=done[-1], **wanted)
    assert found.exit_code == 1
