#!/usr/bin/env python3
"""Check a case of Proof-of-Presence claims from its bytes, trusting neither the server nor popkit.

python3 check.py CASE [findings.json]

This file is all there is: Python 3.9 or later and its standard library (and the zstd command where
a file is packed with it), no network. It prints the numbered checks below, each "holds", "violated"
or "cannot tell", and exits with 0 (all hold), 1 (something is violated), 3 (something could not be
told) or 2 (wrong usage). Read from "claims and their proofs" on: what stands before only decodes.

It proves that these claims were signed by the wallets and, where they carry proofs, by the proof
signer, and that together they lead to the head. It cannot prove (a) that the node told the truth
where nothing is signed: outcomes, slots, accounts, calls between programs (ask another node); (b)
that no claim is left out after PopState was read, or under relaxed rules, or from before PoP; (c)
anything of the worker's side: a proof that was never sent leaves nothing on chain; (d) why.

The first programs accept a claim only on top of the last accepted one; a later one accepts any
parent. What only that one accepts (two claims on one parent, a child before its parent) shows it
for all grants: from that slot on the rules are relaxed.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter, namedtuple
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

CHECKS = {
    1: "the files are those that manifest-sha256.txt names",
    2: "every transaction is signed by those it says, and no two answers of the node contradict "
    "each other",
    3: "right before each accepted claim stands a proof, validly signed, by the key that "
    "pop-config named at that slot",
    4: "it speaks of that grant, claimer and period, and the claimer signed",
    5: "its entry hash is that of its fields",
    6: "every receipt that was collected is that of its claim",
    7: "under strict rules the claims follow one another from GENESIS",
    8: "PopState, the chain's own record of its head, is where they lead",
    9: "the last good claim and the head are known",
    10: "findings.json says the same",
}
HOLDS, VIOLATED, CANNOT_TELL = "holds", "violated", "cannot tell"
Lines = Iterator[tuple[int, str, str]]  # (which check, one of these three words, what and where)
LEFT_BY_SYSTEMS = re.compile(  # and inside the bucket's streams, whose folders are named by anybody, the file's own name alone
    r"(^|/)(\._[^/]*|\.nfs[^/]*|\.fuse_hidden[^/]*|\.ds_store|\.localized|\.apdisk|\.volumeicon\.icns|icon\r|\.directory|desktop\.ini|"
    r"thumbs\.db|ehthumbs(_vista)?\.db|[^/]*:zone\.identifier)$|^((?!.*audit/immutable/stream/).*/)?(__macosx|\.appledouble|\.spotlight-v100|"
    r"\.trashes|\.fseventsd|\.temporaryitems|\.documentrevisions-v100|\$recycle\.bin|system volume information|@eadir)/",
    re.IGNORECASE,
)
USAGE = """usage: python3 check.py CASE [findings.json]

  CASE           a case's directory: the one that holds case.json
  findings.json  what `popkit diagnose CASE --json findings.json` wrote, to be held against the case

exit codes: 0 all hold, 1 something is violated, 2 wrong usage, 3 something could not be told"""
UNREADABLE = Exception  # malformed input raises nearly anything

# ---- base58, ed25519 (RFC 8032, 5.1) and addresses: textbook, held to other implementations by popkit's tests ----

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def from_base58(text: str) -> bytes:
    if len(text) > 20_000:
        raise ValueError("it is longer than anything on chain")
    number = 0
    for character in text:
        number = number * 58 + ALPHABET.index(character)
    return bytes(len(text) - len(text.lstrip("1"))) + number.to_bytes(
        (number.bit_length() + 7) // 8, "big"
    )


def to_base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def address(text: str) -> bytes:
    data = from_base58(text) if len(text) <= 44 else b""
    if len(data) != 32:
        raise ValueError(f"not an address: {text}")
    return data


P, L = (
    2**255 - 19,
    2**252 + 27742317777372353535851937790883648493,
)  # the field; the order of the base point
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]  # X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z
IDENTITY: Point = (0, 1, 1, 0)


def add(p: Point, q: Point) -> Point:
    """The formula is complete: it doubles too."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = (b - a) % P, (d - c) % P, (d + c) % P, (b + a) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar: int, p: Point) -> Point:
    total = IDENTITY
    for bit in f"{scalar:b}":
        total = add(total, total)
        total = add(total, p) if bit == "1" else total
    return total


def is_same(p: Point, q: Point) -> bool:
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


def decode_point(data: bytes) -> Point | None:
    """None when it is no point of the curve, or not its canonical encoding."""
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P  # a square root of u/v, or of -u/v
    if (v * x * x + u) % P == 0:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (v * x * x - u) % P != 0 or (x == 0 and sign):
        return None
    x = x if x & 1 == sign else P - x
    return x, y, 1, x * y % P


BASE = decode_point((4 * pow(5, -1, P) % P).to_bytes(32, "little")) or IDENTITY


def is_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Strict, as Solana's own check: canonical A, R and S; A and R not of small order; [S]B = R +
    [k]A without cofactor.
    """
    a, r, s = (
        decode_point(key),
        decode_point(signature[:32]),
        int.from_bytes(signature[32:], "little"),
    )
    if len(key) != 32 or len(signature) != 64 or a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    small = any(is_same(times(8, point), IDENTITY) for point in (a, r))
    return not small and is_same(times(s, BASE), add(r, times(k, a)))


def derived_address(program: bytes, *seeds: bytes) -> bytes:
    """Solana's find_program_address: the first bump, from 255 down, whose hash is no point of the
    curve.
    """
    tried = (
        hashlib.sha256(
            b"".join(seeds) + bytes([bump]) + program + b"ProgramDerivedAddress"
        ).digest()
        for bump in range(255, -1, -1)
    )
    return next(found for found in tried if decode_point(found) is None)


def discriminator(name: bytes) -> bytes:
    """The first eight bytes of every account of a kind, and of the data of every instruction
    (Anchor).
    """
    return hashlib.sha256(name).digest()[:8]


# ---- transactions ----

ED25519_PROGRAM = address("Ed25519SigVerify111111111111111111111111111")
CALL_NO_CLAIM = {  # system, token, associated token, compute budget, ed25519, memo: what they call is no claim
    bytes(32),
    address("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"),
    address("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"),
    address("ComputeBudget111111111111111111111111111111"),
    ED25519_PROGRAM,
    address("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"),
}
Instruction = namedtuple("Instruction", "program accounts data")
# signature: its name, that of its first signature; genuine: its own signatures hold; message: what they sign; top: what it calls; inner:
# what those call, each with the index of its caller; garbled: something of inner cannot be read
Transaction = namedtuple(
    "Transaction", "signature slot accepted outcome genuine message signers top inner garbled"
)
NotRead = namedtuple("NotRead", "signature why")


def take(wire: io.BytesIO, size: int) -> bytes:
    data = wire.read(size)
    if len(data) < size:
        raise ValueError("it ends too early")
    return data


def count(wire: io.BytesIO) -> int:
    """Solana's compact-u16: seven bits a byte, least first."""
    byte = take(wire, 1)[0]
    return byte if byte < 128 else (byte & 127) + (count(wire) << 7)


def from_base64(data: Any) -> bytes:
    if data[1] != "base64":
        raise ValueError(
            "an account's data is not in base64, the only encoding that can be checked here"
        )
    return base64.b64decode(data[0], validate=True)


def from_text(given: Any) -> bytes:
    """A transaction's bytes: [text, encoding], or text alone, which is base58, the oldest form."""
    text, encoding = (given, "base58") if isinstance(given, str) else given
    if encoding not in ("base58", "base64"):
        raise ValueError(f"its encoding is {encoding}")
    return from_base58(text) if encoding == "base58" else base64.b64decode(text, validate=True)


def read_transaction(row: dict[str, Any]) -> Any:
    """A row of rpc/transactions.jsonl. Copying is not forging: of all lawful readings that is meant
    whose signatures hold.
    """
    name, found, why = str(row["signature"]), [], "which the node did not give"
    try:
        given, meta = (row["result"] or {}).get("transaction"), (row["result"] or {}).get("meta")
        version = row["result"] and row["result"].get("version")
        readings = (
            json_readings(given, meta, version)
            if isinstance(given, dict)
            else [(from_text(given), meta, True)]
            if given
            else []
        )
        for wire, told, is_a_nodes in readings:
            try:
                transaction = read_wire(name, row["result"], wire, told)
            except UNREADABLE as error:
                why = f"{type(error).__name__}: {error}"
                continue
            if transaction.genuine:
                return transaction
            found += [transaction] if is_a_nodes else []
    except UNREADABLE as error:
        why = f"{type(error).__name__}: {error}"
    return found[0] if found else NotRead(name, why)


def read_wire(name: str, result: dict[str, Any], data: bytes, meta: Any) -> Any:
    """The wire: signatures, header, keys, blockhash, instructions; version 0 adds lookup tables."""
    wire = io.BytesIO(data)
    signatures = [take(wire, 64) for _ in range(count(wire))]
    message = data[wire.tell() :]
    versioned = (
        message[0] >= 128
    )  # a legacy message starts with a number of signatures, far below 128
    if versioned and take(wire, 1)[0] != 128:
        raise ValueError("its message version is unknown")
    required = take(wire, 3)[0]
    keys = [take(wire, 32) for _ in range(count(wire))]
    signers = tuple(keys[:required])
    take(wire, 32)  # blockhash
    raw = [
        (take(wire, 1)[0], take(wire, count(wire)), take(wire, count(wire)))
        for _ in range(count(wire))
    ]
    tables = (
        [
            (take(wire, 32), take(wire, count(wire)), take(wire, count(wire)))
            for _ in range(count(wire))
        ]
        if versioned
        else []
    )
    loaded = (
        [meta["loadedAddresses"][kind] for kind in ("writable", "readonly")] if tables else [[], []]
    )
    if [len(kind) for kind in loaded] != [
        sum(len(table[column]) for table in tables) for column in (1, 2)
    ]:
        raise ValueError("the addresses from its lookup tables are not given")
    keys += [address(key) for kind in loaded for key in kind]
    if wire.read() or not required or not required == len(signers) == len(signatures):
        raise ValueError("its wire is malformed")
    top = tuple(
        Instruction(keys[program], tuple(keys[k] for k in accounts), data)
        for program, accounts, data in raw
    )
    inner, garbled = read_inner(meta, keys, len(top))
    genuine = to_base58(signatures[0]) == name and all(
        map(is_signed, signers, signatures, [message] * required)
    )
    err = meta["err"] if "err" in meta else meta["status"].get("Err")  # old nodes told it in status
    outcome = json.dumps(numbers_of(err), sort_keys=True)
    return Transaction(
        name,
        int(result["slot"]),
        outcome == "null",
        outcome,
        genuine,
        message,
        signers,
        top,
        inner,
        garbled,
    )


def read_inner(meta: dict[str, Any], keys: list[bytes], callers: int) -> tuple[Any, bool]:
    """What programs called, each with the index of its caller, and whether some of it cannot be
    read: archives garble it.
    """
    inner, garbled = [], False
    for group in meta.get("innerInstructions") or []:
        try:
            index, calls = range(callers)[int(str(group["index"]))], list(group["instructions"])
        except UNREADABLE:
            index, calls, garbled = 0, [], True
        for call in calls:
            try:
                if "parsed" in call:  # a well-known program, whose calls are no claims
                    continue
                by_key = "programIdIndex" not in call
                program = (
                    address(call["programId"]) if by_key else keys[int(str(call["programIdIndex"]))]
                )
                accounts = tuple(
                    address(k) if by_key else keys[int(str(k))] for k in call["accounts"]
                )
                inner.append((index, Instruction(program, accounts, from_base58(call["data"]))))
            except UNREADABLE:
                garbled = True
    return tuple(inner), garbled


def numbers_of(err: Any) -> Any:
    """An error whose numbers a client wrote as text."""
    if isinstance(err, dict):
        return {name: numbers_of(part) for name, part in err.items()}
    if isinstance(err, list):
        return [numbers_of(part) for part in err]
    return int(err) if isinstance(err, str) and err.isdecimal() else err


def json_readings(document: Any, meta: Any, version: Any) -> Iterator[tuple[bytes, Any, bool]]:
    """The wire that a document in encoding json was made of, in every lawful reading: (wire, meta,
    whether a node writes it so).

    The stated version comes first. Loaded addresses may stand among the keys; data, base58 from a
    node, may be in another encoding.
    """
    message = document["message"]
    keys, tables = (
        message.get("staticAccountKeys") or message["accountKeys"],
        message.get("addressTableLookups"),
    )
    if isinstance(keys[0], dict) or version in (1, "1"):
        raise ValueError(
            "jsonParsed, and version 1 as json, leave out the signed bytes: they cannot be checked "
            "here"
        )
    known = (meta.get("loadedAddresses") or {}) if meta else {}
    told = [*(known.get("writable") or []), *(known.get("readonly") or [])]
    counts = [
        sum(len(listed(t[kind])) for t in tables or [])
        for kind in ("writableIndexes", "readonlyIndexes")
    ]
    total = sum(counts) or len(told)
    placed, at_end = [(keys, meta, True)], keys[len(keys) - total :] if total else []
    if told and told == at_end:
        placed = [(keys[:-total], meta, True)]
    elif at_end and not told:
        loaded = {"writable": at_end[: counts[0]], "readonly": at_end[counts[0] :]}
        placed.append((keys[:-total], {**meta, "loadedAddresses": loaded}, False))
    versioned = version in (0, "0") if version is not None else tables is not None
    for decode in (from_base58, lambda text: base64.b64decode(text, validate=True), bytes.fromhex):
        for is_v0 in (versioned, not versioned):
            for static, with_loaded, is_a_nodes in placed:
                try:
                    wire = written_again(document, static, is_v0, tables or [], decode)
                except UNREADABLE:
                    continue
                yield (
                    wire,
                    with_loaded,
                    is_a_nodes and decode is from_base58 and (bool(tables) or not told),
                )


def written_again(
    document: Any, keys: list[str], is_v0: bool, tables: list[Any], decode: Callable[[str], bytes]
) -> bytes:
    """The bytes of a transaction from its JSON, in the words of a node or of web3.js."""
    message, header = document["message"], document["message"]["header"]
    counts = [
        int(header[f"num{kind}"])
        for kind in ("RequiredSignatures", "ReadonlySignedAccounts", "ReadonlyUnsignedAccounts")
    ]
    signatures = [from_base58(text) for text in document["signatures"]]
    parts = [
        compact(len(signatures)),
        *signatures,
        b"\x80" * is_v0,
        bytes(counts),
        compact(len(keys)),
        *map(address, keys),
    ]
    instructions = message.get("compiledInstructions") or message["instructions"]
    parts += [address(message["recentBlockhash"]), compact(len(instructions))]
    for i in instructions:
        accounts = listed(i.get("accountKeyIndexes", i.get("accounts")))
        data = decode(i["data"]) if isinstance(i["data"], str) else listed(i["data"])
        parts += [
            bytes([int(i["programIdIndex"])]),
            compact(len(accounts)),
            accounts,
            compact(len(data)),
            data,
        ]
    parts += [compact(len(tables))] if is_v0 else []
    for t in tables if is_v0 else []:
        parts += [address(t["accountKey"])]
        for kind in (listed(t["writableIndexes"]), listed(t["readonlyIndexes"])):
            parts += [compact(len(kind)), kind]
    return b"".join(parts)


def compact(number: int) -> bytes:
    """The inverse of count."""
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + compact(number >> 7)


def listed(data: Any) -> bytes:
    """Bytes as a list of numbers, or as JavaScript writes a Buffer or a Uint8Array."""
    if isinstance(data, dict):
        data = data["data"] if "data" in data else [data[str(i)] for i in range(len(data))]
    return bytes(map(int, data))


def together(renditions: list[Any]) -> tuple[Any, bool]:
    """One transaction of several answers about it (the best one, with the fullest inner calls), and
    whether they contradict each other.
    """
    best = min(renditions, key=lambda t: (not t.genuine, repr(t)))
    fullest = max(renditions, key=lambda t: (not t.garbled, len(t.inner), t.inner))
    differ = len({(t.slot, t.outcome, t.message) for t in renditions}) > 1
    return best._replace(inner=fullest.inner, garbled=fullest.garbled), differ


# ---- claims and their proofs ----

CLAIM_GRANTS = (
    discriminator(b"global:claim_grant"),
    discriminator(b"global:claim_grant_with_proof"),
)
UPSERT_POP_CONFIG, CREATE_GRANT = (
    discriminator(b"global:upsert_pop_config"),
    discriminator(b"global:create_grant"),
)
RECEIPT, POP_STATE = discriminator(b"account:ClaimReceipt"), discriminator(b"account:PopState")
GENESIS = "00" * 32
RELAXED_SINCE = 1773187200  # 2026-03-11 UTC, the day from which a program with relaxed rules exists
# The ed25519 instruction before a claim, and the fields of the message that it signs.
Proof = namedtuple(
    "Proof",
    "key signature message grant claimer period prev stream_prev entry computed_entry issued_at",
)
# faults: what is wrong with it by itself, (which check, what); a program would not have accepted it.
Claim = namedtuple("Claim", "transaction grant claimer receipt config period proof faults where")


def read_proof(before: Any) -> Any:
    """The instruction before the claim, as the program reads it: one signature, everything inside
    its own data, wherever in it.
    """
    if before is None or before.program != ED25519_PROGRAM:
        raise ValueError("no ed25519 instruction stands right before the claim")
    data = before.data
    sig, sig_ix, key, key_ix, msg, size, msg_ix = (
        int.from_bytes(data[i : i + 2], "little") for i in range(2, 16, 2)
    )
    if (
        len(data) < 16
        or data[0] != 1
        or not sig_ix == key_ix == msg_ix == 0xFFFF
        or max(sig + 64, key + 32, msg + size) > len(data)
    ):
        raise ValueError(
            "the ed25519 instruction does not hold exactly one signature with its key and message"
        )
    return read_message(data[key : key + 32], data[sig : sig + 64], data[msg : msg + size])


def read_message(key: bytes, signature: bytes, message: bytes) -> Any:
    """1 version, 32 grant, 32 claimer, 8 period, 32 prev, 32 stream prev, (v2: 32 audit hash,) 32
    entry, 8 issued_at.

    entry = SHA-256 of tag, prev, stream prev, audit hash, grant, claimer, period and issued_at, end
    to end.
    """
    if (len(message), message[:1]) not in ((177, b"\1"), (209, b"\2")):
        raise ValueError(
            "the signed message is neither version 1 of 177 bytes nor version 2 of 209"
        )
    links, about, issued_at = message[73:-40], message[1:73], message[-8:]
    computed = hashlib.sha256(b"we-ne:pop:v%d" % message[0] + links + about + issued_at).hexdigest()
    hashes = links[:32].hex(), links[32:64].hex(), message[-40:-8].hex(), computed
    return Proof(
        key,
        signature,
        message,
        about[:32],
        about[32:64],
        about[64:],
        *hashes,
        int.from_bytes(issued_at, "little", signed=True),
    )


def claims_of(transaction: Any, program: bytes) -> Iterator[Any]:
    """Accounts: 0 grant, 3 claimer, 5 receipt, 7 pop_config, twelve in all; nine before PoP, and no
    proof. Data: which, period.
    """
    for index, (program_id, accounts, data) in [*enumerate(transaction.top), *transaction.inner]:
        if (
            program_id != program
            or data[:8] not in CLAIM_GRANTS
            or len(data) < 16
            or len(accounts) < 9
        ):
            continue
        grant, claimer, period, proof = accounts[0], accounts[3], data[8:16], None
        faults = [] if claimer in transaction.signers else [(4, "the claimer did not sign")]
        try:
            proof = (
                read_proof(transaction.top[index - 1] if index > 0 else None)
                if len(accounts) >= 12
                else None
            )
        except ValueError as error:
            faults.append((3, str(error)))
        if proof and not is_signed(proof.key, proof.signature, proof.message):
            faults.append((3, "the proof's signature does not hold"))
        if proof and (proof.grant, proof.claimer, proof.period) != (grant, claimer, period):
            faults.append((4, "the proof is for another grant, claimer or period"))
        if proof and proof.entry != proof.computed_entry:
            faults.append(
                (
                    5,
                    f"the proof says entry {proof.entry}, its fields hash to {proof.computed_entry}",
                )
            )
        where = f"transaction {transaction.signature}"
        yield Claim(
            transaction,
            grant,
            claimer,
            accounts[5],
            accounts[7],
            period,
            proof,
            tuple(faults),
            where,
        )


def landing_order(claims: Iterable[Any]) -> list[Any]:
    """By slot; within one slot a parent stands before its child (the node gives no finer order)."""
    ordered: list[Any] = []
    by_time = sorted(
        claims,
        key=lambda c: (
            c.transaction.slot,
            c.proof.issued_at if c.proof else 0,
            c.transaction.signature,
        ),
    )
    for _, group in groupby(by_time, key=lambda c: c.transaction.slot):
        waiting = list(group)
        while waiting:
            head = ordered[-1].proof.entry if ordered and ordered[-1].proof else GENESIS
            entries = {c.proof.entry for c in waiting if c.proof}
            on_head = [c for c in waiting if c.proof and c.proof.prev == head]
            roots = [c for c in waiting if not c.proof or c.proof.prev not in entries]
            ordered.append((on_head or roots or waiting)[0])
            waiting.remove(ordered[-1])
    return ordered


# ---- the case ----


def visible(text: object) -> str:
    """Text of the case on one line, without a character that could move or colour anything."""
    return str(text).encode("unicode_escape").decode()


def unpacked(path: Path) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        if shutil.which("zstd") is None:
            raise ValueError(
                "it is packed with zstd, and there is no zstd command here: install it, or unpack "
                "the file first"
            )
        return subprocess.run(["zstd", "-dcq", str(path)], capture_output=True, check=True).stdout
    return path.read_bytes()


class Case:
    """What the case says, read once; `unread` is what could not be read, or what no node gave."""

    def __init__(self, path: Path) -> None:
        about = json.loads((path / "case.json").read_bytes())
        self.path, self.name, self.program = path, about["case"], address(about["program_id"])
        self.grants = list(dict.fromkeys(map(address, about["grants"])))
        self.unread: list[str] = []
        given = sorted(
            set(self.rows("rpc/transactions.jsonl", read_transaction)), key=repr
        )  # repeated rows count once
        by_name: dict[str, list[Any]] = {}
        for transaction in given:
            if isinstance(transaction, Transaction):
                by_name.setdefault(transaction.signature, []).append(transaction)
        self.transactions, differ = [], []
        for name, renditions in by_name.items():
            transaction, contradict = together(renditions)
            self.transactions.append(transaction)
            differ += [name] if contradict else []
        self.differing = sorted(differ)
        self.listed = set(
            self.rows(
                "rpc/signatures.jsonl",
                lambda row: (str(row["signature"]), int(row["slot"]), row["err"] is None),
            )
        )
        missing = {name: "which the node did not give" for name, _, _ in self.listed}
        missing.update((t.signature, t.why) for t in given if isinstance(t, NotRead))
        self.unread += [
            f"transaction {name}, {why}" for name, why in missing.items() if name not in by_name
        ]
        hidden = [
            t
            for t in self.transactions
            if t.garbled and not {i.program for i in t.top} <= {self.program, *CALL_NO_CLAIM}
        ]
        self.unread += [
            f"transaction {t.signature}, what its programs called: it is garbled" for t in hidden
        ]
        self.answers = sorted(
            set(self.rows("rpc/accounts.jsonl", self.read_account))
        )  # (address, slot, data), the newest last
        self.accounts = {key: (slot, data) for key, slot, data in self.answers}
        self.claims = [
            c
            for t in self.transactions
            for c in claims_of(t, self.program)
            if t.accepted and c.grant in self.grants
        ]
        self.holders = Counter(c.receipt for c in self.claims)
        steps = [  # what administrators did: (slot, instruction)
            (t.slot, i)
            for t in self.transactions
            for i in [*t.top, *(called for _, called in t.inner)]
            if t.accepted and t.genuine and i.program == self.program and len(i.accounts) > 1
        ]
        self.signers_named = sorted(
            (slot, i.accounts[0], i.data[8:40])
            for slot, i in steps
            if i.data[:8] == UPSERT_POP_CONFIG
        )
        self.authorities = {
            i.accounts[0]: i.accounts[3]
            for _, i in steps
            if i.data[:8] == CREATE_GRANT and len(i.accounts) > 3
        }
        self.relaxed_from, self.relaxed_why = self.first_relaxed()

    def rows(self, name: str, read: Callable[[dict[str, Any]], Any]) -> Iterator[Any]:
        """What `read` makes of every row of a file."""
        paths = [
            path
            for path in (self.path / f"{name}{suffix}" for suffix in ("", ".gz", ".zst"))
            if path.is_file()
        ]
        if (
            not paths and name != "rpc/signatures.jsonl"
        ):  # without lists, less is known to be missing
            self.unread.append(f"{name}, which is not in the case")
        for path in paths:
            for number, line in enumerate(filter(None, unpacked(path).split(b"\n")), 1):
                try:
                    yield read(json.loads(line))
                except UNREADABLE as error:
                    self.unread.append(f"{path.name} row {number}: {type(error).__name__}: {error}")

    def read_account(self, row: dict[str, Any]) -> tuple[bytes, int, bytes]:
        """A row of rpc/accounts.jsonl; b"" where there is no account of the program."""
        account = row["account"]
        data = (
            from_base64(account["data"])
            if account is not None and address(account["owner"]) == self.program
            else b""
        )
        return address(row["pubkey"]), int(row["slot"]), data

    def accepted(self, grant: bytes, up_to: float = float("inf")) -> list[Any]:
        """The accepted claims of a grant with nothing wrong in themselves, in the order they
        landed.
        """
        sound = [
            c for c in self.claims if c.grant == grant and c.transaction.genuine and not c.faults
        ]
        return landing_order(c for c in sound if c.transaction.slot <= up_to)

    def first_relaxed(self) -> tuple[float, str]:
        """The first slot at which something was accepted that no strict program accepts, and what."""
        found = [(float("inf"), "")]
        for grant in self.grants:
            claims, children = [c for c in self.accepted(grant) if c.proof], dict[str, Any]()
            landed = {c.proof.entry: c.transaction.slot for c in claims}
            for claim in claims:
                slot, prev = claim.transaction.slot, claim.proof.prev
                other = children.setdefault(prev, claim)
                if other.proof.entry != claim.proof.entry:
                    found.append((slot, f"{other.where} and {claim.where} share the parent {prev}"))
                if landed.get(prev, slot) > slot and claim.proof.issued_at >= RELAXED_SINCE:
                    found.append((slot, f"{claim.where} was accepted before its parent {prev}"))
        return min(found)

    def ends(self, claims: list[Any], relaxed_from: float) -> list[Any]:
        """Where claims lead: to the last; under relaxed rules to the last with the greatest
        issued_at (older ones do not move the head).
        """
        strict = [c for c in claims if c.proof and c.transaction.slot < relaxed_from]
        moving = strict[-1:] + [c for c in claims if c.proof and c.transaction.slot >= relaxed_from]
        newest = max(((c.proof.issued_at, c.transaction.slot) for c in moving), default=None)
        return [c.proof for c in moving if (c.proof.issued_at, c.transaction.slot) == newest]

    def pop_state(self, grant: bytes) -> tuple[str, int, bytes]:
        """PopState's address, slot (-1 when it was not collected) and data (empty when there is
        none).
        """
        key = derived_address(self.program, b"pop-state", grant)
        return (to_base58(key), *self.accounts.get(key, (-1, b"")))

    def names_signer(self, claim: Any) -> str:
        """Whether pop-config named a proof's key when the claim landed: by its upserts, or by the
        account where none came between.
        """
        upserts = [
            (slot, key) for slot, config, key in self.signers_named if config == claim.config
        ]
        at, (read, data) = claim.transaction.slot, self.accounts.get(claim.config, (-1, b""))
        last = max((slot for slot, _ in upserts if slot < at), default=-1)
        before = [key for slot, key in upserts if slot == last]
        if claim.proof.key in before + [key for slot, key in upserts if slot == at]:
            return HOLDS
        if (
            not before
            and read >= at
            and claim.proof.key == data[40:72]
            and not [slot for slot, _ in upserts if at <= slot <= read]
        ):
            return HOLDS
        is_whole = (
            bool(before)
            and not self.unread
            and (read <= upserts[-1][0] or data[40:72] == upserts[-1][1])
        )
        return VIOLATED if is_whole else CANNOT_TELL


def is_leftover(path: str, listed: set[str]) -> bool:
    """Whether a system, an editor or a browser left a file: `.DS_Store`, `Thumbs.db`; `name~` or
    `name (1).json` of one listed.
    """
    folder, slash, name = path.rpartition("/")
    copy = re.sub(
        r"( ?\(\d{1,3}\)|( - Copy| - コピー)( \(\d{1,3}\))?|( copy| のコピー)( \d{1,3})?)(?=(\.\w{1,6}){0,3}$)",
        "",
        name,
    )
    backup = re.sub(r"^\.(.+)\.sw[a-z]$|^(.+)~$", r"\1\2", name)
    return bool(LEFT_BY_SYSTEMS.search(path)) or any(
        n != name and folder + slash + n in listed for n in (copy, backup)
    )


# ---- what is checked ----


def check_manifest(case: Path) -> Lines:
    """A line a file, "<sha256>  <path>", as sha256sum writes them, and no file beside those listed
    but what nobody put there.
    """
    manifest = case / "manifest-sha256.txt"
    if not manifest.is_file():
        yield (
            1,
            CANNOT_TELL,
            "there is no manifest-sha256.txt: nothing says that these files are those collected",
        )
        return
    files = [path for path in case.rglob("*") if path.is_file() and path != manifest]
    there = {
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(case).as_posix()}"
        for path in files
    }
    said = set(filter(None, manifest.read_bytes().decode("utf-8", "replace").split("\n")))
    listed = {line[66:] for line in said}
    there = {line for line in there if line[66:] in listed or not is_leftover(line[66:], listed)}
    for line in sorted(said ^ there, key=lambda line: (line[66:], line)):
        yield (
            1,
            VIOLATED,
            f"{line[66:]}: only the {'case' if line in there else 'manifest'} has {line}",
        )


def check_answers(case: Case) -> Lines:
    outcomes = {(t.signature, t.slot, t.accepted) for t in case.transactions}
    names = {t.signature for t in case.transactions}
    for transaction in case.transactions:
        if not transaction.genuine:
            yield (
                2,
                VIOLATED,
                f"its own signatures do not hold, transaction {transaction.signature}",
            )
    for name in case.differing:
        yield 2, VIOLATED, f"the case holds answers that differ about one transaction, {name}"
    for name, slot, accepted in sorted(case.listed - outcomes):
        if name in names:
            yield (
                2,
                VIOLATED,
                f"rpc/signatures.jsonl says slot {slot} and {'no ' * accepted}error, transaction "
                f"{name}",
            )
    for key, slot in sorted(
        at
        for at, answers in Counter((key, slot) for key, slot, _ in case.answers).items()
        if answers > 1
    ):
        yield (
            2,
            VIOLATED,
            f"the case holds answers that differ about one account at slot {slot}, {to_base58(key)}",
        )
    for why in sorted(case.unread):
        yield 2, CANNOT_TELL, f"not read: {why}"


def check_claim(case: Case, claim: Any) -> Lines:
    """One accepted claim. A receipt: 8 discriminator, 32 grant, 32 claimer, 8 period, 8 claimed_at;
    nothing closes one.
    """
    for number, fault in claim.faults:
        yield number, VIOLATED, f"{fault}, {claim.where}"
    config, slot = f"pop-config {to_base58(claim.config)}", claim.transaction.slot
    if claim.proof and case.names_signer(claim) != HOLDS:
        yield (
            3,
            case.names_signer(claim),
            f"{config} names another key than the proof's {to_base58(claim.proof.key)}, "
            f"{claim.where}",
        )
    authority = case.accounts.get(claim.grant, (0, b""))[1][8:40] or case.authorities.get(
        claim.grant, b""
    )
    if claim.proof and not authority:
        yield (
            3,
            CANNOT_TELL,
            f"neither the grant nor its creation is in the case: whose {config} is, is not known, "
            f"{claim.where}",
        )
    elif claim.proof and claim.config != derived_address(case.program, b"pop-config", authority):
        yield 3, VIOLATED, f"{config} is not that of the grant's authority, {claim.where}"
    place = f"receipt {to_base58(claim.receipt)}, {claim.where}"
    if claim.receipt != derived_address(
        case.program, b"receipt", claim.grant, claim.claimer, claim.period
    ):
        yield 6, VIOLATED, f"its address is not that of grant, claimer and period, {place}"
    if case.holders[claim.receipt] > 1:
        yield 6, VIOLATED, f"two accepted claims have one receipt, {place}"
    collected, data = case.accounts.get(claim.receipt, (-1, b""))
    if collected < slot:
        return  # not asked for, or before the claim
    if len(data) != 88 or data[:80] != RECEIPT + claim.grant + claim.claimer + claim.period:
        yield 6, VIOLATED, f"the account is missing, or not the receipt of this claim, {place}"
    elif (
        claim.proof
        and abs(int.from_bytes(data[80:], "little", signed=True) - claim.proof.issued_at) > 600
    ):
        yield 6, VIOLATED, f"claimed_at is more than 600 s from the proof's issued_at, {place}"


def check_links(case: Case, grant: bytes) -> Lines:
    """Under strict rules both parents of a claim are the entry accepted before it, GENESIS for the
    first.
    """
    claims = case.accepted(grant)
    entries, head = {GENESIS, *(c.proof.entry for c in claims if c.proof)}, GENESIS
    for claim in claims:
        if claim.proof is None:
            if head != GENESIS:
                yield (
                    7,
                    VIOLATED,
                    f"a claim without a proof was accepted after claims with proofs, {claim.where}",
                )
            continue
        prev, may_be_relaxed = claim.proof.prev, claim.proof.issued_at >= RELAXED_SINCE
        if claim.transaction.slot < case.relaxed_from:
            status = CANNOT_TELL if may_be_relaxed else VIOLATED
            if claim.proof.stream_prev != prev:
                yield (
                    7,
                    status,
                    f"parent {prev}, but stream parent {claim.proof.stream_prev}, {claim.where}",
                )
            if prev != head and prev in entries:
                yield (
                    7,
                    status,
                    f"it follows {prev}, while the accepted entry before it is {head}, "
                    f"{claim.where}",
                )
            elif prev != head:
                yield (
                    7,
                    CANNOT_TELL,
                    f"a gap: its parent {prev} is no accepted claim of the case, {claim.where}",
                )
        head = claim.proof.entry


def check_ends(case: Case, grant: bytes) -> Lines:
    """PopState: 8 discriminator, 32 grant, 32 global head, 32 stream head, 8 last period, 8 last
    issued_at, 1 initialized, 1 bump.
    """
    key, slot, data = case.pop_state(grant)
    place, claims, receipts = (
        f"PopState {key}",
        case.accepted(grant),
        {c.receipt for c in case.claims},
    )
    for account, (_, held) in case.accounts.items():
        if held[:40] == RECEIPT + grant and account not in receipts:
            yield (
                6,
                CANNOT_TELL,
                f"a receipt of a claim that is not in the case, {to_base58(account)}",
            )
    if slot < 0:
        yield (
            8,
            CANNOT_TELL,
            f"not collected: claims left out at the end would not be noticed, {place}",
        )
        return
    if claims and claims[-1].transaction.slot > slot:
        yield (
            8,
            CANNOT_TELL,
            f"read at slot {slot}, before the last claim: others after it would not be noticed, "
            f"{place}",
        )
    before = case.accepted(grant, up_to=slot)
    ends = case.ends(before, case.relaxed_from)
    if any(p.issued_at >= RELAXED_SINCE for p in ends):
        ends += case.ends(before, -1)  # the rules may have been relaxed, and no claim shows it
    start = POP_STATE + grant
    wanted = {
        start + bytes.fromhex(p.entry) * 2 + p.period + p.message[-8:] + b"\1" for p in ends
    } or {b""}
    if data[:121] in wanted and len(data) in (0, 122):
        return
    head, issued_at = data[40:72], int.from_bytes(data[112:120], "little", signed=True)
    is_whole = len(data) == 122 and data[:40] == start and head == data[72:104] and data[120] == 1
    may_be_later = not case.relaxed_why or issued_at >= max(
        (p.issued_at for p in ends), default=issued_at
    )
    if is_whole and may_be_later and head.hex() not in {c.proof.entry for c in claims if c.proof}:
        yield (
            8,
            CANNOT_TELL,
            f"a gap at the end: its head {head.hex()} is in no accepted transaction of the case, "
            f"{place}",
        )
    else:
        yield (
            8,
            VIOLATED,
            f"it holds {data.hex() or 'nothing'}, the claims lead to "
            f"{' or '.join(sorted(w.hex() for w in wanted))}, {place}",
        )


def facts(case: Case, grant: bytes) -> dict[str, Any]:
    """The last good claim and the head, in the words of findings.json (schema popkit.findings/2)."""
    claims, on = (
        case.accepted(grant),
        {c.transaction for c in case.claims if c.grant == grant and c.faults},
    )
    last, proofs = claims[-1] if claims else None, [c.proof for c in claims if c.proof]
    _, slot, data = case.pop_state(grant)
    on_chain = None if slot < 0 else data[40:72].hex() or GENESIS
    named = {c.proof.prev for c in claims if c.proof and c.transaction.slot < case.relaxed_from} | {
        on_chain or GENESIS
    }
    on |= {
        t
        for t in case.transactions
        if not t.genuine
        for c in claims_of(t, case.program)
        if c.grant == grant
    }
    return {
        "last_good.signature": last and last.transaction.signature,
        "last_good.entry_hash": last and last.proof and last.proof.entry,
        "last_good.slot": last and last.transaction.slot,
        "last_good.receipt": last and to_base58(last.receipt),
        "heads.on_chain": on_chain,
        "heads.last_accepted": proofs[-1].entry if proofs else None,
        "unseen_entries": sorted(named - {p.entry for p in proofs} - {GENESIS}),
        "forged_transactions": sorted(
            {t.signature for t in on}
        ),  # or accepted with a proof that no program accepts
    }


def check_facts(case: Case, grant: bytes) -> Lines:
    found, claims = facts(case, grant), case.accepted(grant)
    bare, receipts = (
        sum(c.proof is None for c in claims),
        sum(c.receipt in case.accounts for c in claims),
    )
    counts = f"{len(claims)} accepted claims ({bare} without a proof, from before PoP), {receipts} of their receipts collected"
    rules = (
        f"relaxed from slot {case.relaxed_from} on: {case.relaxed_why}"
        if case.relaxed_why
        else "strict"
    )
    last = f"last good {found['last_good.signature']}, slot {found['last_good.slot']}, receipt {found['last_good.receipt']}"
    unsure = case.unread or found["unseen_entries"] or found["heads.on_chain"] is None
    head = found["heads.on_chain"] or found["heads.last_accepted"]
    text = f"grant {to_base58(grant)}: {counts}; rules {rules}; {last if claims else 'none'}; head {head}"
    yield (
        9,
        CANNOT_TELL if unsure else HOLDS,
        f"{'as far as the case goes, ' if unsure else ''}{text}",
    )


def check_findings(case: Case, findings: Any) -> Lines:
    try:
        names = sorted(row["grant"] for row in findings["grants"])
        if findings["case"] != case.name or names != sorted(map(to_base58, case.grants)):
            yield 10, VIOLATED, f"findings.json is about case {findings['case']} and {names}"
            return
        for row in findings["grants"]:
            for field, here in facts(case, address(row["grant"])).items():
                there = row
                for part in field.split("."):
                    there = there and there[part]
                # What could not be read here, or rules that no claims here show, may explain a difference.
                explained = case.unread or (field == "unseen_entries" and "relaxed" in row["eras"])
                if there != here:
                    text = f"{field} is {json.dumps(there)} in findings.json, {json.dumps(here)} here, grant {row['grant']}"
                    yield 10, CANNOT_TELL if explained else VIOLATED, text
    except UNREADABLE as error:
        yield 10, VIOLATED, f"this is no findings.json: {type(error).__name__}: {error}"


def check(path: Path, *findings: Any) -> int:
    """Print every line; the exit code."""
    lines: list[tuple[int, str, str]] = []
    reached = 1
    try:
        lines += check_manifest(path)
        case = Case(path)
        lines += (
            []
            if case.grants
            else [(9, CANNOT_TELL, "the case names no grant: there is nothing to check")]
        )
        lines += check_answers(case)
        for claim in landing_order(
            case.claims
        ):  # those with faults too: what is wrong with them is named
            lines += check_claim(case, claim)
        for grant in case.grants:
            lines += [
                *check_links(case, grant),
                *check_ends(case, grant),
                *check_facts(case, grant),
            ]
        for said in findings:
            lines += check_findings(case, said)
        reached = 9 + len(findings)
    except UNREADABLE as error:
        lines.append((2, CANNOT_TELL, f"the case cannot be read: {type(error).__name__}: {error}"))
    spoken = {number for number, _, _ in lines}
    lines += [
        (number, HOLDS, rule)
        for number, rule in CHECKS.items()
        if number <= reached and number not in spoken
    ]
    for number, status, text in sorted(lines, key=lambda line: line[0]):
        print(f"{number}. {status}: {visible(text)}")
    said = {status for _, status, _ in lines}
    return 1 if VIOLATED in said else 3 if CANNOT_TELL in said else 0


def main(arguments: list[str]) -> int:
    if arguments in (["-h"], ["--help"]):
        print(USAGE)
        return 0
    if not 1 <= len(arguments) <= 2:
        print(USAGE, file=sys.stderr)
        return 2
    path, *given = map(Path, arguments)
    if not os.path.isfile(
        path / "case.json"
    ):  # unlike Path.is_file, no error for a folder that may not be entered
        print(
            f"check.py: {visible(path)} is no case: expected a directory with a case.json in it",
            file=sys.stderr,
        )
        return 2
    try:
        findings = [json.loads(file.read_bytes()) for file in given]
    except UNREADABLE as error:
        print(
            f"check.py: {visible(given[0])} is no findings.json: {visible(error)}", file=sys.stderr
        )
        return 2
    return check(path, *findings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
