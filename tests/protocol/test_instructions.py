"""The program's instructions: decoded as the program reads them, built as the recorded ones were."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popkit.protocol import keys
from popkit.protocol.instructions import (
    CLAIM_ACCOUNTS,
    CLAIM_DISCRIMINATORS,
    INSTRUCTIONS,
    LEGACY_CLAIM_ACCOUNTS,
    InstructionError,
    build_instruction,
    decode_instruction,
)
from popkit.protocol.keys import PROGRAM_ID, b58encode
from popkit.protocol.transaction import Transaction, decode_result
from tests.protocol import support as ref

ARGS: dict[str, st.SearchStrategy[Any]] = {
    "u64": st.integers(0, 2**64 - 1),
    "i64": st.integers(-(2**63), 2**63 - 1),
    "bool": st.booleans(),
    "hash": st.binary(min_size=32, max_size=32).map(bytes.hex),
    "hashes": st.lists(st.binary(min_size=32, max_size=32), max_size=4).map(tuple),
    "pubkey": st.binary(min_size=32, max_size=32).map(b58encode),
}
KEYS = [b58encode(bytes([n]) * 32) for n in range(1, 15)]
CLAIM = INSTRUCTIONS["claim_grant"].discriminator + (5).to_bytes(8, "little")


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_discriminators_are_anchors(name: str) -> None:
    assert INSTRUCTIONS[name].discriminator == sha256(f"global:{name}".encode()).digest()[:8]


def test_the_table() -> None:
    assert len(INSTRUCTIONS) == 9
    assert set(CLAIM_DISCRIMINATORS.values()) == {"claim_grant", "claim_grant_with_proof"}
    assert len(CLAIM_ACCOUNTS) == 12 == len(INSTRUCTIONS["claim_grant_with_proof"].accounts)
    assert [name for name in CLAIM_ACCOUNTS if name in LEGACY_CLAIM_ACCOUNTS] == list(
        LEGACY_CLAIM_ACCOUNTS
    )
    assert len(LEGACY_CLAIM_ACCOUNTS) == 9


@pytest.mark.parametrize(
    ("name", "signers", "writable"),
    [
        ("create_grant", "authority", "grant vault authority"),
        ("update_grant", "authority", "grant"),
        ("fund_grant", "funder", "grant vault from_ata funder"),
        ("claim_grant", "claimer", "grant vault claimer claimer_ata receipt pop_state"),
        ("claim_grant_with_proof", "claimer", "grant vault claimer claimer_ata receipt pop_state"),
        ("close_grant", "authority", "grant vault authority_ata authority"),
        ("set_paused", "authority", "grant"),
        ("set_allowlist_root", "authority", "grant"),
        ("upsert_pop_config", "authority", "pop_config authority"),
    ],
)
def test_who_signs_and_what_is_written(name: str, signers: str, writable: str) -> None:
    metas = INSTRUCTIONS[name].metas
    assert [account for account, flags in metas if "S" in flags] == signers.split()
    assert [account for account, flags in metas if "W" in flags] == writable.split()


def test_flags_of_a_legacy_claim() -> None:
    named = dict(zip(LEGACY_CLAIM_ACCOUNTS, KEYS, strict=False))
    _, metas = build_instruction("claim_grant", {"period_index": 0}, named, legacy=True)
    assert [meta.is_writable for meta in metas] == [
        True,
        False,
        True,
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert [meta.is_signer for meta in metas] == [at == 3 for at in range(9)]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", INSTRUCTIONS)
@given(data=st.data())
def test_round_trip(name: str, legacy: bool, data: st.DataObject) -> None:
    spec = INSTRUCTIONS[name]
    if legacy and spec.discriminator not in CLAIM_DISCRIMINATORS:
        return
    args = {arg: data.draw(ARGS[kind], label=arg) for arg, kind in spec.args}
    named = LEGACY_CLAIM_ACCOUNTS if legacy else spec.accounts
    accounts = dict(zip(named, KEYS, strict=False))
    written, metas = build_instruction(name, args, accounts, legacy=legacy)
    decoded = decode_instruction(written + b"tail", [meta.pubkey for meta in metas] + KEYS[12:])
    assert (decoded.name, decoded.args, decoded.trailing) == (name, args, b"tail")
    if not legacy:
        assert decoded.accounts == accounts
        assert decoded.extra_accounts == tuple(KEYS[12:])
    assert decoded.is_legacy_claim == legacy


def test_fixed_accounts_may_be_left_out() -> None:
    data, metas = build_instruction(
        "upsert_pop_config",
        {"signer_pubkey": KEYS[0]},
        {"pop_config": KEYS[1], "authority": KEYS[2]},
    )
    assert data.hex() == "674f2509a6ffd184" + "01" * 32
    assert [tuple(meta) for meta in metas] == [
        (KEYS[1], False, True),
        (KEYS[2], True, True),
        (keys.SYSTEM_PROGRAM, False, False),
        (keys.RENT_SYSVAR, False, False),
    ]


@pytest.mark.parametrize(
    ("data", "count", "code"),
    [
        (b"", 12, "InstructionFallbackNotFound"),
        (CLAIM[:7], 12, "InstructionFallbackNotFound"),
        (bytes(16), 0, "InstructionFallbackNotFound"),
        (CLAIM[:15], 0, "InstructionDidNotDeserialize"),  # arguments are read before the accounts
        (INSTRUCTIONS["set_paused"].discriminator + b"\x02", 3, "InstructionDidNotDeserialize"),
        (
            INSTRUCTIONS["claim_grant_with_proof"].discriminator
            + bytes(8)
            + b"\xff" * 4
            + bytes(64),
            12,
            "InstructionDidNotDeserialize",
        ),
        (CLAIM, 8, "AccountNotEnoughKeys"),
        (INSTRUCTIONS["set_paused"].discriminator + b"\x01", 2, "AccountNotEnoughKeys"),
    ],
)
def test_refusals(data: bytes, count: int, code: str) -> None:
    with pytest.raises(InstructionError) as refused:
        decode_instruction(data, KEYS[:count])
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("count", "legacy", "extra"), [(9, True, 0), (11, True, 2), (12, False, 0), (14, False, 2)]
)
def test_the_account_count_alone_tells_a_legacy_claim(count: int, legacy: bool, extra: int) -> None:
    decoded = decode_instruction(CLAIM, KEYS[:count])
    assert decoded.is_claim
    assert decoded.is_legacy_claim == legacy
    assert len(decoded.extra_accounts) == extra
    assert decoded.accounts["token_program"] == KEYS[6 if legacy else 9]
    assert ("pop_state" in decoded.accounts) != legacy


@pytest.mark.parametrize(
    ("name", "args", "accounts", "says"),
    [
        ("claim", {}, {}, "no instruction is called 'claim'"),
        ("close_grant", {}, {}, "close_grant needs the account grant"),
        ("set_paused", {"paused": 1}, {}, "paused must be True or False, got 1"),
        ("set_paused", {}, {}, "set_paused needs the argument paused"),
        ("fund_grant", {"amount": 2**64}, {}, "amount must fit u64"),
        ("fund_grant", {"amount": "1"}, {}, "amount must be an integer"),
        ("fund_grant", {"amount": 1, "memo": 2}, {}, "got also memo"),
        ("set_paused", {"paused": True}, {"vault": KEYS[0]}, "got also vault"),
        ("set_allowlist_root", {"merkle_root": "ab"}, {}, "merkle_root must be 64 hex digits"),
    ],
)
def test_what_cannot_be_built(
    name: str, args: dict[str, Any], accounts: dict[str, str], says: str
) -> None:
    with pytest.raises(ValueError, match=says.replace("[", r"\[")):
        build_instruction(name, args, accounts)


def test_only_claims_have_a_legacy_layout() -> None:
    with pytest.raises(ValueError, match="only claims have a legacy layout, got set_paused"):
        build_instruction("set_paused", {"paused": True}, {}, legacy=True)


def flags_by_key(tx: Transaction) -> dict[str, tuple[bool, bool]]:
    return {key: (tx.is_signer(at), tx.is_writable(at)) for at, key in enumerate(tx.account_keys)}


def test_builders_make_what_was_recorded() -> None:
    built: Counter[tuple[str, bool]] = Counter()
    refusals = []
    for result in ref.recorded_results():
        tx = decode_result(result)
        flags = flags_by_key(tx)
        for instruction in tx.instructions:
            if instruction.program != PROGRAM_ID or instruction.data is None:
                continue
            try:
                decoded = decode_instruction(instruction.data, instruction.accounts)
            except InstructionError as refused:
                refusals.append((refused.code, result["meta"]["logMessages"][-2]))
                continue
            data, metas = build_instruction(
                decoded.name, decoded.args, decoded.accounts, legacy=decoded.is_legacy_claim
            )
            assert data + decoded.trailing == instruction.data
            assert (
                tuple(meta.pubkey for meta in metas) + decoded.extra_accounts
                == instruction.accounts
            )
            for meta in metas:
                # A transaction joins the flags of all its instructions: it may grant more, never less.
                signer, writable = flags[meta.pubkey]
                assert signer >= meta.is_signer
                assert writable >= meta.is_writable
            built[decoded.name, decoded.is_legacy_claim] += 1
    assert {code for code, _ in refusals} == {
        "InstructionFallbackNotFound",
        "InstructionDidNotDeserialize",
    }
    assert all(code in log for code, log in refusals)
    # No recording closes a grant by transaction.
    assert {name for name, _ in built} == set(INSTRUCTIONS) - {"close_grant"}
    assert built["claim_grant", True] > 0


@pytest.mark.parametrize("name", ["set_paused", "set_allowlist_root", "fund_grant", "create_grant"])
def test_flags_of_a_lone_instruction_are_exactly_the_recorded_ones(name: str) -> None:
    compared = 0
    for result in ref.recorded_results():
        tx = decode_result(result)
        ours = [ix for ix in tx.instructions if ix.program == PROGRAM_ID]
        if len(tx.instructions) != 1 or not ours:
            continue
        if ours[0].data is None or ours[0].data[:8] != INSTRUCTIONS[name].discriminator:
            continue
        decoded = decode_instruction(ours[0].data, ours[0].accounts)
        _, metas = build_instruction(name, decoded.args, decoded.accounts)
        flags = flags_by_key(tx)
        payer = tx.account_keys[0]
        for meta in metas:
            expected = (True, True) if meta.pubkey == payer else (meta.is_signer, meta.is_writable)
            assert flags[meta.pubkey] == expected, (name, meta)
        compared += 1
    assert compared


@pytest.mark.parametrize("era", ref.REFUSAL_FILES)
def test_oddities_that_the_program_accepts_are_read(era: str) -> None:
    row = ref.refusal(era, "trailing bytes after the arguments")
    assert row["err"] is None
    [claim] = [ix for ix in decode_result(row["result"]).instructions if ix.program == PROGRAM_ID]
    decoded = decode_instruction(claim.data or b"", claim.accounts)
    assert decoded.trailing
    assert not decoded.is_legacy_claim
    nine = ref.refusal(era, "nine accounts")
    [claim] = [ix for ix in decode_result(nine["result"]).instructions if ix.program == PROGRAM_ID]
    assert decode_instruction(claim.data or b"", claim.accounts).is_legacy_claim
