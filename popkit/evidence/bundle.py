"""A case opened for reading: manifest held, every file read once when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from popkit.errors import CaseUnreadable, UsageError
from popkit.evidence import rpc, transactions, worker
from popkit.evidence.cutover import GIVEN, MOST_BYTES, GivenRecord, found_record
from popkit.evidence.documents import Answer, CaseHeader, read_answer, read_header
from popkit.evidence.layout import (
    ACCOUNTS,
    ASKED,
    AUDIT_LOGS,
    BUCKET_LINES,
    CUTOVER,
    ENDPOINTS,
    HEADER,
    MANIFEST,
    RECEIPTS,
    REPORTS,
    SIGNATURES,
    STORAGE,
    TRANSACTIONS,
)
from popkit.evidence.lines import Lines, Place, Problem, read_held
from popkit.evidence.manifest import case_files, check_manifest
from popkit.texts import Text

T = TypeVar("T")
_SUFFIXES = ("", ".zst", ".gz")
DAMAGE = frozenset(
    {
        "unreadable_line",
        "truncated_line",
        "damaged_compression",
        "document_too_large",
        "line_too_long",
        "unreadable_document",
    }
)
"""Problems that leave out something of a file."""

NO_RECORD = Text(
    "{place}: cannot be read as a record of a cutover: {why}; name a cutover.json",
    "{place}: 切り替えの記録として読み取れません: {why}。cutover.json を指定してください",
)


class Evidence:
    """The evidence of one case, read-only.

    `cutover` is a record of a cutover that lies outside of the case and is read beside it. Raises
    UsageError when the directory does not exist, ManifestMismatch or CaseUnreadable when the case
    cannot be trusted or read. Attributes are read when first used; what could not be used is in
    `problems`, never skipped silently.
    """

    def __init__(self, root: str | Path, cutover: str | Path | None = None) -> None:
        self.root, self._cutover = Path(root), cutover
        if not self.root.is_dir():
            raise UsageError(f"{self.root}: no such case directory")
        others: list[str] = []
        self.files = case_files(self.root, others)
        if HEADER not in self.files:
            raise CaseUnreadable("is missing", file=HEADER, advice=f"{self.root} is not a case")
        self.digests = check_manifest(self.root, self.files)
        self.header: CaseHeader = read_header(self.files[HEADER], self._digest(HEADER))
        self.problems: list[Problem] = [
            Problem(
                "unreadable_document",
                "is no file, or a link that leads to none, and was not read",
                Place(name),
            )
            for name in others
        ]
        if self.digests is None:
            self.problems.append(
                Problem(
                    "no_manifest",
                    "the case has no manifest: that its bytes are those collected is not checked",
                    Place(MANIFEST),
                )
            )

    def _digest(self, name: str) -> str | None:
        return (self.digests or {}).get(name)

    def lines_of(self, stem: str) -> Lines | None:
        """The one file that holds `stem`, plain or compressed; None when the case has none. Two
        forms of it are an error.
        """
        names = [stem + suffix for suffix in _SUFFIXES if stem + suffix in self.files]
        if len(names) > 1:
            raise CaseUnreadable(
                f"stands beside {names[1]}",
                file=names[0],
                advice="keep one of the two and seal the case again",
            )
        if not names:
            return None
        return Lines(self.files[names[0]], names[0], self._digest(names[0]))

    def _read(self, stem: str, reader: Callable[[Lines], T]) -> T | None:
        lines = self.lines_of(stem)
        if lines is None:
            return None
        rows = reader(lines)
        self.problems.extend(lines.problems)
        return rows

    def is_damaged(self, prefix: str) -> bool:
        """Whether a file whose name begins so has lines or objects that could not be read: what it
        lacks may have stood there.
        """
        return any(p.place.file.startswith(prefix) and p.code in DAMAGE for p in self.problems)

    @cached_property
    def transactions(self) -> rpc.Transactions | None:
        """What getTransaction answered, or None when the case has no transactions."""
        table = self._read(TRANSACTIONS, transactions.read_transactions)
        if table is not None:
            self.problems.extend(rpc.unavailable_problem(table))
        return table

    @cached_property
    def signatures(self) -> dict[str, rpc.SignatureRow] | None:
        """What getSignaturesForAddress listed, by signature, or None."""
        return self._read(SIGNATURES, rpc.read_signatures)

    @cached_property
    def accounts(self) -> dict[str, rpc.AccountRow] | None:
        """What getAccountInfo answered, by public key, or None."""
        return self._read(ACCOUNTS, partial(rpc.read_accounts, program=self.header.program_id))

    @cached_property
    def bucket(self) -> dict[str, worker.BucketObject] | None:
        """The immutable bucket's objects by key, from files or packed, or None when no export is in
        the case.
        """
        packed = self._read(BUCKET_LINES, worker.read_bucket_lines)
        loose = worker.read_bucket_files(self.files, self.digests, self.problems)
        if packed is None and not loose:
            return None
        return {**loose, **(packed or {})}

    @cached_property
    def storage(self) -> dict[str, worker.StoredRow] | None:
        """The worker's storage by key, or None."""
        return self._read(STORAGE, worker.read_storage)

    @cached_property
    def receipts(self) -> list[worker.ReceiptRow] | None:
        """Ticket receipts that were given, or None."""
        return self._read(RECEIPTS, worker.read_receipts)

    @cached_property
    def reports(self) -> list[worker.WalletReport] | None:
        """Wallets' reports, or None when they were not collected; [] means that nothing was
        reported.
        """
        return self._read(REPORTS, worker.read_reports)

    @cached_property
    def answers(self) -> dict[str, Answer]:
        """The worker's answers by name (`pop-status`, `events`, …); those not collected are absent."""
        found = {}
        for endpoint in ENDPOINTS:
            if endpoint.file not in self.files:
                continue
            path, digest = self.files[endpoint.file], self._digest(endpoint.file)
            answer = read_answer(path, endpoint, digest, self.problems)
            if answer is not None:
                earlier = self.asked.get(endpoint.name, [])
                asked = next(
                    (other.asked_at for other in earlier if other.body == answer.body), None
                )
                found[endpoint.name] = replace(answer, asked_at=asked)
        return found

    @cached_property
    def asked(self) -> dict[str, list[Answer]]:
        """Every answer in `worker/answers.jsonl` by its name: what a collector was given, older
        answers too; {} without one.
        """
        return self._read(ASKED, worker.read_asked) or {}

    @cached_property
    def cutovers(self) -> list[GivenRecord]:
        """The records of cutovers: the case's own, and the one that was given beside it, where the
        two are not one.
        """
        found: dict[str, GivenRecord] = {}
        for name, data in self._record_files():
            try:
                given = found_record(data, name)
            except CaseUnreadable as error:
                self.problems.append(
                    Problem(
                        "not_a_record", error.problem, Place(name, None, None, self._digest(name))
                    )
                )
                continue
            found.setdefault(given.sha256, given)
        return list(found.values())

    def _record_files(self) -> Iterator[tuple[str, bytes]]:
        if CUTOVER in self.files:
            yield CUTOVER, read_held(self.files[CUTOVER], CUTOVER, self._digest(CUTOVER))
        if self._cutover is not None:
            try:
                with Path(self._cutover).open("rb") as file:
                    yield GIVEN, file.read(MOST_BYTES + 1)
            except OSError as error:
                raise UsageError(
                    NO_RECORD(place=self._cutover, why=error.strerror or error)
                ) from None

    @property
    def earlier_lists(self) -> list[Answer]:
        """The audit-logs answers that a collector was given: a list holds the newest fifty entries,
        several hold more.
        """
        return self.asked.get(AUDIT_LOGS.name, [])

    def read_all(self) -> Evidence:
        """Read every part now, so that `problems` is whole; returns itself."""
        for name in (
            "transactions",
            "signatures",
            "accounts",
            "bucket",
            "storage",
            "receipts",
            "reports",
            "asked",
            "answers",
            "cutovers",
        ):
            getattr(self, name)
        return self
