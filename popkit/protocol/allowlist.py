"""A grant's allowlist: a Merkle tree over claimers with sorted pairs (`grant_program`, every era).

Leaves and nodes are not told apart by a prefix, as in the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from popkit.protocol.keys import key_bytes
from popkit.protocol.message import hash_bytes


def leaf(claimer: str) -> str:
    """The leaf of a claimer, as hex."""
    return sha256(b"we-ne:allowlist" + key_bytes(claimer)).hexdigest()


def root_of(claimer: str, proof: Sequence[bytes | str]) -> str:
    """The root that a proof (siblings from the leaf up, 32 bytes or 64 hex digits each) leads to,
    as hex.
    """
    node = bytes.fromhex(leaf(claimer))
    for position, sibling in enumerate(proof):
        other = hash_bytes(
            sibling if isinstance(sibling, str) else sibling.hex(), f"proof[{position}]"
        )
        node = sha256(min(node, other) + max(node, other)).digest()
    return node.hex()


def holds(claimer: str, proof: Sequence[bytes | str], root: str) -> bool:
    """Whether the proof shows that `claimer` is under `root` (64 hex digits)."""
    return root_of(claimer, proof) == root.lower()
