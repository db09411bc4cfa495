"""Claims of one grant made by hand, and the chain of them; hashes are names here."""

from __future__ import annotations

from typing import Any

from popkit.chain.attempts import Attempt
from popkit.chain.eras import EraTimeline, Shown, only
from popkit.chain.links import GrantChain
from popkit.chain.state import PopStateReading
from popkit.protocol.errors import TransactionFailure
from popkit.protocol.message import GENESIS_HASH

STRICT = EraTimeline([Shown(slot, only("strict"), "seen") for slot in (0, 1 << 40)])
RELAXED = EraTimeline([Shown(0, only("relaxed"), "seen")])
UNKNOWN = PopStateReading(known=False)
REFUSED = TransactionFailure("PopHashChainBroken", "program", 6026, 1, None, frozenset(), "log")


def claim(
    entry: str | None, parent: str | None = GENESIS_HASH, slot: int = 10, **fields: Any
) -> Attempt:
    """An accepted claim of a wallet of its own, issued at its slot; hashes are names here."""
    told: dict[str, Any] = {
        "row": 0, "signature": f"signature of {entry}", "slot": slot, "position": None, "block_time": None, "instruction_index": 1,
        "accepted": True, "claimer": f"wallet of {entry}", "period_index": 0, "receipt": f"receipt of {entry}", "has_proof": True,
        "signer": "signer", "prev_hash": parent, "stream_prev_hash": parent, "audit_hash": None, "entry_hash": entry, "issued_at": slot,
        "message_period_index": 0, "authentic": True, "noise": None, "failure": None, "own_failure": False,
    }  # fmt: skip
    return Attempt(**(told | fields))


def refusal(entry: str, parent: str, slot: int, **fields: Any) -> Attempt:
    return claim(entry, parent, slot, accepted=False, **fields)


def chain(
    *attempts: Attempt, state: PopStateReading = UNKNOWN, eras: EraTimeline = STRICT
) -> GrantChain:
    return GrantChain("grant", list(attempts), state, eras)


def seen(head: str | None, slot: int = 99, **fields: Any) -> PopStateReading:
    """PopState as collected at a slot, both heads alike."""
    return PopStateReading(
        **({"known": True, "slot": slot, "head": head, "stream_head": head} | fields)
    )
