"""A small world with one clock: the program, its worker, and wallets that sign real transactions.

What was done is the world's to know; what popkit makes of the evidence is judged against it. Keys come from names, time moves
only when a scenario moves it, so that the same scenario writes the same bytes.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from popkit.protocol.accounts import TokenAccount
from popkit.protocol.ed25519 import build_proof_instruction
from popkit.protocol.instructions import build_instruction
from popkit.protocol.keys import (
    ATA_PROGRAM,
    COMPUTE_BUDGET_PROGRAM,
    ED25519_PROGRAM,
    PROGRAM_ID,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    b58encode,
)
from tests import addresses as pda
from tests.simulation.program import GENESIS, WRAPPER_PROGRAM, Call, Ledger, Outcome, execute
from tests.simulation.worker import Proof, Worker

START = {"pre_pop": 1771500000, "strict": 1771830000, "strict_v2": 1772250000, "relaxed": 1773600000, "head": 1773700000}
FIRST_SLOT = 443489000
MONTH = 30 * 86400


@dataclass(frozen=True)
class GrantHandle:
    """Where a grant lives."""

    address: str
    number: int
    authority: str
    mint: str
    vault: str
    config: str
    state: str


@dataclass(frozen=True)
class Landed:
    """A transaction that a block holds."""

    signature: str
    slot: int
    time: int
    result: dict[str, Any]
    keys: tuple[str, ...]

    @property
    def err(self) -> Any:
        return self.result["meta"]["err"]

    @property
    def error(self) -> int | None:
        return None if self.err is None else self.err["InstructionError"][1]["Custom"]


@dataclass(frozen=True)
class Ticket:
    """A proof and the transaction that carried it."""

    proof: Proof
    landed: Landed

    @property
    def entry(self) -> str:
        return self.proof.entry

    @property
    def signature(self) -> str:
        return self.landed.signature


def grant_call(name: str, args: dict[str, Any], accounts: dict[str, str], legacy: bool = False) -> Call:
    """An instruction of the grant program."""
    data, metas = build_instruction(name, args, accounts, legacy=legacy)
    return Call(PROGRAM_ID, data, tuple((m.pubkey, m.is_signer, m.is_writable) for m in metas), name, args, accounts)


def proof_call(proof: Proof) -> Call:
    """The ed25519 instruction of a proof."""
    key = bytes(Pubkey.from_string(proof.signer))
    return Call(ED25519_PROGRAM, build_proof_instruction(key, proof.signature, proof.message), ())


def budget_calls() -> list[Call]:
    """What some wallets put in front."""
    return [
        Call(COMPUTE_BUDGET_PROGRAM, b"\x02" + (200_000).to_bytes(4, "little"), ()),
        Call(COMPUTE_BUDGET_PROGRAM, b"\x03" + (1_000).to_bytes(8, "little"), ()),
    ]


def wrapped(call: Call) -> Call:
    """The same instruction, invoked by another program."""
    return Call(WRAPPER_PROGRAM, b"\x07" + call.data, (*call.metas, (PROGRAM_ID, False, False)), inner=call)


class World:
    """The chain, its clock and everybody on it."""

    def __init__(self, build: str = "strict", model: str = "A", name: str = "world", start: int | None = None) -> None:
        self.name, self.build = name, build
        self.start = START[build] if start is None else start
        self.ms = self.start * 1000
        self.ledger = Ledger()
        self.grants: dict[str, GrantHandle] = {}
        self.landed: list[Landed] = []
        self.reports: list[dict[str, Any]] = []
        self.attempted: set[tuple[str, str, int]] = set()
        self.worker = Worker(self, model)

    # clock and keys

    @property
    def now(self) -> int:
        """Unix seconds."""
        return self.ms // 1000

    @property
    def slot(self) -> int:
        return FIRST_SLOT + (self.ms - self.start * 1000) // 400

    def tick(self, seconds: float) -> None:
        """Let time pass."""
        self.ms += int(seconds * 1000)

    def key(self, role: str) -> Keypair:
        """The key of somebody, by role."""
        return Keypair.from_seed(sha256(f"{self.name}/{role}".encode()).digest())

    def address(self, role: str) -> str:
        return str(self.key(role).pubkey())

    # transactions

    def send(self, calls: list[Call], payer: str, others: tuple[str, ...] = (), v0: bool = False, lookup: tuple[str, ...] = ()) -> Landed:
        """Sign a transaction, execute it and put it in a block, whatever comes of it."""
        instructions = [
            Instruction(Pubkey.from_string(c.program), c.data, [AccountMeta(Pubkey.from_string(k), s, w) for k, s, w in c.metas])
            for c in calls
        ]
        recent = Hash(sha256(f"{self.name}/block/{len(self.landed)}".encode()).digest())
        owner, loaded = self.key(payer).pubkey(), {"writable": [], "readonly": []}
        if v0:
            table = [AddressLookupTableAccount(self.key("table").pubkey(), [Pubkey.from_string(k) for k in lookup])] if lookup else []
            message = MessageV0.try_compile(owner, instructions, table, recent)
            for row in message.address_table_lookups:
                loaded["writable"] += [lookup[i] for i in row.writable_indexes]
                loaded["readonly"] += [lookup[i] for i in row.readonly_indexes]
        else:
            message = Message.new_with_blockhash(instructions, owner, recent)
        keys = [str(k) for k in message.account_keys] + loaded["writable"] + loaded["readonly"]
        transaction = VersionedTransaction(message, [self.key(role) for role in (payer, *others)])
        outcome = execute(self.ledger, calls, self.now, self.build)
        before, self.ledger = self.ledger, outcome.ledger
        meta = {
            "err": outcome.err,
            "status": {"Ok": None} if outcome.err is None else {"Err": outcome.err},
            "fee": 10000,
            "preBalances": [1] * len(keys),
            "postBalances": [1] * len(keys),
            "innerInstructions": self._inner(calls, keys),
            "logMessages": outcome.logs,
            "preTokenBalances": _balances(before, keys),
            "postTokenBalances": _balances(self.ledger, keys),
            "rewards": [],
            "loadedAddresses": loaded,
            "computeUnitsConsumed": 27000,
        }
        wire = base64.b64encode(bytes(transaction)).decode()
        result = {
            "slot": self.slot,
            "transaction": [wire, "base64"],
            "meta": meta,
            "version": 0 if v0 else "legacy",
            "blockTime": self.now,
        }
        self.landed.append(Landed(str(transaction.signatures[0]), self.slot, self.now, result, tuple(keys)))
        return self.landed[-1]

    @staticmethod
    def _inner(calls: list[Call], keys: list[str]) -> list[dict[str, Any]]:
        """Inner instructions: those of wrappers, which alone a reader cannot do without."""
        found = []
        for index, call in enumerate(calls):
            if call.inner is not None:
                row = {
                    "programIdIndex": keys.index(call.inner.program),
                    "accounts": [keys.index(k) for k, _, _ in call.inner.metas],
                    "data": b58encode(call.inner.data),
                    "stackHeight": 2,
                }
                found.append({"index": index, "instructions": [row]})
        return found

    # the school

    def grant(
        self,
        number: int = 1,
        amount: int = 1,
        fund: int = 500,
        period_seconds: int = MONTH,
        expires_in: int = 0,
        authority: str = "school",
        mint: str = "mint",
        link: bool = True,
        signer: str | None = None,
        start_ago: int = 120,
    ) -> GrantHandle:
        """Create and fund a grant, name the worker's signer in pop-config where nobody is named yet, link an event to it."""
        owner, mint_key = self.address(authority), self.address(mint)
        address = pda.grant_address(owner, mint_key, number)
        handle = GrantHandle(
            address,
            number,
            owner,
            mint_key,
            pda.vault_address(address),
            pda.pop_config_address(owner),
            pda.pop_state_address(address),
        )
        self.grants[address] = handle
        if self.build != "pre_pop" and handle.config not in self.ledger.configs:
            self.name_signer(handle, signer or self.worker.signer, authority)
        ata = pda.associated_token_address(owner, mint_key)
        self.ledger.tokens.setdefault(ata, TokenAccount(mint_key, owner, 1_000_000))
        terms = {
            "grant_id": number,
            "amount_per_period": amount,
            "period_seconds": period_seconds,
            "start_ts": self.now - start_ago,
            "expires_at": self.now + expires_in if expires_in else 0,
        }
        calls = [self.create_call(handle, terms)]
        if fund:
            where = {
                "grant": address,
                "mint": mint_key,
                "vault": handle.vault,
                "from_ata": ata,
                "funder": owner,
                "authority": owner,
            }
            calls.append(grant_call("fund_grant", {"amount": fund}, where))
        self.send(calls, authority)
        self.tick(2)
        if link:
            self.worker.open_event(handle)
        self.tick(5)
        return handle

    @staticmethod
    def create_call(handle: GrantHandle, terms: dict[str, Any]) -> Call:
        """create_grant of a grant, with terms."""
        where = {"grant": handle.address, "mint": handle.mint, "vault": handle.vault, "authority": handle.authority}
        return grant_call("create_grant", terms, where)

    def name_signer(self, handle: GrantHandle, signer: str, authority: str = "school") -> Landed:
        """upsert_pop_config."""
        where = {"pop_config": handle.config, "authority": handle.authority}
        landed = self.send([grant_call("upsert_pop_config", {"signer_pubkey": signer}, where)], authority)
        self.tick(2)
        return landed

    def switch(self, handle: GrantHandle, name: str, args: dict[str, Any], authority: str = "school") -> Landed:
        """set_paused, set_allowlist_root, update_grant or close_grant."""
        where = {"grant": handle.address, "mint": handle.mint, "authority": handle.authority}
        if name == "update_grant":
            del where["mint"]
        if name == "close_grant":
            where |= {"vault": handle.vault, "authority_ata": pda.associated_token_address(handle.authority, handle.mint)}
        landed = self.send([grant_call(name, args, where)], authority)
        self.tick(2)
        return landed

    # wallets

    def claim_call(
        self, handle: GrantHandle, wallet: str, period: int = 0, list_proof: list[bytes] | None = None, nine: bool = False
    ) -> Call:
        """claim_grant, or claim_grant_with_proof when `list_proof` is given, of the wallet of that role."""
        claimer = self.address(wallet)
        where = {
            "grant": handle.address,
            "mint": handle.mint,
            "vault": handle.vault,
            "claimer": claimer,
            "claimer_ata": pda.associated_token_address(claimer, handle.mint),
            "receipt": pda.receipt_address(handle.address, claimer, period),
        }
        if not nine:
            where |= {"pop_state": handle.state, "pop_config": handle.config}
        self.attempted.add((handle.address, claimer, period))
        args: dict[str, Any] = {"period_index": period}
        if list_proof is not None:
            args["proof"] = list_proof
        return grant_call("claim_grant" if list_proof is None else "claim_grant_with_proof", args, where, nine)

    def claim_calls(
        self,
        handle: GrantHandle,
        proof: Proof | None,
        wallet: str,
        period: int = 0,
        list_proof: list[bytes] | None = None,
        budget: bool = False,
        cpi: bool = False,
        misplaced: bool = False,
    ) -> list[Call]:
        """The instructions of a claim: token account when missing, proof, claim."""
        claim = self.claim_call(handle, wallet, period, list_proof, nine=proof is None)
        if cpi:
            claim = wrapped(claim)
        calls = budget_calls() if budget else []
        claimer = self.address(wallet)
        ata = pda.associated_token_address(claimer, handle.mint)
        if ata not in self.ledger.tokens:
            metas = (
                (claimer, True, True),
                (ata, False, True),
                (claimer, False, False),
                (handle.mint, False, False),
                (SYSTEM_PROGRAM, False, False),
                (TOKEN_PROGRAM, False, False),
            )
            calls.append(Call(ATA_PROGRAM, b"", metas, accounts={"ata": ata, "owner": claimer, "mint": handle.mint}))
        if proof is not None:
            calls.append(proof_call(proof))
        if misplaced:
            calls += budget_calls()[:1]
        return [*calls, claim]

    def claim(
        self,
        handle: GrantHandle,
        proof: Proof | None,
        wallet: str,
        period: int = 0,
        v0: bool = False,
        lookup: bool = False,
        **shape: Any,
    ) -> Landed:
        """A wallet sends a claim without simulating it first."""
        table = (handle.address, handle.vault, handle.mint, handle.config, handle.state) if lookup else ()
        return self.send(self.claim_calls(handle, proof, wallet, period, **shape), wallet, v0=v0 or lookup, lookup=table)

    def simulate(self, handle: GrantHandle, proof: Proof | None, wallet: str, period: int = 0, tell: bool = True, **shape: Any) -> Outcome:
        """A wallet simulates a claim, is refused, sends nothing, and (with `tell`) reports what it saw."""
        outcome = execute(self.ledger, self.claim_calls(handle, proof, wallet, period, **shape), self.now, self.build)
        if tell:
            self.report(handle, wallet, outcome.err, outcome.logs)
        return outcome

    def report(self, handle: GrantHandle, wallet: str, err: Any, logs: list[str], landed: Landed | None = None) -> None:
        """What a wallet reported of one refusal."""
        index, custom = err["InstructionError"][0], err["InstructionError"][1]["Custom"]
        text = f"Error processing Instruction {index}: custom program error: {custom:#x}"
        self.reports.append(
            {
                "at": self.now,
                "eventId": self.worker.event_of(handle.address),
                "wallet": self.address(wallet),
                "landed": landed is not None,
                "signature": landed.signature if landed else None,
                "message": text if landed else f"Transaction simulation failed: {text}",
                "logs": logs,
            }
        )

    def ticket(
        self,
        handle: GrantHandle,
        wallet: str,
        period: int = 0,
        worker: Worker | None = None,
        tell: bool = True,
        from_chain: bool = False,
        **shape: Any,
    ) -> Ticket:
        """The ordinary way: ask for a proof, send it seconds later, tell the worker when it was accepted."""
        worker = worker or self.worker
        proof = worker.issue(handle.address, self.address(wallet), period, expected=self.head(handle) if from_chain else None)
        self.tick(4)
        landed = self.claim(handle, proof, wallet, period, **shape)
        self.tick(3)
        if tell and landed.err is None:
            receipt = pda.receipt_address(handle.address, self.address(wallet), period)
            worker.claim_record(handle.address, self.address(wallet), landed.signature, receipt)
        self.tick(20)
        return Ticket(proof, landed)

    def tickets(self, handle: GrantHandle, *wallets: str, **shape: Any) -> list[Ticket]:
        """Ordinary tickets for several wallets, which must all be accepted."""
        found = [self.ticket(handle, wallet, **shape) for wallet in wallets]
        assert all(t.landed.err is None for t in found), [t.landed.err for t in found]
        return found

    def head(self, handle: GrantHandle) -> str:
        """The chain's head, as PopState has it."""
        state = self.ledger.states.get(handle.state)
        return GENESIS if state is None else state.last_global_hash

    def collect(self, **parts: bool) -> dict[str, Any]:
        """Every file of a case of this moment; `case.collect` says which parts there are."""
        from tests.simulation.case import collect

        return collect(self, **parts)


def sound(build: str = "strict", model: str = "A", *wallets: str, **terms: Any) -> tuple[World, GrantHandle, list[Ticket]]:
    """A world with one grant and ordinary tickets on it."""
    world = World(build, model)
    handle = world.grant(**terms)
    return world, handle, world.tickets(handle, *(wallets or ("ann", "bob")))


def _balances(ledger: Ledger, keys: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "accountIndex": index,
            "mint": ledger.tokens[key].mint,
            "owner": ledger.tokens[key].owner,
            "programId": TOKEN_PROGRAM,
            "uiTokenAmount": {
                "uiAmount": float(ledger.tokens[key].amount),
                "decimals": 0,
                "amount": str(ledger.tokens[key].amount),
                "uiAmountString": str(ledger.tokens[key].amount),
            },
        }
        for index, key in enumerate(keys)
        if key in ledger.tokens
    ]
