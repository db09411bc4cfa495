"""A case as a Solana RPC node that stands still: the calls, without a network.

What the case does not hold is not made up. Where JSON-RPC has no way to say "not collected", null
is answered and the gap is noted; under `strict` it is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from popkit import __version__
from popkit.evidence.bundle import Evidence
from popkit.evidence.documents import CaseHeader
from popkit.protocol.genesis import genesis_hash
from popkit.protocol.keys import key_bytes
from popkit.serving import accounts, params
from popkit.serving.ledger import Account, Landed, Ledger, Listed, read_ledger
from popkit.serving.node import SHARED, STATUS_SLOTS, Node, View
from popkit.serving.params import INTERNAL_ERROR, RpcError


class Replay(Node):
    """A node over one case, opened read-only with its manifest checked.

    `answer(method, params)` gives the `result` as JSON bytes or raises RpcError; `note` is called
    once with each gap that an answer had to pass over. `hidden` says of a signature whether lists
    leave it out; unless it is set they leave out none. Raises what Evidence raises: UsageError,
    ManifestMismatch, CaseUnreadable.
    """

    def __init__(
        self,
        case: str | Path | Evidence,
        *,
        strict: bool = False,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        super().__init__()
        evidence = case if isinstance(case, Evidence) else Evidence(case)
        self.header: CaseHeader = evidence.header
        self.ledger: Ledger = read_ledger(evidence)
        self.slot = self.ledger.slot
        self.strict = strict
        self.not_collected: dict[str, None] = {}
        self._note = note
        self._of_program: dict[str, list[tuple[Account, bytes]]] = {}
        self._listed = {row.signature: row for row in self.ledger.listed_rows()}
        self._asked_for = {
            *self.ledger.lists,
            *self.ledger.accounts,
            *self.header.grants,
            self.header.program_id,
        }

    def view(self, commitment: str) -> View:
        """The one view there is: a case is of finalized slots."""
        return self

    @property
    def clock(self) -> int:
        """Unix seconds: where the replay stands still."""
        return self.header.collected_at

    def _gap(self, what: str) -> None:
        """Note once that the case cannot tell; under `strict` refuse."""
        if self.strict:
            raise RpcError(INTERNAL_ERROR, f"popkit serve: not in the case: {what}")
        if what not in self.not_collected:
            self.not_collected[what] = None
            self._note(what)

    def account(self, key: str) -> Account | None:
        """An account as recorded."""
        account = self.ledger.accounts.get(key)
        if account is None:
            self._gap(f"account {key} (answered as null, though nobody asked whether it exists)")
        return account

    def transaction(self, signature: str) -> Landed | None:
        """A transaction as recorded."""
        landed = self.ledger.transactions.get(signature)
        if (
            landed is None
            and signature in self._listed
            and signature not in self.ledger.unavailable
        ):
            self._gap(f"transaction {signature} (listed, but its content was not collected)")
        return landed

    def listed(self, address: str) -> list[Listed]:
        """The list of an address: as recorded, else from the transactions that name it."""
        recorded = self.ledger.lists.get(address)
        if recorded is not None:
            return recorded
        if address not in self._asked_for:
            self._gap(
                f"signatures of {address} (its list is made from the transactions in the case)"
            )
        rank = {signature: at for at, signature in enumerate(self._listed)}

        def place(landed: Landed) -> tuple[int, int, int, str]:
            return (
                -landed.slot,
                -(landed.index or 0),
                rank.get(landed.signature, len(rank)),
                landed.signature,
            )

        return [self._row(landed) for landed in sorted(self.ledger.touching(address), key=place)]

    def _row(self, landed: Landed) -> Listed:
        """A row for a transaction: as another address's list has it, else with what the transaction
        itself says.
        """
        known = self._listed.get(landed.signature)
        if known is not None:
            return known
        row = {
            "signature": landed.signature,
            "slot": landed.slot,
            "err": msgspec.Raw(landed.err),
            "memo": None,
        }
        body = msgspec.json.encode(
            {**row, "blockTime": landed.block_time, "confirmationStatus": "finalized"}
        )
        return Listed(landed.signature, landed.slot, body)

    def slot_of(self, signature: str) -> int | None:
        known = self.ledger.transactions.get(signature) or self._listed.get(signature)
        return None if known is None else known.slot

    def owned(self, program: str) -> list[tuple[Account, bytes]]:
        """The accounts of a program with their data, ascending by key: read once, as a batch may
        ask hundreds of times.
        """
        if program != self.header.program_id:
            self._gap(
                f"accounts of program {program} (only those that the case happens to hold are "
                f"given)"
            )
        if program not in self._of_program:
            rows = sorted(
                (row for row in self.ledger.accounts.values() if row.owner == program),
                key=lambda row: key_bytes(row.pubkey),
            )
            self._of_program[program] = [
                (row, accounts.data_of(msgspec.json.decode(row.body))) for row in rows
            ]
        return self._of_program[program]

    def block_time(self, slot: int) -> int:
        """The recorded time of a slot; that of the newest slot is when the case was collected."""
        times = [
            row.block_time
            for row in self.ledger.transactions.values()
            if row.slot == slot and row.block_time is not None
        ]
        if times:
            return times[0]
        if slot == self.slot:
            return self.header.collected_at
        if slot > self.slot:
            raise RpcError(params.BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
        raise RpcError(
            params.LONG_TERM_SLOT_SKIPPED,
            f"Slot {slot} was skipped, or missing in long-term storage",
        )

    def status(self, signature: str, search: bool) -> Any:
        landed, listed = self.ledger.transactions.get(signature), self._listed.get(signature)
        at = self.slot_of(signature)
        if at is None or (not search and at + STATUS_SLOTS < self.slot):
            return None
        err = (
            msgspec.json.decode(landed.err)
            if landed
            else msgspec.json.decode(listed.body)["err"]
            if listed
            else None
        )
        status = {"Ok": None} if err is None else {"Err": err}
        return {
            "slot": at,
            "confirmations": None,
            "err": err,
            "status": status,
            "confirmationStatus": "finalized",
        }

    def _genesis_hash(self, given: Any, slot: int | None) -> Any:
        params.arguments(given, 0, 0)
        return genesis_hash(self.header.cluster)

    def _version(self, given: Any, slot: int | None) -> Any:
        params.arguments(given, 0, 0)
        return {"solana-core": f"popkit-serve-{__version__}", "feature-set": 0}


Replay.methods = {**SHARED, "getGenesisHash": Replay._genesis_hash, "getVersion": Replay._version}
METHODS = tuple(sorted(Replay.methods))
"""The calls that a replay answers."""
