"""What exports gave: rows and answers for a case, and an account of every file that was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

from popkit.errors import EXIT_CANNOT_TELL, PopkitError
from popkit.evidence.documents import CaseHeader
from popkit.evidence.layout import (
    ACCOUNTS,
    BUCKET_LINES,
    RECEIPTS,
    REPORTS,
    SIGNATURES,
    STORAGE,
    TRANSACTIONS,
)

BUCKET = BUCKET_LINES
LINE_FILES = (TRANSACTIONS, SIGNATURES, ACCOUNTS, BUCKET, STORAGE, RECEIPTS, REPORTS)
"""The files of a case that hold one row a line."""


class ExportTooLarge(PopkitError):
    """An export unpacks to more than popkit is willing to hold: a mistake, or made to exhaust the
    machine.
    """

    code = "export_too_large"
    exit_code = EXIT_CANNOT_TELL


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read: files and archive members in number, bytes of one of them and of all
    together, both unpacked.
    """

    members: int = 1_000_000
    member_bytes: int = 512 << 20
    total_bytes: int = 4 << 30
    nesting: int = 3


@dataclass(frozen=True, slots=True, order=True)
class Used:
    """A file, or an archive's member, that was read: SHA-256 of its bytes as they lay there, what
    it is, how many rows it gave.

    `path` is relative to what was given; `!/` stands between an archive and its member. `note` says
    what of it was left out, and how a bucket key was recovered from a name that a tool had changed.
    """

    path: str
    sha256: str
    what: str
    rows: int
    note: str = ""


@dataclass(frozen=True, slots=True, order=True)
class NotUsed:
    """A file, folder or archive member that gave nothing, and why; `sha256` is "" where there are
    no bytes to digest.
    """

    path: str
    sha256: str
    why: str


@dataclass(frozen=True, slots=True, order=True)
class EarlierAnswer:
    """An answer of the worker besides the one that is kept under its name; `at` in unix seconds
    where it is known.
    """

    name: str
    at: float | None
    path: str
    document: bytes


@dataclass(slots=True)
class Exports:
    """Everything that a case can hold, as found in exports; the same whatever their order and
    however often they were given.

    Attributes ---------- rows : lines (without line end) by file of a case, ascending by key
    (signatures: newest first per address); equal rows once, contradictory ones all. A file that is
    there without lines was exported and is empty. answers : the worker's answers by name, as
    {status, body} documents: of the whole ones the newest; one that was given in full before a
    redacted one of the same hour. earlier_answers : every other answer of the same names. used,
    not_used : every file looked at, ascending by path. withheld : rows of the worker's storage that
    hold credentials, counted by the prefix of their keys. newest, newest_in : the latest time that
    the evidence states (unix seconds), and the file that states it. record : the record of a
    cutover, byte for byte; of several the one that was written last. headers : case.json of every
    case that was given, ascending by name. custody : custody records of the cases that were given,
    as (path, bytes). event_rows : events as the worker described them outside its event list: they
    link an event to its grant.
    """

    rows: dict[str, list[bytes]] = field(default_factory=dict)
    answers: dict[str, bytes] = field(default_factory=dict)
    earlier_answers: list[EarlierAnswer] = field(default_factory=list)
    used: list[Used] = field(default_factory=list)
    not_used: list[NotUsed] = field(default_factory=list)
    withheld: dict[str, int] = field(default_factory=dict)
    newest: int | None = None
    newest_in: str | None = None
    record: bytes | None = None
    headers: list[CaseHeader] = field(default_factory=list)
    custody: list[tuple[str, bytes]] = field(default_factory=list)
    event_rows: list[object] = field(default_factory=list)
