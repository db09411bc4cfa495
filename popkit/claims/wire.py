"""Transaction bytes → claim attempts, in columns.

All transactions are laid end to end in one buffer and walked together: step *k* reads the k-th
instruction of every transaction at once, so that the cost a claim does not grow with Python
objects. What has an unusual shape (v1, loaded addresses, long short-vectors, damaged bytes) is left
to the scalar decoder in `popkit.protocol.transaction`; both give the same columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from popkit.protocol.instructions import CLAIM_DISCRIMINATORS
from popkit.protocol.keys import ED25519_PROGRAM, b58decode
from popkit.protocol.message import V1_LENGTH, V2_LENGTH

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MAX_INSTRUCTIONS = 64
_PADDING = bytes(
    V2_LENGTH
)  # so that the widest read from the last transaction stays inside the buffer
NEVER_CALLERS = (
    "11111111111111111111111111111111",
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
    "ComputeBudget111111111111111111111111111111",
    ED25519_PROGRAM,
    "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
)
"""Programs that call nothing of ours: a claim inside another program's call needs a top-level
program beside these.
"""
_ED25519 = np.frombuffer(b58decode(ED25519_PROGRAM), np.uint8)
_DISCRIMINATORS = {
    int.from_bytes(raw, "little"): name for raw, name in CLAIM_DISCRIMINATORS.items()
}


@dataclass(slots=True)
class Layout:
    """Where things stand in the joined buffer: one row a transaction, offsets absolute, `plain`
    False where not walked here.
    """

    buffer: Bytes
    start: Ints
    end: Ints
    plain: Mask
    signatures: Ints
    message: Ints
    required_signers: Ints
    keys: Ints
    key_count: Ints
    instruction_count: Ints


@dataclass(slots=True)
class InstructionTable:
    """One row an instruction: its transaction's row, its index, its program's and its accounts' and
    data's place.
    """

    transaction: Ints
    index: Ints
    program: Ints  # offset of the program's 32 bytes
    accounts: Ints
    account_count: Ints
    data: Ints
    data_length: Ints


def gather(buffer: Bytes, offsets: Ints, width: int) -> Bytes:
    """`width` bytes from every offset: shape (n, width), uint8. Offsets past the end are clipped;
    callers hold the bounds.
    """
    if len(buffer) < width:
        buffer = np.concatenate([buffer, np.zeros(width, np.uint8)])
    windows = np.lib.stride_tricks.sliding_window_view(buffer, width)
    rows: Bytes = windows[np.minimum(offsets, len(windows) - 1)]
    return rows


def integers(block: Bytes) -> npt.NDArray[np.uint64]:
    """Little-endian integers of rows of up to 8 bytes."""
    wide = np.zeros((len(block), 8), np.uint8)
    wide[:, : block.shape[1]] = block
    return wide.view("<u8")[:, 0]


def _at(buffer: Bytes, offsets: Ints) -> Ints:
    if not len(buffer):
        return np.zeros(len(offsets), np.int64)
    return buffer[np.minimum(offsets, len(buffer) - 1)].astype(np.int64)


def lay_out(wires: Sequence[bytes]) -> Layout:
    """Join wire transactions and find the parts of each; legacy and v0 without short-vectors past
    two bytes are `plain`.
    """
    lengths = np.fromiter((len(wire) for wire in wires), np.int64, len(wires))
    end = np.cumsum(lengths)
    start = end - lengths
    buffer = np.frombuffer(b"".join([*wires, _PADDING]), np.uint8)
    signature_count = _at(buffer, start)
    plain = (lengths > 70) & (signature_count < 0x80) & (signature_count > 0)
    message = start + 1 + 64 * signature_count
    first = _at(buffer, message)
    versioned = first >= 0x80
    plain &= ~versioned | (first == 0x80)
    header = message + versioned
    key_count = _at(buffer, header + 3)
    plain &= (key_count < 0x80) & (_at(buffer, header) == signature_count)
    keys = header + 4
    instructions = keys + 32 * key_count + 32
    instruction_count = _at(buffer, instructions)
    plain &= (instruction_count <= MAX_INSTRUCTIONS) & (instructions < end)
    return Layout(
        buffer,
        start,
        end,
        plain,
        start + 1,
        message,
        signature_count,
        keys,
        key_count,
        np.where(plain, instruction_count, 0),
    )


def walk_instructions(layout: Layout) -> InstructionTable:
    """Every top-level instruction of the plain transactions; clears `plain` where bytes run out or
    an index has no static key.
    """
    buffer, rows = layout.buffer, np.flatnonzero(layout.plain)
    cursor = layout.keys[rows] + 32 * layout.key_count[rows] + 33
    parts: list[tuple[Ints, ...]] = []
    for index in range(int(layout.instruction_count.max(initial=0))):
        alive = layout.instruction_count[rows] > index
        rows, cursor = rows[alive], cursor[alive]
        end = layout.end[rows]
        program = _at(buffer, cursor)
        account_count = _at(buffer, cursor + 1)
        accounts = cursor + 2
        low = _at(buffer, accounts + account_count)
        high = _at(buffer, accounts + account_count + 1)
        two = low >= 0x80
        length = np.where(two, (low & 0x7F) | (high << 7), low)
        data = accounts + account_count + 1 + two
        good = (
            (account_count < 0x80)
            & (~two | (high < 0x80))
            & (data + length <= end)
            & (program < layout.key_count[rows])
        )
        layout.plain[rows[~good]] = False
        rows, cursor = rows[good], (data + length)[good]
        step = (rows, np.full(len(rows), index), layout.keys[rows] + 32 * program[good])
        parts.append((*step, accounts[good], account_count[good], data[good], length[good]))
    columns = [
        np.concatenate([part[i] for part in parts]) if parts else np.zeros(0, np.int64)
        for i in range(7)
    ]
    keep = layout.plain[columns[0]]
    transaction, index_, program_, accounts_, count_, data_, length_ = (
        column[keep] for column in columns
    )
    return InstructionTable(transaction, index_, program_, accounts_, count_, data_, length_)


def calls_unknown_programs(layout: Layout, table: InstructionTable, program_id: bytes) -> Ints:
    """Rows of plain transactions with a top-level program that might call ours; their inner
    instructions have to be read.
    """
    quiet = np.frombuffer(
        b"".join([program_id, *(b58decode(name) for name in NEVER_CALLERS)]), np.uint8
    ).reshape(-1, 32)
    heads = integers(gather(layout.buffer, table.program, 8))
    unknown = np.zeros(len(heads), bool)
    suspects = np.flatnonzero(~np.isin(heads, integers(quiet[:, :8])))
    unknown[suspects] = True
    near = np.flatnonzero(~unknown)
    keys = gather(layout.buffer, table.program[near], 32)
    exact = np.zeros(len(near), bool)
    for key in quiet:
        exact |= (keys == key).all(axis=1)
    unknown[near[~exact]] = True
    return np.unique(table.transaction[unknown])


@dataclass(slots=True)
class ClaimBlock:
    """Claim attempts found in plain transactions; one row an attempt, hashes and keys as (n, 32)
    uint8.

    `has_proof` marks rows whose preceding instruction is a proof as the program reads it; elsewhere
    the proof columns are zero. `odd` marks rows that the scalar decoder has to look at again.
    """

    transaction: Ints
    index: Ints
    with_proof: Mask
    account_count: Ints
    keys: dict[str, Bytes]
    period_index: npt.NDArray[np.uint64]
    token_account_index: Ints
    vault_index: Ints
    claimer_signed: Mask
    has_proof: Mask
    odd: Mask
    signer: Bytes
    proof_signature: Bytes
    message: Ints
    message_length: Ints


ACCOUNT_COLUMNS = (
    "grant",
    "mint",
    "vault",
    "claimer",
    "token_account",
    "receipt",
    "pop_state",
    "pop_config",
)


def find_claims(layout: Layout, table: InstructionTable, program_id: bytes) -> ClaimBlock:
    """The claims of `program_id` among top-level instructions, with the ed25519 instruction right
    before each.
    """
    buffer = layout.buffer
    candidates = np.flatnonzero((table.data_length >= 16) & (table.account_count >= 9))
    ours = (
        gather(buffer, table.program[candidates], 32) == np.frombuffer(program_id, np.uint8)
    ).all(axis=1)
    candidates = candidates[ours]
    words = integers(gather(buffer, table.data[candidates], 8))
    known = np.isin(words, np.array(list(_DISCRIMINATORS), np.uint64))
    rows, words = candidates[known], words[known]
    transaction, index = table.transaction[rows], table.index[rows]
    count = table.account_count[rows]
    slots = gather(buffer, table.accounts[rows], 12).astype(np.int64)
    wide = count >= 12
    odd = (slots[:, :9] >= layout.key_count[transaction][:, None]).any(axis=1)
    odd |= wide & (slots[:, 9:12] >= layout.key_count[transaction][:, None]).any(axis=1)
    keys = {}
    for place, name in enumerate(ACCOUNT_COLUMNS):
        keys[name] = gather(buffer, layout.keys[transaction] + 32 * slots[:, place], 32)
        if place >= 6:
            keys[name][~wide] = 0
    with_proof = np.array(
        [_DISCRIMINATORS[int(word)] == "claim_grant_with_proof" for word in words.tolist()], bool
    )
    before = _row_of(table, transaction, index - 1)
    proof = _read_proofs(buffer, table, before)
    return ClaimBlock(
        transaction=transaction,
        index=index,
        with_proof=with_proof,
        account_count=count,
        keys=keys,
        period_index=integers(gather(buffer, table.data[rows] + 8, 8)),
        token_account_index=slots[:, 4],
        vault_index=slots[:, 2],
        claimer_signed=slots[:, 3] < layout.required_signers[transaction],
        has_proof=proof[0],
        odd=odd | (~proof[0] & wide),
        signer=proof[1],
        proof_signature=proof[2],
        message=proof[3],
        message_length=proof[4],
    )


def other_calls(layout: Layout, table: InstructionTable, program_id: bytes) -> Ints:
    """Rows of plain transactions with a top-level call of `program_id` that is no claim."""
    ours = (gather(layout.buffer, table.program, 32) == np.frombuffer(program_id, np.uint8)).all(
        axis=1
    )
    words = integers(gather(layout.buffer, table.data, 8))
    claims = np.isin(words, np.array(list(_DISCRIMINATORS), np.uint64)) & (table.data_length >= 16)
    rows: Ints = table.transaction[ours & ~claims]
    return rows


def _row_of(table: InstructionTable, transaction: Ints, index: Ints) -> Ints:
    """The table's row of an instruction, -1 where there is none."""
    if not len(table.transaction):
        return np.full(len(transaction), -1)
    code = table.transaction * MAX_INSTRUCTIONS + table.index
    order = np.argsort(code, kind="stable")
    wanted = transaction * MAX_INSTRUCTIONS + index
    spot = np.minimum(np.searchsorted(code, wanted, sorter=order), len(order) - 1)
    row = order[spot]
    return np.where((index >= 0) & (code[row] == wanted), row, -1)


def _read_proofs(
    buffer: Bytes, table: InstructionTable, rows: Ints
) -> tuple[Mask, Bytes, Bytes, Ints, Ints]:
    """Read ed25519 instruction data as the program does: one signature, offsets followed, all three
    indices 0xFFFF.
    """
    good = rows >= 0
    if not len(table.transaction):
        empty = np.zeros((len(rows), 0), np.uint8)
        return good, empty, empty, rows, rows
    at = np.where(good, rows, 0)
    data, length = table.data[at], table.data_length[at]
    good = good & (gather(buffer, table.program[at], 32) == _ED25519).all(axis=1) & (length >= 16)
    head = gather(buffer, data, 16).astype(np.int64)
    words = head[:, 0::2] | (head[:, 1::2] << 8)
    signature, signature_ix, key, key_ix, message, size, message_ix = (
        words[:, i] for i in range(1, 8)
    )
    good &= head[:, 0] == 1
    good &= (signature_ix == 0xFFFF) & (key_ix == 0xFFFF) & (message_ix == 0xFFFF)
    good &= (signature + 64 <= length) & (key + 32 <= length) & (message + size <= length)
    zero = np.where(good, data, 0)
    return (
        good,
        gather(buffer, zero + np.where(good, key, 0), 32),
        gather(buffer, zero + np.where(good, signature, 0), 64),
        zero + np.where(good, message, 0),
        np.where(good, size, 0),
    )


MESSAGE_HASHES = (
    "message_grant",
    "message_claimer",
    "prev_hash",
    "stream_prev_hash",
    "audit_hash",
    "entry_hash",
)


@dataclass(slots=True)
class MessageBlock:
    """Decoded PoP messages; rows whose `version` is 0 are no message of a known version and length."""

    version: Ints
    hashes: dict[str, Bytes]
    period_index: npt.NDArray[np.uint64]
    issued_at: npt.NDArray[np.int64]
    preimage: Bytes
    preimage_length: Ints


def read_messages(buffer: Bytes, offset: Ints, length: Ints) -> MessageBlock:
    """PoP messages at given places, v1 (177 bytes) and v2 (209 bytes), with the preimage of each
    entry hash.
    """
    body = gather(buffer, offset, V2_LENGTH)
    first = body[:, 0] if len(body) else np.zeros(0, np.uint8)
    one = (length == V1_LENGTH) & (first == 1)
    two = (length == V2_LENGTH) & (first == 2)
    entry = np.where(two[:, None], body[:, 169:201], body[:, 137:169])
    issued = np.where(two[:, None], body[:, 201:209], body[:, 169:177])
    hashes = {
        "message_grant": body[:, 1:33],
        "message_claimer": body[:, 33:65],
        "prev_hash": body[:, 73:105],
        "stream_prev_hash": body[:, 105:137],
        "audit_hash": np.where(two[:, None], body[:, 137:169], 0).astype(np.uint8),
        "entry_hash": entry,
    }
    tag = np.frombuffer(b"we-ne:pop:v", np.uint8)
    head = np.broadcast_to(tag, (len(body), len(tag)))
    digit = np.where(two, ord("2"), ord("1")).astype(np.uint8)[:, None]
    tail = np.concatenate(
        [hashes["message_grant"], hashes["message_claimer"], body[:, 65:73], issued], axis=1
    )
    longer = np.concatenate([head, digit, body[:, 73:137], hashes["audit_hash"], tail], axis=1)
    shorter = np.concatenate(
        [head, digit, body[:, 73:137], tail, np.zeros((len(body), 32), np.uint8)], axis=1
    )
    return MessageBlock(
        version=np.where(two, 2, np.where(one, 1, 0)),
        hashes=hashes,
        period_index=integers(body[:, 65:73]),
        issued_at=integers(issued).view(np.int64),
        preimage=np.where(two[:, None], longer, shorter),
        preimage_length=np.where(two, 188, 156),
    )
