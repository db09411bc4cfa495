"""How much of a grant's chain there is, and where the two heads stand; None wherever the evidence
does not tell.
"""

from __future__ import annotations

from dataclasses import dataclass

from popkit.facts import Facts
from popkit.protocol.message import GENESIS_HASH
from popkit.worker.line import WorkerLine


@dataclass(frozen=True, slots=True)
class ClaimCounts:
    """How many claims of a grant the case holds; None where no transactions were collected.

    `accepted` counts accepted claims, `refused` the refused ones that are the issuer's, `linked`
    the accepted ones with a proof. `has_unseen` is whether the chain holds claims that the case
    does not; `are_whole` whether the node listed every transaction of the grant and gave it, so
    that what is not among them never landed.
    """

    accepted: int | None
    refused: int | None
    linked: int | None
    has_unseen: bool
    are_whole: bool


@dataclass(frozen=True, slots=True)
class TwoHeads:
    """The chain's head and the worker's, held against each other.

    `on_chain` is where the next proof has to point (64 hex digits), None where nothing of the chain
    tells it. `worker` is where the worker's next proof will point, `source` what says so:
    'storage', 'anchors' or 'refused claims'. `are_one` is None where either is not known. Where
    they are not one, `ahead` counts the worker's never-accepted proofs up to its head, or `behind`
    the accepted links after it; both None where that is not known.
    """

    on_chain: str | None
    worker: str | None
    source: str | None
    follows_chain: bool
    are_one: bool | None
    ahead: int | None
    behind: int | None


def claim_counts(facts: Facts, line: WorkerLine) -> ClaimCounts:
    """The claims of a grant that the case holds."""
    chain = line.chain
    if facts.evidence.transactions is None:
        return ClaimCounts(None, None, None, bool(chain.unseen), are_whole=False)
    is_whole = facts.is_listed_whole(chain.grant)
    return ClaimCounts(
        len(chain.accepted), len(chain.attributed), len(chain.linked), bool(chain.unseen), is_whole
    )


def two_heads(facts: Facts, line: WorkerLine) -> TwoHeads:
    """Where the chain and the worker stand."""
    chain = line.chain
    is_known = chain.state_counts or bool(chain.linked) or facts.is_listed_whole(chain.grant)
    on_chain = chain.head if is_known else None
    are_one = None if line.head is None or on_chain is None else line.head == on_chain
    apart = are_one is False
    ahead = len(line.path) if apart and line.path else None
    behind = _links_after(line) if apart and ahead is None else None
    return TwoHeads(
        on_chain, line.head, line.head_source, line.follows_chain, are_one, ahead, behind
    )


def _links_after(line: WorkerLine) -> int | None:
    """How many accepted links lead from the worker's head to the chain's; None where none do, or
    claims are missing in between.
    """
    entries = [GENESIS_HASH, *(attempt.entry_hash for attempt in line.chain.linked)]
    if line.chain.unseen or line.head not in entries or line.chain.head not in entries:
        return None
    behind = entries.index(line.chain.head) - entries.index(line.head)
    return behind if behind > 0 else None
