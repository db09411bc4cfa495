"""Which genesis hash stands for which cluster: what tells a client where it is connected to."""

from __future__ import annotations

import hashlib

from popkit.protocol.keys import b58encode

CLUSTERS = {
    "mainnet-beta": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
    "devnet": "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG",
    "testnet": "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY",
}
"""The public clusters and the hash of the first block of each, as their nodes answer
getGenesisHash.
"""
UNKNOWN = "unknown"


def genesis_hash(cluster: str) -> str:
    """The genesis hash of a public cluster; for any other name one made from it, the same on every
    machine.
    """
    known = CLUSTERS.get(cluster)
    return (
        known
        if known is not None
        else b58encode(hashlib.sha256(f"popkit-serve:{cluster}".encode()).digest())
    )


def cluster_of(genesis: object) -> str:
    """The cluster of a genesis hash; `localnet` for a replayed one, `unknown` for any other."""
    names = {genesis_hash(name): name for name in (*CLUSTERS, "localnet")}
    return names.get(genesis, UNKNOWN) if isinstance(genesis, str) else UNKNOWN
