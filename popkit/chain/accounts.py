"""The accounts of a case as they were collected: receipts, vaults, and what may be concluded from
an absence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import cached_property

from popkit.evidence.rpc import AccountRow
from popkit.protocol import accounts as layouts
from popkit.protocol.pda import receipt_address, vault_address


class CollectedAccounts:
    """Asks of the accounts that a node gave, by public key; `program` is the case's, whose
    addresses are derived.
    """

    def __init__(self, rows: Mapping[str, AccountRow], program: str) -> None:
        self.rows, self.program = rows, program

    def is_collected_since(self, address: str, slot: int) -> bool:
        """Whether an account was asked for at a slot or later, so that what was written by then
        shows.

        An account without a slot is of an unknown age: that it exists shows, that it does not says
        nothing.
        """
        row = self.rows.get(address)
        return row is not None and (row.exists if row.slot is None else row.slot >= slot)

    def receipt_row(self, grant: str, claimer: str, period_index: int) -> AccountRow | None:
        """The receipt account of (grant, claimer, period) as collected; None when it was not."""
        return self.rows.get(receipt_address(grant, claimer, period_index, self.program))

    def receipt_exists(self, grant: str, claimer: str, period_index: int) -> bool | None:
        """Whether the receipt of (grant, claimer, period) exists on chain; None when that is not
        known.

        An absence that a node stated without a slot is not known to be one of now.
        """
        row = self.receipt_row(grant, claimer, period_index)
        return None if row is None or (row.slot is None and not row.exists) else row.exists

    def receipt(self, address: str) -> layouts.ClaimReceipt | None:
        """A receipt account; None when it does not exist, was not collected or is no receipt."""
        row = self.rows.get(address)
        return row.decoded(layouts.ClaimReceipt) if row is not None else None

    def receipts_of(self, grant: str) -> set[str]:
        """The addresses of every receipt of a grant that was collected."""
        return self._receipts_by_grant.get(grant, set())

    @cached_property
    def _receipts_by_grant(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for address in self.rows:
            receipt = self.receipt(address)
            if receipt is not None:
                found[receipt.grant].add(address)
        return found

    def receipts_without(self, grant: str, claimed: Collection[str]) -> list[str]:
        """Receipts of a grant that none of the claims in the evidence made, ascending: no node gave
        theirs.

        `claimed` are the receipts of those claims.
        """
        return sorted(self.receipts_of(grant).difference(claimed))

    def vault_amount(self, grant: str) -> int | None:
        """The base units that a grant's vault held when it was read; None where that is not known."""
        row = self.rows.get(vault_address(grant, self.program))
        if row is None or row.data is None:
            return None
        try:
            return layouts.decode_token_account(row.data).amount
        except layouts.AccountError:
            return None

    def vault_is_short(self, grant: str) -> bool | None:
        """Whether a grant's vault held less than one period's amount; None where that is not known."""
        row, held = self.rows.get(grant), self.vault_amount(grant)
        account = row.decoded(layouts.Grant) if row is not None else None
        return None if account is None or held is None else held < account.amount_per_period
