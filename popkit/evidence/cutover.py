"""The record of a cutover, `cutover.json`: what was left, what took over, and the evidence for
both. Canonical; schema popkit.cutover/1.

The classes are the format: nothing else may stand in a record, every field is always there, and
what is not known is null. Amounts and grant ids are decimal strings (they may pass 2^53), hashes
are 64 hex digits, keys base58, times unix seconds. A record is a statement of those who cut over.
It is no evidence of the chain: `popkit diagnose` and `popkit cutover verify` hold it against that.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import rfc8785
from msgspec import Meta

from popkit.errors import CaseUnreadable
from popkit.evidence.layout import CUTOVER
from popkit.protocol.canonical import absurdity
from popkit.protocol.keys import is_pubkey, is_signature

SCHEMA = "popkit.cutover/1"
GIVEN = "given/cutover.json"
"""How findings name a record that was given beside the case (`--cutover FILE`): it lies at no place
of the case.
"""
MOST_BYTES = 16 << 20
"""A record holds a few thousand bytes; nothing larger is read."""
MOST_U64 = (1 << 64) - 1
ADVICE = "ask whoever cut over for the record as it was written (RUN/cutover.json)"

Hash = Annotated[
    str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256 or entry hash, 64 hex digits")
]
Key = Annotated[
    str, Meta(pattern="^[1-9A-HJ-NP-Za-km-z]{32,44}$", description="public key, base58")
]
Signature = Annotated[
    str, Meta(pattern="^[1-9A-HJ-NP-Za-km-z]{64,88}$", description="transaction signature, base58")
]
Amount = Annotated[
    str,
    Meta(
        pattern="^(0|[1-9][0-9]{0,19})$",
        description="base units of the mint, or a u64, in decimal digits",
    ),
]
Seconds = Annotated[
    int, Meta(ge=-(1 << 53), le=1 << 53, description="unix seconds, by the cluster's clock")
]
Slot = Annotated[int, Meta(ge=0, le=1 << 53, description="slot in which it landed")]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a record: every field is always there, and nothing else is."""


class Claim(_Part, frozen=True, kw_only=True):
    """An accepted claim; `entry_hash` is null for one without a proof, `block_time` where the node
    gave none.
    """

    signature: Signature
    receipt: Key
    entry_hash: Hash | None
    slot: Slot
    block_time: Seconds | None


class FirstBad(_Part, frozen=True, kw_only=True):
    """The first bad claim or proof, as findings.json has it; `source` (chain, worker, client) is
    who shows it.
    """

    signature: Signature | None
    entry_hash: Hash | None
    prev_hash: Hash | None
    error: str | None
    source: Literal["chain", "worker", "client"]


class Heads(_Part, frozen=True, kw_only=True):
    """Every known head of the old grant, as entry hashes: PopState's, the worker's, and the last
    accepted claim's. 64 zeros are GENESIS.
    """

    on_chain: Hash | None
    worker: Hash | None
    last_accepted: Hash | None


class Old(_Part, frozen=True, kw_only=True):
    """The grant that was left. `missing_entries` are proofs that its chain waits for; `closed` is
    whether step 2.0 closed it.
    """

    grant: Key
    authority: Key
    mint: Key
    last_good: Claim | None
    first_bad: FirstBad | None
    heads: Heads
    causes: list[str]
    missing_entries: list[Hash]
    events: list[str]
    closed: bool


class New(_Part, frozen=True, kw_only=True):
    """The grant that took over: where it is, the terms it began with, what its first claim follows,
    who signs for it, its event.
    """

    grant: Key
    authority: Key
    mint: Key
    grant_id: Amount
    genesis: Hash
    signer: Key | None
    event: str | None
    amount_per_period: Amount
    period_seconds: int
    start_ts: Seconds
    expires_at: Seconds


class Sent(_Part, frozen=True, kw_only=True):
    """A transaction of the cutover, by its step. Found done by others, its signature may not be
    known: null.
    """

    step: str
    signature: Signature | None
    slot: Slot | None
    block_time: Seconds | None
    done_by: Literal["us", "others"]


class Canary(_Part, frozen=True, kw_only=True):
    """The operator's own claim, which was to be the first one on the new grant."""

    wallet: Key | None
    signature: Signature | None
    slot: Slot | None
    entry_hash: Hash | None
    receipt: str | None


class Verified(_Part, frozen=True, kw_only=True):
    """What step 4 found: the verdict of the new grant, and the claims that it looked at."""

    grant: Key
    verdict: str
    claims: list[Signature]


class Adjudicated(_Part, frozen=True, kw_only=True):
    """A finding that the cutover is the answer to: its code, and the key that findings.json names
    with it (null: not known).
    """

    code: str
    key: str | None


class Digests(_Part, frozen=True, kw_only=True):
    """SHA-256 of what the record stands on: plan.json, the manifest of its case (null: not sealed),
    that case's findings.json, the journal.

    The journal is named as it was when the record was written: how many entries it had, the newest
    one's hash, and the whole file.
    """

    plan: Hash
    case: Hash | None
    findings: Hash
    journal: Hash
    journal_head: Hash
    journal_entries: int


class OpenPoint(_Part, frozen=True, kw_only=True):
    """A step of the plan that is not done: open, failed, waiting, or of an outcome that nobody
    knows.
    """

    step: str
    state: Literal["open", "unknown", "failed", "waiting"]


class Record(_Part, frozen=True, kw_only=True):
    """A whole record. `new` is null under the remedy *signer*, where the old grant goes on under
    the key `signer`, and in a draft.

    `made_at` is the time of the journal's newest entry, by the operator's machine. `given_up` is
    whether this new grant was abandoned; `given_up_before` are earlier new grants that were.
    `overridden` names the refusals that a person overrode, for the `reason`.
    """

    schema: Literal["popkit.cutover/1"] = "popkit.cutover/1"
    made_at: Seconds
    cluster: str
    genesis_hash: Key | None
    program_id: Key
    remedy: Literal["switch", "signer"]
    reason: str | None
    overridden: list[str]
    old: Old
    new: New | None
    signer: Key | None
    transactions: list[Sent]
    canary: Canary | None
    verified: Verified | None
    adjudicates: list[Adjudicated]
    digests: Digests
    given_up: bool
    given_up_before: list[Key]
    open_points: list[OpenPoint]
    so_far: bool


@dataclass(frozen=True, slots=True)
class GivenRecord:
    """A record as it was found: the file of the case (or GIVEN), its SHA-256, and what it states."""

    file: str
    sha256: str
    record: Record


def canonical(record: Record) -> bytes:
    """A record's canonical bytes (RFC 8785)."""
    return rfc8785.dumps(msgspec.to_builtins(record))


def read_record(data: bytes, name: str = CUTOVER) -> Record:
    """A record from its bytes. Raises CaseUnreadable where it is none, or where its bytes are not
    canonical.
    """
    problem = f"is larger than {MOST_BYTES} bytes" if len(data) > MOST_BYTES else absurdity(data)
    if problem:
        raise CaseUnreadable(problem, file=name, advice=ADVICE)
    try:
        record = msgspec.json.decode(data, type=Record)
        whole = canonical(record) == data
    except (
        msgspec.DecodeError,
        rfc8785.CanonicalizationError,
        ValueError,
        RecursionError,
    ) as error:
        raise CaseUnreadable(
            f"is not a record of a cutover: {error}", file=name, advice=ADVICE
        ) from None
    if not whole:
        raise CaseUnreadable(
            "is not canonical (RFC 8785): somebody edited or reformatted it",
            file=name,
            advice=ADVICE,
        )
    problem = _impossible(record)
    if problem:
        raise CaseUnreadable(problem, file=name, advice=ADVICE)
    return record


def _impossible(record: Record) -> str | None:
    """What of a record cannot be, though it has the right form; None where nothing is wrong."""
    old, new = record.old, record.new
    keys = [record.program_id, record.signer, old.grant, old.authority, old.mint]
    if new is not None:
        keys += [new.grant, new.authority, new.mint, new.signer]
        if int(new.grant_id) > MOST_U64:
            return f"names the grant id {new.grant_id}, which is no u64"
    wrong = next((key for key in keys if key is not None and not is_pubkey(key)), None)
    if wrong is not None:
        return f"names {wrong}, which is no public key"
    signatures = [sent.signature for sent in record.transactions]
    signatures += [
        part.signature for part in (old.last_good, old.first_bad, record.canary) if part is not None
    ]
    wrong = next(
        (
            signature
            for signature in signatures
            if signature is not None and not is_signature(signature)
        ),
        None,
    )
    if wrong is not None:
        return f"names {wrong}, which is no signature"
    if record.remedy == "signer" and new is not None:
        return "names a new grant, and its remedy has none"
    return None


def found_record(data: bytes, file: str) -> GivenRecord:
    """A record with the file and the digest that it is known by. Raises CaseUnreadable."""
    return GivenRecord(file, hashlib.sha256(data).hexdigest(), read_record(data, file))


def is_record(value: Any) -> bool:
    """Whether a JSON value says of itself that it is a record of a cutover, of whatever version."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("schema"), str)
        and value["schema"].startswith("popkit.cutover/")
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of cutover.json, made from the classes above;
    `popkit/cutover/cutover.schema.json` is it.
    """
    schema = msgspec.json.schema(Record)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA,
        "title": "The record of a cutover",
        **schema,
    }
