"""The later workers' limits before anything else: how large a body may be, and how often a client
may ask (5bc9331 and later).

The numbers are the published worker's defaults. What they refuse leaves no audit row. Recorded are
the limit of logins and that of reads; the size of a body, the other buckets and the doubled waits
are after the published source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

MAX_BODY = 64 * 1024
BLOCK_SECONDS, MOST_DOUBLED = 120, 4
MINUTE = 60
EVERYBODY = 2000
"""How often all clients together may ask in a minute, of each bucket."""
MUTATING = ("POST", "PUT", "PATCH", "DELETE")
Refusal = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many requests of a kind there may be in so many seconds, and how long the first one too
    many shuts the door.
    """

    name: str
    most: int
    seconds: int = MINUTE
    block: int = BLOCK_SECONDS


LOGIN = Bucket("admin_login", 20, 600, 300)
USER = Bucket("user_auth", 60, 600, 300)
VERIFY = Bucket("receipt_verify", 120)
CHANGE = Bucket("mutating", 120)
READ = Bucket("read", 300)


@dataclass(slots=True)
class _Count:
    since: float
    asked: int = 0
    blocked_until: float = 0.0
    violations: int = 0


@dataclass(slots=True)
class Limits:
    """What the limiter remembers of each client and bucket."""

    counts: dict[tuple[str, str], _Count] = field(default_factory=dict)

    def refuses(
        self, method: str, path: str, headers: Mapping[str, str], size: int, now: float
    ) -> Refusal | None:
        """413 or 429 for a request of `size` bytes at a unix second, else None."""
        if not path.startswith(("/api/", "/v1/school/")):
            return None
        if method in MUTATING and size > MAX_BODY:
            return 413, {
                "error": "payload too large",
                "code": "payload_too_large",
                "maxBytes": MAX_BODY,
            }
        bucket = _bucket(method, path)
        everybody = Bucket(f"{bucket.name}_global", EVERYBODY, block=bucket.block)
        return self._counted(bucket, _client(headers), now) or self._counted(everybody, "", now)

    def shut(self, seconds: float, now: float) -> None:
        """Refuse every client without an address for a while, as if it had asked too often."""
        for bucket in (LOGIN, USER, VERIFY, CHANGE, READ):
            count = self.counts.setdefault((bucket.name, "unknown"), _Count(now))
            count.blocked_until = now + seconds

    def _counted(self, bucket: Bucket, client: str, now: float) -> Refusal | None:
        count = self.counts.setdefault((bucket.name, client), _Count(now))
        if count.blocked_until > now:
            return _too_many(bucket, count.blocked_until - now)
        if not 0 <= now - count.since < bucket.seconds:
            count.since, count.asked = now, 0
        count.asked += 1
        if count.asked <= bucket.most:
            return None
        block = bucket.block << min(count.violations, MOST_DOUBLED)
        count.violations += 1
        count.blocked_until = now + block
        return _too_many(bucket, block)


def _too_many(bucket: Bucket, seconds: float) -> Refusal:
    wait = max(1, ceil(seconds))
    return 429, {
        "error": "too many requests",
        "code": "rate_limited",
        "bucket": bucket.name,
        "retryAfterSec": wait,
    }


def _bucket(method: str, path: str) -> Bucket:
    if path == "/api/admin/login":
        return LOGIN
    if path in ("/api/auth/verify", "/api/users/register", "/api/users/tickets/sync"):
        return USER
    if path.startswith("/api/events/") and path.endswith("/claim"):
        return USER
    if path in ("/api/audit/receipts/verify", "/api/audit/receipts/verify-code"):
        return VERIFY
    return CHANGE if method in MUTATING else READ


def _client(headers: Mapping[str, str]) -> str:
    """The address that the worker counts by: what its proxy says, and one name for all without."""
    given = headers.get("CF-Connecting-IP") or headers.get("X-Forwarded-For", "").split(",")[0]
    return given.strip() or "unknown"
