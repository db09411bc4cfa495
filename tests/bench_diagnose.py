"""How diagnosis grows with a grant: `python tests/bench_diagnose.py` prints seconds a thousand claims for chains of several lengths.

The chains are made here: real keys, real signatures, one claim a slot, no worker (so the verdict is inconclusive by design).
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
import time
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

START = 1771718400
SLOT = 443_000_000


def key(n: int) -> Keypair:
    return Keypair.from_seed(n.to_bytes(32, "big"))


def instruction(program: str, data: bytes, metas: list) -> Instruction:  # type: ignore[type-arg]
    return Instruction(
        Pubkey.from_string(program), data, [AccountMeta(Pubkey.from_string(m.pubkey), m.is_signer, m.is_writable) for m in metas]
    )


def row(signer: Keypair, slot: int, calls: list[Instruction]) -> dict:  # type: ignore[type-arg]
    tx = Transaction([signer], Message.new_with_blockhash(calls, signer.pubkey(), Hash.default()), Hash.default())
    meta = {"err": None, "logMessages": [], "innerInstructions": [], "preTokenBalances": [], "postTokenBalances": []}
    wire = base64.b64encode(bytes(tx)).decode()
    result = {"slot": slot, "blockTime": START + slot - SLOT, "version": "legacy", "transaction": [wire, "base64"], "meta": meta}
    return {"signature": str(tx.signatures[0]), "result": result}


def write_case(folder: Path, count: int) -> None:
    """A sound chain of `count` claims on one grant."""
    authority, worker, mint = key(1), key(2), str(key(3).pubkey())
    owner = str(authority.pubkey())
    grant = pda.grant_address(owner, mint, 7)
    shared = {"grant": grant, "mint": mint, "vault": pda.vault_address(grant), "pop_state": pda.pop_state_address(grant)}
    shared["pop_config"] = pda.pop_config_address(owner)
    terms = {"grant_id": 7, "amount_per_period": 1, "period_seconds": 10**9, "start_ts": START - 10, "expires_at": 0}
    names = {name: shared[name] for name in ("grant", "mint", "vault")}
    data, metas = build_instruction("create_grant", terms, {**names, "authority": owner})
    rows = [row(authority, SLOT, [instruction(keys.PROGRAM_ID, data, metas)])]
    signer = {"signer_pubkey": str(worker.pubkey())}
    data, metas = build_instruction("upsert_pop_config", signer, {"pop_config": shared["pop_config"], "authority": owner})
    rows.append(row(authority, SLOT + 1, [instruction(keys.PROGRAM_ID, data, metas)]))
    head = message.GENESIS_HASH
    for i in range(count):
        wallet = key(1000 + i)
        claimer, slot = str(wallet.pubkey()), SLOT + 2 + i
        issued = START + slot - SLOT
        entry = message.entry_hash(2, head, head, f"{i + 1:064x}", grant, claimer, 0, issued)
        body = message.encode_message(message.PopMessage(2, grant, claimer, 0, head, head, f"{i + 1:064x}", entry, issued))
        proof = build_proof_instruction(bytes(worker.pubkey()), bytes(worker.sign_message(body)), body)
        names = {**shared, "claimer": claimer, "claimer_ata": claimer, "receipt": pda.receipt_address(grant, claimer, 0)}
        data, metas = build_instruction("claim_grant", {"period_index": 0}, names)
        rows.append(
            row(wallet, slot, [Instruction(Pubkey.from_string(keys.ED25519_PROGRAM), proof, []), instruction(keys.PROGRAM_ID, data, metas)])
        )
        head = entry
    state = accounts.encode_account(accounts.PopState(grant, head, head, 0, START + count + 1, True, 255))
    (folder / "rpc").mkdir(parents=True)
    header = {
        "case": "bench",
        "cluster": "localnet",
        "program_id": keys.PROGRAM_ID,
        "grants": [grant],
        "events": [],
        "collected_at": START + count + 99,
    }
    (folder / "case.json").write_text(json.dumps(header))
    (folder / "rpc" / "transactions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    account = {"data": [base64.b64encode(state).decode(), "base64"], "owner": keys.PROGRAM_ID}
    kept = {"pubkey": shared["pop_state"], "slot": SLOT + count + 99, "account": account}
    (folder / "rpc" / "accounts.jsonl").write_text(json.dumps(kept) + "\n")


def main(counts: list[int]) -> None:
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            case = Path(folder, "case")
            write_case(case, count)
            start = time.perf_counter()
            diagnosis = popkit.open_case(case).diagnose()
            took = time.perf_counter() - start
            chain = diagnosis.grants[0].judgement.line.chain
            assert len(chain.linked) == count
            assert chain.head == chain.links_head
            print(f"{count:>7} claims: {took:7.2f} s, {took / count * 1000:6.3f} s a thousand, {diagnosis.verdict}")


if __name__ == "__main__":
    main([int(arg) for arg in sys.argv[1:]] or [1_000, 10_000, 50_000])
