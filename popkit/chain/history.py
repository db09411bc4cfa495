"""What administrators did: the terms of a grant and the signers of an authority, as of any slot.

Accounts show the present; rules are judged as of the slot, so terms and signers are replayed from
the accepted transactions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from popkit.claims.scalar import is_claim, program_calls
from popkit.claims.table import ClaimTable, is_authentic
from popkit.evidence.rpc import AccountRow
from popkit.protocol import accounts as layouts
from popkit.protocol.instructions import InstructionError, decode_instruction
from popkit.protocol.pda import pop_config_address
from popkit.protocol.transaction import TransactionError

ZERO_ROOT = "0" * 64
LATEST = 1 << 62
"""A slot after every other."""


@dataclass(frozen=True, slots=True)
class AdminStep:
    """One accepted administrator's instruction: what it was, on which grant or authority, when."""

    name: str
    args: dict[str, Any]
    accounts: dict[str, str]
    signature: str
    slot: int
    block_time: int | None
    index: int


@dataclass(frozen=True, slots=True)
class Terms:
    """A grant's terms: amounts in base units, periods in seconds, times in unix seconds (expires_at
    0: never).
    """

    authority: str
    mint: str
    grant_id: int
    amount_per_period: int
    period_seconds: int
    start_ts: int
    expires_at: int
    merkle_root: str
    paused: bool
    closed: bool = False

    def period_at(self, moment: int) -> int:
        """The period index that the program asks for at a unix second."""
        return (moment - self.start_ts) // self.period_seconds if self.period_seconds > 0 else -1

    def refuses(self, moment: int | None) -> str | None:
        """The rule by which the program refuses every claim at a unix second (None: not known), or
        None where there is none.
        """
        if self.paused:
            return "Paused"
        if moment is not None and moment < self.start_ts:
            return "GrantNotStarted"
        if moment is not None and 0 < self.expires_at < moment:
            return "GrantExpired"
        return None


class History:
    """The accepted administrators' steps of a case, ascending by (slot, position, signature,
    instruction).

    `listed` are the addresses whose transactions the node listed, or None without lists; `unread`
    those of which an accepted one was listed and not given: a step may be missing.
    """

    def __init__(
        self,
        claims: ClaimTable,
        accounts: dict[str, AccountRow],
        listed: set[str] | None = None,
        unread: Collection[str] = (),
    ) -> None:
        self.claims, self.accounts, self.listed, self.unread = claims, accounts, listed, unread

    @cached_property
    def steps(self) -> list[AdminStep]:
        """Every accepted instruction of the program that is no claim; forged transactions are left
        out.
        """
        transactions = self.claims.transactions
        found = []
        for row in self.claims.other_rows:
            if transactions.meta[row].err is not None or is_authentic(transactions, row) is False:
                continue
            tx = self.claims.decode(row)
            try:
                calls = program_calls(transactions, row, tx, self.claims.program_id)
            except TransactionError:
                continue  # its inner instructions are none; reading the claims has noted it
            for index, _, call in calls:
                if call.data is None or is_claim(call):
                    continue
                try:
                    step = decode_instruction(call.data, call.accounts)
                except InstructionError:
                    continue
                position = transactions.position[row]
                found.append(
                    (
                        transactions.slot[row],
                        -1 if position is None else position,
                        transactions.signature[row],
                        index,
                        step,
                        row,
                    )
                )
        found.sort(key=lambda item: item[:4])
        return [
            AdminStep(
                step.name,
                step.args,
                step.accounts,
                signature,
                slot,
                transactions.block_time[row],
                index,
            )
            for slot, _, signature, index, step, row in found
        ]

    @cached_property
    def _by_grant(self) -> dict[str, list[AdminStep]]:
        grouped: dict[str, list[AdminStep]] = defaultdict(list)
        for step in self.steps:
            if "grant" in step.accounts:
                grouped[step.accounts["grant"]].append(step)
        return grouped

    def of_grant(self, grant: str) -> list[AdminStep]:
        """The steps on one grant, in order."""
        return self._by_grant.get(grant, [])

    def account(self, grant: str) -> layouts.Grant | None:
        """The grant's account as collected, or None when it does not exist, was not collected or is
        no grant.
        """
        row = self.accounts.get(grant)
        return row.decoded(layouts.Grant) if row is not None else None

    def created_slot(self, grant: str) -> int | None:
        """The slot of the first create_grant seen; None when none is in the evidence."""
        return next(
            (step.slot for step in self.of_grant(grant) if step.name == "create_grant"), None
        )

    def terms_at(self, grant: str, slot: int) -> Terms | None:
        """The terms that held at the end of a slot, replayed; None when the grant's creation is not
        in the evidence by then.

        create_grant on an existing grant rewrites its terms, lifts a pause and clears the allowlist
        (until program commit 2c6429a).
        """
        terms: Terms | None = None
        for step in self.of_grant(grant):
            if step.slot > slot:
                break
            terms = _applied(terms, step)
        return terms

    def terms_are_whole(self, grant: str) -> bool | None:
        """Whether the replayed terms end where the grant's account stands; None when there is
        nothing to compare.
        """
        account = self.account(grant)
        terms = self.terms_at(grant, 1 << 63)
        if account is None or terms is None:
            return None
        replayed = (
            terms.amount_per_period,
            terms.period_seconds,
            terms.start_ts,
            terms.expires_at,
            terms.merkle_root,
            terms.paused,
        )
        now = (
            account.amount_per_period,
            account.period_seconds,
            account.start_ts,
            account.expires_at,
            account.merkle_root,
            account.paused,
        )
        return replayed == now and not terms.closed

    def terms_are_confirmed(self, grant: str) -> bool:
        """Whether the replayed terms lack no step, by the grant's account, or by its closing where
        there is no account any more.
        """
        return self.terms_are_whole(grant) is True or (
            self.account(grant) is None and self.is_closed(grant)
        )

    def terms_now(self, grant: str) -> Terms | None:
        """The terms in force last: as replayed where the account confirms or is not there, else as
        the account states; None: not known.
        """
        account, replayed = self.account(grant), self.terms_during(grant, LATEST)
        if replayed:
            return replayed[-1]
        if account is None or self._is_behind(grant):
            return None
        return Terms(
            account.authority, account.mint, account.grant_id, account.amount_per_period, account.period_seconds, account.start_ts,
            account.expires_at, account.merkle_root, account.paused,
        )  # fmt: skip

    def terms_during(self, grant: str, slot: int) -> list[Terms]:
        """The terms that may have held while a slot ran, in order: its own steps are not ordered
        against its claims.

        Empty where they are not known: the creation is not in the evidence, or the replay does not
        end where the account stands, or may lack a step that nothing else confirms.
        """
        whole = self.terms_are_whole(grant)
        if whole is False or (whole is None and grant in self.unread):
            return []
        before = self.terms_at(grant, slot - 1)
        found = [before] if before is not None and not before.closed else []
        terms = before
        for step in self.of_grant(grant):
            if step.slot == slot:
                terms = _applied(terms, step)
                if terms is not None and not terms.closed:
                    found.append(terms)
        return list(dict.fromkeys(found))

    def authority_of(self, grant: str) -> str | None:
        """The grant's authority, from its account or its creation."""
        account = self.account(grant)
        if account is not None:
            return account.authority
        return next(
            (
                step.accounts["authority"]
                for step in self.of_grant(grant)
                if "authority" in step.accounts
            ),
            None,
        )

    def mint_of(self, grant: str) -> str | None:
        """The grant's mint, from its account or its creation."""
        account = self.account(grant)
        if account is not None:
            return account.mint
        return next(
            (step.accounts["mint"] for step in self.of_grant(grant) if "mint" in step.accounts),
            None,
        )

    def upserts(self, authority: str) -> list[tuple[int, str]]:
        """(slot, signer) of every accepted upsert_pop_config of an authority, in order."""
        return self._upserts.get(authority, [])

    @cached_property
    def _upserts(self) -> dict[str, list[tuple[int, str]]]:
        grouped: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for step in self.steps:
            if step.name == "upsert_pop_config":
                grouped[step.accounts["authority"]].append(
                    (step.slot, str(step.args["signer_pubkey"]))
                )
        return grouped

    def signer_now(self, authority: str | None) -> str | None:
        """The signer that pop-config names now: by its account, or its last upsert where that was
        not collected; None when not known.
        """
        if authority is None:
            return None
        config, upserts = (
            pop_config_address(authority, self.claims.program_id),
            self.upserts(authority),
        )
        row = self.accounts.get(config)
        if row is None:
            return upserts[-1][1] if upserts and config not in self.unread else None
        if upserts and row.slot is not None and row.slot < upserts[-1][0]:
            return upserts[-1][1]  # the account was read before the last one
        value = row.decoded(layouts.PopConfig)
        return value.signer_pubkey if value is not None else None

    def signer_named_at(self, authority: str) -> int | None:
        """The unix second of the last upsert that was seen; None when none was, or its time is not
        known.
        """
        steps = [
            step
            for step in self.steps
            if step.name == "upsert_pop_config" and step.accounts["authority"] == authority
        ]
        return steps[-1].block_time if steps else None

    def signer_named_by(self, authority: str, moment: int) -> str | None:
        """The signer that pop-config named at a unix second, by the last upsert before it; None
        where none with a time is known.
        """
        steps = [
            s
            for s in self.steps
            if s.name == "upsert_pop_config" and s.accounts["authority"] == authority
        ]
        before = [s for s in steps if s.block_time is not None and s.block_time <= moment]
        return str(before[-1].args["signer_pubkey"]) if before else None

    def signers_at(self, authority: str, slot: int) -> set[str] | None:
        """The signers that pop-config may have named during a slot (two where an upsert stands in
        it); None when not known.

        Where the account was collected and no upsert was seen at all, the account's signer is taken
        to have stood all along.
        """
        upserts = self.upserts(authority)
        before = [signer for at, signer in upserts if at < slot]
        within = {signer for at, signer in upserts if at == slot}
        if before:
            return {before[-1]} | within
        if within:
            return within
        now = self.signer_now(authority)
        return {now} if now is not None and not upserts else None

    def signer_holds(self, authority: str, slot: int, signer: str | None) -> bool | None:
        """Whether pop-config named a signer during a slot; None where an upsert that the evidence
        lacks may say otherwise.

        The history of upserts counts as complete if all hold: (1) one precedes the slot; (2) the
        last one names what the account holds; (3) the node's lists, where there are any, are of
        that account too, and every transaction that they name was given.
        """
        named = self.signers_at(authority, slot)
        if named is None or signer in named:
            return None if named is None else True
        upserts, now = self.upserts(authority), self.signer_now(authority)
        config = pop_config_address(authority, self.claims.program_id)
        listed = self.listed is None or (config in self.listed and config not in self.unread)
        whole = listed and bool(upserts) and upserts[0][0] <= slot and now in (None, upserts[-1][1])
        return False if whole else None

    def signers_ever(self, authority: str | None) -> set[str]:
        """Every signer that pop-config is known to have named."""
        if authority is None:
            return set()
        now = self.signer_now(authority)
        return {signer for _, signer in self.upserts(authority)} | ({now} if now else set())

    def _is_behind(self, grant: str) -> bool:
        """Whether the grant's account was read before its last step, which then counts."""
        row, steps = self.accounts.get(grant), self.of_grant(grant)
        return (
            row is not None and row.slot is not None and bool(steps) and row.slot < steps[-1].slot
        )

    def is_closed(self, grant: str) -> bool:
        """Whether the grant is closed: its account is said not to exist after it did, or
        close_grant was the last word.
        """
        row = self.accounts.get(grant)
        if row is not None and not self._is_behind(grant):
            return not row.exists and bool(self.of_grant(grant))
        terms = self.terms_at(grant, 1 << 63)
        return terms is not None and terms.closed

    def is_paused(self, grant: str) -> bool | None:
        """Whether the grant is paused now; None when it is closed or nothing tells."""
        account = self.account(grant)
        terms = self.terms_at(grant, 1 << 63)
        if account is not None and not (self._is_behind(grant) and terms is not None):
            return account.paused
        if self.is_closed(grant):
            return None
        return terms.paused if terms is not None else None


def _applied(terms: Terms | None, step: AdminStep) -> Terms | None:
    """The terms after one step."""
    args, at = step.args, step.accounts
    if step.name == "create_grant":
        return Terms(
            at["authority"], at["mint"], args["grant_id"], args["amount_per_period"], args["period_seconds"], args["start_ts"],
            args["expires_at"], ZERO_ROOT, False,
        )  # fmt: skip
    if terms is None:
        return None
    if step.name == "update_grant":
        return replace(
            terms,
            amount_per_period=args["amount_per_period"],
            period_seconds=args["period_seconds"],
            expires_at=args["expires_at"],
        )
    if step.name == "set_paused":
        return replace(terms, paused=args["paused"])
    if step.name == "set_allowlist_root":
        root = args["merkle_root"]
        return replace(terms, merkle_root=root.hex() if isinstance(root, bytes) else root)
    if step.name == "close_grant":
        return replace(terms, closed=True)
    return terms
