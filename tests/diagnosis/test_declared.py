"""Records of cutovers against the chain: true ones hold, each false statement is found by its own
point, absence proves nothing alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from popkit.case import Case, open_case
from popkit.diagnosis.result import Diagnosis
from popkit.diagnosis.schema import findings_schema
from popkit.drill.case import write_case
from popkit.drill.world import GrantHandle, World, sound
from popkit.evidence.cutover import Record
from popkit.pages.terminal import diagnosis_text
from popkit.rules.cutover.checks import points_of
from popkit.rules.cutover.points import CANNOT_TELL, HOLDS, VIOLATED, Point
from tests.conftest import Copy, popkit
from tests.cutover.records import CUTOVER, NEW, OLD, bytes_of, stated, written

SCHEMA = jsonschema.Draft202012Validator(findings_schema())
OTHER = "8g8dkr66qAchamDgn5CaetxRY3Ybz4KKgZMS1XTb85Cy"
UNSEEN = "5" * 88
MAINNET = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"


@pytest.fixture(scope="module")
def case() -> Case:
    """The recorded cutover, which nobody wrote a record of."""
    return open_case(CUTOVER)


def points(case: Case, values: dict[str, Any]) -> list[Point]:
    """A record of plain values, held against a case."""
    bytes_of(values)
    return points_of(case.facts, msgspec.convert(values, Record))


def violated(case: Case, values: dict[str, Any]) -> set[str]:
    """The keys of the points that are violated; a transaction's without its signature."""
    return {
        point.key.split(".", 1)[0] if "transactions" in point.key else point.key
        for point in points(case, values)
        if point.result == VIOLATED
    }


def told(case: Case, values: dict[str, Any], key: str) -> set[str]:
    """The results of the points of a key."""
    return {point.result for point in points(case, values) if point.key == key}


def test_a_true_record_holds_on_every_point(case: Case) -> None:
    found = points(case, stated(case, OLD, NEW))
    assert {point.result for point in found} == {HOLDS}
    assert len(found) >= 18


def test_a_cutover_of_a_longer_term_holds_as_well(case: Case) -> None:
    term = open_case(CUTOVER.parent / "term")
    old = next(g for g in term.diagnose().grants if g.superseded_by)
    values = stated(term, old.grant, str(old.superseded_by), transactions=[])
    assert not violated(term, values)


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"program_id": OTHER}, {"program_id"}),
        ({"old__authority": OTHER}, {"old.authority"}),
        ({"old__mint": OTHER}, {"old.mint"}),
        ({"old__closed": True}, {"old.closed"}),
        ({"old__last_good": None}, {"old.last_good"}),
        ({"old__last_good__slot": 7}, {"old.last_good"}),
        ({"old__last_good__block_time": 7}, {"old.last_good"}),
        ({"old__last_good__entry_hash": "5" * 64}, {"old.last_good"}),
        ({"old__last_good__signature": UNSEEN}, {"old.last_good"}),
        ({"old__heads__on_chain": "5" * 64}, {"old.heads.on_chain"}),
        ({"new__authority": OTHER}, {"new.authority", "new.grant_id"}),
        ({"new__mint": OTHER}, {"new.mint", "new.grant_id"}),
        ({"new__grant_id": "1"}, {"new.grant_id", "new.amount_per_period"}),
        ({"new__start_ts": 7}, {"new.start_ts"}),
        ({"new__amount_per_period": "7"}, {"new.amount_per_period"}),
        ({"new__period_seconds": 7}, {"new.amount_per_period"}),
        ({"new__expires_at": 7}, {"new.amount_per_period"}),
        ({"new__genesis": "5" * 64}, {"new.genesis"}),
        ({"new__signer": OTHER}, {"new.signer"}),
        ({"signer": OTHER}, {"signer"}),
        ({"new__event": "evt-mlwzebf5"}, {"new.event"}),
        ({"new__event": "evt-nobody-knows"}, {"new.event"}),
        ({"transactions__0__signature": UNSEEN}, {"transactions"}),
        ({"transactions__0__slot": 7}, {"transactions"}),
        ({"transactions__0__block_time": 7}, {"transactions"}),
        ({"transactions__1__signature": UNSEEN}, {"transactions", "new.grant"}),
        ({"canary__wallet": OTHER}, {"canary"}),
        ({"canary__slot": 7}, {"canary"}),
        ({"canary__entry_hash": "5" * 64}, {"canary"}),
        ({"canary__signature": UNSEEN}, {"canary"}),
    ],
)  # fmt: skip
def test_one_false_statement_is_found_at_its_own_point(
    case: Case, changes: dict[str, Any], keys: set[str]
) -> None:
    assert violated(case, stated(case, OLD, NEW, **changes)) == keys


def test_a_stated_transaction_that_was_refused_is_no_transaction_of_a_cutover(case: Case) -> None:
    bad = case.facts.chain(OLD).refused[0]
    changes = {
        "transactions__0__signature": bad.signature,
        "transactions__0__slot": bad.slot,
        "transactions__0__block_time": None,
    }
    assert violated(case, stated(case, OLD, NEW, **changes)) == {"transactions"}
    assert violated(case, stated(case, OLD, NEW, canary__signature=bad.signature)) == {"canary"}
    refused = stated(case, OLD, NEW, old__last_good__signature=bad.signature)
    assert violated(case, refused) == {"old.last_good"}


def test_an_earlier_claim_is_not_the_last_good_one(case: Case) -> None:
    earlier = case.facts.chain(OLD).accepted[-2]
    good = {
        name: getattr(earlier, name)
        for name in ("signature", "receipt", "entry_hash", "slot", "block_time")
    }
    assert violated(case, stated(case, OLD, NEW, old__last_good=good)) == {"old.last_good"}


def test_a_grant_that_was_there_before_the_last_good_claim_took_over_from_nothing(
    case: Case,
) -> None:
    values = stated(case, NEW, OLD, transactions=[], canary=None)
    found = points(case, values)
    assert {point.key for point in found if point.result == VIOLATED} >= {"new.grant"}
    assert "created in slot" in str(
        next(
            point.shown for point in found if point.key == "new.grant" and point.result == VIOLATED
        )
    )


def test_only_a_case_that_was_read_later_shows_that_there_is_no_new_grant(
    case: Case, copy_of: Callable[[str], Copy]
) -> None:
    values = stated(case, OLD, NEW, new__grant=OTHER, new__event=None, canary=None)
    assert told(case, values, "new.grant") == {CANNOT_TELL}
    slot = case.facts.accounts[NEW].slot
    for at, result in (
        (slot, VIOLATED),
        (values["transactions"][1]["slot"] - 1, CANNOT_TELL),
        (None, CANNOT_TELL),
    ):
        changed = copy_of("cutover")
        changed.change(
            "rpc/accounts.jsonl",
            lambda rows, at=at: [*rows, {"pubkey": OTHER, "slot": at, "account": None}],
        )
        assert result in told(open_case(changed.seal().path), values, "new.grant"), at


def test_what_a_partial_case_lacks_is_not_told_and_contradicts_nothing(
    case: Case, copy_of: Callable[[str], Copy]
) -> None:
    values = stated(case, OLD, NEW)
    creation = values["transactions"][1]["signature"]
    partial = copy_of("cutover")
    partial.drop(
        "rpc/accounts.jsonl"
        if (partial.path / "rpc/accounts.jsonl").exists()
        else "rpc/accounts.jsonl.zst"
    )
    for name in ("rpc/signatures.jsonl", "rpc/transactions.jsonl"):
        partial.change(name, lambda rows: [row for row in rows if row["signature"] != creation])
    found = points(open_case(partial.seal().path), values)
    assert not [point for point in found if point.result == VIOLATED]
    results = {point.key: point.result for point in found}
    keys = (
        f"transactions.{creation}",
        "new.grant",
        "new.start_ts",
        "old.heads.on_chain",
        "new.genesis",
    )
    assert [results[key] for key in keys] == [
        CANNOT_TELL,
        CANNOT_TELL,
        CANNOT_TELL,
        CANNOT_TELL,
        HOLDS,
    ]


def test_a_case_of_the_old_grant_alone_tells_nothing_of_the_new_one(
    case: Case, copy_of: Callable[[str], Copy]
) -> None:
    alone = copy_of("cutover")
    header = json.loads((alone.path / "case.json").read_text())
    (alone.path / "case.json").write_text(
        json.dumps(header | {"grants": [OLD], "events": header["events"][:1]})
    )
    found = points(open_case(alone.seal().path), stated(case, OLD, NEW))
    assert not [point for point in found if point.result == VIOLATED]
    assert {p.result for p in found if p.key in ("new.genesis", "canary")} == {CANNOT_TELL}


def test_another_cluster_than_the_case_s_ends_the_comparison(
    case: Case, copy_of: Callable[[str], Copy]
) -> None:
    named = copy_of("cutover")
    header = json.loads((named.path / "case.json").read_text())
    (named.path / "case.json").write_text(json.dumps(header | {"cluster": "devnet"}))
    opened = open_case(named.seal().path)
    assert {p.key for p in points(opened, stated(case, OLD, NEW, genesis_hash=MAINNET))} == {
        "cluster"
    }
    assert not violated(opened, stated(case, OLD, NEW, cluster="devnet"))
    assert not violated(case, stated(case, OLD, NEW, genesis_hash=MAINNET)), (
        "a case of localnet has a cluster without a name"
    )


# worlds


def switched() -> tuple[World, GrantHandle, GrantHandle]:
    """A strict grant whose second proof was lost, paused, and cut over to a new one that somebody
    has claimed from.
    """
    world, old, _ = sound("strict", "A", "ann")
    world.worker.issue(old.address, world.address("bob"), 0)
    world.tick(700)
    world.switch(old, "set_paused", {"paused": True})
    new = world.grant(2)
    world.tickets(new, "bob")
    return world, old, new


def taken(world: World, place: Path) -> Case:
    return open_case(write_case(place, world.collect()))


def test_an_old_chain_that_moves_after_the_switch_contradicts_the_record(tmp_path: Path) -> None:
    world, old, _ = sound("strict", "A", "ann")
    world.switch(old, "set_paused", {"paused": True})
    new = world.grant(2)
    world.tickets(new, "bob")
    values = stated(taken(world, tmp_path / "before"), old.address, new.address)
    world.switch(old, "set_paused", {"paused": False})
    world.tickets(old, "cat")
    moved = taken(world, tmp_path / "after")
    assert violated(moved, values) == {"old.heads.on_chain"}


def test_a_closed_grant_is_closed_as_stated(tmp_path: Path) -> None:
    world, old, new = switched()
    values = stated(taken(world, tmp_path / "before"), old.address, new.address, old__closed=True)
    world.switch(old, "close_grant", {})
    closed = taken(world, tmp_path / "after")
    assert not violated(closed, values)
    assert told(closed, values, "old.closed") == {HOLDS}


def test_a_case_of_before_the_switch_contradicts_nothing(tmp_path: Path) -> None:
    world, old, _ = sound("strict", "A", "ann")
    world.worker.issue(old.address, world.address("bob"), 0)
    world.tick(700)
    early = taken(world, tmp_path / "early")
    world.switch(old, "set_paused", {"paused": True})
    new = world.grant(2)
    world.tickets(new, "bob")
    values = stated(taken(world, tmp_path / "late"), old.address, new.address)
    assert not violated(early, values)
    assert told(early, values, "old.heads.on_chain") == {CANNOT_TELL}
    found = beside(early, tmp_path, values)
    assert found.grant(old.address).superseded_by is None
    assert {row.why for row in found.coverage.not_checked if row.part == "cutover"} == {
        "cannot_tell"
    }


def named_anew(place: Path) -> tuple[Case, dict[str, Any]]:
    """A grant whose worker got another key, which an upsert then named, and the record of that:
    nothing was wedged, no grant is new.
    """
    world, grant, _ = sound("relaxed", "D", "ann")
    world.worker.key = world.key("another")
    landed = world.name_signer(grant, world.worker.signer)
    world.tickets(grant, "bob", from_chain=True)
    case = taken(world, place)
    first = case.facts.chain(grant.address).accepted[0]
    good = {
        name: getattr(first, name)
        for name in ("signature", "receipt", "entry_hash", "slot", "block_time")
    }
    sent = {
        "step": "2.3",
        "signature": landed.signature,
        "slot": landed.slot,
        "block_time": None,
        "done_by": "us",
    }
    values = stated(case, grant.address, grant.address, old__last_good=good)
    return case, values | {
        "remedy": "signer",
        "new": None,
        "signer": world.worker.signer,
        "transactions": [sent],
        "canary": None,
    }


def test_a_new_signer_on_the_same_grant_holds_and_changes_no_exit_code(tmp_path: Path) -> None:
    case, values = named_anew(tmp_path / "case")
    assert {point.result for point in points(case, values)} == {HOLDS}
    assert violated(case, values | {"signer": OTHER}) == {"signer"}
    before = case.diagnose()
    assert before.exit_code == 0
    true = beside(case, tmp_path, values)
    assert true.exit_code == 0
    assert true.verdict == before.verdict
    assert {f.code for f in true.findings} - {f.code for f in before.findings} == {
        "cutover_declared"
    }
    false = beside(case, tmp_path, values | {"signer": OTHER})
    assert (false.verdict, false.exit_code) == (before.verdict, 1)
    assert [f.severity for f in false.findings if f.code == "cutover_contradicted"] == ["critical"]
    assert (
        popkit("diagnose", case.evidence.root, "--cutover", tmp_path / "record.json").returncode
        == 1
    )
    assert popkit("verify", case.evidence.root).returncode != 1


def test_a_new_grant_that_was_given_up_took_over_from_nothing(tmp_path: Path) -> None:
    world, old, poisoned = switched()
    values = stated(taken(world, tmp_path / "first"), old.address, poisoned.address, given_up=True)
    world.switch(poisoned, "close_grant", {})
    world.tickets(world.grant(3), "cat")
    case = taken(world, tmp_path / "second")
    third = next(grant for grant in case.grants if grant not in (old.address, poisoned.address))
    assert case.diagnose().grant(old.address).superseded_by == poisoned.address, (
        "without a record, the first one that was made"
    )
    declared = beside(case, tmp_path, values)
    assert declared.exit_code == case.diagnose().exit_code
    assert declared.grant(old.address).superseded_by == third
    assert declared.grant(poisoned.address).cutover_of is None
    assert "given up" in diagnosis_text(declared)
    assert "放棄" in diagnosis_text(declared, language="ja")


# the answer


def beside(case: Case, folder: Path, values: dict[str, Any]) -> Diagnosis:
    """The diagnosis of a case with a record beside it, which is as its schema says."""
    found = open_case(
        case.evidence.root, cutover=written(folder / "record.json", values)
    ).diagnose()
    SCHEMA.validate(json.loads(found.dumps()))
    return found


def test_a_declared_cutover_is_shown_as_such_and_changes_nothing_else(
    case: Case, tmp_path: Path
) -> None:
    before, found = case.diagnose(), beside(case, tmp_path, stated(case, OLD, NEW))
    assert {row.code for row in before.findings} - {row.code for row in found.findings} == {
        "superseded"
    }
    assert [row.as_json()["where"] for row in found.findings if row.code == "cutover_declared"] == [
        {"file": "given/cutover.json", "key": OLD}
    ]
    one, other = (json.loads(answer.dumps()) for answer in (before, found))
    assert {
        name: one[name] for name in ("verdict", "exit_code", "grants", "audit", "reconciliation")
    } == {
        name: other[name] for name in ("verdict", "exit_code", "grants", "audit", "reconciliation")
    }
    assert {row.part for row in found.coverage.checked} - {
        row.part for row in before.coverage.checked
    } == {"cutover"}
    text = diagnosis_text(found)
    assert f"cut over    to {NEW}, by a record of 2026-02-22 00:47:21 UTC" in text
    assert "open points: 4 (not done)" in text
    assert "replaced by" not in text
    assert f"切り替え     {NEW} へ（2026-02-22 00:47:21 UTC の記録による）" in diagnosis_text(
        found, language="ja"
    )
    assert "by a record of" not in diagnosis_text(before)


def test_a_contradicted_record_is_critical_and_says_nothing_of_successors(
    case: Case, tmp_path: Path
) -> None:
    found = beside(case, tmp_path, stated(case, OLD, NEW, new__start_ts=7))
    (finding,) = [row for row in found.findings if row.code == "cutover_contradicted"]
    assert (finding.severity, finding.where[1]) == ("critical", "new.start_ts")
    assert finding.expected is not None
    assert "7" in finding.expected
    assert finding.observed == "1771720039"
    assert "superseded" in {row.code for row in found.findings}, (
        "what the chain shows of itself stays"
    )
    assert "the chain contradicts the record on 1 point" in diagnosis_text(found)
    assert "矛盾しています" in diagnosis_text(found, language="ja")


def test_a_record_in_the_case_counts_like_one_beside_it(
    case: Case, copy_of: Callable[[str], Copy], tmp_path: Path
) -> None:
    holding = copy_of("cutover")
    record = written(holding.path / "cutover.json", stated(case, OLD, NEW))
    holding.seal()
    inside = open_case(holding.path).diagnose()
    assert [row.where[0] for row in inside.findings if row.code == "cutover_declared"] == [
        "cutover.json"
    ]
    twice = open_case(holding.path, cutover=record).diagnose()
    assert twice.dumps() == inside.dumps(), "one record is one, however often it is given"
    another = written(
        tmp_path / "later.json", stated(case, OLD, NEW, made_at=case.collected_at + 9)
    )
    both = open_case(holding.path, cutover=another).diagnose()
    assert len([row for row in both.findings if row.code == "cutover_declared"]) == 2
    assert popkit("verify", holding.path).returncode == popkit("verify", CUTOVER).returncode
    written(holding.path / "cutover.json", stated(case, OLD, NEW, new__start_ts=7))
    holding.seal()
    assert popkit("verify", holding.path).returncode == 1


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[" * 9999, b"\x00", b'{"schema":"popkit.cutover/1"}']
)
def test_an_unreadable_record_is_a_warning_and_the_rest_is_judged(
    case: Case, copy_of: Callable[[str], Copy], data: bytes
) -> None:
    broken = copy_of("cutover")
    (broken.path / "cutover.json").write_bytes(data)
    found = broken.diagnose()
    added = [row for row in found.findings if row not in case.diagnose().findings]
    assert [(row.code, row.severity, row.where) for row in added] == [
        ("evidence_unreadable", "warning", ("cutover.json", "not_a_record"))
    ]
    assert (found.verdict, found.exit_code) == (case.diagnose().verdict, case.diagnose().exit_code)
    assert found.grant(OLD).as_json() == case.diagnose().grant(OLD).as_json()


def test_a_record_of_another_case_s_grants_says_nothing_here(case: Case, tmp_path: Path) -> None:
    elsewhere = open_case(CUTOVER.parent / "intact")
    found = beside(elsewhere, tmp_path, stated(case, OLD, NEW))
    assert found.exit_code == elsewhere.diagnose().exit_code == 0
    assert [row.code for row in found.findings] == [
        row.code for row in elsewhere.diagnose().findings
    ]
    assert [row.why for row in found.coverage.not_checked if row.part == "cutover"] == [
        "another_grant"
    ]


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    refused = popkit("diagnose", CUTOVER, "--cutover", tmp_path / "none.json")
    assert refused.returncode == 2
    assert b"name a cutover.json" in refused.stderr
