"""The worker's side of a case as it was given: bucket objects, storage rows, ticket receipts,
wallets' reports.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from popkit.evidence.documents import Answer
from popkit.evidence.layout import BUCKET_FOLDER
from popkit.evidence.leftovers import copied_from
from popkit.evidence.lines import Lines, Place, Problem, read_held
from popkit.protocol.canonical import CanonicalError, dumps, parse
from popkit.protocol.keys import is_signature

BUCKET_PREFIX = "audit/immutable/"
MAX_OBJECT_BYTES = 64 * 1024 * 1024
FROM_MILLISECONDS, TO_MILLISECONDS = 10**11, 10**14
"""A report's time in this range is in milliseconds."""


@dataclass(frozen=True, slots=True)
class BucketObject:
    """One object of the immutable bucket: its key, its text as exported, where it stands in the
    case.
    """

    key: str
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One row of the worker's storage: key and parsed value (numbers as JavaScript reads them)."""

    key: str
    value: Any
    place: Place


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """One ticket receipt as it was given."""

    receipt: dict[str, Any]
    place: Place


@dataclass(frozen=True, slots=True)
class WalletReport:
    """What a wallet said of an attempt: `at` in unix seconds; nobody vouches for it."""

    at: int
    event_id: str
    wallet: str
    landed: bool
    signature: str | None
    message: str
    logs: tuple[str, ...]
    place: Place


def read_bucket_files(
    files: dict[str, Path], digests: dict[str, str] | None, problems: list[Problem]
) -> dict[str, BucketObject]:
    """The bucket exported as files: the key is the path below `worker/r2/`, without a second
    download's `(1)`.
    """
    found = {}
    for name, path in files.items():
        if not name.startswith(BUCKET_FOLDER):
            continue
        place = Place(name, None, None, (digests or {}).get(name))
        if path.stat().st_size > MAX_OBJECT_BYTES:
            problems.append(
                Problem(
                    "document_too_large",
                    f"is larger than {MAX_OBJECT_BYTES} bytes and was not read",
                    place,
                )
            )
            continue
        key = (copied_from(name) or name)[len(BUCKET_FOLDER) :]
        text = read_held(path, name, place.sha256).decode("utf-8", "surrogateescape")
        found[key] = BucketObject(key, text, place)
    return found


def read_bucket_lines(lines: Lines) -> dict[str, BucketObject]:
    """The bucket packed as `worker/r2.jsonl` of {key, text}."""
    found: dict[str, BucketObject] = {}
    for number, row in _objects(lines, "{key, text}"):
        key, text = row.get("key"), row.get("text")
        if not isinstance(key, str) or not isinstance(text, str):
            lines.problem("unreadable_line", "is not {key, text}", number)
            continue
        seen = found.get(key)
        if seen is not None and seen.text != text:
            lines.problem(
                "contradictory_lines",
                f"{key} stands in line {seen.place.line} too, with another text",
                number,
            )
        if seen is None or text < seen.text:
            found[key] = BucketObject(key, text, lines.place(number))
    return dict(sorted(found.items()))


def read_storage(lines: Lines) -> dict[str, StoredRow]:
    """`worker/storage.jsonl` of {key, value}."""
    found: dict[str, StoredRow] = {}
    for number, row in _objects(lines, "{key, value}"):
        key = row.get("key")
        if not isinstance(key, str) or "value" not in row:
            lines.problem("unreadable_line", "is not {key, value}", number)
            continue
        seen = found.get(key)
        if seen is not None and seen.value != row["value"]:
            lines.problem(
                "contradictory_lines",
                f"{key} stands in line {seen.place.line} too, with another value",
                number,
            )
            if repr(seen.value) <= repr(row["value"]):
                continue
        if seen is None or seen.value != row["value"]:
            found[key] = StoredRow(key, row["value"], lines.place(number))
    return dict(sorted(found.items()))


def read_receipts(lines: Lines) -> list[ReceiptRow]:
    """`worker/ticket-receipts.jsonl`, one receipt a line, ascending by their canonical text; equal
    receipts are one.
    """
    found: dict[str, ReceiptRow] = {}
    for number, row in _objects(lines, "a ticket receipt"):
        if not (
            isinstance(row.get("receiptId"), str)
            and isinstance(row.get("receiptHash"), str)
            and isinstance(row.get("audit"), dict)
        ):
            lines.problem(
                "unreadable_line",
                "is not a ticket receipt {receiptId, receiptHash, audit, …}",
                number,
            )
            continue
        found.setdefault(dumps(row), ReceiptRow(row, lines.place(number)))
    return [found[text] for text in sorted(found)]


def read_asked(lines: Lines) -> dict[str, list[Answer]]:
    """A collector's lines of {name, path, at, status, body}, by name and ascending by text; equal
    ones are one, as of the last asking.

    A line whose path is no path of the worker was taken over from elsewhere: when it was asked for
    is not known.
    """
    found: dict[str, dict[str, Answer]] = {}
    for number, row in _objects(lines, "{name, path, at, status, body}"):
        name, path, at, status = row.get("name"), row.get("path"), row.get("at"), row.get("status")
        if not isinstance(name, str) or not isinstance(status, int) or "body" not in row:
            lines.problem("unreadable_line", "is not {name, path, at, status, body}", number)
            continue
        is_asked = (
            isinstance(path, str)
            and path.startswith("/")
            and isinstance(at, int | float)
            and 0 < at < 1 << 33
        )
        asked_at = float(at) if is_asked else None
        known, text = found.setdefault(name, {}), dumps(row["body"])
        earlier = known.get(text)
        if earlier is None:
            known[text] = Answer(status, row["body"], lines.place(number), asked_at)
        elif asked_at is not None:
            known[text] = replace(earlier, asked_at=max(asked_at, earlier.asked_at or 0.0))
    return {name: [known[text] for text in sorted(known)] for name, known in sorted(found.items())}


def read_reports(lines: Lines) -> list[WalletReport]:
    """`client/errors.jsonl`: what wallets reported, ascending by time and wallet; equal reports are
    one.
    """
    found: dict[tuple[Any, ...], WalletReport] = {}
    for number, row in _objects(lines, "a wallet's report"):
        at, event, wallet = row.get("at"), row.get("eventId"), row.get("wallet")
        signature, logs = row.get("signature"), row.get("logs")
        if (
            isinstance(at, bool)
            or not isinstance(at, int | float)
            or not isinstance(event, str)
            or not isinstance(wallet, str)
        ):
            lines.problem(
                "unreadable_line",
                "is not {at, eventId, wallet, landed, signature, message, logs}",
                number,
            )
            continue
        seconds = _seconds(at)
        if seconds is None:
            lines.problem(
                "unreadable_line", f"at: {at} is neither unix seconds nor milliseconds", number
            )
            continue
        if signature is not None and not is_signature(signature):
            lines.problem(
                "unreadable_line",
                f"{str(signature)[:100]!r} is not a transaction signature",
                number,
            )
            continue
        if at >= FROM_MILLISECONDS:
            lines.problem(
                "time_in_milliseconds", f"at: {at} was read as milliseconds: {seconds} s", number
            )
        kept = (
            tuple(line for line in logs if isinstance(line, str)) if isinstance(logs, list) else ()
        )
        message = row.get("message")
        report = WalletReport(
            seconds,
            event,
            wallet,
            row.get("landed") is True,
            signature,
            message if isinstance(message, str) else "",
            kept,
            lines.place(number),
        )
        found.setdefault(
            (report.at, wallet, event, report.landed, signature or "", report.message, kept), report
        )
    return [found[key] for key in sorted(found)]


def _seconds(at: int | float) -> int | None:
    """A report's time in unix seconds: as it stands, or from milliseconds, which JavaScript's clock
    gives; None for what is neither.

    As seconds, what is read as milliseconds would lie past the year 5100; as milliseconds, what is
    read as seconds before 1973.
    """
    if 0 <= at < FROM_MILLISECONDS:
        return int(at)
    return int(at // 1000) if FROM_MILLISECONDS <= at < TO_MILLISECONDS else None


def _objects(lines: Lines, shape: str) -> Any:
    for number, text in lines:
        try:
            row = parse(text)
        except CanonicalError as error:
            lines.problem("unreadable_line", f"is not JSON ({error}); expected {shape}", number)
            continue
        if not isinstance(row, dict):
            lines.problem("unreadable_line", f"is not {shape}", number)
            continue
        yield number, row
