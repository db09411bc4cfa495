"""A replay with faults in what it says: the ones that speak JSON-RPC correctly and are wrong all
the same.
"""

from __future__ import annotations

from typing import Any

import msgspec

from popkit.serving.faults import UNAVAILABLE_CODES, Faults
from popkit.serving.node import Node
from popkit.serving.params import EXCLUDED_FROM_INDEX, RpcError

_NULL = msgspec.Raw(b"null")
_SLOTS_BACK = 150
_SAY_SLOT = (
    "getSlot",
    "getAccountInfo",
    "getMultipleAccounts",
    "getProgramAccounts",
    "getSignatureStatuses",
)
_PASSING = -32019
_OF_TRANSACTIONS = (-32004, -32007, -32009, -32011, -32019)
_OF_LISTS = (-32011, -32019)
_OF_CURSORS = (-32020,)


class Hindered:
    """Answers like a Replay, with faults. `answer` adds the names of the faults that showed to
    `shown`.
    """

    def __init__(self, replay: Node, faults: Faults) -> None:
        self.replay, self.faults = replay, faults
        self._asked: set[str] = set()
        self._has_hidden = False
        replay.hidden = self._is_hidden

    def answer(self, method: str, given: Any, number: int, shown: set[str]) -> msgspec.Raw:
        """The result of a call that came with the request of that number. Raises RpcError."""
        if not self.faults:
            return self.replay.answer(method, given)
        if method == "getTransaction":
            return self._transaction(given, number, shown)
        if method == "getProgramAccounts" and self.faults.strikes("no-gpa", number):
            shown.add("no-gpa")
            program = given[0] if isinstance(given, list) and given else ""
            text = f"{program} excluded from account secondary indexes; this RPC method unavailable for key"
            raise RpcError(EXCLUDED_FROM_INDEX, text)
        if method == "getSignaturesForAddress":
            return self._page(given, number, shown)
        return self.replay.answer(
            method, given, slot=self._slot(number, shown) if method in _SAY_SLOT else None
        )

    def _is_hidden(self, signature: str) -> bool:
        if self.faults.strikes("gap", signature) is None:
            return False
        self._has_hidden = True
        return True

    def _slot(self, number: int, shown: set[str]) -> int:
        if not self.faults.strikes("slot-back", number):
            return self.replay.view("finalized").slot
        shown.add("slot-back")
        return max(
            0,
            self.replay.view("finalized").slot
            - self.faults.number("slot-back", number, 1, _SLOTS_BACK),
        )

    def _transaction(self, given: Any, number: int, shown: set[str]) -> msgspec.Raw:
        result = self.replay.answer(
            "getTransaction", given
        )  # first, so that a wrong question stays one
        signature = str(given[0])
        is_first = signature not in self._asked
        self._asked.add(signature)
        if self.faults.strikes("null", signature):
            shown.add("null")
            return _NULL
        if is_first and self.faults.strikes("null-once", signature):
            shown.add("null-once")
            return _NULL
        landed = self.replay.view("finalized").transaction(signature)
        self._unavailable(
            _OF_TRANSACTIONS,
            signature,
            number,
            shown,
            slot=landed.slot if landed else self.replay.view("finalized").slot,
        )
        return result

    def _unavailable(
        self, codes: tuple[int, ...], key: str, number: int, shown: set[str], **known: object
    ) -> None:
        """Raise the error of a node that cannot look back, where it concerns this kind of call."""
        asked = self.faults.faults.get("unavailable")
        if asked is None or int(asked.value) not in codes:
            return
        if self.faults.strikes("unavailable", number if int(asked.value) == _PASSING else key):
            shown.add("unavailable")
            raise RpcError(int(asked.value), UNAVAILABLE_CODES[int(asked.value)].format(**known))

    def _page(self, given: Any, number: int, shown: set[str]) -> msgspec.Raw:
        """A page of a list, with its gaps; moved one row on where it follows another."""
        self._has_hidden = False
        page = self.replay.answer("getSignaturesForAddress", given)
        if self._has_hidden:
            shown.add("gap")
        config = (given[1] if len(given) == 2 else None) or {}
        before = config.get("before")
        self._unavailable(_OF_LISTS, str(given[0]), number, shown)
        for cursor in filter(None, (before, config.get("until"))):
            self._unavailable(_OF_CURSORS, cursor, number, shown, cursor=cursor)
        if before is None or not self.faults.strikes("page-gap", before):
            return page
        rows = msgspec.json.decode(page)
        if not rows:
            return page
        shown.add("page-gap")
        moved = [given[0], {**config, "before": rows[0]["signature"]}]
        return self.replay.answer("getSignaturesForAddress", moved)


def jumbled(
    found: list[dict[str, Any]], faults: Faults, number: int, is_batch: bool, shown: set[str]
) -> list[dict[str, Any]]:
    """The answers of a request with the faults of a batch: ids mixed up, answers doubled, order
    reversed.
    """
    if found and faults.strikes("wrong-ids", number):
        shown.add("wrong-ids")
        names = [answer["id"] for answer in found]
        moved = [*names[1:], names[0]] if len(names) > 1 else ["not-the-id-that-was-asked"]
        found = [{**answer, "id": name} for answer, name in zip(found, moved, strict=True)]
    if is_batch and faults.strikes("duplicate", number):
        shown.add("duplicate")
        found = [*found, *found]
    if is_batch and faults.strikes("reorder", number):
        shown.add("reorder")
        found = found[::-1]
    return found
