"""Bounds, and what a refusal says: the last value that is taken, the first that is not, and both
numbers in the message.
"""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Any

import pytest

from popkit.drill.addresses import grant_address
from popkit.protocol import keys
from popkit.protocol.accounts import (
    AccountError,
    Grant,
    PopState,
    decode_account,
    decode_grant,
    decode_pop_state,
    decode_token_account,
    encode_account,
)
from popkit.protocol.ed25519 import ProofDataError, build_proof_instruction, read_proof
from popkit.protocol.errors import ERAS, TransactionFailure
from popkit.protocol.instructions import InstructionError, build_instruction, decode_instruction
from popkit.protocol.keys import (
    PROGRAM_ID,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    b58encode,
    is_pubkey,
    is_signature,
)
from popkit.protocol.message import MessageError, decode_message, encode_message, entry_hash
from popkit.protocol.transaction import (
    TransactionError,
    decode_json,
    decode_result,
    decode_wire,
    inner_instructions,
    signatures_hold,
)
from popkit.protocol.transaction_json import _count, _data, _text
from popkit.protocol.transaction_json import json_version as _json_version
from popkit.protocol.wire import Reader, compact_bytes
from tests.protocol.support import read_failure, read_logged_failure
from tests.protocol.test_transaction import loaded_of, wire_of

EVERY = frozenset(ERAS)
OTHER = b58encode(bytes([7]) * 32)
KEY = b58encode(bytes([9]) * 32)
BLOCK = b58encode(bytes([8]) * 32)


def failure(
    error: str | None, layer: Any, code: int | None, program: str | None, index: int = 2
) -> TransactionFailure:
    """What is known of a refusal by its number alone."""
    return TransactionFailure(error, layer, code, index, program, EVERY, "number")


def by_number(program: str, code: int) -> TransactionFailure | None:
    return read_failure({"InstructionError": [2, {"Custom": code}]}, None, [OTHER, OTHER, program])


@pytest.mark.parametrize(
    ("program", "code", "wanted"),
    [
        (PROGRAM_ID, 0, failure("Custom(0)", "system", 0, SYSTEM_PROGRAM)),
        (PROGRAM_ID, 8, failure("Custom(8)", "unknown", 8, None)),
        (PROGRAM_ID, 9, failure("Custom(9)", "token", 9, TOKEN_PROGRAM)),
        (PROGRAM_ID, 19, failure("Custom(19)", "token", 19, TOKEN_PROGRAM)),
        (PROGRAM_ID, 20, failure("Custom(20)", "unknown", 20, None)),
        (PROGRAM_ID, 99, failure("Custom(99)", "unknown", 99, None)),
        (PROGRAM_ID, 100, failure("InstructionMissing", "anchor", 100, PROGRAM_ID)),
        (TOKEN_PROGRAM, 1, failure("Custom(1)", "token", 1, TOKEN_PROGRAM)),
        (OTHER, 6026, failure("Custom(6026)", "other_program", 6026, OTHER)),
        (keys.ATA_PROGRAM, 0, failure("Custom(0)", "unknown", 0, None)),
        (keys.ED25519_PROGRAM, 2, failure(None, "precompile", 2, keys.ED25519_PROGRAM)),
    ],
)
def test_a_number_alone(program: str, code: int, wanted: TransactionFailure) -> None:
    assert by_number(program, code) == wanted


def test_a_number_of_the_grant_program_keeps_its_place() -> None:
    found = by_number(PROGRAM_ID, 6026)
    assert found is not None
    assert (found.instruction_index, found.program, found.layer) == (2, PROGRAM_ID, "program")


def test_an_ambiguous_number_is_told_apart_by_the_era_alone() -> None:
    err = {"InstructionError": [0, {"Custom": 6030}]}
    named = {era: read_failure(err, None, [PROGRAM_ID], era) for era in ("strict", "strict_v2")}
    assert {era: found and found.error for era, found in named.items()} == {
        "strict": "PopAuditHashMissing",
        "strict_v2": "PopReceiptCommitmentRequired",
    }


@pytest.mark.parametrize(
    ("program", "layer"),
    [
        (SYSTEM_PROGRAM, "system"),
        (TOKEN_PROGRAM, "token"),
        (PROGRAM_ID, "runtime"),
        (OTHER, "runtime"),
        (keys.ATA_PROGRAM, "runtime"),
    ],
)
def test_a_named_error_is_certain_only_of_programs_that_call_no_other(
    program: str, layer: Any
) -> None:
    found = read_failure({"InstructionError": [0, "InvalidArgument"]}, None, [program])
    assert found == TransactionFailure("InvalidArgument", layer, None, 0, program, EVERY, "number")


def test_an_error_beyond_the_instructions() -> None:
    found = read_failure({"InstructionError": [1, "InvalidArgument"]}, None, [PROGRAM_ID])
    assert found == TransactionFailure("InvalidArgument", "runtime", None, 1, None, EVERY, "number")


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ({"BorshIoError": "x"}, "BorshIoError"),
        ({"a": 1, "b": 2}, None),
        ("Other", "Other"),
        (7, None),
    ],
)
def test_a_reason_that_is_no_number(reason: object, name: str | None) -> None:
    found = read_failure({"InstructionError": [0, reason]}, None, [PROGRAM_ID])
    assert found is not None
    assert found.error == name


def test_what_a_wallet_shows_is_read_from_its_first_anchor_line() -> None:
    line = "AnchorError thrown in programs/grant_program/src/lib.rs:702. Error Code: {}. Error Number: {}. Error Message: x."
    shown = f"failed: {line.format('PopHashChainBroken', 6026)} then {line.format('Paused', 6007)}"
    found = read_logged_failure([], shown)
    assert found is not None
    assert (found.error, found.code) == ("PopHashChainBroken", 6026)
    assert read_logged_failure([]) is None
    assert read_logged_failure([], "") is None


def test_a_log_s_failure_names_the_outermost_instruction_s_program() -> None:
    logs = [f"Program {OTHER} invoke [1]", f"Program {OTHER} failed: custom program error: 0x1"]
    found = read_logged_failure(logs, "Error processing Instruction 3: custom program error: 0x1")
    assert found == TransactionFailure("Custom(1)", "other_program", 1, 3, OTHER, EVERY, "log")
    logs = [
        f"Program {PROGRAM_ID} invoke [1]",
        f"Program {PROGRAM_ID} failed: custom program error: 0x178a",
    ]
    program = read_logged_failure(logs)
    assert program is not None
    assert (program.error, program.layer, program.program) == (
        "PopHashChainBroken",
        "program",
        PROGRAM_ID,
    )


# -- keys, counts, lengths --


@pytest.mark.parametrize("raw", [bytes(32), bytes([255]) * 32, bytes(31) + b"\1"])
def test_keys_of_every_length(raw: bytes) -> None:
    text = b58encode(raw)
    assert 32 <= len(text) <= 44
    assert is_pubkey(text)
    for wrong in (b58encode(raw + b"\1"), b58encode(raw[1:]), "0" * len(text), "", None, raw):
        assert not is_pubkey(wrong)


@pytest.mark.parametrize("raw", [bytes(64), bytes([255]) * 64])
def test_signatures_of_every_length(raw: bytes) -> None:
    text = b58encode(raw)
    assert len(text) in (64, 88)
    assert is_signature(text)
    for wrong in (b58encode(raw + b"\1"), b58encode(raw[1:]), "0" * len(text), "", None, raw):
        assert not is_signature(wrong)


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "00"), (127, "7f"), (128, "8001"), (16383, "ff7f"), (16384, "808001"), (65535, "ffff03")],
)
def test_a_compact_count(value: int, written: str) -> None:
    assert compact_bytes(value).hex() == written
    assert Reader(bytes.fromhex(written)).compact("a count") == value


@pytest.mark.parametrize("value", [-1, 65536])
def test_a_count_out_of_range(value: int) -> None:
    with pytest.raises(TransactionError, match=f"from 0 to 65535, got {value}"):
        compact_bytes(value)


def test_a_proof_s_parts_have_their_lengths() -> None:
    key, signature = bytes(32), bytes(64)
    widest = build_proof_instruction(key, signature, bytes(65535))
    assert read_proof(widest).message == bytes(65535)
    with pytest.raises(ValueError, match="at most 65535 bytes, got 65536"):
        build_proof_instruction(key, signature, bytes(65536))
    for wrong in ((bytes(31), signature), (key, bytes(63)), (bytes(33), bytes(65))):
        with pytest.raises(ValueError, match=f"got {len(wrong[0])} and {len(wrong[1])}"):
            build_proof_instruction(*wrong, b"")
    with pytest.raises(ProofDataError, match="at least 16 bytes expected, got 15"):
        read_proof(bytes(15))


def test_a_message_that_is_none_says_what_was_expected() -> None:
    with pytest.raises(MessageError) as refused:
        decode_message(b"\2" + bytes(207))
    assert "209" in str(refused.value)
    assert "208" in str(refused.value)


@pytest.mark.parametrize("number", [-1, 1 << 64])
def test_a_grant_id_out_of_range_is_named(number: int) -> None:
    with pytest.raises(ValueError, match="grant_id"):
        grant_address(KEY, OTHER, number)


def test_an_instruction_of_no_known_kind_is_refused() -> None:
    with pytest.raises(InstructionError):
        decode_instruction(bytes(8), [])
    data, metas = build_instruction(
        "set_paused", {"paused": True}, {"grant": KEY, "mint": OTHER, "authority": BLOCK}
    )
    assert [(m.pubkey, m.is_signer, m.is_writable) for m in metas] == [
        (KEY, False, True),
        (OTHER, False, False),
        (BLOCK, True, False),
    ]
    assert decode_instruction(data, [m.pubkey for m in metas]).args == {"paused": True}


# -- JSON --


def parsed(**message: Any) -> dict[str, Any]:
    """A jsonParsed transaction of four accounts: two signers, the second read-only; two others, the
    second read-only.
    """
    flags = ((True, True), (True, False), (False, True), (False, False))
    listed = [
        {"pubkey": b58encode(bytes([n + 1]) * 32), "signer": s, "writable": w}
        for n, (s, w) in enumerate(flags)
    ]
    document = {"accountKeys": listed, "recentBlockhash": BLOCK, "instructions": []}
    return {
        "message": document | message,
        "signatures": [b58encode(bytes([5]) * 64), b58encode(bytes([6]) * 64)],
    }


def test_accounts_of_a_parsed_transaction_say_themselves_what_they_are() -> None:
    tx = decode_json(parsed())
    assert (tx.num_required_signatures, tx.num_readonly_signed, tx.num_readonly_unsigned) == (
        2,
        1,
        1,
    )
    assert (tx.static_keys, tx.num_loaded_writable, tx.version) == (4, 0, "legacy")
    assert [tx.is_writable(at) for at in range(4)] == [True, False, True, False]
    assert decode_json(parsed(addressTableLookups=[])).version == 0
    with pytest.raises(TransactionError, match="2 signatures expected, got 1"):
        decode_json(parsed() | {"signatures": [b58encode(bytes(64))]})


@pytest.mark.parametrize(
    ("value", "tables", "wanted"),
    [
        (None, False, "legacy"),
        (None, True, 0),
        ("legacy", True, "legacy"),
        (0, False, 0),
        (1, False, 1),
    ],
)
def test_a_version_as_an_answer_gives_it(value: object, tables: bool, wanted: object) -> None:
    assert _json_version(value, tables) == wanted


@pytest.mark.parametrize("value", [2, -1, True, False, "2", "00", 1.0, []])
def test_a_version_that_is_none(value: object) -> None:
    with pytest.raises(TransactionError, match="legacy, 0 or 1 expected"):
        _json_version(value, False)


def test_small_numbers_and_texts() -> None:
    assert [_count(n) for n in (0, 255)] == [0, 255]
    for wrong in (-1, 256, True, 1.0, "256", "-1", "x", "", None):
        with pytest.raises(TransactionError, match="from 0 to 255 expected, got"):
            _count(wrong)
    assert _text("x") == "x"
    with pytest.raises(TransactionError, match="text expected, got int"):
        _text(7)
    with pytest.raises(TransactionError, match="instruction data: "):
        _data("0OIl")


def called(**item: Any) -> list[Any]:
    tx = decode_json(parsed())
    return inner_instructions({"innerInstructions": [{"index": 1, "instructions": [item]}]}, tx)


def test_an_instruction_names_accounts_that_there_are() -> None:
    [(index, position, found)] = called(programIdIndex=3, accounts=[0, 2], data="")
    tx = decode_json(parsed())
    assert (index, position, found.program, found.accounts) == (
        1,
        0,
        tx.account_keys[3],
        (tx.account_keys[0], tx.account_keys[2]),
    )
    assert called(programIdIndex=0, accounts=[], data="")[0][2].accounts == ()
    for item in ({"programIdIndex": 4, "accounts": []}, {"programIdIndex": 0, "accounts": [1, 4]}):
        with pytest.raises(TransactionError, match="an instruction names account 4, there are 4"):
            called(**item, data="")
    [(_, _, partial)] = called(programId=OTHER, accounts=[KEY, BLOCK], data="")
    assert (partial.program, partial.accounts, partial.data) == (OTHER, (KEY, BLOCK), b"")
    for item in ({"programId": OTHER, "accounts": [7], "data": ""}, {"programId": 7, "parsed": {}}):
        with pytest.raises(TransactionError, match="text expected, got int"):
            called(**item)
    with pytest.raises(TransactionError, match="not a list of inner instructions: KeyError"):
        called(programId=OTHER)


def test_json_that_is_no_transaction_says_what_is_missing() -> None:
    with pytest.raises(TransactionError, match="not a transaction in JSON: KeyError 'message'"):
        decode_json({})
    plain = {"accountKeys": [KEY], "header": {}, "instructions": [], "recentBlockhash": BLOCK}
    with pytest.raises(TransactionError, match="KeyError 'numRequiredSignatures'"):
        decode_json({"message": plain, "signatures": []})
    header = {
        "numRequiredSignatures": 1,
        "numReadonlySignedAccounts": 0,
        "numReadonlyUnsignedAccounts": 0,
    }
    short = plain | {"header": header, "recentBlockhash": "short"}
    with pytest.raises(TransactionError, match="the message cannot be written again"):
        decode_json({"message": short, "signatures": [b58encode(bytes(64))]})


def test_tables_that_ask_for_other_addresses_than_were_loaded() -> None:
    header = {
        "numRequiredSignatures": 1,
        "numReadonlySignedAccounts": 0,
        "numReadonlyUnsignedAccounts": 0,
    }
    lookups = [{"accountKey": OTHER, "writableIndexes": [1, 2], "readonlyIndexes": [3]}]
    message = {
        "accountKeys": [KEY],
        "header": header,
        "instructions": [],
        "recentBlockhash": BLOCK,
        "addressTableLookups": lookups,
    }
    document = {"message": message, "signatures": [b58encode(bytes(64))]}
    loaded = {"loadedAddresses": {"writable": [BLOCK], "readonly": [KEY]}}
    with pytest.raises(TransactionError) as refused:
        decode_json(document, loaded)
    assert "(2, 1) loaded addresses (writable, readonly) expected, got (1, 1)" in str(refused.value)
    loaded["loadedAddresses"]["writable"] = [BLOCK, OTHER]
    tx = decode_json(document, loaded)
    assert (tx.static_keys, tx.num_loaded_writable, len(tx.account_keys)) == (1, 2, 4)
    assert (
        decode_json(document | {"message": {**message, "addressTableLookups": []}}, None).version
        == 0
    )


# -- what a refusal names --


def test_a_wire_that_ends_too_early_names_what_it_ended_in() -> None:
    """Every truncation of three wires: the parts that their messages name are the parts that a
    transaction has.
    """

    def named(name: str) -> set[str]:
        wire, found = wire_of(name), set()
        for size in range(len(wire)):
            with pytest.raises(TransactionError) as refused:
                decode_wire(wire[:size], *loaded_of(name))
            found.add(re.sub(r" ends at byte.*", "", str(refused.value)))
        return found

    instruction = {
        f"{part} of instruction {at}"
        for at in (0, 1)
        for part in ("program", "account count", "accounts", "data length", "data")
    }
    common = {
        "the signatures",
        "the header",
        "the number of accounts",
        "the accounts",
        "the recent blockhash",
        "the number of instructions",
    }
    empty = {
        "accounts of instruction 1",
        "data of instruction 1",
    }  # they have none, so nothing ends in them
    legacy = named("legacy")
    assert legacy - common - instruction == {"the number of signatures"}
    assert legacy >= common | (instruction - empty)
    tables = {
        f"{part} of table {at}"
        for at in (0, 1)
        for part in ("writable count", "writable indices", "readonly count", "readonly indices")
    }
    assert named("v0 with tables") >= {
        "the number of address tables",
        "address table 0",
        "address table 1",
        *tables,
    } - {"writable indices of table 1"}
    v1 = named("v1 with config")
    assert v1 >= {
        "the header",
        "the config mask",
        "the lifetime",
        "the number of instructions",
        "the number of accounts",
        "the accounts",
    }
    assert {part for part in v1 if "None" in part} == set()


def told(wrong: type[Exception], does: Any) -> str:
    with pytest.raises(wrong) as refused:
        does()
    return str(refused.value)


@pytest.mark.parametrize("field", ["prev_hash", "stream_prev_hash", "audit_hash", "entry_hash"])
def test_a_hash_that_is_none_is_named(field: str) -> None:
    good = decode_message(b"\2" + bytes(208))
    for bad in ("short", "zz" * 32, "ab " * 21 + "a", None):
        assert told(
            ValueError, lambda bad=bad: encode_message(replace(good, **{field: bad}))
        ).startswith(f"{field} must be 64 hex digits, got")
    if field != "entry_hash":
        links = {"prev_hash": "00" * 32, "stream_prev_hash": "00" * 32, "audit_hash": "00" * 32} | {
            field: "short"
        }
        assert told(
            ValueError,
            lambda: entry_hash(2, **links, grant=KEY, claimer=KEY, period_index=0, issued_at=0),
        ).startswith(f"{field} must be")


def test_a_message_s_numbers_and_version() -> None:
    good = decode_message(b"\2" + bytes(208))
    assert "period_index -1" in told(
        ValueError, lambda: encode_message(replace(good, period_index=-1))
    )
    assert "issued_at 9223372036854775808" in told(
        ValueError, lambda: encode_message(replace(good, issued_at=1 << 63))
    )
    with pytest.raises(MessageError) as refused:
        encode_message(replace(good, version=3))
    assert str(refused.value) == "InvalidPopMessageVersion: version 1 or 2 expected, got 3"
    assert "version 1 has no audit_hash, got 0000" in told(
        ValueError, lambda: encode_message(replace(good, version=1))
    )
    fields: Any = ("00" * 32, "00" * 32, "00" * 32, KEY, KEY)
    assert "period_index -1" in told(ValueError, lambda: entry_hash(2, *fields, -1, 0))
    assert str(decode_message_error(b"")) == "InvalidPopMessageLength: the message is empty"
    assert (
        str(decode_message_error(b"\3"))
        == "InvalidPopMessageVersion: version 1 or 2 expected, got 3"
    )


def decode_message_error(data: bytes) -> MessageError:
    with pytest.raises(MessageError) as refused:
        decode_message(data)
    return refused.value


def test_accounts_that_are_none_say_why() -> None:
    token = bytearray(165)
    token[108] = 2
    token[72] = 9
    assert decode_token_account(bytes(token)).amount == 0, "the amount has eight bytes"
    for data, problem in (
        (bytes(164), "a token account has 165 bytes, got 164"),
        (bytes(165), "token account state 1 or 2 expected, got 0"),
    ):
        with pytest.raises(AccountError) as refused:
            decode_token_account(data)
        assert (refused.value.code, str(refused.value)) == (
            "AccountDidNotDeserialize",
            f"AccountDidNotDeserialize: {problem}",
        )
    token[108] = 3
    assert "got 3" in told(AccountError, lambda: decode_token_account(bytes(token)))
    for size in (0, 7):
        for read in (decode_account, decode_grant):
            with pytest.raises(AccountError) as refused:
                read(bytes(size))
            assert refused.value.code == "AccountDiscriminatorNotFound"
            assert str(refused.value).endswith(f"8 bytes of discriminator expected, got {size}")
    for size in (8, 9):
        with pytest.raises(AccountError) as refused:
            decode_account(bytes(size))
        assert refused.value.code == "AccountDiscriminatorMismatch"
        assert "0000000000000000" in str(refused.value)
        assert told(AccountError, lambda size=size: decode_grant(bytes(size))).startswith(
            "AccountDiscriminatorMismatch: Grant begins with a1a6"
        )


def test_flags_and_hashes_of_accounts_are_named() -> None:
    grant = encode_account(Grant(KEY, OTHER, BLOCK, 1, 2, 3, 4, 5, "ab" * 32, True, 255))
    state = encode_account(PopState(KEY, "ab" * 32, "cd" * 32, 1, 2, True, 255))
    assert "Grant.paused must be 0 or 1, got 2" in told(
        AccountError, lambda: decode_grant(grant[:176] + b"\2" + grant[177:])
    )
    assert "PopState.initialized must be 0 or 1, got 7" in told(
        AccountError, lambda: decode_pop_state(state[:120] + b"\7" + state[121:])
    )
    assert "Grant has 178 bytes, got 177" in told(AccountError, lambda: decode_grant(grant[:-1]))
    assert "merkle_root must be" in told(
        ValueError, lambda: encode_account(replace(decode_grant(grant), merkle_root="x"))
    )
    for field in ("last_global_hash", "last_stream_hash"):
        assert f"{field} must be" in told(
            ValueError,
            lambda field=field: encode_account(replace(decode_pop_state(state), **{field: "x"})),
        )


def test_a_proof_that_is_none_says_which_part() -> None:
    good = build_proof_instruction(bytes(32), bytes(64), b"message")

    def said(data: bytes) -> str:
        return told(ProofDataError, lambda: read_proof(data)).removeprefix(
            "InvalidPopSignatureData: "
        )

    for at, what in ((4, "signature"), (8, "public key"), (14, "message")):
        assert (
            said(good[:at] + b"\1\0" + good[at + 2 :])
            == f"the {what} must be in this instruction (65535), its index says 1"
        )
    for at, what, length in ((2, "signature", 64), (6, "public key", 32), (10, "message", 7)):
        assert (
            said(good[:at] + b"\xff\xff" + good[at + 2 :])
            == f"the {what} ends at {65535 + length}, the data at {len(good)}"
        )
    assert said(b"\2" + good[1:]) == "exactly 1 signature expected, got 2"
    assert said(good[:16]) == "the public key ends at 48, the data at 16", (
        "sixteen bytes are a header"
    )


def test_an_instruction_that_is_none_says_why() -> None:
    claim = bytes.fromhex("7d86e9875212b108")
    assert told(InstructionError, lambda: decode_instruction(b"", [])).endswith(
        "no instruction begins with nothing"
    )
    assert told(InstructionError, lambda: decode_instruction(claim + bytes(7), [])).endswith(
        "period_index ends at byte 16, the data at 15"
    )
    assert told(InstructionError, lambda: decode_instruction(claim + bytes(8), [KEY] * 8)).endswith(
        "claim_grant has 12 accounts, got 8"
    )
    with_proof = bytes.fromhex("021c4156b6aea735") + bytes(8)
    assert told(InstructionError, lambda: decode_instruction(with_proof, [])).endswith(
        "proof ends at byte 20, the data at 16"
    )
    assert told(
        InstructionError, lambda: decode_instruction(with_proof + b"\1\0\0\0", [])
    ).endswith("proof ends at byte 52, the data at 20")
    switch = bytes.fromhex("5b3c7dc0b0e1a6da")
    assert told(InstructionError, lambda: decode_instruction(switch, [])).endswith(
        "paused ends at byte 9, the data at 8"
    )
    assert told(InstructionError, lambda: decode_instruction(switch + b"\2", [])).endswith(
        "paused must be 0 or 1, got 2"
    )
    root = bytes.fromhex("91eefcad0f035e17")
    assert told(InstructionError, lambda: decode_instruction(root + bytes(31), [])).endswith(
        "merkle_root ends at byte 40, the data at 39"
    )


def test_an_instruction_that_cannot_be_built_says_why() -> None:
    where = {"grant": KEY, "mint": OTHER, "authority": BLOCK}
    assert told(
        ValueError, lambda: build_instruction("set_paused", {"paused": True, "more": 1}, where)
    ) == ("set_paused has the arguments paused; got also more")
    assert told(
        ValueError,
        lambda: build_instruction("set_paused", {"paused": True}, {**where, "vault": KEY}),
    ) == ("set_paused has the accounts grant, mint, authority; got also vault")
    assert "set_paused needs the argument paused" in told(
        ValueError, lambda: build_instruction("set_paused", {}, where)
    )
    assert "set_paused needs the account mint" in told(
        ValueError,
        lambda: build_instruction(
            "set_paused", {"paused": True}, {"grant": KEY, "authority": BLOCK}
        ),
    )
    assert "paused must be True or False, got 1" in told(
        ValueError, lambda: build_instruction("set_paused", {"paused": 1}, where)
    )
    assert "merkle_root must be" in told(
        ValueError, lambda: build_instruction("set_allowlist_root", {"merkle_root": "x"}, where)
    )
    proof = {"period_index": 0, "proof": [bytes(32), b"x"]}
    assert "proof[1] must be" in told(
        ValueError, lambda: build_instruction("claim_grant_with_proof", proof, {})
    )
    assert "period_index must fit u64, got -1" in told(
        ValueError, lambda: build_instruction("claim_grant", {"period_index": -1}, {})
    )


def test_an_answer_that_holds_no_transaction_says_what_was_expected() -> None:
    assert "got encoding None" in told(
        TransactionError, lambda: decode_result({"transaction": None})
    )
    assert "got encoding 'base32'" in told(
        TransactionError, lambda: decode_result({"transaction": ["", "base32"]})
    )
    assert "got encoding 'base64'" in told(
        TransactionError, lambda: decode_result({"transaction": [7, "base64"]})
    )
    assert told(
        TransactionError, lambda: decode_result({"transaction": ["A", "base64"]})
    ).startswith("the transaction is not base64: ")
    assert told(
        TransactionError, lambda: decode_result({"transaction": ["AA==\n!", "base64"]})
    ).startswith("the transaction is not base64: ")
    assert decode_result({"transaction": parsed(), "version": 1}).version == 1


# -- what a log leaves open --


def test_a_cut_log_leaves_the_number_and_its_place() -> None:
    cut = ["Log truncated", f"Program {OTHER} failed: custom program error: 0x7"]
    err = {"InstructionError": [1, {"Custom": 7}]}
    assert read_failure(err, cut, [KEY, OTHER]) == TransactionFailure(
        "Custom(7)", "unknown", 7, 1, None, EVERY, "number"
    )
    named = ["Log truncated", f"Program {OTHER} failed: invalid program argument"]
    found = read_failure({"InstructionError": [1, "InvalidArgument"]}, named, [KEY, OTHER])
    assert found == TransactionFailure("InvalidArgument", "unknown", None, 1, None, EVERY, "number")


@pytest.mark.parametrize(
    ("code", "layer", "name"),
    [
        (99, "unknown", "Custom(99)"),
        (100, "anchor", "InstructionMissing"),
        (6000, "program", "Unauthorized"),
    ],
)
def test_a_number_that_the_program_s_own_log_line_gives(code: int, layer: str, name: str) -> None:
    logs = [
        f"Program {PROGRAM_ID} invoke [1]",
        f"Program {PROGRAM_ID} failed: custom program error: {code:#x}",
    ]
    found = read_failure({"InstructionError": [0, {"Custom": code}]}, logs, [PROGRAM_ID])
    assert found is not None
    assert (found.error, found.layer, found.code, found.instruction_index, found.program) == (
        name,
        layer,
        code,
        0,
        PROGRAM_ID,
    )
    assert found.source == ("log" if code < 100 else "number")
    cut = ["Log truncated", *logs[1:]]
    told_by_cut = read_failure(
        {"InstructionError": [0, {"Custom": code}]}, cut, [PROGRAM_ID], "strict"
    )
    assert told_by_cut is not None
    assert (told_by_cut.error, told_by_cut.instruction_index) == (name, 0)


def test_the_era_tells_an_ambiguous_number_apart_in_a_log_as_well() -> None:
    logs = [
        f"Program {PROGRAM_ID} invoke [1]",
        f"Program {PROGRAM_ID} failed: custom program error: 0x178e",
    ]
    for lines in (logs, ["Log truncated", *logs[1:]]):
        told_by = {
            era: read_failure({"InstructionError": [0, {"Custom": 6030}]}, lines, [PROGRAM_ID], era)
            for era in ("strict", "relaxed")
        }
        assert [found and found.error for found in told_by.values()] == [
            "PopAuditHashMissing",
            "PopReceiptCommitmentRequired",
        ]


@pytest.mark.parametrize("code", [-1, 1 << 32, True, "0"])
def test_a_custom_number_that_is_none(code: object) -> None:
    found = read_failure({"InstructionError": [0, {"Custom": code}]}, None, [OTHER])
    assert found is not None
    assert (found.error, found.code) == ("Custom", None)


def test_the_widest_custom_number() -> None:
    found = by_number(OTHER, (1 << 32) - 1)
    assert found is not None
    assert found.code == (1 << 32) - 1


def test_a_signature_that_is_no_base58_does_not_hold() -> None:
    header = {
        "numRequiredSignatures": 1,
        "numReadonlySignedAccounts": 0,
        "numReadonlyUnsignedAccounts": 0,
    }
    message = {"accountKeys": [KEY], "header": header, "instructions": [], "recentBlockhash": BLOCK}
    assert signatures_hold(decode_json({"message": message, "signatures": ["0OIl"]})) is False
    assert (
        signatures_hold(decode_json({"message": message, "signatures": [b58encode(bytes(64))]}))
        is False
    )


def test_loaded_addresses_reach_a_wire_from_its_answer() -> None:
    writable, readonly = loaded_of("v0 with tables")
    wire = base64.b64encode(wire_of("v0 with tables")).decode()
    meta = {"loadedAddresses": {"writable": writable, "readonly": readonly}}
    tx = decode_result({"transaction": [wire, "base64"], "meta": meta})
    assert tx == decode_wire(wire_of("v0 with tables"), writable, readonly)
    said = told(
        TransactionError, lambda: decode_result({"transaction": [wire, "base64"], "meta": None})
    )
    assert (
        said
        == f"({len(writable)}, {len(readonly)}) loaded addresses (writable, readonly) expected, "
        f"got (0, 0)"
    )
    assert decode_wire(wire_of("v1")).num_loaded_writable == 0
    for name in ("legacy", "v1"):
        assert "the transaction at" in told(
            TransactionError, lambda name=name: decode_wire(wire_of(name) + b"\0", *loaded_of(name))
        )


def test_a_message_alone_is_named_by_its_line_where_the_number_is_two_errors() -> None:
    line = "AnchorError thrown in programs/grant_program/src/lib.rs:1. Error Code: {}. Error Number: 6030. Error Message: x."
    for name in ("PopAuditHashMissing", "PopReceiptCommitmentRequired"):
        found = read_logged_failure([], line.format(name))
        assert found is not None
        assert found.error == name
    by_hundred = read_logged_failure([], "custom program error: 0x64")
    assert by_hundred is not None
    assert (by_hundred.error, by_hundred.layer) == ("InstructionMissing", "anchor")
    logs = ["Log truncated", f"Program {PROGRAM_ID} failed: custom program error: 0x8"]
    cut = read_logged_failure(logs)
    assert cut is not None
    assert (cut.error, cut.layer) == ("Custom(8)", "unknown")


def test_read_only_signers_are_counted_among_signers_alone() -> None:
    flags = [(True, True), (True, True), (True, False), (False, False), (False, False)]
    listed = [
        {"pubkey": b58encode(bytes([n + 1]) * 32), "signer": s, "writable": w}
        for n, (s, w) in enumerate(flags)
    ]
    tx = decode_json(
        parsed(accountKeys=listed) | {"signatures": [b58encode(bytes([n]) * 64) for n in range(3)]}
    )
    assert (tx.num_required_signatures, tx.num_readonly_signed, tx.num_readonly_unsigned) == (
        3,
        1,
        2,
    )
