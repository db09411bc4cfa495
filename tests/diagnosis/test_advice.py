"""What to do now: the runbook's steps of a broken grant, the verdict's own advice, and what each
cause adds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import popkit
from popkit.causes import grant_reuse
from popkit.causes.model import CauseKind
from popkit.causes.registry import CAUSES, every_cause
from popkit.diagnosis.result import GrantDiagnosis
from popkit.drill.case import write_case
from popkit.drill.world import sound
from popkit.texts import Text
from popkit.verdict.words import VERDICT_WORDS


def diagnosed(path: Path, files: dict[str, Any]) -> GrantDiagnosis:
    """The diagnosis of the one grant of a case."""
    [grant] = popkit.open_case(write_case(path, files)).diagnose().grants
    return grant


def heads_of(grant: GrantDiagnosis) -> list[str]:
    """How each step begins, up to its colon."""
    return [step.split(":")[0] for step in grant.steps]


NUMBERED = [f"Step {number}" for number in range(5)]


def test_a_broken_grant_is_cut_over_step_by_step(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(900)
    assert heads_of(diagnosed(tmp_path, world.collect())) == NUMBERED


def test_causes_put_their_steps_before_a_step_of_the_cutover(tmp_path: Path) -> None:
    """The key is taken from the second issuer right after the freeze, pop-config is set before the
    new grant.
    """
    world, handle, _ = sound()
    world.ticket(handle, "dan", worker=world.worker.clone())
    world.worker.key = world.key("second signer")
    world.worker.issue(handle.address, world.address("cat"))
    world.tick(900)
    grant = diagnosed(tmp_path, world.collect())
    assert grant.verdict == "broken"
    assert {"foreign_issuer", "signer_mismatch"} <= {cause.name for cause in grant.causes}
    zero, *others = NUMBERED
    assert heads_of(grant) == [zero, "At once", others[0], "Before Step 2", *others[1:]]
    assert grant.steps[3].endswith(f"to {world.worker.signer}.")


@pytest.mark.parametrize("verdict", ["intact", "in_flight"])
def test_a_signer_that_pop_config_does_not_name_comes_first(tmp_path: Path, verdict: str) -> None:
    world, handle, _ = sound()
    world.worker.key = world.key("second signer")
    if verdict == "in_flight":
        world.worker.issue(handle.address, world.address("cat"))
    grant = diagnosed(tmp_path, world.collect())
    assert grant.verdict == verdict
    first, *others = grant.steps
    assert first.startswith(f"Set pop-config to {world.worker.signer} now")
    assert others == ([VERDICT_WORDS[verdict].advice] if verdict == "in_flight" else [])


@pytest.mark.parametrize("name", ["proof_expired", "paused", None])
def test_a_sound_grant_does_what_its_causes_ask_or_nothing(
    tmp_path: Path, name: str | None
) -> None:
    """Under relaxed rules a refused claim wedges nothing: whoever was refused is helped, and nobody
    cuts over.
    """
    world, handle, _ = sound("relaxed", "D", "ann")
    if name is not None:
        proof = world.worker.issue(
            handle.address, world.address("cat"), expected=world.head(handle)
        )
        if name == "paused":
            world.switch(handle, "set_paused", {"paused": True})
        else:
            world.tick(620)
        world.claim(handle, proof, "cat")
        world.tick(700)
    grant = diagnosed(tmp_path, world.collect())
    assert grant.judgement.is_sound
    assert [cause.name for cause in grant.causes] == ([name] if name else [])
    assert grant.steps == [
        CAUSES[name].if_it_goes_on if name else VERDICT_WORDS[grant.verdict].advice
    ]


def test_two_events_on_a_grant_that_goes_on(tmp_path: Path) -> None:
    world, handle, _ = sound()
    world.worker.open_event(handle, "Again")
    assert diagnosed(tmp_path, world.collect()).steps == [CAUSES["grant_reuse"].advice]


def test_a_cause_that_any_file_defines_is_known_and_two_of_one_name_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = Text("Anything at all.", "何でも。")

    def define(name: str) -> CauseKind:
        kind = CauseKind(name, rank=35, meaning=words, advice=words, ruled_out_by=words)
        monkeypatch.setattr(grant_reuse, "ANOTHER", kind, raising=False)
        return kind

    kind = define("of_a_new_kind")
    assert every_cause() == {**CAUSES, kind.name: kind}
    assert list(every_cause()).index(kind.name) == list(CAUSES).index("out_of_order") + 1
    define("paused")
    with pytest.raises(ValueError, match="two causes are called 'paused'"):
        every_cause()
