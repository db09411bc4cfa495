"""Keys, base58, strict signatures and derived addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair

from popkit.drill import addresses as pda
from popkit.protocol import keys
from popkit.protocol.keys import b58decode, b58encode, is_pubkey, is_signature, verify_strict
from tests.protocol import support as ref

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


@given(st.binary(max_size=90))
def test_base58_round_trip(data: bytes) -> None:
    assert b58decode(b58encode(data)) == data


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\0", "1"),
        (b"\0\0\x01", "112"),
        (b"hello world", "StV1DL6CwTryKyV"),
        (bytes(32), keys.SYSTEM_PROGRAM),
        (bytes([0x15]) * 32, ref.CLAIMER),
    ],
)
def test_base58_vectors(data: bytes, text: str) -> None:
    assert b58encode(data) == text
    assert b58decode(text) == data


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "ab c", "é", "StV1DL6CwTryKyV\n"])
def test_base58_names_the_character_it_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="not base58: character"):
        b58decode(text)


def test_is_pubkey_and_is_signature() -> None:
    signature = b58encode(bytes(range(64)))
    assert is_pubkey(keys.PROGRAM_ID)
    assert is_pubkey(ref.GRANT)  # off the curve, and a key all the same
    assert is_signature(signature)
    for wrong in (
        None,
        7,
        b"x" * 32,
        "",
        "1" * 31,
        "1" * 33,
        keys.PROGRAM_ID + "1",
        keys.PROGRAM_ID[:-1] + "0",
    ):
        assert not is_pubkey(wrong)
        assert not is_signature(wrong)
    assert not is_pubkey(signature)


def test_verify_strict_accepts_the_signature_and_nothing_beside_it() -> None:
    pair = Keypair.from_seed(bytes([7]) * 32)
    key, message = bytes(pair.pubkey()), b"proof"
    signature = bytes(pair.sign_message(message))
    assert verify_strict(key, message, signature)
    assert not verify_strict(key, b"proof!", signature)
    assert not verify_strict(key, message, signature[:-1])
    assert not verify_strict(key[:-1], message, signature)
    assert not verify_strict(bytes(Keypair.from_seed(bytes([8]) * 32).pubkey()), message, signature)


def test_verify_strict_refuses_malleable_and_small_order() -> None:
    pair = Keypair.from_seed(bytes([7]) * 32)
    message = b"proof"
    signature = bytes(pair.sign_message(message))
    larger = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    assert not verify_strict(
        bytes(pair.pubkey()), message, signature[:32] + larger.to_bytes(32, "little")
    )
    identity = b"\x01" + bytes(31)  # a lax verifier takes this for any message
    assert not verify_strict(identity, message, identity + bytes(32))


def test_reference_addresses() -> None:
    grant = pda.grant_address(ref.AUTHORITY, ref.MINT, 1)
    assert grant == ref.GRANT
    assert pda.vault_address(grant) == ref.VAULT
    assert pda.pop_config_address(ref.AUTHORITY) == ref.POP_CONFIG
    assert pda.pop_state_address(grant) == ref.POP_STATE
    assert pda.receipt_address(grant, ref.CLAIMER, 0) == ref.RECEIPT
    assert pda.associated_token_address(ref.CLAIMER, ref.MINT) == ref.CLAIMER_ATA


def test_receipt_address_of_bytes_is_the_same() -> None:
    raw = pda.receipt_address_bytes(
        b58decode(ref.GRANT), b58decode(ref.CLAIMER), 0, b58decode(keys.PROGRAM_ID)
    )
    assert b58encode(raw) == ref.RECEIPT
    assert pda.receipt_address(ref.GRANT, ref.CLAIMER, 1) != ref.RECEIPT


@pytest.mark.parametrize("period", [-1, 2**64])
def test_a_period_that_is_no_u64_is_refused(period: int) -> None:
    with pytest.raises(ValueError, match=f"period_index must be from 0 to 2\\^64-1, got {period}"):
        pda.receipt_address(ref.GRANT, ref.CLAIMER, period)


def test_a_key_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="not a public key"):
        pda.vault_address("nonsense")
