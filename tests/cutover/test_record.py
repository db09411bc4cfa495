"""The record's format: canonical, strict, described by a schema that is made from the classes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import rfc8785
from msgspec.structs import replace

from popkit.cutover import plan as plans
from popkit.cutover.local import Local
from popkit.cutover.planning.making import Request, make_plan
from popkit.cutover.records.record import record_of, write_record
from popkit.cutover.records.schemas import HERE, schemas
from popkit.cutover.run import Run, create_run
from popkit.errors import CaseUnreadable
from popkit.evidence.cutover import Record, canonical, read_record
from popkit.rules.cutover.checks import points_of
from tests.conftest import CASES
from tests.cutover.records import NEW, OLD, bytes_of, cutover_case, stated
from tests.spoil import spoilt


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return stated(cutover_case(), OLD, NEW)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of a draft: the plan that a recorded case gives without a network."""
    from popkit.case import open_case

    case = open_case(CASES / "abandoned-proof")
    plan = make_plan(
        Request(
            case=case,
            grant=case.grants[0],
            pair=None,
            desk=None,
            authority_key=None,
            funder_key=None,
        )
    )
    return create_run(tmp_path / "run", plan, Local())


def schema(name: str) -> Any:
    found = json.loads((HERE / name).read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_the_schemas_are_those_of_the_classes_and_say_what_the_parts_are() -> None:
    for name, text in schemas().items():
        assert (HERE / name).read_text() == text, "run python -m popkit.cutover.records.schemas"
        parts = [
            part for part in json.loads(text)["$defs"].values() if part.get("type") == "object"
        ]
        assert all(part["description"] and part["additionalProperties"] is False for part in parts)
        assert all("'" not in part["title"] for part in parts)


def test_a_plan_and_its_record_are_as_their_schemas_say(run: Run) -> None:
    schema("plan.schema.json").validate(json.loads((run.root / plans.FILE).read_bytes()))
    place = write_record(run)
    record = read_record(place.read_bytes())
    schema("cutover.schema.json").validate(json.loads(place.read_bytes()))
    assert record == record_of(run)
    assert record.digests.plan == run.digest
    assert (record.digests.journal_head, record.digests.journal_entries) == (
        run.journal.head,
        len(run.journal.entries),
    )
    assert record.so_far
    assert not record.transactions
    assert record.verified is None
    assert record.old.last_good is not None
    assert ("chain_broken", record.old.last_good.signature) in {
        (found.code, found.key) for found in record.adjudicates
    }
    assert {("proof_lost", entry) for entry in record.old.missing_entries} <= {
        (f.code, f.key) for f in record.adjudicates
    }


@pytest.fixture
def acting(run: Run) -> Run:
    """A run whose plan has steps, signs something in two of them, and names a new grant."""
    old, call = (
        run.plan.old_grant,
        plans.Instruction(name="set_paused", program=NEW, data="", accounts=[], args={}),
    )
    new = plans.NewGrant(
        address=NEW, vault=NEW, pop_state=NEW, grant_id=str(2**63), terms=old.terms, unused_at=None
    )
    step = plans.StepPlan(id="0", name="", effect="idempotent", role="authority", optional=False, instructions=[call], changes=[],
                          look_up="", value="")  # fmt: skip
    others = {
        "1": {"instructions": []},
        "2": {},
        "2.0": {"optional": True},
        "4": {"instructions": []},
    }
    steps = [step, *(replace(step, id=name, **changes) for name, changes in others.items())]
    run.plan = replace(run.plan, new_grant=new, steps=steps)
    return run


def test_what_was_done_is_in_the_record_and_what_failed_stays_open(acting: Run) -> None:
    run, signature, first, other = acting, "5" * 88, "0", "2"
    run.journal.write(
        "done", first, done_by="us", signature=signature, slot=7, block_time=9, fee=5000
    )
    run.journal.write("acting", other)
    record = record_of(run)
    assert [
        (sent.step, sent.signature, sent.slot, sent.done_by) for sent in record.transactions
    ] == [(first, signature, 7, "us")]
    assert {point.step: point.state for point in record.open_points} == {
        "1": "open",
        other: "unknown",
        "4": "open",
    }
    run.journal.write("failed", other, code="expired")
    assert {point.step: point.state for point in record_of(run).open_points}[other] == "failed"
    run.journal.write("given_up")
    record = record_of(run)
    assert record.given_up
    assert record.new is not None
    old = run.plan.old_grant
    assert (record.new.authority, record.new.mint, record.new.genesis) == (
        old.authority,
        old.mint,
        "0" * 64,
    )
    assert record.new.grant_id == str(2**63)
    assert read_record(canonical(record)) == record


def test_a_record_by_hand_is_read_back_and_written_the_same(values: dict[str, Any]) -> None:
    data = bytes_of(values)
    record = read_record(data)
    assert canonical(record) == data
    schema("cutover.schema.json").validate(json.loads(data))
    assert record.new is not None
    assert (record.old.grant, record.new.grant) == (OLD, NEW)


def dropped(values: dict[str, Any]) -> bytes:
    return rfc8785.dumps({name: value for name, value in values.items() if name != "signer"})


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda v: json.dumps(v, indent=1, sort_keys=True).encode(), "not canonical"),
        (lambda v: rfc8785.dumps(v) + b"\n", "not canonical"),
        (lambda v: rfc8785.dumps(v).replace(b'{"adjudicates"', b'{"so_far":false,"adjudicates"'), "not canonical"),
        (lambda v: rfc8785.dumps(v | {"note": "all is well"}), "unknown field"),
        (dropped, "missing required field"),
        (lambda v: rfc8785.dumps(v | {"schema": "popkit.cutover/2"}), "schema"),
        (lambda v: rfc8785.dumps(v | {"made_at": 1.5}), "made_at"),
        (lambda v: rfc8785.dumps(v | {"remedy": "signer"}), "remedy"),
        (lambda v: rfc8785.dumps(v | {"program_id": "1" * 44}), "no public key"),
        (lambda v: rfc8785.dumps(v | {"canary": v["canary"] | {"signature": "z" * 88}}), "no signature"),
        (lambda v: rfc8785.dumps(v | {"new": v["new"] | {"grant_id": str(2**64)}}), "no u64"),
        (lambda v: rfc8785.dumps(v | {"digests": v["digests"] | {"plan": "5" * 63}}), "digests.plan"),
        (lambda v: rfc8785.dumps(v)[:-1], "not a record"),
        (lambda v: b"[" * 100_000, "nest"),
        (lambda v: b"\xff" + rfc8785.dumps(v), "not a record"),
        (lambda v: b"", "not a record"),
        (lambda v: b"null", "not a record"),
    ],
)  # fmt: skip
def test_what_is_no_canonical_record_is_refused(
    values: dict[str, Any], edit: Any, why: str
) -> None:
    with pytest.raises(CaseUnreadable, match=why) as refused:
        read_record(edit(values))
    assert refused.value.exit_code == 3
    assert "RUN/cutover.json" in refused.value.advice


def test_nothing_that_others_write_ends_in_a_fault(values: dict[str, Any]) -> None:
    """One value of a record spoilt at a time: it is refused with words, or judged like any other."""
    facts, judged = cutover_case().facts, 0
    for seed in range(400):
        spoiled = spoilt(values, random.Random(seed))
        try:
            record = read_record(
                json.dumps(spoiled, sort_keys=True, separators=(",", ":")).encode()
            )
        except CaseUnreadable:
            continue
        judged += bool(points_of(facts, record))
    assert judged > 10


def test_no_record_is_larger_than_one_can_be(values: dict[str, Any]) -> None:
    with pytest.raises(CaseUnreadable, match="larger than"):
        read_record(bytes_of(values) + b" " * (16 << 20))


def test_every_field_is_always_there() -> None:
    assert set(Record.__struct_fields__) == set(stated(cutover_case(), OLD, NEW))
