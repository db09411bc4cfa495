"""An operator's process is killed (SIGKILL) at each step of a cutover, and what is found by whoever goes on: nothing twice, nothing lost.

Each night is one cutover. By default two nights, with each step killed where its effect is there and nobody was answered yet, and somewhere
before that; POPKIT_EVERY=1 has a night for every fsync, send and POST, before and after, which takes an hour.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from popkit.cutover.records.record import read_record
from popkit.drill.cutover import Rehearsal, rehearsing
from tests.cutover.killing import Kill
from tests.cutover.nights import EVERY, assert_whole, code_of, confirmed, events_of, is_killed, landed, reopened, taken_up

FSYNC, SEND, POST = "os:fsync", "popkit.cutover.sending.sending:_Course._post", "popkit.cutover.desk.client:Client.post"
ALL = (FSYNC, SEND, POST)
ANSWER_LOST = {
    "0": Kill(1, "after", (SEND,)),
    "1": Kill(2, "before", ALL),
    "2": Kill(1, "after", (SEND,)),
    "2.4": Kill(1, "after", (POST,)),
    "2.5": Kill(1, "after", (SEND,)),
    "3": Kill(3, "after", ALL),
    "4": Kill(2, "after", ALL),
}
"""Each step where its effect is there, and nothing says so yet."""
NOT_WRITTEN = {
    "0": Kill(15, "before", ALL),
    "1": Kill(4, "before", ALL),
    "2.1": Kill(9, "before", ALL),
    "2.2": Kill(12, "before", ALL),
    "2.3": Kill(7, "after", ALL),
    "2.4": Kill(8, "after", ALL),
    "2.5": Kill(19, "before", ALL),
    "3": Kill(4, "after", ALL),
    "4": Kill(4, "before", ALL),
}
"""By roles: each step at one of its writings."""


def nights() -> Iterator[object]:
    """(era, by roles, where each step is killed)."""
    yield pytest.param("strict", False, ANSWER_LOST, id="answer lost")
    yield pytest.param("strict_v2", True, NOT_WRITTEN, id="not written, by roles")
    if EVERY:
        steps = ("0", "1", "2", "2.1", "2.2", "2.3", "2.4", "2.5", "3", "4")
        for by_roles, where, n in itertools.product((False, True), ("before", "after"), range(1, 31)):
            yield pytest.param(
                "strict", by_roles, {step: Kill(n, where, ALL) for step in steps}, id=f"{where}-{n}-{'roles' if by_roles else 'one key'}"
            )


@pytest.mark.parametrize(("era", "by_roles", "kills"), [*nights()])
def test_a_night_of_kills_ends_verified_and_did_everything_once(era: str, by_roles: bool, kills: dict[str, Kill]) -> None:
    with rehearsing("abandoned-proof", era) as held:
        with held.plan(by_roles=by_roles) as run:
            steps, root, plan = [step.id for step in run.plan.steps], run.root, run.plan
        killed = {}
        for step in steps:
            killed[step] = is_killed(held, root, step, kills[step])
            assert_whole(root)
            before = landed(held, plan)
            if step == "2.5" and held.drill.worker.heads and _lost_its_proof(held, root):
                return
            taken_up(held, root, step)
            assert all(count >= before[name] for name, count in landed(held, plan).items())
        if kills in (ANSWER_LOST, NOT_WRITTEN):
            assert all(killed.values()), "each step was met where the table says"
        with reopened(root, held.sleep) as run:
            assert run.next_step() is None
            assert run.status().exit_code == 0
            record = read_record((root / "cutover.json").read_bytes())
            assert (record.so_far, record.open_points, record.digests.journal_head) == (False, [], run.journal.head)
            assert run.journal.last("watched", "0") is not None
        found = landed(held, plan)
        assert {name: count for name, count in found.items() if name != "upsert_pop_config"} == {
            "set_paused": 1, "create_grant": 1, "fund_grant": 1, "claim_grant": 1,
        }  # fmt: skip
        assert len(events_of(held, plan)) == 1


def _lost_its_proof(held: Rehearsal, root: Path) -> bool:
    """Whether the canary was killed between its proof's issue and the journal: a strict grant is then given up, and never announced."""
    with reopened(root, held.sleep) as run:
        asked = [e for e in run.journal.of("2.5") if e.kind == "canary_asks" and e.facts["what"] == "proof"]
        got = [e for e in run.journal.of("2.5") if e.kind == "canary_done" and e.facts["what"] == "proof"]
        assert run.plan.new_grant is not None
        is_issued = run.plan.new_grant.address in held.drill.worker.heads
        if not asked or got or not is_issued:
            return False
        assert code_of(lambda: confirmed(run, "2.5")) == "proof_refused"
        assert landed(held, run.plan)["claim_grant"] == 0
    return True
