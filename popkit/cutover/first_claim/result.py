"""What a canary's claim is sent by, and what the canary showed in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

from popkit.cutover.first_claim.checks import Check
from popkit.cutover.sending.calls import Call


class Landing(Protocol):
    """How an attempt to send ended, as `sending.Outcome` has it: kind is landed, failed, expired
    (proven never landed) or unknown.
    """

    @property
    def kind(self) -> str: ...
    @property
    def signature(self) -> str: ...
    @property
    def error(self) -> Any: ...
    @property
    def differences(self) -> Sequence[Any]:
        """Where the accounts afterwards are otherwise than was worked out."""


class Carrier(Protocol):
    """Signs and sends the claim's calls, and finds out how an earlier attempt of this step ended."""

    def send(self, calls: Sequence[Call]) -> Landing:
        """Build, simulate, sign and send once; the signed bytes are on the disk before the first
        send.
        """

    def resume(self) -> Landing | None:
        """How the newest attempt of this step ended; None where none was ever signed."""


@dataclass(frozen=True, slots=True)
class CanaryResult:
    """What the canary showed. `checks` are ours; `by_worker` is what the worker's own two checks of
    the receipt said (True, False).
    """

    wallet: str
    event: str
    grant: str
    period: int
    signature: str
    slot: int
    entry_hash: str
    issued_at: int
    receipt: str
    code: str | None
    checks: tuple[Check, ...]
    by_worker: Mapping[str, bool]

    @property
    def is_verified(self) -> bool:
        """Whether every check of ours holds. Two may be unknown: the anchor has left the list of
        fifty, others have claimed since.
        """
        return all(
            check.holds is True or (check.name in ("anchor", "pop_state") and check.holds is None)
            for check in self.checks
        )

    @property
    def failed(self) -> tuple[Check, ...]:
        """What does not hold, or could not be checked."""
        return tuple(check for check in self.checks if check.holds is not True)

    def as_json(self) -> dict[str, Any]:
        """For the journal and the record."""
        names = (
            "wallet",
            "event",
            "grant",
            "period",
            "signature",
            "slot",
            "entry_hash",
            "issued_at",
            "receipt",
            "code",
        )
        rows = [check.as_json() for check in self.checks]
        return {name: getattr(self, name) for name in names} | {
            "checks": rows,
            "by_worker": dict(self.by_worker),
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """What an earlier run showed, from the journal."""
        return cls(
            **{
                **given,
                "checks": tuple(Check(**row) for row in given["checks"]),
                "by_worker": dict(given["by_worker"]),
            }
        )
