"""The worker's signing key derived from a seed, and changed by the calendar (7022046 and later).

After the reference alone (section 3.2): no recording shows a worker with this switched on. What a
rotation does before its first day is not said; here the index does not go below its offset. A
derived key without rotation, and the errors of a half configured seed, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from solders.keypair import Keypair

DAY = 86400
FIRST_UNIX = 1772496000
"""2026-03-03T00:00Z, from where the published configuration counts."""
TEMPLATE = "m/44'/501'/{index}'/0'/0'"
OFF = dict.fromkeys(
    ("enabled", "index", "intervalDays", "startUnix", "nextRotateAtUnix", "pathTemplate")
) | {"enabled": False}


@dataclass(frozen=True, slots=True)
class Rotation:
    """A key for each interval, derived (SLIP-10, hardened alone) from a seed of 64 bytes; moments
    are unix seconds.
    """

    seed: bytes
    interval_days: int = 30
    start: int = FIRST_UNIX
    offset: int = 0
    template: str = TEMPLATE

    def index(self, now: int) -> int:
        """Which key is in use."""
        return self.offset + max(0, (now - self.start) // (self.interval_days * DAY))

    def next(self, now: int) -> int:
        """The unix second of the next change."""
        return self.start + (self.index(now) - self.offset + 1) * self.interval_days * DAY

    def path(self, now: int) -> str:
        return self.template.format(index=self.index(now))

    def key(self, now: int) -> Keypair:
        return Keypair.from_seed_and_derivation_path(self.seed, self.path(now))

    def page(self, now: int) -> dict[str, Any]:
        """The rotation as status pages show it to an operator."""
        return {
            "enabled": True,
            "index": self.index(now),
            "intervalDays": self.interval_days,
            "startUnix": self.start,
            "nextRotateAtUnix": self.next(now),
            "pathTemplate": self.template,
        }


def signer_page(rotation: Rotation | None, now: int) -> dict[str, Any]:
    """What status pages say of how the key comes about: its mode, path, rotation, and whether a key
    of the old kind would do.
    """
    if rotation is None:
        return {"mode": "legacy", "path": None, "rotation": OFF, "legacy": True}
    return {
        "mode": "hd",
        "path": rotation.path(now),
        "rotation": rotation.page(now),
        "legacy": False,
    }
