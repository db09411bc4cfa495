"""One RPC node as a cutover asks it: accounts, clocks, fees and histories at finalized, which never
go back in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pybase64 import b64decode, b64encode

from popkit.cutover.sending.asking import OLDER, UNSUPPORTED_VERSION, Asked, NodeRefused, Unanswered

__all__ = [
    "UNSUPPORTED_VERSION",
    "Accounts",
    "Blockhash",
    "Clock",
    "Endpoint",
    "Held",
    "NodeRefused",
    "Unanswered",
]

MOST_ACCOUNTS = 100
"""Accounts that a node gives in one answer."""
MEASURED_SLOTS = 300
NEWEST_VERSION = 1
"""Transactions up to this version are read; an error -32015 is "cannot read", never "absent"."""


@dataclass(frozen=True, slots=True)
class Held:
    """An account as a node holds it: lamports, the program that owns it, its bytes."""

    lamports: int
    owner: str
    data: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """The cluster's time: a finalized slot and its block time (unix s)."""

    slot: int
    block_time: int


@dataclass(frozen=True, slots=True)
class Blockhash:
    """A finalized blockhash, the last block height that takes it, and the slot that it was asked
    at.
    """

    blockhash: str
    last_valid_height: int
    slot: int


class Accounts(Mapping[str, Held | None]):
    """Accounts by public key, None where there is none, as of `slot` (the oldest, where it took
    several answers).
    """

    def __init__(self, accounts: Mapping[str, Held | None], slot: int) -> None:
        self._accounts, self.slot = dict(accounts), slot

    def __getitem__(self, key: str) -> Held | None:
        return self._accounts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._accounts)

    def __len__(self) -> int:
        return len(self._accounts)


@dataclass(eq=False, repr=False)
class Endpoint(Asked):
    """An RPC node with what a cutover asks of it."""

    newest_clock: Clock | None = field(default=None, init=False)
    """The newest slot and block time that `clock` gave."""
    _rents: dict[int, int] = field(default_factory=dict, init=False)

    def accounts(self, keys: Sequence[str]) -> Accounts:
        """These accounts at finalized, never older than what was seen before."""
        wanted, slots = list(dict.fromkeys(keys)), []
        found: dict[str, Held | None] = {}
        for start in range(0, len(wanted), MOST_ACCOUNTS):
            some = wanted[start : start + MOST_ACCOUNTS]
            result = self.at_newest("getMultipleAccounts", some, encoding="base64")
            values = result.get("value")
            if not isinstance(values, list) or len(values) != len(some):
                raise self.malformed("getMultipleAccounts")
            found |= {key: self.held(value) for key, value in zip(some, values, strict=True)}
            slots.append(result["context"]["slot"])
        return Accounts(found, min(slots, default=self.newest_slot))

    def held(self, value: Any) -> Held | None:
        """One account of an answer in base64; None for null. Raises Silent where it is neither."""
        if value is None:
            return None
        try:
            text, encoding = value["data"]
            lamports, owner, executable = value["lamports"], value["owner"], value["executable"]
            if (
                encoding != "base64"
                or type(lamports) is not int
                or not isinstance(owner, str)
                or not isinstance(executable, bool)
            ):
                raise ValueError("not an account in base64")
            return Held(lamports, owner, b64decode(text, validate=True), executable)
        except (KeyError, TypeError, ValueError):
            raise self.malformed("an account") from None

    def clock(self) -> Clock:
        """The newest finalized slot and its block time; `newest_clock` keeps it."""
        slot = self.slot()
        self.newest_clock = Clock(
            slot, self._number("getBlockTime", self.ask("getBlockTime", [slot]))
        )
        return self.newest_clock

    def slot(self) -> int:
        """The newest finalized slot."""
        slot = self._number("getSlot", self.ask("getSlot", [{"commitment": "finalized"}]))
        self.newest_slot = max(slot, self.newest_slot)
        return slot

    def slot_seconds(self) -> float | None:
        """Seconds a slot, measured over the last few hundred finalized ones; None where this node
        knows no earlier time.
        """
        newest = self.clock()
        for back in range(MEASURED_SLOTS, 0, -max(1, MEASURED_SLOTS // 12)):
            if newest.slot <= back:
                continue
            with suppress(NodeRefused):  # a slot without a block has no time
                then = self._number("getBlockTime", self.ask("getBlockTime", [newest.slot - back]))
                if newest.block_time > then:
                    return (newest.block_time - then) / back
        return None

    def height(self) -> int:
        """The newest finalized block height."""
        return self._number(
            "getBlockHeight", self.ask("getBlockHeight", [{"commitment": "finalized"}])
        )

    def blockhash(self) -> Blockhash:
        """The newest finalized blockhash."""
        result = self.at_newest("getLatestBlockhash")
        try:
            value = result["value"]
            return Blockhash(
                str(value["blockhash"]),
                int(value["lastValidBlockHeight"]),
                result["context"]["slot"],
            )
        except (KeyError, TypeError, ValueError):
            raise self.malformed("getLatestBlockhash") from None

    def rent(self, size: int) -> int:
        """The lamports that an account with so many bytes of data must hold, as this node says
        (asked once a size).
        """
        if size not in self._rents:
            asked = self.ask("getMinimumBalanceForRentExemption", [size])
            self._rents[size] = self._number("getMinimumBalanceForRentExemption", asked)
        return self._rents[size]

    def fee(self, message: bytes) -> int | None:
        """What a message costs in lamports; None where the node does not know its blockhash (any
        more).
        """
        value = self.at_newest("getFeeForMessage", b64encode(message).decode())["value"]
        return None if value is None else self._number("getFeeForMessage", value)

    def signatures(
        self, address: str, limit: int = 1000, until: str | None = None
    ) -> list[dict[str, Any]]:
        """The newest signatures of an address, newest first, down to `until` (left out): one page
        of at most `limit`.
        """
        config: dict[str, Any] = {"commitment": "finalized", "limit": limit} | (
            {} if until is None else {"until": until}
        )
        if self.newest_slot:
            config["minContextSlot"] = self.newest_slot
        rows = self.ask("getSignaturesForAddress", [address, config])
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and "signature" in row for row in rows
        ):
            raise self.malformed("getSignaturesForAddress")
        return rows

    def transaction(self, signature: str) -> dict[str, Any] | None:
        """A finalized transaction in base64, of any version; None where this node has none."""
        config = {
            "commitment": "finalized",
            "encoding": "base64",
            "maxSupportedTransactionVersion": NEWEST_VERSION,
        }
        result = self.ask("getTransaction", [signature, config])
        if result is not None and not isinstance(result, dict):
            raise self.malformed("getTransaction")
        return result

    def status(self, signature: str, *, since: int = 0) -> dict[str, Any] | None:
        """What this node's history says of a signature; None where it has nothing, which is no
        proof that there is nothing.

        Raises Silent where the answer is from before the slot `since`.
        """
        result = self.ask("getSignatureStatuses", [[signature], {"searchTransactionHistory": True}])
        try:
            (value,) = result["value"]
            slot = int(result["context"]["slot"])
        except (KeyError, TypeError, ValueError):
            raise self.malformed("getSignatureStatuses") from None
        if value is not None and not (
            isinstance(value, dict) and "err" in value and type(value.get("slot")) is int
        ):
            raise self.malformed("getSignatureStatuses")
        if slot < since:
            raise self.unanswered(OLDER(slot=slot, before=since))
        return value

    def _number(self, method: str, value: Any) -> int:
        if type(value) is not int:
            raise self.malformed(method)
        return value
