"""What a case holds: every file by its name, and every endpoint of the worker. Each stands here
once.

Collecting asks for what `ENDPOINTS` lists, exports are recognised by it, serving and the drill
answer under its paths, the bundle reads its files, and the coverage names what of it is missing. To
add an endpoint, add a row: whoever reads its answer asks for `evidence.answers[NAME.name]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from popkit.texts import Text

HEADER = "case.json"
MANIFEST = "manifest-sha256.txt"
CUSTODY = "custody.jsonl"
CUTOVER = "cutover.json"

SIGNATURES = "rpc/signatures.jsonl"
TRANSACTIONS = "rpc/transactions.jsonl"
ACCOUNTS = "rpc/accounts.jsonl"
NODE = "rpc/node.jsonl"
"""The node's small answers (genesis hash, version, slots, times), in the order they came."""
SECOND = "rpc/second-signatures.jsonl"
"""The lists of a second node, which are held against the first one's."""

STORAGE = "worker/storage.jsonl"
RECEIPTS = "worker/ticket-receipts.jsonl"
ASKED = "worker/answers.jsonl"
"""Every answer that a collector was given by the worker, older ones too, in the order they came."""
BUCKET_LINES = "worker/r2.jsonl"
"""The export of the immutable bucket as one file; an object a line."""
BUCKET = "worker/r2"
"""The part of the case that the bucket is, as one file or as a folder of objects."""
BUCKET_FOLDER = f"{BUCKET}/"

REPORTS = "client/errors.jsonl"

LINE_FILES = (TRANSACTIONS, SIGNATURES, ACCOUNTS, BUCKET_LINES, STORAGE, RECEIPTS, REPORTS)
"""The evidence that holds one row a line, and that exports can give."""

NEWEST = 50
"""How many entries audit-logs holds at most; it takes no parameters and has no pages."""
MOST_TRANSFERS = 200
CHECKED = 200
"""How many of its newest entries the worker checks at most when audit-integrity is asked."""

_OPERATOR = ("/api/master/", "/api/admin/")
_AUDITED = ("/api/", "/v1/school/")


def needs_token(path: str) -> bool:
    """Whether the worker answers at a path only to its operator's token."""
    return path.startswith(_OPERATOR)


def appends_entry(path: str) -> bool:
    """Whether a request for a path appends an entry to the worker's audit chain."""
    return path.startswith(_AUDITED)


@dataclass(frozen=True, slots=True)
class Shape:
    """How the body of a saved answer is recognised, when nothing says what was asked.

    `members` stand in it, and where `alone` is given nothing but those does. Where `rows` names a
    list, each of its rows has the members `of_row`.
    """

    members: frozenset[str]
    rows: str = ""
    of_row: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()

    def fits(self, body: dict[str, Any], may_be_empty: bool) -> bool:
        """Whether a body with these members is this answer; an empty list alone says nothing."""
        if self.alone and not self.alone.issuperset(body):
            return False
        if not self.rows:
            return True
        rows = body[self.rows]
        if not isinstance(rows, list) or not (rows or may_be_empty):
            return False
        return all(isinstance(row, dict) and self.of_row <= set(row) for row in rows)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A GET of the worker whose newest answer a case keeps, as `{status, body}` in `file`.

    `name` is that of the answer, in `Evidence.answers` too. `query` is sent when it is collected.
    `also_at` are other paths with the same answer. `good` are the statuses under which the answer
    is evidence. `is_row` says whether the coverage has a row of its own, with the words `what`, for
    a case without it.
    """

    name: str
    path: str
    what: Text
    shape: Shape
    query: str = ""
    also_at: tuple[str, ...] = ()
    good: tuple[int, ...] = (200,)
    is_row: bool = True

    @property
    def file(self) -> str:
        """The file of a case that holds the answer."""
        return f"worker/{self.name}.json"

    @property
    def address(self) -> str:
        """The path with its query, as it is asked for."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path at which the worker gives the answer."""
        return (self.path, *self.also_at)

    @property
    def needs_token(self) -> bool:
        """Whether the worker answers only to its operator's token."""
        return needs_token(self.path)


AUDIT_LOGS = Endpoint(
    "audit-logs",
    "/api/master/audit-logs",
    Text(
        "the worker's newest fifty entries (audit-logs)",
        "worker の最新 50 件のエントリ（audit-logs）",
    ),
    Shape(frozenset({"logs"}), rows="logs", of_row=frozenset({"entry_hash", "prev_hash"})),
    is_row=False,  # the coverage judges the list as a source of entries
)
TRANSFERS = Endpoint(
    "transfers",
    "/api/master/transfers",
    Text("the worker's newest claims as transfers", "worker にある最新の claim の一覧"),
    Shape(frozenset({"roleView", "strictLevel", "items"})),
    query=f"limit={MOST_TRANSFERS}",
    also_at=("/api/admin/transfers",),
    is_row=False,  # it repeats what the audit entries say
)
AUDIT_INTEGRITY = Endpoint(
    "audit-integrity",
    "/api/master/audit-integrity",
    Text("the worker's own check of its audit chain", "worker 自身による監査チェーンの検査"),
    Shape(frozenset({"ok", "checked", "globalHead", "issues"})),
    query=f"limit={CHECKED}",
    good=(200, 409),  # with 409 it says what it found wrong
    is_row=False,  # everything in it is recomputed
)
EVENTS = Endpoint(
    "events",
    "/v1/school/events",
    Text(
        "the worker's list of events: titles and links to grants",
        "worker のイベント一覧（タイトルと grant への紐付け）",
    ),
    Shape(
        frozenset({"items"}),
        rows="items",
        of_row=frozenset({"id", "title", "state"}),
        alone=frozenset({"items", "nextCursor"}),
    ),
)
POP_STATUS = Endpoint(
    "pop-status",
    "/v1/school/pop-status",
    Text("the worker's PoP status", "worker の PoP ステータス"),
    Shape(frozenset({"enforceOnchainPop", "signerConfigured"})),
)
RUNTIME_STATUS = Endpoint(
    "runtime-status",
    "/v1/school/runtime-status",
    Text(
        "the worker's runtime status, which says when it was taken",
        "worker の実行時ステータス（取得時刻を含みます）",
    ),
    Shape(frozenset({"ready", "checks", "blockingIssues"})),
)
AUDIT_STATUS = Endpoint(
    "audit-status",
    "/v1/school/audit-status",
    Text("which sinks the worker's audit chain has", "worker の監査チェーンの書き込み先"),
    Shape(frozenset({"mode", "operationalReady", "sinks"})),
)

# In the order in which they are asked. Each request appends an entry, and so pushes one older entry
# out of the fifty that audit-logs holds: that one goes first.
ENDPOINTS = (
    AUDIT_LOGS,
    TRANSFERS,
    AUDIT_INTEGRITY,
    EVENTS,
    POP_STATUS,
    RUNTIME_STATUS,
    AUDIT_STATUS,
)
BY_PATH = {path: endpoint for endpoint in ENDPOINTS for path in endpoint.paths}
"""Which answer the worker gives at a path."""
NAMED = {endpoint.name: endpoint for endpoint in ENDPOINTS}

VERIFY_CODE = "/api/audit/receipts/verify-code"
"""A POST that gives the ticket receipt of one confirmation code."""
NEVER_KEPT = ("/api/master/search", "/api/master/admin-disclosures", "/api/admin/invites")
"""What the worker shows its operator and no case keeps: people's data and credentials."""


def event_path(event: str) -> str:
    """The path of one event; `event` is as it stands in a path (percent-encoded)."""
    return f"{EVENTS.path}/{event}"


def claimants_path(event: str) -> str:
    """The path of an event's claimants, with their confirmation codes."""
    return f"{event_path(event)}/claimants"
