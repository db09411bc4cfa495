"""The stand-alone checker against odd, partial and false evidence: what it must not violate, and
what it must not let hold.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from popkit import open_case
from popkit.drill.case import write_case
from popkit.drill.world import Ticket, World, sound
from popkit.protocol.accounts import PopConfig, PopState
from tests.attacks.build import account, leave_out, rewrite_account, row_of
from tests.conftest import Copy
from tests.verification.standalone import CHECK, numbers, outcome, run

Make = Callable[[str], Copy]
Said = tuple[int, set[int], set[int]]
TRANSACTIONS, SIGNATURES, ACCOUNTS = (
    "rpc/transactions.jsonl",
    "rpc/signatures.jsonl",
    "rpc/accounts.jsonl",
)


def said(path: Path, files: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> Said:
    """Exit code, violated checks, checks that cannot tell; popkit's own findings are handed over."""
    case = write_case(path, json.loads(json.dumps(files)))
    code, lines = outcome(case, json.loads(open_case(case).diagnose().dumps()), capsys)
    return code, numbers(lines), numbers(lines, "cannot tell")


def collected(world: World) -> dict[str, Any]:
    world.tick(900)
    files: dict[str, Any] = json.loads(json.dumps(world.collect()))
    return files


# -- true --


@pytest.mark.parametrize("model", ["B", "D"])
def test_a_child_before_its_parent_shows_the_relaxed_rules(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, handle, _ = sound("relaxed", model)
    parent, child = (
        world.worker.issue(handle.address, world.address(wallet)) for wallet in ("cat", "dan")
    )
    assert world.claim(handle, child, "dan").err is None
    world.tick(5)
    assert world.claim(handle, parent, "cat").err is None
    assert said(tmp_path, collected(world), capsys) == (0, set(), set())


def test_rules_that_may_be_relaxed_leave_links_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sibling that would have shown the relaxed rules was not given: another child of the
    parent is no contradiction.
    """
    world, handle, done = sound("relaxed", "D", "ann", "bob")
    ours = [
        world.worker.issue(handle.address, world.address(w), expected=world.head(handle))
        for w in ("cat", "dan")
    ]
    landed = [
        world.claim(handle, proof, wallet)
        for proof, wallet in zip(ours, ("cat", "dan"), strict=True)
    ]
    world.tick(5)
    world.tickets(handle, "eve", from_chain=True)
    files = collected(world)
    leave_out(files, landed[0].signature)
    code, violated, open_ = said(tmp_path, files, capsys)
    assert (code, violated) == (3, set())
    assert 6 in open_, "the receipt of the claim that was not given"
    assert done[-1].entry == ours[0].prev


def test_a_rotation_whose_upsert_was_not_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, handle, _ = sound()
    world.worker.key = world.key("second")
    hidden = world.name_signer(handle, world.worker.signer).signature
    world.tickets(handle, "cat")
    world.worker.key = world.key("third")
    world.name_signer(handle, world.worker.signer)
    world.tickets(handle, "dan")
    files = collected(world)
    assert said(tmp_path / "all", files, capsys) == (0, set(), set())
    row_of(files, hidden)["result"] = None
    code, violated, open_ = said(tmp_path / "listed", files, capsys)
    assert (code, violated) == (3, set())
    assert {2, 3} <= open_


# -- partial --


def test_a_pop_state_that_was_read_too_early(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, handle, tickets = sound()
    early = account(world.collect(), handle.state)
    world.tickets(handle, "cat")
    files = collected(world)
    files[ACCOUNTS] = [row if row["pubkey"] != handle.state else early for row in files[ACCOUNTS]]
    assert said(tmp_path, files, capsys) == (3, set(), {8})
    assert tickets


def test_a_transaction_that_is_listed_and_was_not_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, _, tickets = sound()
    files = collected(world)
    row_of(files, tickets[-1].signature)["result"] = None
    code, _, open_ = said(tmp_path / "listed", files, capsys)
    assert code == 3
    assert {2, 9} <= open_
    del files[SIGNATURES]
    assert 2 in said(tmp_path / "unlisted", files, capsys)[2]


def test_a_grant_of_which_neither_account_nor_creation_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, handle, _ = sound()
    files = collected(world)
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] != handle.address]
    assert said(tmp_path / "creation", files, capsys) == (0, set(), set())
    created = next(landed for landed in world.landed if handle.vault in landed.keys)
    leave_out(files, created.signature)
    assert said(tmp_path / "nothing", files, capsys)[:2] == (3, set())


def test_a_case_that_names_no_grant(copy_of: Make, capsys: pytest.CaptureFixture[str]) -> None:
    copy = copy_of("unused")
    about = json.loads((copy.path / "case.json").read_text())
    (copy.path / "case.json").write_text(json.dumps({**about, "grants": []}))
    code, lines = outcome(copy.seal().path, None, capsys)
    assert (code, numbers(lines, "cannot tell")) == (3, {9})


# -- false --


def test_two_answers_about_one_thing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, handle, tickets = sound()
    files = collected(world)
    outcomes = {
        **files,
        SIGNATURES: [
            *files[SIGNATURES],
            {**files[SIGNATURES][0], "err": {"InstructionError": [1, {"Custom": 1}]}},
        ],
    }
    assert said(tmp_path / "outcome", outcomes, capsys)[:2] == (1, {2})
    row = json.loads(json.dumps(account(files, handle.state)))
    data = bytearray(base64.b64decode(row["account"]["data"][0]))
    data[40] ^= 1
    row["account"]["data"][0] = base64.b64encode(bytes(data)).decode()
    for number, rows in enumerate(([*files[ACCOUNTS], row], [row, *files[ACCOUNTS]])):
        code, violated, _ = said(tmp_path / f"account {number}", {**files, ACCOUNTS: rows}, capsys)
        assert (code, 2 in violated) == (1, True)
    assert tickets


def test_an_old_signer_after_a_rotation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A lying node shows a refused claim as accepted; its pop-config was read before the rotation
    and names the old signer.
    """
    world, handle, _ = sound()
    before = account(world.collect(), handle.config)
    world.name_signer(handle, str(world.key("second").pubkey()))
    refused = world.ticket(handle, "cat")
    assert refused.landed.error == 6018
    files = collected(world)
    row_of(files, refused.signature)["result"]["meta"]["err"] = None
    next(row for row in files[SIGNATURES] if row["signature"] == refused.signature)["err"] = None
    files[ACCOUNTS] = [row if row["pubkey"] != handle.config else before for row in files[ACCOUNTS]]
    assert 3 in said(tmp_path, files, capsys)[1]


def test_a_signer_that_the_account_names_and_that_signed_before_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, handle, _ = sound()
    files = collected(world)
    first = next(
        landed
        for landed in world.landed
        if handle.config in landed.keys and handle.address not in landed.keys
    )
    leave_out(files, first.signature)
    assert said(tmp_path / "account", files, capsys)[0] == 0, (
        "the account still names it, and nothing came between"
    )
    rewrite_account(
        files, handle.config, PopConfig, signer_pubkey=str(world.key("second").pubkey())
    )
    assert said(tmp_path / "another", files, capsys)[0] == 3


def test_of_equal_times_the_later_claim_moves_the_head(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, handle, _ = sound("relaxed", "D")
    head = world.head(handle)
    first, second = (
        world.worker.issue(handle.address, world.address(w), expected=head) for w in ("cat", "dan")
    )
    assert first.issued_at == second.issued_at
    for wallet, proof in (("cat", first), ("dan", second)):
        assert Ticket(proof, world.claim(handle, proof, wallet)).landed.err is None
        world.tick(5)
    files = collected(world)
    assert said(tmp_path / "true", files, capsys) == (0, set(), set())
    rewrite_account(
        files, handle.state, PopState, last_global_hash=first.entry, last_stream_hash=first.entry
    )
    assert 8 in said(tmp_path / "false", files, capsys)[1]


@pytest.mark.parametrize("findings", ["null", "[]", "7"])
def test_findings_that_are_none_are_not_passed_over(
    findings: str, copy_of: Make, tmp_path: Path
) -> None:
    file = tmp_path / "findings.json"
    file.write_text(findings)
    ran = run(copy_of("unused").path, file)
    assert ran.returncode == 1
    assert "10. violated: this is no findings.json" in ran.stdout


def test_findings_that_name_a_grant_twice(
    copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy_of("intact").path
    findings = json.loads(open_case(path).diagnose().dumps())
    false = {**findings["grants"][0], "unseen_entries": ["00" * 32]}
    findings["grants"].insert(0, false)
    assert numbers(outcome(path, findings, capsys)[1]) == {10}


# -- hostile --


def test_a_damaged_archive_ends_without_a_traceback(
    copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copy_of("intact")
    plain = copy.path / TRANSACTIONS
    packed = bytearray(gzip.compress(plain.read_bytes()))
    packed[len(packed) // 2] ^= 0xFF
    plain.unlink()
    (copy.path / f"{TRANSACTIONS}.gz").write_bytes(packed)
    code, lines = outcome(copy.seal().path, None, capsys)
    assert (code, numbers(lines, "cannot tell")) == (3, {2})


@pytest.mark.parametrize(
    ("name", "row"),
    [
        (SIGNATURES, {"signature": [], "slot": 1, "err": None}),
        (SIGNATURES, {"signature": 7, "slot": "one", "err": None}),
        (TRANSACTIONS, {"signature": {}, "result": None}),
    ],
)
def test_a_row_that_is_odd_stops_nothing_else(
    name: str, row: Any, copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copy_of("intact")
    copy.write(name, [*copy.lines(name), json.dumps(row)])
    code, lines = outcome(copy.seal().path, None, capsys)
    assert (code, numbers(lines)) == (3, set())
    assert numbers(lines, "cannot tell") == {2, 9}


def test_calls_of_no_instruction_and_endless_data(
    copy_of: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbled calls take nothing along where no program called could have made a claim; where one
    could, it cannot be told.
    """
    copy = copy_of("intact")
    rows = copy.rows(TRANSACTIONS)
    claim = next(row for row in rows if row["result"]["meta"].get("innerInstructions"))
    for change in (
        {"index": 1.5},
        {"index": 99},
        {"instructions": [{"programIdIndex": 0, "accounts": [], "data": "2" * 3_000_000}]},
    ):
        changed = json.loads(json.dumps(claim))
        changed["result"]["meta"]["innerInstructions"][0] |= change
        copy.write(TRANSACTIONS, [row if row is not claim else changed for row in rows])
        copy.seal()
        assert outcome(copy.path, None, capsys) == (0, [])
        with monkeypatch.context() as patch:
            patch.setattr(CHECK, "CALL_NO_CLAIM", set())
            code, lines = outcome(copy.path, None, capsys)
        assert code == 3
        assert 2 in numbers(lines, "cannot tell")
