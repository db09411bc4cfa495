"""Transactions: wire bytes against solders, JSON against wire bytes, and bytes that are none."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash
from solders.instruction import CompiledInstruction
from solders.keypair import Keypair
from solders.message import (
    Message,
    MessageAddressTableLookup,
    MessageHeader,
    MessageV0,
    MessageV1,
    TransactionConfig,
    to_bytes_versioned,
)
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from popkit.protocol.keys import b58encode
from popkit.protocol.transaction import (
    Transaction,
    TransactionError,
    decode_json,
    decode_result,
    decode_wire,
    has_signer,
    inner_instructions,
    signatures_hold,
)
from tests.protocol import support as ref

PAYER, COSIGNER = (Keypair.from_seed(bytes([n]) * 32) for n in (1, 2))
KEYS = [PAYER.pubkey(), COSIGNER.pubkey(), *(Pubkey(bytes([n]) * 32) for n in (3, 4, 5))]
HEADER = MessageHeader(2, 1, 2)
BLOCKHASH = Hash(bytes([9]) * 32)
COMPILED = [
    CompiledInstruction(program_id_index=4, accounts=bytes([0, 2, 1]), data=b"\x00" * 200),
    CompiledInstruction(program_id_index=3, accounts=b"", data=b""),
]
TABLE = [
    MessageAddressTableLookup(Pubkey(bytes([20]) * 32), bytes([5, 7]), bytes([9])),
    MessageAddressTableLookup(Pubkey(bytes([21]) * 32), b"", bytes([0])),
]
WRITABLE = [b58encode(bytes([n]) * 32) for n in (30, 31)]
READONLY = [b58encode(bytes([n]) * 32) for n in (32, 33)]
LOADING = [CompiledInstruction(program_id_index=4, accounts=bytes([0, 5, 6, 7, 8]), data=b"\x01")]
CONFIG = TransactionConfig(priority_fee=5, compute_unit_limit=7, heap_size=65536)

MESSAGES: dict[str, Message | MessageV0 | MessageV1] = {
    "legacy": Message.new_with_compiled_instructions(2, 1, 2, KEYS, BLOCKHASH, COMPILED),
    "v0": MessageV0(HEADER, KEYS, BLOCKHASH, COMPILED, []),
    "v0 with tables": MessageV0(HEADER, KEYS, BLOCKHASH, LOADING, TABLE),
    "v1": MessageV1(HEADER, TransactionConfig(), BLOCKHASH, KEYS, COMPILED),
    "v1 with config": MessageV1(HEADER, CONFIG, BLOCKHASH, KEYS, COMPILED),
}
VERSIONS = {"legacy": "legacy", "v0": 0, "v0 with tables": 0, "v1": 1, "v1 with config": 1}


def wire_of(name: str) -> bytes:
    return bytes(VersionedTransaction(MESSAGES[name], [PAYER, COSIGNER]))


def loaded_of(name: str) -> tuple[list[str], list[str]]:
    return (WRITABLE, READONLY) if name == "v0 with tables" else ([], [])


@pytest.mark.parametrize("name", MESSAGES)
def test_wire_agrees_with_solders(name: str) -> None:
    message, (writable, readonly) = MESSAGES[name], loaded_of(name)
    tx = decode_wire(wire_of(name), writable, readonly)
    assert tx.version == VERSIONS[name]
    assert tx.message_bytes == to_bytes_versioned(message)
    assert tx.account_keys == (*map(str, KEYS), *writable, *readonly)
    assert (tx.static_keys, tx.num_required_signatures) == (5, 2)
    compiled = LOADING if name == "v0 with tables" else COMPILED
    assert [(ix.program, list(ix.accounts), ix.data) for ix in tx.instructions] == [
        (
            tx.account_keys[c.program_id_index],
            [tx.account_keys[at] for at in c.accounts],
            bytes(c.data),
        )
        for c in compiled
    ]
    assert signatures_hold(tx) is True
    expected = [(True, True), (True, False), (False, True), (False, False), (False, False)]
    expected += [(False, True)] * len(writable) + [(False, False)] * len(readonly)
    assert [
        (tx.is_signer(at), tx.is_writable(at)) for at in range(len(tx.account_keys))
    ] == expected
    assert has_signer(tx, str(COSIGNER.pubkey()))
    assert not has_signer(tx, str(KEYS[2]))


@pytest.mark.parametrize("name", MESSAGES)
def test_every_truncation_and_every_trailing_byte_is_refused(name: str) -> None:
    wire, (writable, readonly) = wire_of(name), loaded_of(name)
    for length in range(len(wire)):
        with pytest.raises(TransactionError):
            decode_wire(wire[:length], writable, readonly)
    with pytest.raises(TransactionError):
        decode_wire(wire + b"\0", writable, readonly)


@pytest.mark.parametrize("name", MESSAGES)
@given(data=st.data())
def test_a_changed_byte_is_refused_or_breaks_a_signature(name: str, data: st.DataObject) -> None:
    wire = bytearray(wire_of(name))
    position = data.draw(st.integers(0, len(wire) - 1))
    wire[position] ^= data.draw(st.integers(1, 255))
    try:
        tx = decode_wire(bytes(wire), *loaded_of(name))
    except TransactionError:
        return
    assert signatures_hold(tx) is False


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for start in (b"", b"\x01" + bytes(64) + b"\x80\x01\0\0", b"\x81\x01\0\0"):
        try:
            tx = decode_wire(start + data)
        except TransactionError:
            continue
        assert tx.message_bytes is not None


def test_loaded_addresses_must_be_those_the_tables_ask_for() -> None:
    wire = wire_of("v0 with tables")
    for given_ in (([], []), (WRITABLE, READONLY[:1]), (READONLY + WRITABLE, [])):
        with pytest.raises(TransactionError, match=r"\(2, 2\) loaded addresses"):
            decode_wire(wire, *given_)
    for name in ("legacy", "v1"):
        with pytest.raises(TransactionError, match="loaded addresses"):
            decode_wire(wire_of(name), WRITABLE, [])


def legacy_wire(
    header: bytes = b"\x01\0\x01", program: int = 1, account: int = 0, count: bytes = b"\x02"
) -> bytes:
    keys = bytes([3]) * 32 + bytes([4]) * 32
    instruction = bytes([1, program, 1, account, 0])
    return b"\x01" + bytes(64) + header + count + keys + bytes(32) + instruction


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (b"\xff\xff\x03" + bytes(100), "the signatures ends|the signatures end"),
        (b"\xff\xff\x04" + bytes(100), "at most 65535"),
        (b"\xff\xff\xff" + bytes(100), "longer than three bytes"),
        (b"\x81\x00", "ends at byte"),
        (
            b"\x01" + bytes(64) + b"\x82\x01\0\0" + bytes(99),
            "version legacy or 0 expected after the signatures, got 2",
        ),
        (legacy_wire(header=b"\x02\0\x01"), "2 required signatures, got 1"),
        (legacy_wire(header=b"\x00\0\x01"), "0 required signatures, got 1"),
        (legacy_wire(header=b"\x01\x01\x01"), "none can pay"),
        (legacy_wire(header=b"\x01\0\x02"), "1 signers and 2 readonly of 2 accounts"),
        (legacy_wire(program=0), "program of instruction 0 must be from 1 to 1, got 0"),
        (legacy_wire(program=2), "program of instruction 0 must be from 1 to 1, got 2"),
        (legacy_wire(account=2), "instruction 0 names account 2, there are 2"),
        (legacy_wire(count=b"\x82\x00"), "longer than need be"),
    ],
)
def test_malformed_wires_say_why(wire: bytes, says: str) -> None:
    with pytest.raises(TransactionError, match=says):
        decode_wire(wire)


def test_the_well_formed_wire_that_the_malformed_ones_were_made_of() -> None:
    tx = decode_wire(legacy_wire())
    assert len(tx.instructions) == 1
    assert signatures_hold(tx) is False


@pytest.mark.parametrize("mask", [1, 2, 32, 1 << 31])
def test_v1_config_masks_that_mean_nothing(mask: int) -> None:
    wire = wire_of("v1")
    with pytest.raises(TransactionError, match="config mask"):
        decode_wire(wire[:4] + mask.to_bytes(4, "little") + wire[8:])


def as_json(tx: VersionedTransaction) -> dict[str, Any]:
    """The document that an RPC node makes of a transaction in encoding json."""
    message = tx.message
    assert not isinstance(message, MessageV1)
    document: dict[str, Any] = {
        "header": {
            "numRequiredSignatures": message.header.num_required_signatures,
            "numReadonlySignedAccounts": message.header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": message.header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            {
                "programIdIndex": ix.program_id_index,
                "accounts": list(ix.accounts),
                "data": b58encode(bytes(ix.data)),
            }
            for ix in message.instructions
        ],
    }
    if isinstance(message, MessageV0):
        document["addressTableLookups"] = [
            {
                "accountKey": str(lookup.account_key),
                "writableIndexes": list(lookup.writable_indexes),
                "readonlyIndexes": list(lookup.readonly_indexes),
            }
            for lookup in message.address_table_lookups
        ]
    return {"message": document, "signatures": [str(signature) for signature in tx.signatures]}


def as_parsed(tx: Transaction) -> dict[str, Any]:
    """The document that an RPC node makes of a transaction in encoding jsonParsed, first
    instruction parsed.
    """
    listed = [
        {
            "pubkey": key,
            "signer": tx.is_signer(at),
            "writable": tx.is_writable(at),
            "source": "transaction" if at < tx.static_keys else "lookupTable",
        }
        for at, key in enumerate(tx.account_keys)
    ]
    shown: list[dict[str, Any]] = [
        {"programId": ix.program, "accounts": list(ix.accounts), "data": b58encode(ix.data or b"")}
        for ix in tx.instructions
    ]
    shown[0] = {"programId": tx.instructions[0].program, "parsed": {"type": "x"}, "program": "some"}
    message = {"accountKeys": listed, "recentBlockhash": str(BLOCKHASH), "instructions": shown}
    return {"message": message, "signatures": list(tx.signatures)}


@pytest.mark.parametrize("name", ["legacy", "v0", "v0 with tables"])
def test_json_says_the_same_as_the_wire(name: str) -> None:
    writable, readonly = loaded_of(name)
    meta = {"loadedAddresses": {"writable": writable, "readonly": readonly}}
    wire = decode_wire(wire_of(name), writable, readonly)
    document = as_json(VersionedTransaction.from_bytes(wire_of(name)))
    assert decode_json(document, meta) == wire
    assert decode_result({"transaction": document, "meta": meta, "version": VERSIONS[name]}) == wire
    parsed = decode_json(as_parsed(wire), meta, VERSIONS[name])
    first = replace(wire.instructions[0], accounts=(), data=None)
    assert parsed == replace(wire, instructions=(first, *wire.instructions[1:]), message_bytes=None)
    assert signatures_hold(parsed) is None


def test_v1_in_json_has_no_signed_bytes() -> None:
    document = as_json(VersionedTransaction.from_bytes(wire_of("legacy")))
    tx = decode_json(document, None, 1)
    assert (tx.version, signatures_hold(tx)) == (1, None)


def edited(path: list[str | int], value: object) -> dict[str, Any]:
    document = as_json(VersionedTransaction.from_bytes(wire_of("legacy")))
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["message"], None),
        (["signatures"], None),
        (["signatures"], []),
        (["signatures"], [1, 2]),
        (["message", "header"], None),
        (["message", "accountKeys"], [1, 2, 3, 4, 5]),
        (["message", "accountKeys", 2], "nobody"),
        (["message", "recentBlockhash"], "nothing"),
        (["message", "instructions", 0, "programIdIndex"], 5),
        (["message", "instructions", 0, "programIdIndex"], True),
        (["message", "instructions", 0, "accounts"], [0, 300]),
        (["message", "instructions", 0, "accounts"], [7]),
        (["message", "instructions", 0, "data"], "0OIl"),
        (["message", "instructions", 0], "x"),
    ],
)
def test_json_that_is_no_transaction(path: list[str | int], value: object) -> None:
    with pytest.raises(TransactionError):
        decode_json(edited(path, value))


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"transaction": 7},
        {"transaction": []},
        {"transaction": ["AA==", "base32"]},
        {"transaction": ["%%%", "base64"]},
        {"transaction": "0OIl"},
        {"transaction": [base64.b64encode(wire_of("legacy")).decode(), "base64"], "meta": {"loadedAddresses": 5}},
        {"transaction": [base64.b64encode(wire_of("legacy")).decode(), "base64"], "meta": {"loadedAddresses": {"writable": [1]}}},
    ],
)  # fmt: skip
def test_results_that_hold_no_transaction(result: dict[str, Any]) -> None:
    with pytest.raises(TransactionError):
        decode_result(result)


def test_old_base58_encoding() -> None:
    wire = wire_of("legacy")
    assert decode_result({"transaction": b58encode(wire)}) == decode_wire(wire)
    assert decode_result({"transaction": [b58encode(wire), "base58"]}) == decode_wire(wire)


def test_signatures_that_do_not_hold() -> None:
    tx = decode_wire(wire_of("v0"))
    assert signatures_hold(replace(tx, signatures=tx.signatures[::-1])) is False
    assert signatures_hold(replace(tx, signatures=tx.signatures[:1])) is False
    assert signatures_hold(replace(tx, signatures=("nonsense", tx.signatures[1]))) is False
    assert signatures_hold(replace(tx, message_bytes=None)) is None


def test_recorded_transactions_are_signed_and_named_by_their_first_signature() -> None:
    versions = set()
    for _, row in ref.case_lines("rpc/transactions.jsonl*"):
        if row["result"] is None:
            continue
        tx = decode_result(row["result"])
        assert tx.signatures[0] == row["signature"]
        assert signatures_hold(tx) is True
        versions.add(tx.version)
    assert versions == {"legacy", 0}


def test_inner_instructions() -> None:
    result = ref.refusal("strict", "second claim, linked")["result"]
    tx = decode_result(result)
    found = inner_instructions(result["meta"], tx)
    groups = result["meta"]["innerInstructions"]
    assert [(outer, position) for outer, position, _ in found] == [
        (group["index"], at) for group in groups for at in range(len(group["instructions"]))
    ]
    outer, _, transfer = found[-1]
    assert tx.instructions[outer].program == "GZcUoGHk8SfAArTKicL1jiRHZEQa3EuzgYcC2u4yWfSR"
    assert transfer.program == "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
    assert transfer.data is not None
    assert transfer.data[0] == 12  # TransferChecked
    parsed = {
        "innerInstructions": [{"index": 1, "instructions": [{"programId": "p", "parsed": "memo"}]}]
    }
    [(outer, position, memo)] = inner_instructions(parsed, tx)
    assert (outer, position, memo.program, memo.data) == (1, 0, "p", None)
    assert inner_instructions(None, tx) == []
    assert inner_instructions({"innerInstructions": None}, tx) == []
    with pytest.raises(TransactionError):
        inner_instructions(
            {"innerInstructions": [{"index": 0, "instructions": [{"programIdIndex": 200}]}]}, tx
        )
