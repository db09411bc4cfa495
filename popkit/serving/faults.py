"""Faults that a peer can show, chosen by a seed: the same seed and the same order of requests give
the same faults.

A fault is decided per request (by its number), or per signature, so that a signature that is
missing stays missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from popkit.errors import UsageError

DEFAULT_RATE = 0.3
UNAVAILABLE_CODES = {
    -32004: "Block not available for slot {slot}",
    -32007: "Slot {slot} was skipped, or missing due to ledger jump to recent snapshot",
    -32009: "Slot {slot} was skipped, or missing in long-term storage",
    -32011: "Transaction history is not available from this node",
    -32019: "Failed to query long-term storage; please try again",
    -32020: "Filter transaction {cursor} not found",
}
"""The errors of a node that cannot look back as far as it is asked to.

The first three concern a transaction; -32011 a node that keeps no history, lists included; -32019
passes, and is decided by request; -32020 is what newer nodes say of a `before` or `until` that they
do not know.
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault by name: what its values are (`rate` unless said otherwise) and what it does."""

    name: str
    values: str
    effect: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind("429", "rate:seconds", "HTTP 429 with Retry-After (1 second)"),
        Kind("server-error", "rate", "HTTP 500"),
        Kind("html", "rate", "HTTP 200 with a page of HTML"),
        Kind("html-502", "rate", "HTTP 502 with a page of HTML"),
        Kind("redirect", "rate:url", "HTTP 302 to another host"),
        Kind("drop", "rate", "the connection is closed without an answer"),
        Kind("cut", "rate", "half of the body, then the connection is closed"),
        Kind("endless", "rate", "a body that never ends"),
        Kind("slow", "seconds:rate", "every answer is late (by 2 seconds)"),
        Kind("wrong-type", "rate", "JSON called text/plain"),
        Kind("too-large", "calls", "HTTP 413 for a batch of more calls (than 10)"),
        Kind("wrong-ids", "rate", "the ids of answers are mixed up"),
        Kind("duplicate", "rate", "the answers of a batch come twice"),
        Kind("reorder", "rate", "the answers of a batch come in reverse, which JSON-RPC allows"),
        Kind("slot-back", "rate", "the node says that it stands at an older slot"),
        Kind("gap", "rate", "signatures are left out of lists, silently"),
        Kind("page-gap", "rate", "pages of a list skip a row where they join"),
        Kind("null", "rate", "getTransaction gives null for some signatures"),
        Kind("null-once", "rate", "getTransaction gives null for some signatures when first asked"),
        Kind(
            "unavailable",
            "code:rate",
            "errors of code (-32011) for some transactions, lists or cursors, as a node gives it",
        ),
        Kind(
            "no-gpa", "", "getProgramAccounts is refused, as the program is not in the node's index"
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault asked for: its kind, the share of requests or signatures it takes, and its own
    value where it has one.
    """

    kind: str
    rate: float = DEFAULT_RATE
    value: str = ""


def parse_fault(spec: str) -> Fault:
    """Read `kind[:value[:value]]`. Raises UsageError for an unknown kind, or a value that is out of
    range.
    """
    name, *given = spec.split(":", 2)
    kind = KINDS.get(name)
    if kind is None:
        raise UsageError(f"--fault {spec}: no such fault; there are {', '.join(KINDS)}")
    names = [part for part in kind.values.split(":") if part]
    if len(given) > len(names):
        raise UsageError(
            f"--fault {spec}: expected {':'.join([name, *(f'[{part}]' for part in names)])}"
        )
    values = dict(zip(names, given, strict=False))
    rate = 1.0 if name in ("slow", "too-large", "no-gpa") else DEFAULT_RATE
    try:
        rate = float(values["rate"]) if "rate" in values else rate
        if not 0 < rate <= 1:
            raise ValueError("rate: expected a share above 0 and up to 1")
        return Fault(name, rate, _value(name, values))
    except ValueError as error:
        raise UsageError(f"--fault {spec}: {error}") from None


def _value(name: str, values: dict[str, str]) -> str:
    """The value of a kind that has one of its own, checked. Raises ValueError."""
    if name == "redirect":
        return values.get("url", "http://elsewhere.invalid/")
    if name == "unavailable":
        code = values.get("code", "-32011")
        if int(code) not in UNAVAILABLE_CODES:
            raise ValueError(f"code: expected one of {', '.join(map(str, UNAVAILABLE_CODES))}")
        return code
    if name == "too-large":
        calls = values.get("calls", "10")
        if int(calls) < 1:
            raise ValueError("calls: expected a number from 1")
        return calls
    if name in ("429", "slow"):
        seconds = values.get("seconds", "1" if name == "429" else "2")
        if not 0 <= float(seconds) <= 3600:
            raise ValueError("seconds: expected a number from 0 to 3600")
        return seconds
    return ""


class Faults:
    """What goes wrong, decided by a seed alone; holds no state and reads no clock."""

    def __init__(self, seed: int = 0, specs: Iterable[str] = ()) -> None:
        self.seed = seed
        self.faults: dict[str, Fault] = {}
        for spec in specs:
            fault = parse_fault(spec)
            if fault.kind in self.faults:
                raise UsageError(f"--fault {spec}: {fault.kind} was given before; give it once")
            self.faults[fault.kind] = fault

    def __bool__(self) -> bool:
        return bool(self.faults)

    def strikes(self, kind: str, key: int | str) -> Fault | None:
        """The fault when it befalls the request of that number, or that signature; else None."""
        fault = self.faults.get(kind)
        if fault is None:
            return None
        return fault if self._draw(kind, key) < fault.rate else None

    def number(self, kind: str, key: int | str, least: int, most: int) -> int:
        """A number for a fault that needs one."""
        return least + int(self._draw(f"{kind}/number", key) * (most - least + 1))

    def _draw(self, kind: str, key: int | str) -> float:
        digest = hashlib.sha256(f"{self.seed}:{kind}:{key}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / (
            1 << 48
        )  # 48 bits, so that it stays below 1 as a float
