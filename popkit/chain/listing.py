"""What the node listed of the case's addresses, held against the transactions that it gave."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from popkit.claims.table import ClaimTable
from popkit.evidence.rpc import SignatureRow


class Listing:
    """The lists of a case. `rows` are their rows by signature, or None where no list was collected."""

    def __init__(
        self,
        rows: Mapping[str, SignatureRow] | None,
        claims: ClaimTable,
        has_transactions: bool = True,
    ) -> None:
        self._rows, self._claims, self._has_transactions = rows, claims, has_transactions

    @cached_property
    def addresses(self) -> set[str] | None:
        """The addresses whose transactions the node listed; None without lists."""
        if self._rows is None:
            return None
        return {address for row in self._rows.values() for address in row.addresses}

    @cached_property
    def unread(self) -> set[str]:
        """Addresses of which an accepted transaction is not known: it was listed and not given, or
        its calls cannot be read.
        """
        transactions = self._claims.transactions
        hidden = [row for row in self._claims.unread_calls if transactions.meta[row].err is None]
        found = {key for row in hidden for key in self._claims.decode(row).account_keys}
        for listed in (self._rows or {}).values():
            if listed.err is None and listed.signature not in self._given:
                found |= listed.addresses
        return found

    @cached_property
    def _given(self) -> frozenset[str]:
        return frozenset(self._claims.transactions.signature)

    def is_whole(self, address: str, *, accepted_alone: bool = False) -> bool:
        """Whether the node listed an address and gave every transaction of its list.

        `accepted_alone`: every one that did not fail.
        """
        if (
            self._rows is None
            or not self._has_transactions
            or address not in (self.addresses or ())
        ):
            return False
        wanted = (
            row
            for row in self._rows.values()
            if address in row.addresses and not (accepted_alone and row.err is not None)
        )
        return all(row.signature in self._given for row in wanted)
