#!/usr/bin/env python3
"""Check a case of Proof-of-Presence claims from its bytes, trusting neither the server nor popkit.

    python3 check.py CASE [findings.json]

This file is all there is: Python 3.9 or later, its standard library, no network. It prints numbered lines, `holds`, `violated` or `cannot
tell`: 1 the files are those of manifest-sha256.txt · 2 every transaction is signed by those it says, and the node's lists agree on it · 3
right before each accepted claim stands a proof, validly signed, by the key that pop-config named at that slot · 4 it speaks of that grant,
claimer and period · 5 its entry hash is that of its fields · 6 the receipt is that of grant, claimer and period · 7 the claims follow one
another from GENESIS · 8 PopState, the chain's own record of its head, is where they lead · 9 the last good claim and the head · 10
findings.json says the same. Exit code: 0 all hold, 1 something is violated, 3 something could not be told, 2 wrong usage.

It proves that these claims were signed by the wallets and by the proof signer, and that together they lead to the head. It cannot prove
(a) that the node told the truth where nothing is signed: outcomes, slots, accounts (ask another node); (b) that no claim is left out at the
end, where PopState was not collected; (c) anything of the worker's side: proofs that were never sent leave nothing on chain; (d) why.

The first programs accept a claim only on top of the last accepted one; a later one accepts any parent. Two accepted claims that share a
parent show the later one, for all grants: from that slot on the rules are relaxed. Until then a claim on an unknown parent is a gap.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

HOLDS, VIOLATED, CANNOT_TELL = "holds", "violated", "cannot tell"
Problems = Iterator[tuple[str, str]]  # (violated or cannot tell, what and where)
# What reading malformed input raises (ArithmeticError: an infinite slot; RuntimeError: JSON nested too deep).
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError)
UNREADABLE = (*MALFORMED, EOFError, OSError, subprocess.SubprocessError)


class Report:
    """Prints the numbered lines and remembers the worst of them."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def tell(self, number: int, problems: Iterable[tuple[str, str]], good: str) -> None:
        """One line a problem; when there is none, one line that says what holds."""
        for status, text in list(problems) or [(HOLDS, good)]:
            self.seen.add(status)
            print(f"{number}. {status} — {''.join(c if c.isprintable() else '?' for c in text)}")

    def exit_code(self) -> int:
        return 1 if VIOLATED in self.seen else 3 if CANNOT_TELL in self.seen else 0


# ---- base58, ed25519, addresses ----

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def from_base58(text: str) -> bytes:
    number = 0
    for character in text:
        number = number * 58 + ALPHABET.index(character)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


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


P = 2**255 - 19  # the field (RFC 8032, 5.1)
L = 2**252 + 27742317777372353535851937790883648493  # the order of the base point
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # a square root of -1
Point = tuple[int, int, int, int]  # extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z
IDENTITY: Point = (0, 1, 1, 0)


def add(p: Point, q: Point) -> Point:
    """RFC 8032, 5.1.4. The formula is complete: it doubles too."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = (b - a) % P, (d - c) % P, (d + c) % P, (b + a) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


def is_same(p: Point, q: Point) -> bool:
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


def is_small_order(p: Point) -> bool:
    for _ in range(3):
        p = add(p, p)
    return is_same(p, IDENTITY)


def decode_point(data: bytes) -> Point | None:
    """RFC 8032, 5.1.3: None when no point of the curve, or not its canonical encoding."""
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    if (v * x * x + u) % P == 0:
        x = x * ROOT % P
    if (v * x * x - u) % P != 0 or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = decode_point((4 * pow(5, -1, P) % P).to_bytes(32, "little")) or IDENTITY


def is_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Strict, as Solana's own check: canonical A, R and S; A and R not of small order; [S]B = R + [k]A without cofactor."""
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r, s = decode_point(key), decode_point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L or is_small_order(a) or is_small_order(r):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    minus_a = (P - a[0], a[1], 1, P - a[3])
    table = (IDENTITY, BASE, minus_a, add(BASE, minus_a))
    total = IDENTITY  # [S]B - [k]A, both at once, a bit of each in every step
    for bit in range(252, -1, -1):
        total = add(total, total)
        step = (s >> bit & 1) + 2 * (k >> bit & 1)
        if step:
            total = add(total, table[step])
    return is_same(total, r)


def derived_address(program: bytes, *seeds: bytes) -> bytes:
    """Solana's find_program_address: the first bump, from 255 down, whose hash is no point of the curve."""
    for bump in range(255, -1, -1):
        found = hashlib.sha256(b"".join(seeds) + bytes([bump]) + program + b"ProgramDerivedAddress").digest()
        if decode_point(found) is None:
            return found
    raise ValueError("no address for these seeds")


def discriminator(account: bytes) -> bytes:
    """The first eight bytes of every account of a kind (Anchor)."""
    return hashlib.sha256(b"account:" + account).digest()[:8]


# ---- transactions ----

ED25519_PROGRAM = address("Ed25519SigVerify111111111111111111111111111")


class Instruction(NamedTuple):
    program: bytes
    accounts: list[bytes]
    data: bytes


class Transaction(NamedTuple):
    signature: str  # its name: that of its first signature
    slot: int
    accepted: bool
    genuine: bool  # its own signatures hold
    signers: list[bytes]
    top: list[Instruction]
    inner: list[tuple[int, Instruction]]  # (index of the top-level instruction that called it, instruction)


class Cursor:
    """Reads a wire from left to right; running out of bytes is an error."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise ValueError("it ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def count(self) -> int:
        """Solana's compact-u16: seven bits a byte, least first."""
        value = 0
        for shift in (0, 7, 14):
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a length is malformed")


def read_transaction(row: dict[str, Any]) -> Transaction:
    """A row of rpc/transactions.jsonl. Legacy and v0 wires, base64."""
    if row["result"] is None:
        raise ValueError("the RPC node returned nothing for it")
    result = row["result"]
    meta, wire = result["meta"], Cursor(from_base64(result["transaction"]))
    signatures = [wire.take(64) for _ in range(wire.count())]
    message = wire.data[wire.at :]
    versioned = message[0] >= 128  # a legacy message starts with a number of signatures, far below 128
    if versioned and wire.take(1)[0] != 128:
        raise ValueError("its message version is unknown")
    required = wire.take(3)[0]
    keys = [wire.take(32) for _ in range(wire.count())]
    signers = keys[:required]
    wire.take(32)  # blockhash
    raw = [(wire.take(1)[0], wire.take(wire.count()), wire.take(wire.count())) for _ in range(wire.count())]
    if versioned:  # addresses from lookup tables stand behind the others: all writable ones, then all read-only ones
        tables = [(wire.take(32), wire.take(wire.count()), wire.take(wire.count())) for _ in range(wire.count())]
        for kind, column in (("writable", 1), ("readonly", 2)):
            loaded = meta["loadedAddresses"][kind] if tables else []
            if len(loaded) != sum(len(table[column]) for table in tables):
                raise ValueError("the addresses from its lookup tables are not given")
            keys = keys + [address(key) for key in loaded]
    if wire.at != len(wire.data) or not required or not required == len(signers) == len(signatures):
        raise ValueError("its wire is malformed")
    top = [Instruction(keys[program], [keys[i] for i in accounts], data) for program, accounts, data in raw]
    inner = [
        (range(len(top))[group["index"]], Instruction(keys[i["programIdIndex"]], [keys[k] for k in i["accounts"]], from_base58(i["data"])))
        for group in meta.get("innerInstructions") or []
        for i in group["instructions"]
    ]
    genuine = to_base58(signatures[0]) == row["signature"]
    genuine = genuine and all(is_signed(key, signatures[i], message) for i, key in enumerate(signers))
    return Transaction(str(row["signature"]), int(result["slot"]), meta["err"] is None, genuine, signers, top, inner)


# ---- claims and their proofs ----

CLAIM_GRANTS = [hashlib.sha256(b"global:" + name).digest()[:8] for name in (b"claim_grant", b"claim_grant_with_proof")]
UPSERT_POP_CONFIG = hashlib.sha256(b"global:upsert_pop_config").digest()[:8]
GENESIS = "00" * 32


class Proof(NamedTuple):
    """The ed25519 instruction before a claim, and the fields of the message that it signs."""

    key: bytes
    signature: bytes
    message: bytes
    grant: bytes
    claimer: bytes
    period: bytes
    prev: str
    stream_prev: str
    entry: str
    computed_entry: str
    issued_at: int


class Claim(NamedTuple):
    transaction: Transaction
    grant: bytes
    claimer: bytes
    receipt: bytes
    config: bytes
    period: bytes
    called: bool  # by another program: then the wire does not show who signed for it
    proof: Proof | None
    fault: str  # why there is no proof; empty for a claim of the program before PoP, which asked for none

    def where(self) -> str:
        return f"transaction {self.transaction.signature}"


def read_proof(before: Instruction | None) -> Proof:
    """The instruction before the claim, as the program reads it: one signature, everything inside its own data, wherever in it."""
    if before is None or before.program != ED25519_PROGRAM:
        raise ValueError("no ed25519 instruction stands right before the claim")
    data = before.data
    if len(data) < 16 or data[0] != 1:
        raise ValueError("the ed25519 instruction does not hold exactly one signature")
    sig, sig_ix, key, key_ix, msg, size, msg_ix = (int.from_bytes(data[i : i + 2], "little") for i in range(2, 16, 2))
    if (sig_ix, key_ix, msg_ix) != (0xFFFF, 0xFFFF, 0xFFFF) or max(sig + 64, key + 32, msg + size) > len(data):
        raise ValueError("the ed25519 instruction points outside its own data")
    return read_message(data[key : key + 32], data[sig : sig + 64], data[msg : msg + size])


def read_message(key: bytes, signature: bytes, message: bytes) -> Proof:
    """1 version, 32 grant, 32 claimer, 8 period, 32 prev, 32 stream prev, (v2: 32 audit hash,) 32 entry, 8 issued_at.

    entry = SHA-256 of tag, prev, stream prev, audit hash, grant, claimer, period and issued_at, end to end.
    """
    if (len(message), message[:1]) not in ((177, b"\1"), (209, b"\2")):
        raise ValueError("the signed message is neither version 1 of 177 bytes nor version 2 of 209")
    issued_at = message[-8:]
    hashed = b"we-ne:pop:v%d" % message[0] + message[73:-40] + message[1:73] + issued_at
    links = message[73:105].hex(), message[105:137].hex(), message[-40:-8].hex(), hashlib.sha256(hashed).hexdigest()
    when = int.from_bytes(issued_at, "little", signed=True)
    return Proof(key, signature, message, message[1:33], message[33:65], message[65:73], *links, when)


def claims_of(transaction: Transaction, program: bytes) -> Iterator[Claim]:
    """Accounts of a claim: 0 grant, 1 mint, 2 vault, 3 claimer, 4 its token account, 5 receipt, 6 pop_state, 7 pop_config, ... 11.

    Before PoP there were nine, and no proof. The first argument is the period.
    """
    count = len(transaction.top)
    for at, (index, (program_id, accounts, data)) in enumerate([*enumerate(transaction.top), *transaction.inner]):
        if program_id != program or data[:8] not in CLAIM_GRANTS or len(data) < 16 or len(accounts) < 9:
            continue
        proof, fault = None, ""
        if len(accounts) >= 12:
            try:
                proof = read_proof(transaction.top[index - 1] if index > 0 else None)
            except ValueError as error:
                fault = str(error)
        yield Claim(transaction, accounts[0], accounts[3], accounts[5], accounts[7], data[8:16], at >= count, proof, fault)


def landing_order(claims: list[Claim]) -> list[Claim]:
    """By slot; within one slot a parent stands before its child (the RPC node gives no finer order)."""
    ordered: list[Claim] = []
    waiting = sorted(claims, key=lambda c: (c.transaction.slot, c.proof.issued_at if c.proof else 0, c.transaction.signature))
    while waiting:
        slot = [c for c in waiting if c.transaction.slot == waiting[0].transaction.slot]
        head = ordered[-1].proof.entry if ordered and ordered[-1].proof else GENESIS
        entries = {c.proof.entry for c in slot if c.proof}
        on_head = [c for c in slot if c.proof and c.proof.prev == head]
        roots = [c for c in slot if not c.proof or c.proof.prev not in entries]
        ordered.append((on_head or roots or slot)[0])
        waiting.remove(ordered[-1])
    return ordered


# ---- the case ----


def from_base64(data: Any) -> bytes:
    """RPC's [text, encoding]."""
    if not isinstance(data, list) or data[1:] != ["base64"]:
        raise ValueError("it is not in base64, the only encoding that can be checked here")
    return base64.b64decode(data[0], validate=True)


def unpacked(path: Path) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        zstd = shutil.which("zstd")
        if zstd is None:
            raise ValueError("it is packed with zstd, and there is no zstd command here: install it, or unpack the file first")
        return subprocess.run([zstd, "-dcq", str(path)], capture_output=True, check=True).stdout
    return path.read_bytes()


class Case:
    """What the case says, read once. Whatever could not be read is listed in `unread`."""

    def __init__(self, path: Path) -> None:
        about = json.loads((path / "case.json").read_bytes())
        self.path, self.name, self.program = path, about["case"], address(about["program_id"])
        self.grants = list(dict.fromkeys(address(grant) for grant in about["grants"]))
        self.unread: list[str] = []
        self.transactions = self.read_transactions()
        self.accounts = self.read_accounts()
        listed = self.rows("rpc/signatures.jsonl")
        self.listed = {str(row.get("signature")): (row.get("slot"), row.get("err") is None) for row in listed}
        self.claims = [c for t in self.transactions for c in claims_of(t, self.program) if t.accepted and c.grant in self.grants]
        self.signers_named = [  # (slot, pop-config, key) of each accepted upsert_pop_config
            (t.slot, accounts[0], data[8:40])
            for t in self.transactions
            for program, accounts, data in [*t.top, *(i for _, i in t.inner)]
            if t.accepted and t.genuine and program == self.program and accounts and data[:8] == UPSERT_POP_CONFIG
        ]
        self.relaxed_from, self.relaxed_why = self.first_siblings()

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        paths = [p for p in (self.path / f"{name}{suffix}" for suffix in ("", ".gz", ".zst")) if p.is_file()]
        if not paths and name != "rpc/signatures.jsonl":  # which only repeats what the others say
            self.unread.append(f"{name} is not in the case")
        for path in paths:
            try:
                lines = unpacked(path).split(b"\n")
            except UNREADABLE as error:
                self.unread.append(f"{path.name}: {error}")
                continue
            for number, line in enumerate(lines, 1):
                try:
                    if line.strip():
                        yield dict(json.loads(line))
                except UNREADABLE as error:
                    self.unread.append(f"{path.name} line {number}: {error}")

    def read_transactions(self) -> list[Transaction]:
        """Repeated rows count once; rows that differ under one name all stay, for line 2 to name."""
        found: dict[str, list[Transaction]] = {}
        unread: dict[str, str] = {}
        for row in self.rows("rpc/transactions.jsonl"):
            name = str(row.get("signature"))
            try:
                transaction = read_transaction(row)
                if transaction not in found.setdefault(name, []):
                    found[name].append(transaction)
            except UNREADABLE as error:
                unread[name] = f"transaction {name}: {error}"
        self.unread += [text for name, text in unread.items() if not found.get(name)]
        return [transaction for same in found.values() for transaction in same]

    def read_accounts(self) -> dict[bytes, tuple[int, bytes]]:
        """Address to (slot, data), the newest answer; data is empty when the program has no such account."""
        accounts: dict[bytes, tuple[int, bytes]] = {}
        for row in self.rows("rpc/accounts.jsonl"):
            try:
                key, slot, account = address(row["pubkey"]), int(row["slot"]), row["account"]
                data = from_base64(account["data"]) if account and address(account["owner"]) == self.program else b""
                accounts[key] = max((slot, data), accounts.get(key, (slot, data)))
            except UNREADABLE as error:
                self.unread.append(f"account {row.get('pubkey')}: {error}")
        return accounts

    def accepted(self, grant: bytes, up_to: float = float("inf")) -> list[Claim]:
        """The accepted claims of a grant, in the order they landed, without forged transactions."""
        return landing_order([c for c in self.claims if c.grant == grant and c.transaction.genuine and c.transaction.slot <= up_to])

    def first_siblings(self) -> tuple[float, str]:
        """The first slot at which two accepted claims shared a parent, and which: no strict program accepts both."""
        found = [(float("inf"), "")]
        for grant in self.grants:
            children: dict[str, Claim] = {}
            for claim in self.accepted(grant):
                other = children.setdefault(claim.proof.prev, claim) if claim.proof else claim
                if claim.proof and other.proof and other.proof.entry != claim.proof.entry:
                    names = f"{other.transaction.signature} and {claim.transaction.signature}"
                    found.append((claim.transaction.slot, f"transactions {names} share the parent {claim.proof.prev}"))
        return min(found)

    def is_strict(self, claim: Claim) -> bool:
        return claim.transaction.slot < self.relaxed_from

    def leads_to(self, claims: list[Claim]) -> list[Proof]:
        """Where claims lead: to the last; under relaxed rules to one with the greatest issued_at (older ones do not move the head)."""
        strict = [c.proof for c in claims if c.proof and self.is_strict(c)]
        proofs = strict[-1:] + [c.proof for c in claims if c.proof and not self.is_strict(c)]
        newest = max((p.issued_at for p in proofs), default=0)
        return [p for p in proofs if p.issued_at == newest]

    def pop_state(self, grant: bytes) -> tuple[str, int, bytes]:
        """PopState's address, slot (-1 when it was not collected) and data (empty when there is none)."""
        key = derived_address(self.program, b"pop-state", grant)
        return (to_base58(key), *self.accounts.get(key, (-1, b"")))

    def signers_at(self, config: bytes, slot: int) -> tuple[set[bytes], bool]:
        """Keys a pop-config may have named at a slot, and whether that is certain: from its transactions, else from the account now."""
        history = sorted((at, key) for at, named, key in self.signers_named if named == config)
        now = self.accounts.get(config, (0, b""))[1][40:72]
        before = [at for at, _ in history if at < slot]
        named = {key for at, key in history if at == slot or (before and at == before[-1])}
        if before and now in (b"", history[-1][1]):
            return named, True
        return named | {now}, False


# ---- the checks ----


def check_manifest(case: Path) -> Problems:
    """1. `sha256sum -c manifest-sha256.txt`, and no file beside those it lists."""
    manifest = case / "manifest-sha256.txt"
    if not manifest.is_file():
        yield CANNOT_TELL, "there is no manifest-sha256.txt: nothing says that these files are those collected"
        return
    listed = {manifest.name}
    for line in filter(None, manifest.read_text("utf-8", "replace").splitlines()):
        digest, name = line[:64], line[66:]
        listed.add(name)
        if line[64:66] not in ("  ", " *") or Path(name).is_absolute() or ".." in Path(name).parts:
            yield VIOLATED, f"manifest-sha256.txt has a line that names no file of the case: {line}"
        elif not (case / name).is_file():
            yield VIOLATED, f"{name} is in the manifest, but not in the case"
        elif hashlib.sha256((case / name).read_bytes()).hexdigest() != digest.lower():
            yield VIOLATED, f"{name} is not the file that the manifest names"
    for name in sorted({p.relative_to(case).as_posix() for p in case.rglob("*") if p.is_file()} - listed):
        yield VIOLATED, f"{name} is in the case, but not in the manifest"


def check_transactions(case: Case) -> Problems:
    """2. Their own signatures, and one answer about each."""
    seen: set[str] = set()
    for transaction in case.transactions:
        if not transaction.genuine:
            yield VIOLATED, f"its own signatures do not hold, transaction {transaction.signature}"
        elif transaction.signature in seen:
            yield VIOLATED, f"the case holds answers that differ about one transaction, {transaction.signature}"
        else:
            seen.add(transaction.signature)
        outcome = transaction.slot, transaction.accepted
        if case.listed.get(transaction.signature, outcome) != outcome:
            yield VIOLATED, f"rpc/signatures.jsonl gives another slot or outcome, transaction {transaction.signature}"
    for signature in sorted(set(case.listed) - {t.signature for t in case.transactions}):
        yield CANNOT_TELL, f"listed in rpc/signatures.jsonl, but not readable in rpc/transactions.jsonl, transaction {signature}"
    for text in case.unread:
        yield CANNOT_TELL, f"not read: {text}"


def check_proofs(case: Case, claims: list[Claim]) -> Problems:
    """3. The ed25519 instruction before the claim, its signature, and its key."""
    for claim in claims:
        if claim.fault:
            yield VIOLATED, f"{claim.fault}, {claim.where()}"
        if claim.proof is None:
            continue
        if not is_signed(claim.proof.key, claim.proof.signature, claim.proof.message):
            yield VIOLATED, f"the proof's signature does not hold, {claim.where()}"
        signers, certain = case.signers_at(claim.config, claim.transaction.slot)
        if claim.proof.key not in signers:
            status, what = (VIOLATED, "it did not name") if certain else (CANNOT_TELL, "nothing collected shows that it named")
            yield status, f"pop-config {to_base58(claim.config)}: {what} the proof's key {to_base58(claim.proof.key)}, {claim.where()}"
        authority = case.accounts.get(claim.grant, (0, b""))[1][8:40]
        if authority and claim.config != derived_address(case.program, b"pop-config", authority):
            yield VIOLATED, f"pop-config {to_base58(claim.config)} is not that of the grant's authority, {claim.where()}"


def check_context(claims: list[Claim]) -> Problems:
    """4. The proof is for this claim, whose claimer signed."""
    for claim in claims:
        for what in ("grant", "claimer", "period") if claim.proof else ():
            said, done = getattr(claim.proof, what), getattr(claim, what)
            if said != done:
                yield VIOLATED, f"the proof is for {what} {said.hex()}, the claim for {done.hex()}, {claim.where()}"
        if not claim.called and claim.claimer not in claim.transaction.signers:
            yield VIOLATED, f"the claimer did not sign, {claim.where()}"


def check_entries(claims: list[Claim]) -> Problems:
    """5. Entry hashes."""
    for claim in claims:
        if claim.proof and claim.proof.entry != claim.proof.computed_entry:
            yield VIOLATED, f"the proof says entry {claim.proof.entry}, its fields hash to {claim.proof.computed_entry}, {claim.where()}"


def check_receipts(case: Case, claims: list[Claim]) -> Problems:
    """6. Receipt accounts: 8 discriminator, 32 grant, 32 claimer, 8 period, 8 claimed_at. No instruction closes one."""
    taken: dict[bytes, str] = {}
    for claim in claims:
        place = f"receipt {to_base58(claim.receipt)}, {claim.where()}"
        if claim.receipt != derived_address(case.program, b"receipt", claim.grant, claim.claimer, claim.period):
            yield VIOLATED, f"its address is not that of grant, claimer and period, {place}"
        if taken.setdefault(claim.receipt, claim.where()) != claim.where():
            yield VIOLATED, f"two accepted claims have one receipt, {place}"
        slot, data = case.accounts.get(claim.receipt, (-1, b""))
        if slot < claim.transaction.slot:
            continue  # not collected, or before the claim
        if len(data) != 88 or data[:80] != discriminator(b"ClaimReceipt") + claim.grant + claim.claimer + claim.period:
            yield VIOLATED, f"the account is missing, or not the receipt of this claim, {place}"
        elif claim.proof and abs(int.from_bytes(data[80:], "little", signed=True) - claim.proof.issued_at) > 600:
            yield VIOLATED, f"claimed_at is more than 600 s from the proof's issued_at, {place}"


def check_links(case: Case, claims: list[Claim]) -> Problems:
    """7. Under strict rules both parents of a claim are the entry accepted before it, GENESIS for the first."""
    entries = {GENESIS, *(c.proof.entry for c in claims if c.proof)}
    head = GENESIS
    for claim in claims:
        if claim.proof is None:
            if head != GENESIS and not claim.fault:
                yield VIOLATED, f"a claim without a proof was accepted after claims with proofs, {claim.where()}"
            continue
        prev = claim.proof.prev
        if case.is_strict(claim) and claim.proof.stream_prev != prev:
            yield VIOLATED, f"parent {prev}, but stream parent {claim.proof.stream_prev}, {claim.where()}"
        if case.is_strict(claim) and prev != head:
            if prev in entries:
                yield VIOLATED, f"it follows {prev}, while the accepted entry before it is {head}, {claim.where()}"
            else:
                yield CANNOT_TELL, f"a gap: accepted entry {prev} is in no transaction of the case; it comes before {claim.where()}"
        head = claim.proof.entry


def check_pop_state(case: Case, grant: bytes) -> Problems:
    """8. PopState: 8 discriminator, 32 grant, 32 global head, 32 stream head, 8 last period, 8 last issued_at, 1 initialized, 1 bump."""
    key, slot, data = case.pop_state(grant)
    place = f"PopState {key}"
    if slot < 0:
        yield CANNOT_TELL, f"not collected: claims left out at the end would not be noticed, {place}"
        return
    ends = case.leads_to(case.accepted(grant, up_to=slot))
    if not data and not ends:
        return
    if len(data) != 122 or data[:40] != discriminator(b"PopState") + grant or data[120] != 1:
        yield VIOLATED, f"the account is missing, or not the PopState of this grant, {place}"
        return
    head, stream_head, last = data[40:72].hex(), data[72:104].hex(), data[104:120]
    issued_at = int.from_bytes(last[8:], "little", signed=True)
    accepted = {c.proof.entry: c.proof for c in case.accepted(grant) if c.proof}
    if stream_head != head:
        yield VIOLATED, f"its heads differ, {head} and {stream_head}, {place}"
    if head not in accepted:
        yield CANNOT_TELL, f"a gap at the end: its head {head} is in no accepted transaction of the case, {place}"
        if case.relaxed_why and ends and ends[0].issued_at > issued_at:
            yield VIOLATED, f"its last issued_at is {issued_at}, a proof of {ends[0].issued_at} was accepted, {place}"
    elif head not in [p.entry for p in ends]:
        yield VIOLATED, f"its head is {head}, the claims lead to {' or '.join(p.entry for p in ends)}, {place}"
    elif last != accepted[head].period + accepted[head].message[-8:]:
        yield VIOLATED, f"its last period and issued_at are not those of its head {head}, {place}"


def facts(case: Case, grant: bytes) -> dict[str, Any]:
    """What findings.json must say of a grant, in its words (schema popkit.findings/1)."""
    claims = case.accepted(grant)
    last, proofs = claims[-1] if claims else None, [c.proof for c in claims if c.proof]
    _, slot, data = case.pop_state(grant)
    on_chain = None if slot < 0 else data[40:72].hex() or GENESIS
    named = {c.proof.prev for c in claims if c.proof and case.is_strict(c)} | {on_chain or GENESIS}
    forged = {t.signature for t in case.transactions for c in claims_of(t, case.program) if c.grant == grant and not t.genuine}
    return {
        "last_good.signature": last and last.transaction.signature,
        "last_good.entry_hash": last and last.proof and last.proof.entry,
        "last_good.slot": last and last.transaction.slot,
        "last_good.receipt": last and to_base58(last.receipt),
        "heads.on_chain": on_chain,
        "heads.last_accepted": proofs[-1].entry if proofs else None,
        "unseen_entries": sorted(named - {p.entry for p in proofs} - {GENESIS}),
        "forged_transactions": sorted(forged),
    }


def check_findings(case: Case, findings: dict[str, Any]) -> Problems:
    """10. findings.json against the facts."""
    if findings.get("case") != case.name:
        yield VIOLATED, f"findings.json is about {findings.get('case')}, this case is {case.name}"
    rows = findings.get("grants")
    said = {str(row.get("grant")): row for row in (rows if isinstance(rows, list) else []) if isinstance(row, dict)}
    for grant in sorted({to_base58(g) for g in case.grants} ^ set(said)):
        yield VIOLATED, f"grant {grant} is in {'findings.json' if grant in said else 'case.json'} alone"
    for name, row in said.items():
        for field, here in facts(case, address(name)).items() if name in map(to_base58, case.grants) else ():
            there: Any = row
            for part in field.split("."):
                there = there.get(part) if isinstance(there, dict) else None
            if there != here:
                # What could not be read here, or rules that no claims here show, may explain it.
                explained = case.unread or (field == "unseen_entries" and not case.relaxed_why and "relaxed" in str(row.get("eras")))
                text = f"{field} is {json.dumps(there)} in findings.json, {json.dumps(here)} here, grant {name}"
                yield CANNOT_TELL if explained else VIOLATED, text


# ---- in order ----


def check_grant(report: Report, case: Case, grant: bytes) -> None:
    name = f"grant {to_base58(grant)}"
    every = landing_order([c for c in case.claims if c.grant == grant])  # forged ones too: what is wrong with them is named
    proofs, receipts = sum(c.proof is not None for c in every), sum(c.receipt in case.accounts for c in every)
    bare = f" ({len(every) - proofs} from before PoP need none)" if len(every) > proofs else ""
    report.tell(3, check_proofs(case, every), f"{proofs} of {len(every)} accepted claims stand behind a valid proof{bare}, {name}")
    report.tell(4, check_context(every), f"every proof names its claim's grant, claimer and period, {name}")
    report.tell(5, check_entries(every), f"every entry hash is that of its fields, {name}")
    report.tell(6, check_receipts(case, every), f"every receipt is that of its claim, {receipts} of {len(every)} were collected, {name}")
    rules = f"rules are relaxed from slot {case.relaxed_from} on: {case.relaxed_why}" if case.relaxed_why else "strict rules"
    report.tell(7, check_links(case, case.accepted(grant)), f"the accepted claims follow one another from GENESIS ({rules}), {name}")
    report.tell(8, check_pop_state(case, grant), f"PopState is where the claims lead, {name}")
    found = facts(case, grant)
    last = f"last good claim {found['last_good.signature']}, slot {found['last_good.slot']}, receipt {found['last_good.receipt']}"
    text = f"{last if every else 'no claim was accepted'}; head {found['heads.on_chain'] or found['heads.last_accepted']}, {name}"
    unsure = case.unread or found["unseen_entries"] or found["heads.on_chain"] is None
    report.tell(9, [(CANNOT_TELL, f"as far as the case goes: {text}")] if unsure else [], text)


def check(path: Path, findings: dict[str, Any] | None = None) -> int:
    """Print every line; the exit code."""
    report = Report()
    try:
        report.tell(1, check_manifest(path), "every file is the one that manifest-sha256.txt names")
        case = Case(path)
    except UNREADABLE as error:
        report.tell(2, [(CANNOT_TELL, f"the case cannot be read: {type(error).__name__}: {error}")], "")
        return report.exit_code()
    report.tell(2, check_transactions(case), f"{len(case.transactions)} transactions are signed as they say")
    for grant in case.grants:
        check_grant(report, case, grant)
    if findings is not None:
        report.tell(10, check_findings(case, findings), "findings.json says the same of every grant")
    return report.exit_code()


def main(arguments: list[str]) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        print("usage: python3 check.py CASE [findings.json]", file=sys.stderr)
        return 2
    if not Path(arguments[0], "case.json").is_file():
        print(f"{arguments[0]} is not a case: it has no case.json", file=sys.stderr)
        return 2
    try:
        findings = dict(json.loads(Path(arguments[1]).read_bytes())) if len(arguments) == 2 else None
    except UNREADABLE as error:
        print(f"{arguments[1]} cannot be read as findings.json: {error}", file=sys.stderr)
        return 2
    return check(Path(arguments[0]), findings)


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `check.py CASE | head` ends quietly
    sys.exit(main(sys.argv[1:]))
