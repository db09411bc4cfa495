"""What the worker's status pages say of its signer, and whether they are young enough to be held
against pop-config.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from popkit.drill.proofs import iso
from popkit.drill.world import GrantHandle, World, sound
from popkit.worker.status import WorkerStatus, read_status
from tests.diagnosis.judged import facts_of
from tests.simulation.expect import codes, diagnose

RUNTIME, POP = "worker/runtime-status.json", "worker/pop-status.json"


def status_of(path: Path, files: dict[str, Any]) -> WorkerStatus:
    return read_status(facts_of(path, files).evidence)


def test_a_runtime_status_says_when_it_was_taken(tmp_path: Path) -> None:
    world, _, _ = sound()
    taken, key = world.now, world.worker.signer
    status = status_of(tmp_path, world.collect())
    assert (status.signer, status.collected) == (key, True)
    assert status.taken_at is not None
    assert taken <= status.taken_at <= taken + 1


def test_a_pop_status_alone_has_no_age(tmp_path: Path) -> None:
    world, _, _ = sound()
    files = world.collect()
    del files[RUNTIME]
    assert status_of(tmp_path, files) == WorkerStatus(
        world.worker.signer, None, collected=True, configured=True
    )


def test_where_two_pages_differ_the_one_with_a_time_counts(tmp_path: Path) -> None:
    world, _, _ = sound()
    files = world.collect()
    other = str(world.key("other").pubkey())
    files[POP]["body"]["signerPubkey"] = other
    assert status_of(tmp_path / "both", files).signer == world.worker.signer
    del files[RUNTIME]["body"]["checks"]["popSignerPubkey"]
    assert status_of(tmp_path / "one", files).signer == other


@pytest.mark.parametrize("configured", [False, True])
def test_a_status_that_names_no_signer(configured: bool, tmp_path: Path) -> None:
    world, _, _ = sound()
    files = world.collect()
    files[POP]["body"] |= {"signerPubkey": None, "signerConfigured": configured}
    files[RUNTIME]["body"]["checks"] = {"popSignerConfigured": configured}
    status = status_of(tmp_path, files)
    assert (status.signer, status.collected, status.configured) == (None, True, configured)


def test_no_status_page(tmp_path: Path) -> None:
    world, _, _ = sound()
    files = world.collect()
    del files[POP], files[RUNTIME]
    assert status_of(tmp_path / "none", files) == WorkerStatus()
    refused = world.collect()
    for name in (POP, RUNTIME):
        refused[name] = {"status": 500, "body": {"error": "no"}}
    assert status_of(tmp_path / "refused", refused) == WorkerStatus()


def rotated(path: Path, world: World, handle: GrantHandle, checked_at: int | None) -> set[str]:
    """The critical findings of a case whose status names the worker's own key, taken at a moment,
    while pop-config names another.
    """
    files = world.collect()
    if checked_at is None:
        del files[RUNTIME]
    else:
        files[RUNTIME]["body"]["checkedAt"] = iso(checked_at * 1000)
    found = diagnose(path, files)
    differs = "signer_mismatch" in codes(found, "critical")
    assert differs == (
        "signer_mismatch" in {cause.name for cause in found.grant(handle.address).causes}
    )
    assert differs != ("signer_unknown" in codes(found))
    assert found.exit_code == (1 if differs else 0)
    return codes(found, "critical")


def test_a_signer_that_pop_config_does_not_name_shows_by_a_status_that_is_young_enough(
    tmp_path: Path,
) -> None:
    world, handle, _ = sound()
    changed = world.now
    world.name_signer(handle, str(world.key("second").pubkey()))
    world.tick(30)
    assert rotated(tmp_path / "younger", world, handle, changed + 10) == {"signer_mismatch"}
    assert rotated(tmp_path / "of that second", world, handle, changed) == {"signer_mismatch"}
    assert rotated(tmp_path / "older", world, handle, changed - 1) == set()
    assert rotated(tmp_path / "of no known age", world, handle, None) == set()


def test_a_signer_that_pop_config_names_is_no_mismatch_however_old_the_page(tmp_path: Path) -> None:
    world, handle, _ = sound()
    for name, drop in (("with a time", False), ("without", True)):
        files = world.collect()
        if drop:
            del files[RUNTIME]
        found = diagnose(tmp_path / name, files)
        assert (found.exit_code, found.verdict) == (0, "intact")
        assert not codes(found) & {"signer_mismatch", "signer_unknown"}
        assert handle.address in found.as_json()["grants"][0]["grant"]
