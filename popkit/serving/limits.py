"""What the server takes at most; apart from the server, so that the command line can name it
without loading a network library.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_BODY = 50 * 1024
"""Bytes of a request's body: as many as a node takes."""
MAX_CONNECTIONS = 256
READ_SECONDS = 30.0
KEEPALIVE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Body bytes, connections at once, and the seconds in which a body must have come."""

    max_body: int = MAX_BODY
    max_connections: int = MAX_CONNECTIONS
    read_seconds: float = READ_SECONDS
