"""A small world with one clock: the program, its worker, and wallets that sign real transactions.

What was done is the world's to know; what popkit makes of the evidence is judged against it. Keys
come from names, time moves only when a scenario moves it, so that the same scenario writes the same
bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from popkit.drill import addresses as pda
from popkit.drill.bank import Bank, Landed
from popkit.drill.calls import budget_calls, grant_call, proof_call, wrapped
from popkit.drill.ledger import Account, minimum_balance
from popkit.drill.proofs import GENESIS, Proof
from popkit.drill.runtime import Instruction, Outcome
from popkit.drill.token import MINT_SIZE, create_associated, mint_data
from popkit.drill.worker import Worker
from popkit.protocol.accounts import TokenAccount, encode_account
from popkit.protocol.keys import TOKEN_PROGRAM

START = {
    "pre_pop": 1771500000,
    "strict": 1771830000,
    "strict_v2": 1772250000,
    "relaxed": 1773600000,
    "head": 1773700000,
}
MONTH = 30 * 86400
SUPPLY = 1_000_000


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


class World(Bank):
    """A chain and everybody on it: the school, its worker, and wallets."""

    def __init__(
        self, build: str = "strict", model: str = "A", name: str = "world", start: int | None = None
    ) -> None:
        super().__init__(build, name, START[build] if start is None else start)
        self.grants: dict[str, GrantHandle] = {}
        self.reports: list[dict[str, Any]] = []
        self.attempted: set[tuple[str, str, int]] = set()
        self.worker = Worker(self, model)

    def handle(self, authority: str, mint: str, number: int) -> GrantHandle:
        """Where a grant of that authority, mint and id lives, whoever makes it."""
        address = pda.grant_address(authority, mint, number)
        known = self.grants.get(address)
        if known is None:
            addresses = (
                pda.vault_address(address),
                pda.pop_config_address(authority),
                pda.pop_state_address(address),
            )
            known = self.grants[address] = GrantHandle(address, number, authority, mint, *addresses)
        return known

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
        """Create and fund a grant, name the worker's signer in pop-config where nobody is named
        yet, link an event to it.
        """
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
        if self.build != "pre_pop" and handle.config not in self.ledger.accounts:
            self.name_signer(handle, signer or self.worker.signer, authority)
        ata = pda.associated_token_address(owner, mint_key)
        if mint_key not in self.ledger.accounts:
            self.ledger.accounts[mint_key] = Account(
                minimum_balance(MINT_SIZE), TOKEN_PROGRAM, mint_data(0, owner, SUPPLY)
            )
        if ata not in self.ledger.accounts:
            held = encode_account(TokenAccount(mint_key, owner, SUPPLY))
            self.ledger.accounts[ata] = Account(minimum_balance(len(held)), TOKEN_PROGRAM, held)
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
    def create_call(handle: GrantHandle, terms: dict[str, Any]) -> Instruction:
        """create_grant of a grant, with terms."""
        where = {
            "grant": handle.address,
            "mint": handle.mint,
            "vault": handle.vault,
            "authority": handle.authority,
        }
        return grant_call("create_grant", terms, where)

    def name_signer(self, handle: GrantHandle, signer: str, authority: str = "school") -> Landed:
        """upsert_pop_config."""
        where = {"pop_config": handle.config, "authority": handle.authority}
        landed = self.send(
            [grant_call("upsert_pop_config", {"signer_pubkey": signer}, where)], authority
        )
        self.tick(2)
        return landed

    def switch(
        self, handle: GrantHandle, name: str, args: dict[str, Any], authority: str = "school"
    ) -> Landed:
        """set_paused, set_allowlist_root, update_grant or close_grant."""
        where = {"grant": handle.address, "mint": handle.mint, "authority": handle.authority}
        if name == "update_grant":
            del where["mint"]
        if name == "close_grant":
            where |= {
                "vault": handle.vault,
                "authority_ata": pda.associated_token_address(handle.authority, handle.mint),
            }
        landed = self.send([grant_call(name, args, where)], authority)
        self.tick(2)
        return landed

    # wallets

    def claim_call(
        self,
        handle: GrantHandle,
        wallet: str,
        period: int = 0,
        list_proof: list[bytes] | None = None,
        nine: bool = False,
    ) -> Instruction:
        """claim_grant, or claim_grant_with_proof when `list_proof` is given, of the wallet of that
        role.
        """
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
        return grant_call(
            "claim_grant" if list_proof is None else "claim_grant_with_proof", args, where, nine
        )

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
    ) -> list[Instruction]:
        """The instructions of a claim: token account when missing, proof, claim."""
        claim = self.claim_call(handle, wallet, period, list_proof, nine=proof is None)
        if cpi:
            claim = wrapped(claim)
        calls = budget_calls() if budget else []
        claimer = self.address(wallet)
        ata = pda.associated_token_address(claimer, handle.mint)
        if ata not in self.ledger.accounts:
            calls.append(create_associated(claimer, claimer, handle.mint))
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
        table = (
            (handle.address, handle.vault, handle.mint, handle.config, handle.state)
            if lookup
            else ()
        )
        return self.send(
            self.claim_calls(handle, proof, wallet, period, **shape),
            wallet,
            v0=v0 or lookup,
            lookup=table,
        )

    def simulate(
        self,
        handle: GrantHandle,
        proof: Proof | None,
        wallet: str,
        period: int = 0,
        tell: bool = True,
        **shape: Any,
    ) -> Outcome:
        """A wallet simulates a claim and sends nothing; where it is refused it reports (with
        `tell`) what it met.
        """
        outcome = self.would_be(self.claim_calls(handle, proof, wallet, period, **shape), wallet)
        if tell and outcome.err is not None:
            self.report(handle, wallet, outcome.err, list(outcome.logs))
        return outcome

    def report(
        self,
        handle: GrantHandle,
        wallet: str,
        err: Any,
        logs: list[str],
        landed: Landed | None = None,
    ) -> None:
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
        """The ordinary way: ask for a proof, send it seconds later, tell the worker when it was
        accepted.
        """
        worker = worker or self.worker
        proof = worker.issue(
            handle.address,
            self.address(wallet),
            period,
            expected=self.head(handle) if from_chain else None,
        )
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
        held = self.ledger.accounts.get(handle.state)
        return GENESIS if held is None else held.data[40:72].hex()

    def collect(self, **parts: bool) -> dict[str, Any]:
        """Every file of a case of this moment; `case.collect` says which parts there are."""
        from popkit.drill.case import collect

        return collect(self, **parts)


def sound(
    build: str = "strict", model: str = "A", *wallets: str, **terms: Any
) -> tuple[World, GrantHandle, list[Ticket]]:
    """A world with one grant and ordinary tickets on it."""
    world = World(build, model)
    handle = world.grant(**terms)
    return world, handle, world.tickets(handle, *(wallets or ("ann", "bob")))
