"""One mutant a row of the attack table: an untouched world, one fault, re-signed or re-hashed as
that attacker could.

`python -m tests.attacks.build` rewrites `data/attacks/vectors.json`. The mutants themselves are
made anew wherever they are needed: keys come from names and time from the scenario, so that they
are the same bytes everywhere.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from solders.keypair import Keypair

from popkit.drill import addresses as pda
from popkit.drill.case import write_case
from popkit.drill.proofs import Proof, canonical, digest, sign_proof
from popkit.drill.worker import Worker
from popkit.drill.world import START, GrantHandle, Ticket, World
from popkit.protocol.accounts import (
    ClaimReceipt,
    PopConfig,
    PopState,
    TokenAccount,
    decode_account,
    decode_token_account,
    encode_account,
)
from popkit.verification.attacks import ATTACKS, Attack

Files = dict[str, Any]
VECTORS = Path(__file__).resolve().parents[2] / "data" / "attacks" / "vectors.json"
SCHEMA = "popkit.attacks/1"
TRANSACTIONS, SIGNATURES, ACCOUNTS = (
    "rpc/transactions.jsonl",
    "rpc/signatures.jsonl",
    "rpc/accounts.jsonl",
)
LOGS, STORAGE, BUCKET, RECEIPTS = (
    "worker/audit-logs.json",
    "worker/storage.jsonl",
    "worker/r2.jsonl",
    "worker/ticket-receipts.jsonl",
)
WALLETS = ("ann", "bob", "cat", "dan")
INVENTED = "5" * 87
"""A signature in form, of no transaction."""


@dataclass
class Stage:
    """The untouched world of an attack: four accepted claims, and what a collector would find a
    quarter of an hour later.
    """

    build: str = "strict"
    model: str = "A"
    before: Callable[[Stage], None] | None = None
    evidence: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = World(self.build, self.model, start=START[self.build])
        self.handle: GrantHandle = self.world.grant()
        self.done: list[Ticket] = self.world.tickets(
            self.handle, *WALLETS, from_chain=self.model == "D"
        )
        if self.before is not None:
            self.before(self)

    @property
    def worker(self) -> Worker:
        return self.world.worker

    def collect(self) -> Files:
        """The case, every file apart from the world and from every other file."""
        self.world.tick(900)
        parts = {"bucket": True, "storage": True, "receipts": False, **self.evidence}
        made: Files = json.loads(json.dumps(self.world.collect(**parts)))
        return made


@dataclass(frozen=True)
class Recipe:
    """How one mutant is made: the stage, and the deed that turns it into files."""

    stage: partial[Stage]
    deed: Callable[[Stage], Files]
    sealed: bool = True

    def untouched(self) -> Files:
        return self.stage().collect()

    def mutant(self) -> Files:
        return self.deed(self.stage())


RECIPES: dict[str, Recipe] = {}


def attack(
    name: str,
    build: str = "strict",
    model: str = "A",
    before: Callable[[Stage], None] | None = None,
    sealed: bool = True,
    **evidence: bool,
) -> Callable[[Callable[[Stage], Files]], Callable[[Stage], Files]]:
    """Register the deed of an attack. Without `sealed` its manifest stays that of the untouched
    case.
    """

    def register(deed: Callable[[Stage], Files]) -> Callable[[Stage], Files]:
        assert name not in RECIPES, name
        RECIPES[name] = Recipe(partial(Stage, build, model, before, evidence), deed, sealed)
        return deed

    return register


def write_mutant(name: str, path: Path) -> Path:
    """Write the mutant case of an attack."""
    recipe = RECIPES[name]
    write_case(path, recipe.mutant())
    if not recipe.sealed:
        with tempfile.TemporaryDirectory() as folder:
            sealed = write_case(Path(folder), recipe.untouched()) / "manifest-sha256.txt"
            (path / "manifest-sha256.txt").write_bytes(sealed.read_bytes())
    return path


# what several deeds do


def row_of(files: Files, signature: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        row for row in files[TRANSACTIONS] if row["signature"] == signature
    )
    return found


def respell(files: Files, signature: str, change: Callable[[bytes], bytes]) -> None:
    """Change the bytes of a transaction."""
    held = row_of(files, signature)["result"]["transaction"]
    held[0] = base64.b64encode(change(base64.b64decode(held[0]))).decode()


def list_as(files: Files, signature: str, **said: Any) -> None:
    """Let the node's list say so too."""
    for row in files[SIGNATURES]:
        if row["signature"] == signature:
            row.update(said)


def leave_out(files: Files, signature: str) -> None:
    for name in (TRANSACTIONS, SIGNATURES):
        files[name] = [row for row in files[name] if row["signature"] != signature]


def account(files: Files, address: str) -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in files[ACCOUNTS] if row["pubkey"] == address)
    return found


def rewrite_account(files: Files, address: str, kind: type, **fields: Any) -> None:
    """Change fields of an account and encode it again."""
    data = account(files, address)["account"]["data"]
    held = (decode_token_account if kind is TokenAccount else decode_account)(
        base64.b64decode(data[0])
    )
    assert isinstance(held, kind)
    data[0] = base64.b64encode(encode_account(replace(held, **fields))).decode()  # type: ignore[type-var]


def set_state(files: Files, stage: Stage, entry: str, issued_at: int) -> None:
    rewrite_account(
        files,
        stage.handle.state,
        PopState,
        last_global_hash=entry,
        last_stream_hash=entry,
        last_issued_at=issued_at,
    )


def receipt_account(stage: Stage, wallet: str) -> str:
    return pda.receipt_address(stage.handle.address, stage.world.address(wallet), 0)


def anew(proof: Proof, key: Keypair, **fields: Any) -> Proof:
    """The same proof with other fields, hashed and signed anew."""
    told = replace(proof, **fields)
    return sign_proof(
        key,
        told.grant,
        told.claimer,
        told.period,
        told.prev,
        told.stream,
        told.audit,
        told.issued_at,
        told.anchor,
    )


def put_proof(files: Files, ticket: Ticket, told: Proof) -> None:
    """Another proof in the place of a ticket's, inside its transaction."""
    old = ticket.proof
    respell(
        files,
        ticket.signature,
        lambda wire: wire.replace(old.message, told.message).replace(old.signature, told.signature),
    )


def hashed(entry: dict[str, Any]) -> dict[str, Any]:
    """An audit entry with its own hash, payload hash and sinks made to fit what it says."""
    plain = {k: v for k, v in entry.items() if k not in ("entry_hash", "immutable")}
    plain["entry_hash"] = digest(plain)
    text = canonical({"version": 1, "source": "school-store", "entry": plain})
    folder, moment = (
        quote(plain["eventId"], safe="-_.!~*'()"),
        plain["ts"].replace(":", "-").replace(".", "-"),
    )
    refs = {
        "r2_entry": f"audit/immutable/entry/{plain['entry_hash']}.json",
        "r2_stream": f"audit/immutable/stream/{folder}/{moment}_{plain['entry_hash']}.json",
    }
    sinks = [{"sink": sink, "ref": ref, "at": plain["ts"]} for sink, ref in refs.items()]
    return {
        **plain,
        "immutable": {
            "mode": "required",
            "payload_hash": sha256(text.encode()).hexdigest(),
            "sinks": sinks,
        },
    }


def objects(entry: dict[str, Any]) -> dict[str, str]:
    """The bucket objects of an entry."""
    text = canonical(
        {
            "version": 1,
            "source": "school-store",
            "entry": {k: v for k, v in entry.items() if k != "immutable"},
        }
    )
    return {sink["ref"]: text for sink in entry["immutable"]["sinks"]}


def rehash_from(worker: Worker, index: int, edited: dict[str, Any], bucket: bool) -> None:
    """Put `edited` in the place of an entry and hash everything after it anew: rows, heads,
    receipts, and with `bucket` the objects.

    Anchors then name the new entries of their receipts; the receipts' hashes in them stay, as
    proofs on chain carry those.
    """
    old, worker.entries = worker.entries[index:], worker.entries[:index]
    worker.last, anew = {}, {}
    for entry in worker.entries:
        worker.last["global"] = worker.last[entry["eventId"]] = entry["entry_hash"]
    for before, entry in zip(old, [edited, *old[1:]], strict=True):
        links = {
            "prev_hash": worker.last.get("global", "GENESIS"),
            "stream_prev_hash": worker.last.get(entry["eventId"], "GENESIS"),
        }
        data = {
            k: anew[v]["entry_hash"] if k == "receiptId" and v in anew else v
            for k, v in entry["data"].items()
        }
        anew[before["entry_hash"]] = made = hashed({**entry, **links, "data": data})
        worker.entries.append(made)
        worker.last["global"] = worker.last[entry["eventId"]] = made["entry_hash"]
    for entry in old if bucket else ():
        for key in objects(entry):
            del worker.bucket[key]
    for entry in anew.values() if bucket else ():
        worker.bucket |= objects(entry)
    for place, receipt in worker.receipts.items():
        if receipt["receiptId"] in anew:
            worker.receipts[place] = rehashed_receipt(receipt, anew[receipt["receiptId"]])
    for record in worker.history.values():
        if record.get("anchorEntryHash") in anew:
            record["anchorEntryHash"] = anew[record["anchorEntryHash"]]["entry_hash"]


def rehashed_receipt(receipt: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """A ticket receipt that speaks of another entry, with its hash made to fit."""
    audit = {
        **receipt["audit"],
        "entryHash": entry["entry_hash"],
        "prevHash": entry["prev_hash"],
        "streamPrevHash": entry["stream_prev_hash"],
        "immutablePayloadHash": entry["immutable"]["payload_hash"],
        "immutableSinks": entry["immutable"]["sinks"],
    }
    told = {**receipt, "receiptId": entry["entry_hash"], "issuedAt": entry["ts"], "audit": audit}
    del told["receiptHash"]
    return {**told, "receiptHash": digest(told)}


def claim_row(worker: Worker, ticket: Ticket) -> int:
    """Where the worker's record of a ticket's claim stands."""
    rows = enumerate(worker.entries)
    return next(
        i
        for i, e in rows
        if e["event"] == "WALLET_CLAIM"
        and e["data"]["pii"]["walletAddress"] == ticket.proof.claimer
    )


def amount_of(entry: dict[str, Any], amount: int) -> dict[str, Any]:
    """A claim record that tells of another amount."""
    data = entry["data"]
    return {**entry, "data": {**data, "transfer": {**data["transfer"], "amount": amount}}}


def false_record(stage: Stage, wallet: str, signature: str | None, receipt: str | None) -> Files:
    """A claim record that no claim stands behind, appended with the token of /v1/audit/log."""
    stage.worker.claim_record(stage.handle.address, stage.world.address(wallet), signature, receipt)
    return stage.collect()


def storage_row(files: Files, key: str) -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in files[STORAGE] if row["key"].startswith(key))
    return found


def edit_rows(files: Files, entry: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change one audit row in the list and in both copies of the storage."""
    logs = files[LOGS]["body"]["logs"]
    files[LOGS]["body"]["logs"] = [
        change(row) if row["entry_hash"] == entry else row for row in logs
    ]
    for row in files[STORAGE]:
        if (
            row["key"].startswith(("audit_entry:", "audit_history:"))
            and row["value"]["entry_hash"] == entry
        ):
            row["value"] = change(row["value"])


def drop_rows(files: Files, gone: set[str]) -> None:
    """Remove audit rows from the list and the storage."""
    body = files[LOGS]["body"]
    body["logs"] = [row for row in body["logs"] if row["entry_hash"] not in gone]
    files[STORAGE] = [
        row
        for row in files[STORAGE]
        if not (row["key"].startswith("audit_") and row["value"]["entry_hash"] in gone)
    ]


def refused_then_accepted(stage: Stage) -> None:
    """A fifth claim that met a paused grant, and was accepted when it was sent again."""
    world, handle = stage.world, stage.handle
    proof = world.worker.issue(handle.address, world.address("eve"))
    world.switch(handle, "set_paused", {"paused": True})
    refused = world.claim(handle, proof, "eve")
    world.switch(handle, "set_paused", {"paused": False})
    accepted = world.claim(handle, proof, "eve")
    assert (refused.error, accepted.err) == (6007, None)
    world.worker.claim_record(
        handle.address, proof.claimer, accepted.signature, receipt_account(stage, "eve")
    )
    stage.done += [Ticket(proof, refused), Ticket(proof, accepted)]


def refused_twin(stage: Stage) -> None:
    """A wallet sends a proof twice: the second is refused, as its receipt exists."""
    landed = stage.world.claim(stage.handle, stage.done[-1].proof, "dan", budget=True)
    assert landed.error == 0
    stage.done.append(Ticket(stage.done[-1].proof, landed))


def lost_proof(stage: Stage) -> None:
    """A fifth proof that nobody ever sends."""
    stage.worker.issue(stage.handle.address, stage.world.address("eve"))


# nobody's key: somebody holds the case and seals it anew


@attack("file-changed-seal-kept", sealed=False)
def _(stage: Stage) -> Files:
    files = stage.collect()
    row_of(files, stage.done[1].signature)["result"]["blockTime"] += 1
    return files


@attack("message-byte")
def _(stage: Stage) -> Files:
    files = stage.collect()
    at = 150  # inside audit_hash: neither link changes
    message = stage.done[1].proof.message
    told = message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]
    respell(files, stage.done[1].signature, lambda wire: wire.replace(message, told))
    return files


@attack("proof-rehashed-without-key")
def _(stage: Stage) -> Files:
    files = stage.collect()
    last = stage.done[-1]
    told = replace(
        anew(last.proof, stage.worker.key, audit=sha256(b"another record").hexdigest()),
        signature=last.proof.signature,
    )
    put_proof(files, last, told)
    set_state(files, stage, told.entry, told.issued_at)
    return files


@attack("worker-files-left-out", receipts=True)
def _(stage: Stage) -> Files:
    return {
        name: content for name, content in stage.collect().items() if not name.startswith("worker/")
    }


@attack("earlier-case-dated-today")
def _(stage: Stage) -> Files:
    files = stage.collect()
    files["case.json"]["collected_at"] += 86400
    return files


@attack("moment-set-back", before=lost_proof)
def _(stage: Stage) -> Files:
    files = stage.collect()
    files["case.json"]["collected_at"] -= 600
    return files


# the RPC node: lies or omits


@attack("transaction-replaced")
def _(stage: Stage) -> Files:
    files = stage.collect()
    row_of(files, stage.done[2].signature)["result"] = row_of(files, stage.done[1].signature)[
        "result"
    ] | {"slot": stage.done[2].landed.slot}
    return files


@attack("transaction-omitted-middle")
def _(stage: Stage) -> Files:
    files = stage.collect()
    leave_out(files, stage.done[1].signature)
    return files


@attack("transaction-omitted-newest")
def _(stage: Stage) -> Files:
    files = stage.collect()
    leave_out(files, stage.done[-1].signature)
    return files


@attack("transaction-omitted-newest-and-accounts")
def _(stage: Stage) -> Files:
    files = stage.collect()
    leave_out(files, stage.done[-1].signature)
    gone = {stage.handle.state, stage.handle.vault, receipt_account(stage, "dan")}
    files[ACCOUNTS] = [row for row in files[ACCOUNTS] if row["pubkey"] not in gone]
    return files


def rolled_back(stage: Stage) -> Files:
    """The newest claim never happened, says every answer of the node."""
    files = stage.collect()
    leave_out(files, stage.done[-1].signature)
    set_state(files, stage, stage.done[-2].entry, stage.done[-2].proof.issued_at)
    account(files, receipt_account(stage, "dan"))["account"] = None
    rewrite_account(
        files,
        stage.handle.vault,
        TokenAccount,
        amount=stage.world.ledger.tokens[stage.handle.vault].amount + 1,
    )
    return files


attack("newest-claim-denied")(rolled_back)
attack("newest-claim-denied-chain-alone", worker=False)(rolled_back)


@attack("refused-claim-hidden", before=refused_then_accepted)
def _(stage: Stage) -> Files:
    files = stage.collect()
    leave_out(files, stage.done[-2].signature)
    return files


@attack("accepted-shown-as-refused")
def _(stage: Stage) -> Files:
    files = stage.collect()
    signature, err = stage.done[1].signature, {"InstructionError": [2, {"Custom": 6024}]}
    row_of(files, signature)["result"]["meta"] |= {"err": err, "status": {"Err": err}}
    list_as(files, signature, err=err)
    return files


@attack("refused-shown-as-accepted", before=refused_twin)
def _(stage: Stage) -> Files:
    files = stage.collect()
    signature = stage.done[-1].signature
    meta = row_of(files, signature)["result"]["meta"]
    meta |= {"err": None, "status": {"Ok": None}}
    list_as(files, signature, err=None)
    gained = next(b for b in meta["postTokenBalances"] if b["owner"] == stage.world.address("dan"))
    gained["uiTokenAmount"] |= {"amount": "2", "uiAmount": 2.0, "uiAmountString": "2"}
    return files


@attack("slot-changed-in-one-answer")
def _(stage: Stage) -> Files:
    files = stage.collect()
    row_of(files, stage.done[1].signature)["result"]["slot"] += 1
    return files


@attack("order-changed")
def _(stage: Stage) -> Files:
    files = stage.collect()
    signature, slot = stage.done[1].signature, stage.done[-1].landed.slot + 5
    row_of(files, signature)["result"]["slot"] = slot
    list_as(files, signature, slot=slot)
    return files


@attack("order-changed-before-the-newest")
def _(stage: Stage) -> Files:
    files = stage.collect()
    signature, slot = stage.done[1].signature, stage.done[0].landed.slot - 5
    row_of(files, signature)["result"]["slot"] = slot
    list_as(files, signature, slot=slot)
    return files


@attack("block-time-changed")
def _(stage: Stage) -> Files:
    files = stage.collect()
    signature, time = stage.done[1].signature, stage.done[1].landed.time + 7
    row_of(files, signature)["result"]["blockTime"] = time
    list_as(files, signature, blockTime=time)
    return files


@attack("balances-changed")
def _(stage: Stage) -> Files:
    files = stage.collect()
    meta = row_of(files, stage.done[1].signature)["result"]["meta"]
    row = next(b for b in meta["postTokenBalances"] if b["owner"] == stage.done[1].proof.claimer)
    row["uiTokenAmount"] |= {"amount": "7", "uiAmount": 7.0, "uiAmountString": "7"}
    return files


@attack("receipt-account-altered")
def _(stage: Stage) -> Files:
    files = stage.collect()
    rewrite_account(
        files, receipt_account(stage, "bob"), ClaimReceipt, claimer=stage.world.address("eve")
    )
    return files


@attack("receipt-account-denied")
def _(stage: Stage) -> Files:
    files = stage.collect()
    account(files, receipt_account(stage, "bob"))["account"] = None
    return files


@attack("receipt-time-altered")
def _(stage: Stage) -> Files:
    files = stage.collect()
    rewrite_account(
        files,
        receipt_account(stage, "bob"),
        ClaimReceipt,
        claimed_at=stage.done[1].landed.time + 30,
    )
    return files


@attack("pop-state-altered")
def _(stage: Stage) -> Files:
    files = stage.collect()
    set_state(files, stage, stage.done[1].entry, stage.done[1].proof.issued_at)
    return files


@attack("pop-config-altered")
def _(stage: Stage) -> Files:
    files = stage.collect()
    rewrite_account(
        files, stage.handle.config, PopConfig, signer_pubkey=stage.world.address("somebody")
    )
    return files


@attack("log-lines-altered")
def _(stage: Stage) -> Files:
    files = stage.collect()
    meta = row_of(files, stage.done[1].signature)["result"]["meta"]
    meta["logMessages"] = [line.replace("ClaimGrant", "CloseGrant") for line in meta["logMessages"]]
    return files


# the worker's signing key, stolen


@attack("proof-re-signed-after-the-fact")
def _(stage: Stage) -> Files:
    files = stage.collect()
    last = stage.done[-1]
    told = anew(last.proof, stage.worker.key, audit=sha256(b"another record").hexdigest())
    put_proof(files, last, told)
    set_state(files, stage, told.entry, told.issued_at)
    return files


def thief(
    stage: Stage, prev: str | None = None, audit: str | None = None, wallet: str = "eve"
) -> Proof:
    """A proof of the stolen key, on the chain's head or on `prev`."""
    world, head = stage.world, prev or stage.world.head(stage.handle)
    told = audit or sha256(b"a record that nobody holds").hexdigest()
    world.tick(30)
    return sign_proof(
        world.worker.key,
        stage.handle.address,
        world.address(wallet),
        0,
        head,
        head,
        told,
        world.now,
    )


def land(stage: Stage, proof: Proof, wallet: str = "eve") -> Files:
    stage.world.tick(5)
    stage.world.claim(stage.handle, proof, wallet)
    return stage.collect()


@attack("foreign-proof-accepted")
def _(stage: Stage) -> Files:
    return land(stage, thief(stage))


@attack("foreign-proof-refused")
def _(stage: Stage) -> Files:
    return land(stage, thief(stage, prev=stage.done[1].entry))


@attack("foreign-proof-with-a-true-audit-hash", "relaxed", "D")
def _(stage: Stage) -> Files:
    return land(stage, thief(stage, audit=stage.done[1].proof.audit))


@attack("foreign-proof-chain-alone", worker=False)
def _(stage: Stage) -> Files:
    return land(stage, thief(stage))


@attack("foreign-proof-kept")
def _(stage: Stage) -> Files:
    thief(stage)
    stage.world.ms -= 30_000
    return stage.collect()


def falsely_anchored(stage: Stage) -> Files:
    world, worker, head = stage.world, stage.worker, stage.world.head(stage.handle)
    world.tick(30)
    eve, event = world.address("eve"), worker.event_of(stage.handle.address)
    worker.claim_record(stage.handle.address, eve, None, None)
    receipt = worker.receipts[event, worker.claims[event, eve]]
    proof = anew(
        stage.done[1].proof,
        worker.key,
        claimer=eve,
        prev=head,
        stream=head,
        issued_at=world.now,
        audit=receipt["receiptHash"],
    )
    anchor = next(e for e in worker.entries if e["entry_hash"] == stage.done[1].proof.anchor)
    told = {**anchor["data"], "claimer": eve, "prevHash": head, "streamPrevHash": head}
    told |= {name: receipt[name] for name in ("confirmationCode", "receiptId", "receiptHash")}
    worker.append("POP_CLAIM_PROOF_ANCHOR", f"pop:{event}", anchor["actor"], told)
    worker.api("POST", "/v1/school/pop-proof", event)
    return land(stage, proof)


attack("foreign-proof-with-a-false-anchor", "relaxed", "D", storage=False)(falsely_anchored)
attack("foreign-proof-with-a-false-anchor-and-the-storage", "relaxed", "D")(falsely_anchored)


# a wallet with somebody's code


@attack("proof-on-another-s-ticket", "strict_v2", "B")
def _(stage: Stage) -> Files:
    world, worker, eve = stage.world, stage.worker, stage.world.address("eve")
    code = worker.claims[worker.event_of(stage.handle.address), world.address("bob")]
    proof = worker.issue(stage.handle.address, eve, code=code)
    assert world.claim(stage.handle, proof, "eve").err is None
    return stage.collect()


# another worker: the same key, a copy of the heads


@attack("second-worker-accepted")
def _(stage: Stage) -> Files:
    clone = stage.worker.clone()
    assert stage.world.ticket(stage.handle, "eve", worker=clone).landed.err is None
    return stage.collect()


@attack("equivocation")
def _(stage: Stage) -> Files:
    clone = stage.worker.clone()
    stage.world.tickets(stage.handle, "eve")
    assert stage.world.ticket(stage.handle, "eve", worker=clone).landed.error == 0
    return stage.collect()


@attack("second-worker-chain-alone", worker=False)
def _(stage: Stage) -> Files:
    clone = stage.worker.clone()
    assert stage.world.ticket(stage.handle, "eve", worker=clone).landed.err is None
    return stage.collect()


# the operator with the database


@attack("audit-row-edited")
def _(stage: Stage) -> Files:
    files = stage.collect()
    edit_rows(
        files,
        stage.worker.entries[claim_row(stage.worker, stage.done[1])]["entry_hash"],
        lambda row: amount_of(row, 7),
    )
    return files


@attack("audit-row-rehashed")
def _(stage: Stage) -> Files:
    at = claim_row(stage.worker, stage.done[1])
    stage.worker.entries[at] = hashed(amount_of(stage.worker.entries[at], 7))
    return stage.collect()


@attack("audit-tail-rehashed")
def _(stage: Stage) -> Files:
    at = claim_row(stage.worker, stage.done[-1])
    rehash_from(stage.worker, at, amount_of(stage.worker.entries[at], 7), bucket=False)
    return stage.collect()


@attack("audit-tail-rehashed-no-bucket", bucket=False)
def _(stage: Stage) -> Files:
    at = claim_row(stage.worker, stage.done[-1])
    rehash_from(stage.worker, at, amount_of(stage.worker.entries[at], 7), bucket=False)
    return stage.collect()


@attack("audit-tail-rehashed-and-a-ticket-receipt-kept", bucket=False, receipts=True)
def _(stage: Stage) -> Files:
    kept = json.loads(json.dumps(list(stage.worker.receipts.values())))
    at = claim_row(stage.worker, stage.done[-1])
    rehash_from(stage.worker, at, amount_of(stage.worker.entries[at], 7), bucket=False)
    return {**stage.collect(), RECEIPTS: kept}


@attack("audit-row-removed-middle")
def _(stage: Stage) -> Files:
    files = stage.collect()
    drop_rows(files, {stage.worker.entries[claim_row(stage.worker, stage.done[1])]["entry_hash"]})
    return files


def cut(stage: Stage, index: int, bucket: bool) -> None:
    """Remove every entry from one on, and let the stored heads fit."""
    worker = stage.worker
    gone, worker.entries, worker.last = worker.entries[index:], worker.entries[:index], {}
    for entry in worker.entries:
        worker.last["global"] = worker.last[entry["eventId"]] = entry["entry_hash"]
    for entry in gone if bucket else ():
        for key in objects(entry):
            del worker.bucket[key]
    hashes = {entry["entry_hash"] for entry in gone}
    worker.receipts = {
        place: r for place, r in worker.receipts.items() if r["receiptId"] not in hashes
    }


@attack("audit-newest-rows-left-out")
def _(stage: Stage) -> Files:
    files = stage.collect()
    entries = stage.worker.entries
    at = next(
        i
        for i, e in enumerate(entries)
        if e["ts"] > entries[claim_row(stage.worker, stage.done[-1])]["ts"]
    )
    drop_rows(files, {e["entry_hash"] for e in entries[at:]})
    last = {e["eventId"]: e["entry_hash"] for e in entries[:at]} | {
        "global": entries[at - 1]["entry_hash"]
    }
    heads = {f"audit:lastHash:{name}": value for name, value in last.items()}
    files[STORAGE] = [
        {**row, "value": heads.get(row["key"], row["value"])} for row in files[STORAGE]
    ]
    return files


@attack("history-record-edited")
def _(stage: Stage) -> Files:
    files = stage.collect()
    storage_row(files, "pop_chain:history:")["value"]["claimer"] = stage.world.address("eve")
    return files


@attack("stored-head-edited")
def _(stage: Stage) -> Files:
    files = stage.collect()
    for kind in ("global", "stream"):
        storage_row(files, f"pop_chain:lastHash:{kind}:")["value"] = stage.done[1].entry
    return files


@attack("ticket-receipt-edited", receipts=True)
def _(stage: Stage) -> Files:
    files = stage.collect()
    files[RECEIPTS][1]["subjectCommitment"] = digest({"somebody": "else"})
    return files


def forged_receipt(stage: Stage, **fields: Any) -> Files:
    files = stage.collect()
    told = {**files[RECEIPTS][1], **fields}
    del told["receiptHash"]
    files[RECEIPTS][1] = {**told, "receiptHash": digest(told)}
    return files


@attack("ticket-receipt-rehashed", receipts=True)
def _(stage: Stage) -> Files:
    subject = {
        "version": 1,
        "eventId": stage.worker.event_of(stage.handle.address),
        "subject": stage.world.address("eve"),
    }
    return forged_receipt(stage, subjectCommitment=digest(subject))


@attack("ticket-receipt-added-to", receipts=True)
def _(stage: Stage) -> Files:
    return forged_receipt(stage, seat="front row")


@attack("ticket-receipt-re-anchored", receipts=True)
def _(stage: Stage) -> Files:
    files = stage.collect()
    other = stage.worker.entries[claim_row(stage.worker, stage.done[2])]
    files[RECEIPTS][1] = rehashed_receipt(
        {**files[RECEIPTS][1], "confirmationCode": other["data"]["confirmationCode"]}, other
    )
    return files


@attack("claim-record-invented")
def _(stage: Stage) -> Files:
    return false_record(stage, "eve", INVENTED, receipt_account(stage, "eve"))


@attack("claim-record-invented-since")
def _(stage: Stage) -> Files:
    chain = {
        name: content for name, content in stage.collect().items() if not name.startswith("worker/")
    }
    stage.world.tick(30)
    return {**false_record(stage, "eve", INVENTED, receipt_account(stage, "eve")), **chain}


@attack("claim-record-of-another-s-transaction")
def _(stage: Stage) -> Files:
    return false_record(stage, "eve", stage.done[1].signature, receipt_account(stage, "eve"))


@attack("claim-record-off-chain-invented")
def _(stage: Stage) -> Files:
    return false_record(stage, "eve", None, None)


@attack("ticket-receipt-invented", receipts=True)
def _(stage: Stage) -> Files:
    """An entry that never was, and a receipt that says everything right about it."""
    files = stage.collect()
    entry = stage.worker.entries[claim_row(stage.worker, stage.done[1])]
    told = hashed(amount_of(entry, 7))
    files[RECEIPTS].append(rehashed_receipt(files[RECEIPTS][1], told))
    return files


# the operator with database and bucket


@attack("bucket-object-edited")
def _(stage: Stage) -> Files:
    entry = stage.worker.entries[claim_row(stage.worker, stage.done[1])]
    key = next(iter(objects(entry)))
    stage.worker.bucket[key] = stage.worker.bucket[key].replace("created", "already")
    return stage.collect()


@attack("bucket-object-removed")
def _(stage: Stage) -> Files:
    del stage.worker.bucket[
        next(iter(objects(stage.worker.entries[claim_row(stage.worker, stage.done[1])])))
    ]
    return stage.collect()


@attack("bucket-object-added")
def _(stage: Stage) -> Files:
    entry = stage.worker.entries[claim_row(stage.worker, stage.done[-1])]
    stage.worker.bucket |= objects(hashed(amount_of(entry, 7)))
    return stage.collect()


def rehashed_before_a_proof(stage: Stage) -> Files:
    at = claim_row(stage.worker, stage.done[1])
    rehash_from(stage.worker, at, amount_of(stage.worker.entries[at], 7), bucket=True)
    return stage.collect()


attack("everything-rehashed-before-a-proof")(rehashed_before_a_proof)
attack("everything-rehashed-before-a-proof-no-storage", storage=False)(rehashed_before_a_proof)


@attack("everything-rehashed-after-the-last-proof")
def _(stage: Stage) -> Files:
    at = claim_row(stage.worker, stage.done[-1])
    rehash_from(stage.worker, at, amount_of(stage.worker.entries[at], 7), bucket=True)
    return stage.collect()


def rehash_after_the_second(stage: Stage) -> Files:
    rehash_from(
        stage.worker,
        1,
        {**stage.worker.entries[1], "actor": {"type": "school", "id": "nobody"}},
        bucket=True,
    )
    return stage.collect()


attack("everything-rehashed-receipt-gated", "strict_v2", "B", storage=False)(
    rehash_after_the_second
)
attack(
    "everything-rehashed-receipt-gated-bucket-alone", "strict_v2", "B", storage=False, logs=False
)(rehash_after_the_second)


@attack("everything-rehashed-and-a-ticket-receipt-kept", receipts=True)
def _(stage: Stage) -> Files:
    kept = json.loads(json.dumps(list(stage.worker.receipts.values())))
    at = claim_row(stage.worker, stage.done[-1])
    rehash_from(stage.worker, at, amount_of(stage.worker.entries[at], 7), bucket=True)
    return {**stage.collect(), RECEIPTS: kept}


@attack("entry-removed-everywhere-middle")
def _(stage: Stage) -> Files:
    at = claim_row(stage.worker, stage.done[1])
    gone = stage.worker.entries.pop(at)
    for key in objects(gone):
        del stage.worker.bucket[key]
    stage.worker.receipts = {
        k: r for k, r in stage.worker.receipts.items() if r["receiptId"] != gone["entry_hash"]
    }
    return stage.collect()


@attack("newest-entries-removed-everywhere")
def _(stage: Stage) -> Files:
    cut(stage, claim_row(stage.worker, stage.done[-1]), bucket=True)
    return stage.collect()


# the vectors


def vector(row: Attack, folder: Path) -> dict[str, Any]:
    """What the table says of an attack, and which bytes its mutant has."""
    manifest = (write_mutant(row.name, folder / row.name) / "manifest-sha256.txt").read_bytes()
    return {
        "name": row.name,
        "attacker": row.attacker,
        "tampering": row.tampering,
        "outcome": row.outcome,
        "finding_codes": list(row.finding_codes),
        "verdict": row.verdict,
        "exit_code": row.exit_code,
        "manifest_sha256": sha256(manifest).hexdigest(),
    }


def dumps(folder: Path) -> str:
    """The text of vectors.json, every mutant written below `folder`."""
    made = {"schema": SCHEMA, "vectors": [vector(row, folder) for row in ATTACKS]}
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def main() -> int:
    """Rewrite data/attacks/vectors.json; says whether it changed."""
    with tempfile.TemporaryDirectory() as folder:
        text = dumps(Path(folder))
    changed = not VECTORS.is_file() or VECTORS.read_bytes() != text.encode()
    VECTORS.parent.mkdir(parents=True, exist_ok=True)
    VECTORS.write_bytes(text.encode())
    print(f"{VECTORS.name}: {len(ATTACKS)} attacks, {'rewritten' if changed else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
