"""The PoP message, the ed25519 data around it, and the allowlist."""

from __future__ import annotations

import struct
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popkit.protocol import allowlist
from popkit.protocol.ed25519 import (
    ProofDataError,
    ProofInstruction,
    build_proof_instruction,
    read_proof,
    read_proof_leniently,
)
from popkit.protocol.keys import ED25519_PROGRAM, b58encode, verify_strict
from popkit.protocol.message import (
    GENESIS_HASH,
    V1_LENGTH,
    V2_LENGTH,
    MessageError,
    PopMessage,
    decode_message,
    encode_message,
    entry_hash,
)
from popkit.protocol.transaction import decode_result
from tests.protocol import support as ref

AUDIT = sha256(b"popkit test audit anchor").hexdigest()
V1_ENTRY = "8a180dd9b939c4371de648a9420c81d8e7097327be20f350d0d9e9ded4135dde"
V2_ENTRY = "d667138f7cbb8b93418d86058861bfd8fb66c752fc189ce129756f7a7f306d95"
V1 = PopMessage(
    1, ref.GRANT, ref.CLAIMER, 0, GENESIS_HASH, GENESIS_HASH, None, V1_ENTRY, 1771718400
)
V2 = PopMessage(
    2, ref.GRANT, ref.CLAIMER, 0, GENESIS_HASH, GENESIS_HASH, AUDIT, V2_ENTRY, 1771718400
)

hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
keys = st.binary(min_size=32, max_size=32).map(b58encode)
messages = st.builds(
    PopMessage,
    version=st.just(2),
    grant=keys,
    claimer=keys,
    period_index=st.integers(0, 2**64 - 1),
    prev_hash=hashes,
    stream_prev_hash=hashes,
    audit_hash=hashes,
    entry_hash=hashes,
    issued_at=st.integers(-(2**63), 2**63 - 1),
)
KEY, SIGNATURE = bytes(range(32)), bytes(range(64))


@pytest.mark.parametrize(("message", "length"), [(V1, V1_LENGTH), (V2, V2_LENGTH)])
def test_reference_vectors(message: PopMessage, length: int) -> None:
    assert message.recomputed_entry_hash() == message.entry_hash
    assert len(encode_message(message)) == length
    assert decode_message(encode_message(message)) == message


@given(messages)
def test_round_trip(message: PopMessage) -> None:
    assert decode_message(encode_message(message)) == message


@given(st.integers(1, V2_LENGTH - 1), st.integers(1, 255))
def test_any_changed_byte_is_seen_by_the_entry_hash(position: int, change: int) -> None:
    data = bytearray(encode_message(V2))
    data[position] ^= change
    changed = decode_message(bytes(data))
    assert changed != V2
    assert changed.recomputed_entry_hash() != changed.entry_hash


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "InvalidPopMessageLength"),
        (b"\x03" + bytes(208), "InvalidPopMessageVersion"),
        (b"\x00" + bytes(176), "InvalidPopMessageVersion"),
        (b"\x03", "InvalidPopMessageVersion"),  # the version is looked at before the length
        (b"\x01" + bytes(208), "InvalidPopMessageLength"),
        (b"\x02" + bytes(176), "InvalidPopMessageLength"),
        (b"\x02" + bytes(209), "InvalidPopMessageLength"),
        (b"\x02" + bytes(207), "InvalidPopMessageLength"),
    ],
)
def test_refusals_are_in_the_programs_order(data: bytes, code: str) -> None:
    with pytest.raises(MessageError) as refused:
        decode_message(data)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "message",
    [
        replace(V1, audit_hash=AUDIT),
        replace(V2, audit_hash=None),
        replace(V2, version=3),
        replace(V2, prev_hash="GENESIS"),
        replace(V2, entry_hash=V2_ENTRY + "00"),
        replace(V2, period_index=-1),
        replace(V2, period_index=2**64),
        replace(V2, issued_at=2**63),
        replace(V2, grant="nobody"),
    ],
)
def test_what_does_not_fit_is_not_encoded(message: PopMessage) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        encode_message(message)
    if message.entry_hash == V2_ENTRY or message.version == 1:
        with pytest.raises(ValueError, match=r"\S"):
            message.recomputed_entry_hash()


def test_version_and_audit_hash_go_together() -> None:
    with pytest.raises(ValueError, match="version 1 without, or version 2 with"):
        entry_hash(1, GENESIS_HASH, GENESIS_HASH, AUDIT, ref.GRANT, ref.CLAIMER, 0, 0)


def test_web3_layout() -> None:
    data = build_proof_instruction(KEY, SIGNATURE, encode_message(V2))
    assert len(data) == 321
    assert data[:16].hex() == "01003000ffff1000ffff7000d100ffff"
    assert read_proof(data) == ProofInstruction(KEY, SIGNATURE, encode_message(V2))


def test_offsets_are_followed_in_any_order() -> None:
    message = b"the message"
    at = 16 + len(message)
    header = struct.pack("<BBHHHHHHH", 1, 9, at + 32, 0xFFFF, at, 0xFFFF, 16, len(message), 0xFFFF)
    assert read_proof(header + message + KEY + SIGNATURE) == ProofInstruction(
        KEY, SIGNATURE, message
    )


@pytest.mark.parametrize(
    "fields",
    [
        (0, 0, 48, 0xFFFF, 16, 0xFFFF, 112, 4, 0xFFFF),
        (2, 0, 48, 0xFFFF, 16, 0xFFFF, 112, 4, 0xFFFF),
        (1, 0, 53, 0xFFFF, 16, 0xFFFF, 112, 4, 0xFFFF),
        (1, 0, 48, 0xFFFF, 85, 0xFFFF, 112, 4, 0xFFFF),
        (1, 0, 48, 0xFFFF, 16, 0xFFFF, 112, 5, 0xFFFF),
        (1, 0, 48, 0xFFFF, 16, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF),
        (1, 0, 48, 0, 16, 0xFFFF, 112, 4, 0xFFFF),
        (1, 0, 48, 0xFFFF, 16, 0, 112, 4, 0xFFFF),
        (1, 0, 48, 0xFFFF, 16, 0xFFFF, 112, 4, 0),
    ],
    ids=[
        "none",
        "two",
        "signature-out",
        "key-out",
        "message-out",
        "overflow",
        "signature-in",
        "key-in",
        "message-in",
    ],
)
def test_data_the_program_refuses(fields: tuple[int, ...]) -> None:
    data = struct.pack("<BBHHHHHHH", *fields) + KEY + SIGNATURE + b"abcd"
    with pytest.raises(ProofDataError) as refused:
        read_proof(data)
    assert refused.value.code == "InvalidPopSignatureData"
    assert read_proof_leniently(data, 7) is None


@given(st.binary(max_size=140))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        proof = read_proof(data)
    except ProofDataError:
        return
    assert len(proof.public_key) == 32
    assert len(proof.signature) == 64


def test_an_index_may_name_the_instruction_itself_only_leniently() -> None:
    data = struct.pack("<BBHHHHHHH", 1, 0, 48, 3, 16, 0xFFFF, 112, 4, 3) + KEY + SIGNATURE + b"abcd"
    with pytest.raises(ProofDataError):
        read_proof(data)
    assert read_proof_leniently(data, 3) == ProofInstruction(KEY, SIGNATURE, b"abcd")
    assert read_proof_leniently(data, 2) is None


def recorded_proof(era: str, what: str) -> tuple[int, bytes]:
    tx = decode_result(ref.refusal(era, what)["result"])
    return next(
        (at, ix.data or b"")
        for at, ix in enumerate(tx.instructions)
        if ix.program == ED25519_PROGRAM
    )


@pytest.mark.parametrize("era", ref.REFUSAL_FILES)
def test_recorded_layouts(era: str) -> None:
    _, other_order = recorded_proof(era, "proof laid out in another order")
    assert other_order != build_proof_instruction(*astuple_of(read_proof(other_order)))
    at, by_number = recorded_proof(era, "proof points at instruction 1 by number, not 0xFFFF")
    with pytest.raises(ProofDataError):
        read_proof(by_number)
    proof = read_proof_leniently(by_number, at)
    assert proof is not None
    assert verify_strict(proof.public_key, proof.message, proof.signature)
    _, forged = recorded_proof(era, "ed25519 signature wrong")
    bad = read_proof(forged)
    assert not verify_strict(bad.public_key, bad.message, bad.signature)


def astuple_of(proof: ProofInstruction) -> tuple[bytes, bytes, bytes]:
    return proof.public_key, proof.signature, proof.message


def test_every_recorded_proof_of_a_landed_claim_holds() -> None:
    seen = 0
    for result in ref.recorded_results():
        if result["meta"]["err"] is not None:
            continue
        for instruction in decode_result(result).instructions:
            if instruction.program != ED25519_PROGRAM:
                continue
            proof = read_proof(instruction.data or b"")
            message = decode_message(proof.message)
            assert verify_strict(proof.public_key, proof.message, proof.signature)
            assert message.recomputed_entry_hash() == message.entry_hash
            assert encode_message(message) == proof.message
            seen += 1
    assert seen > 500


def test_allowlist_reference_leaf() -> None:
    expected = "0e0602ae43edcb05c35e8d0c696971526cb1b537f83c7e2d941d5443505bac72"
    assert allowlist.leaf(ref.CLAIMER) == expected
    assert allowlist.holds(ref.CLAIMER, [], expected)
    assert not allowlist.holds(ref.AUTHORITY, [], expected)


def test_allowlist_pairs_are_sorted() -> None:
    mine, other = (bytes.fromhex(allowlist.leaf(key)) for key in (ref.CLAIMER, ref.AUTHORITY))
    root = sha256(min(mine, other) + max(mine, other)).hexdigest()
    assert (
        allowlist.root_of(ref.CLAIMER, [other])
        == root
        == allowlist.root_of(ref.AUTHORITY, [mine.hex()])
    )
    assert allowlist.holds(ref.CLAIMER, [other], root.upper())
    assert not allowlist.holds(ref.CLAIMER, [other, other], root)
    with pytest.raises(ValueError, match=r"proof\[0\] must be 64 hex digits"):
        allowlist.root_of(ref.CLAIMER, [b"short"])
