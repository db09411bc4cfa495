"""An operator's process is killed (SIGKILL) at each step of a cutover, and what is found by whoever
goes on: nothing twice, nothing lost.

Each night is one cutover. By default two nights of a wedged grant, with each step killed where its
effect is there and nobody was answered yet, and somewhere before that, and one of a grant that goes
on with its signer named anew; POPKIT_EVERY=1 has a night for every fsync, send and POST, before and
after, which takes an hour.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from popkit.cutover.planning.stepping import ORDER, VERIFY
from popkit.cutover.records.record import read_record
from popkit.drill.cutover import Rehearsal, asked_for, rehearsing
from tests.cutover.killing import MOST, Kill, Where
from tests.cutover.nights import (
    EVERY,
    assert_whole,
    code_of,
    confirmed,
    events_of,
    is_killed,
    landed,
    reopened,
    taken_up,
)

FSYNC, SEND, POST = (
    "os:fsync",
    "popkit.cutover.sending.sending:_Course._post",
    "popkit.cutover.desk.client:Client.post",
)
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
        for by_roles, where, n in itertools.product(
            (False, True), ("before", "after"), range(1, 31)
        ):
            yield pytest.param(
                "strict",
                by_roles,
                {step: Kill(n, where, ALL) for step in ORDER},
                id=f"{where}-{n}-{'roles' if by_roles else 'one key'}",
            )


@pytest.mark.parametrize(("era", "by_roles", "kills"), [*nights()])
def test_a_night_of_kills_ends_verified_and_did_everything_once(
    era: str, by_roles: bool, kills: dict[str, Kill]
) -> None:
    with rehearsing("abandoned-proof", era) as held:
        killed = _night(held, kills, by_roles=by_roles)
        if kills in (ANSWER_LOST, NOT_WRITTEN):
            assert all(killed.values()), "each step was met where the table says"


SIGNER_ANSWER_LOST = {
    "1": Kill(2, "before", ALL),
    "2.3": Kill(1, "after", (SEND,)),
    "4": Kill(2, "after", ALL),
}


def test_a_night_of_kills_while_a_signer_is_named_anew() -> None:
    """The old grant goes on: pop-config is changed once, although nobody was answered when it was
    sent.
    """
    with rehearsing("signer-mismatch", "relaxed") as held:
        assert _night(held, SIGNER_ANSWER_LOST) == dict.fromkeys(SIGNER_ANSWER_LOST, True)


@pytest.mark.skipif(not EVERY, reason="POPKIT_EVERY=1 kills at every call, which takes long")
@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("era", ["relaxed", "head", "strict", "strict_v2"])
def test_every_night_of_kills_while_a_signer_is_named_anew(era: str, where: Where) -> None:
    """Night n kills each step at its n-th call, until a night in which every step ends by itself.
    The strict eras' grant is wedged too.
    """
    for n in itertools.count(1):
        assert n <= MOST, f"a step was killed in each of {MOST} nights"
        with rehearsing("signer-mismatch", era) as held:
            kill = Kill(n, where, ALL)
            try:
                killed = _night(held, dict.fromkeys(ORDER, kill))
            except BaseException as problem:
                problem.add_note(f"each step {kill}")
                raise
        if not any(killed.values()):
            return


def _night(
    held: Rehearsal, kills: Mapping[str, Kill], *, by_roles: bool = False
) -> dict[str, bool]:
    """One cutover, each step of which is killed and taken up; by step, whether it was killed before
    it ended by itself.

    Nothing is done twice, nothing is lost, the journal is whole, and the end is verified; or the
    canary's proof is lost in a strict era.
    """
    with held.plan(by_roles=by_roles, **asked_for(held)) as run:
        root, plan = run.root, run.plan
    killed: dict[str, bool] = {}
    for step in (one.id for one in plan.steps):
        if step == VERIFY and plan.remedy == "signer":
            assert held.claims(2) == {"accepted": 2}
        killed[step] = is_killed(held, root, step, kills[step])
        assert_whole(root)
        before = landed(held, plan)
        if step == "2.5" and held.drill.worker.heads and _lost_its_proof(held, root):
            return killed
        taken_up(held, root, step)
        assert all(count >= before[name] for name, count in landed(held, plan).items())
    with reopened(root, held.sleep) as run:
        assert run.next_step() is None
        assert run.status().exit_code == 0
        record = read_record((root / "cutover.json").read_bytes())
        assert (record.so_far, record.open_points, record.digests.journal_head) == (
            False,
            [],
            run.journal.head,
        )
        assert plan.remedy == "signer" or run.journal.last("watched", "0") is not None
    assert plan.signer is not None
    upserts = {"upsert_pop_config": 1} if plan.signer.upsert else {}
    if plan.remedy == "signer":
        assert landed(held, plan) == {"claim_grant": 2, **upserts}
    else:
        assert landed(held, plan) == {
            "set_paused": 1,
            "create_grant": 1,
            "fund_grant": 1,
            "claim_grant": 1,
            **upserts,
        }
        assert len(events_of(held, plan)) == 1
    return killed


def _lost_its_proof(held: Rehearsal, root: Path) -> bool:
    """Whether the canary was killed between its proof's issue and the journal: a strict grant is
    then given up, and never announced.
    """
    with reopened(root, held.sleep) as run:
        asked = [
            e
            for e in run.journal.of("2.5")
            if e.kind == "canary_asks" and e.facts["what"] == "proof"
        ]
        got = [
            e
            for e in run.journal.of("2.5")
            if e.kind == "canary_done" and e.facts["what"] == "proof"
        ]
        assert run.plan.new_grant is not None
        is_issued = run.plan.new_grant.address in held.drill.worker.heads
        if not asked or got or not is_issued:
            return False
        assert code_of(lambda: confirmed(run, "2.5")) == "proof_refused"
        assert landed(held, run.plan)["claim_grant"] == 0
    return True
