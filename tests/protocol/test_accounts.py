"""Accounts: bytes to values and back."""

from __future__ import annotations

import base64
from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popkit.drill import addresses as pda
from popkit.protocol import accounts
from popkit.protocol.accounts import (
    AccountError,
    ClaimReceipt,
    Grant,
    PopConfig,
    PopState,
    TokenAccount,
    decode_account,
    decode_grant,
    decode_token_account,
    encode_account,
)
from popkit.protocol.keys import PROGRAM_ID, TOKEN_PROGRAM, b58encode
from tests.protocol import support as ref

key = st.binary(min_size=32, max_size=32).map(b58encode)
digest = st.binary(min_size=32, max_size=32).map(bytes.hex)
u64, i64, u8 = st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1), st.integers(0, 255)
anything = st.one_of(
    st.builds(Grant, key, key, key, u64, u64, i64, i64, i64, digest, st.booleans(), u8),
    st.builds(ClaimReceipt, key, key, u64, i64),
    st.builds(PopConfig, key, key, u8),
    st.builds(PopState, key, digest, digest, u64, i64, st.booleans(), u8),
)
SIZES = {Grant: 178, ClaimReceipt: 88, PopConfig: 73, PopState: 122}
SAMPLE = PopState(ref.GRANT, "ab" * 32, "cd" * 32, 3, 1771718400, True, 253)


@pytest.mark.parametrize("kind", SIZES)
def test_discriminators_are_anchors(kind: type) -> None:
    assert accounts.DISCRIMINATORS[kind] == sha256(f"account:{kind.__name__}".encode()).digest()[:8]


@given(anything)
def test_round_trip(value: Grant | ClaimReceipt | PopConfig | PopState) -> None:
    data = encode_account(value)
    assert len(data) == SIZES[type(value)]
    assert decode_account(data) == value
    assert decode_account(data + b"more") == value


@given(st.builds(TokenAccount, key, key, u64))
def test_token_account_round_trip(value: TokenAccount) -> None:
    data = encode_account(value)
    assert len(data) == 165
    assert decode_token_account(data) == value


def test_offsets_of_a_grant() -> None:
    grant = Grant(ref.AUTHORITY, ref.MINT, ref.VAULT, 1, 2, 3, 4, 5, "ee" * 32, True, 255)
    data = encode_account(grant)
    assert [int.from_bytes(data[at : at + 8], "little") for at in range(104, 144, 8)] == [
        1,
        2,
        3,
        4,
        5,
    ]
    assert data[144:176] == b"\xee" * 32
    assert data[176:] == b"\x01\xff"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "AccountDiscriminatorNotFound"),
        (bytes(7), "AccountDiscriminatorNotFound"),
        (bytes(122), "AccountDiscriminatorMismatch"),
        (encode_account(SAMPLE)[:-1], "AccountDidNotDeserialize"),
        (encode_account(SAMPLE)[:120] + b"\x02\xfd", "AccountDidNotDeserialize"),
    ],
)
def test_refusals(data: bytes, code: str) -> None:
    with pytest.raises(AccountError) as refused:
        decode_account(data)
    assert refused.value.code == code


def test_another_type_is_a_mismatch() -> None:
    with pytest.raises(
        AccountError, match="Grant begins with a1a60bcdcc87cd36, got 764ea13886c4d53a"
    ) as refused:
        decode_grant(encode_account(SAMPLE))
    assert refused.value.code == "AccountDiscriminatorMismatch"


@pytest.mark.parametrize(
    "data", [bytes(165), bytes(82), encode_account(TokenAccount(ref.MINT, ref.GRANT, 1))[:-1]]
)
def test_what_is_no_token_account(data: bytes) -> None:
    with pytest.raises(AccountError):
        decode_token_account(data)


def test_numbers_out_of_range_are_not_encoded() -> None:
    with pytest.raises(ValueError, match="out of range"):
        encode_account(ClaimReceipt(ref.GRANT, ref.CLAIMER, -1, 0))


def test_recorded_accounts() -> None:
    seen: Counter[str] = Counter()
    for _, row in ref.case_lines("rpc/accounts.jsonl*"):
        account = row["account"]
        if account is None or account["owner"] not in (PROGRAM_ID, TOKEN_PROGRAM):
            continue
        data = base64.b64decode(account["data"][0])
        if account["owner"] == TOKEN_PROGRAM:
            if len(data) == 165:
                assert encode_account(decode_token_account(data)) == data
                seen["TokenAccount"] += 1
            continue
        value = decode_account(data)
        assert encode_account(value) == data
        assert address_of(value) == row["pubkey"]
        seen[type(value).__name__] += 1
    assert set(seen) == {"Grant", "ClaimReceipt", "PopConfig", "PopState", "TokenAccount"}


def address_of(value: Grant | ClaimReceipt | PopConfig | PopState) -> str:
    match value:
        case Grant():
            return pda.grant_address(value.authority, value.mint, value.grant_id)
        case ClaimReceipt():
            return pda.receipt_address(value.grant, value.claimer, value.period_index)
        case PopConfig():
            return pda.pop_config_address(value.authority)
        case PopState():
            return pda.pop_state_address(value.grant)
