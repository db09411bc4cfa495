"""How diagnosis grows with a grant: `python -m tests.bench_diagnose [CLAIMS...]` prints seconds a
thousand claims, for several lengths.

The cases are made here: real keys, real signatures, one claim a slot. Four kinds:

sound      every claim is accepted; no worker was collected, so the verdict is inconclusive by
design lost       a proof was lost, and every claim after it, each on the one before, was refused;
no worker stored     the same, and the worker's storage was exported, whose head stands at the lost
proof recovered  the same, and at last a claim on the chain's head was accepted, where the stored
head now stands
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction

import popkit
from popkit.drill import addresses as pda
from popkit.protocol import accounts, keys, message
from popkit.protocol.ed25519 import build_proof_instruction
from popkit.protocol.instructions import build_instruction

KINDS = ("sound", "lost", "stored", "recovered")
START = 1771718400
SLOT = 443_000_000
BROKEN_CHAIN = 6026


def key(n: int) -> Keypair:
    return Keypair.from_seed(n.to_bytes(32, "big"))


def instruction(program: str, data: bytes, metas: list) -> Instruction:  # type: ignore[type-arg]
    return Instruction(
        Pubkey.from_string(program),
        data,
        [AccountMeta(Pubkey.from_string(m.pubkey), m.is_signer, m.is_writable) for m in metas],
    )


def row(signer: Keypair, slot: int, calls: list[Instruction], error: int | None = None) -> dict:  # type: ignore[type-arg]
    tx = Transaction(
        [signer], Message.new_with_blockhash(calls, signer.pubkey(), Hash.default()), Hash.default()
    )
    err = None if error is None else {"InstructionError": [1, {"Custom": error}]}
    meta = {
        "err": err,
        "logMessages": [],
        "innerInstructions": [],
        "preTokenBalances": [],
        "postTokenBalances": [],
    }
    wire = base64.b64encode(bytes(tx)).decode()
    result = {
        "slot": slot,
        "blockTime": START + slot - SLOT,
        "version": "legacy",
        "transaction": [wire, "base64"],
        "meta": meta,
    }
    return {"signature": str(tx.signatures[0]), "result": result}


def write_case(folder: Path, count: int, kind: str = "sound") -> None:
    """A chain of `count` claims on one grant, of one of the KINDS."""
    authority, worker, mint = key(1), key(2), str(key(3).pubkey())
    owner = str(authority.pubkey())
    grant = pda.grant_address(owner, mint, 7)
    shared = {
        "grant": grant,
        "mint": mint,
        "vault": pda.vault_address(grant),
        "pop_state": pda.pop_state_address(grant),
    }
    shared["pop_config"] = pda.pop_config_address(owner)
    terms = {
        "grant_id": 7,
        "amount_per_period": 1,
        "period_seconds": 10**9,
        "start_ts": START - 10,
        "expires_at": 0,
    }
    names = {name: shared[name] for name in ("grant", "mint", "vault")}
    data, metas = build_instruction("create_grant", terms, {**names, "authority": owner})
    rows = [row(authority, SLOT, [instruction(keys.PROGRAM_ID, data, metas)])]
    signer = {"signer_pubkey": str(worker.pubkey())}
    data, metas = build_instruction(
        "upsert_pop_config", signer, {"pop_config": shared["pop_config"], "authority": owner}
    )
    rows.append(row(authority, SLOT + 1, [instruction(keys.PROGRAM_ID, data, metas)]))

    def proof(number: int, parent: str) -> tuple[str, bytes]:
        """The entry hash and the message of a claimer's proof on a parent."""
        claimer, audit, issued = (
            str(key(1000 + number).pubkey()),
            f"{number + 1:064x}",
            START + number + 2,
        )
        entry = message.entry_hash(2, parent, parent, audit, grant, claimer, 0, issued)
        return entry, message.encode_message(
            message.PopMessage(2, grant, claimer, 0, parent, parent, audit, entry, issued)
        )

    def claim(number: int, parent: str, error: int | None = None) -> str:
        """A claim of a claimer's proof, as a row; gives the entry hash."""
        wallet, (entry, body) = key(1000 + number), proof(number, parent)
        claimer = str(wallet.pubkey())
        sign = build_proof_instruction(
            bytes(worker.pubkey()), bytes(worker.sign_message(body)), body
        )
        names = {
            **shared,
            "claimer": claimer,
            "claimer_ata": claimer,
            "receipt": pda.receipt_address(grant, claimer, 0),
        }
        data, metas = build_instruction("claim_grant", {"period_index": 0}, names)
        calls = [
            Instruction(Pubkey.from_string(keys.ED25519_PROGRAM), sign, []),
            instruction(keys.PROGRAM_ID, data, metas),
        ]
        rows.append(row(wallet, SLOT + 2 + number, calls, error))
        return entry

    def record(number: int) -> dict[str, object]:
        """The worker's history record of the newest claimer's proof."""
        issued = START + number + 2
        value = {"grant": grant, "claimer": str(key(1000 + number).pubkey()), "periodIndex": 0, "issuedAt": issued, "entryHash": head,
                 "prevHash": parent, "streamPrevHash": parent, "auditHash": f"{number + 1:064x}"}  # fmt: skip
        stamp = datetime.fromtimestamp(issued, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return {"key": f"pop_chain:history:{stamp}:{head}", "value": value}

    head = claim(0, message.GENESIS_HASH)
    stored: str | None = None
    if kind == "sound":
        for number in range(1, count):
            head = claim(number, head)
        last = count - 1
    else:
        lost, _ = proof(1, head)
        tip, last = lost, 0
        stored = lost if kind == "stored" else None
        for number in range(2, count):
            tip = claim(number, tip, BROKEN_CHAIN)
        if kind == "recovered":
            last, parent = count + 700, head
            stored = head = claim(last, parent)
    state = accounts.encode_account(
        accounts.PopState(grant, head, head, 0, START + last + 2, True, 255)
    )
    read_at = last + 32 if kind == "recovered" else count + 1500
    header = {
        "case": "bench",
        "cluster": "localnet",
        "program_id": keys.PROGRAM_ID,
        "grants": [grant],
        "events": [],
        "collected_at": START + read_at,
    }
    (folder / "rpc").mkdir(parents=True)
    (folder / "case.json").write_text(json.dumps(header))
    (folder / "rpc" / "transactions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    account = {"data": [base64.b64encode(state).decode(), "base64"], "owner": keys.PROGRAM_ID}
    kept = {"pubkey": shared["pop_state"], "slot": SLOT + read_at, "account": account}
    (folder / "rpc" / "accounts.jsonl").write_text(json.dumps(kept) + "\n")
    if stored is not None:
        (folder / "worker").mkdir()
        storage: list[dict[str, object]] = [
            {"key": f"pop_chain:lastHash:{of}:{grant}", "value": stored}
            for of in ("global", "stream")
        ]
        if kind == "recovered":
            storage.append(record(last))
        (folder / "worker" / "storage.jsonl").write_text(
            "".join(json.dumps(r) + "\n" for r in storage)
        )


def main(counts: list[int]) -> None:
    for kind in KINDS:
        for count in counts:
            with tempfile.TemporaryDirectory() as folder:
                case = Path(folder, "case")
                write_case(case, count, kind)
                start = time.perf_counter()
                diagnosis = popkit.open_case(case).diagnose()
                took = time.perf_counter() - start
                line = diagnosis.grants[0].judgement.line
                causes = ", ".join(cause.name for cause in diagnosis.grants[0].causes) or "no cause"
                assert len(line.proofs) + (kind != "sound") == count + (kind == "recovered")
                speed = f"{took / count * 1000:6.3f} s a thousand"
                print(
                    f"{kind:<9} {count:>7} claims: {took:7.2f} s, {speed}, {diagnosis.verdict}, "
                    f"{causes}",
                    flush=True,
                )


if __name__ == "__main__":
    main([int(arg) for arg in sys.argv[1:]] or [1_000, 10_000, 50_000])
