"""What a diagnosis says: objects that document their own attributes, and the findings.json that
they become.

One object is the source of JSON, prose and exit code alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from popkit.diagnosis.collection import Collection, collection_of
from popkit.diagnosis.grant import GrantDiagnosis, html_table
from popkit.diagnosis.tallies import FindingGroup, counted_by_code, grouped
from popkit.diagnosis.worker_records import WorkerRecords, worker_records
from popkit.errors import EXIT_CANNOT_TELL, EXIT_FINE, EXIT_WRONG
from popkit.evidence.grants import grant_named
from popkit.evidence.lines import SUFFIXES
from popkit.rules.model import SEVERITIES, Finding
from popkit.text import for_json, shown
from popkit.texts import Language, Sentence, Text, speak
from popkit.verdict.judgement import VERDICTS
from popkit.wording import counted

if TYPE_CHECKING:
    from popkit.facts import Facts

SCHEMA = "popkit.findings/2"
_BIG = 1 << 53


AUDIT_VERDICTS: dict[str, Text] = {
    "holds": Text("holds", "holds（異常なし）"),
    "violated": Text("violated", "violated（異常あり）"),
    "cannot tell": Text("cannot tell", "判断できません"),
}
"""The verdicts on the audit chain and the ticket receipts, as an answer says them."""


@dataclass(slots=True)
class AuditDiagnosis:
    """What the worker's audit chain and ticket receipts came to. Attributes are those of
    findings.json.

    `verdict` is 'holds', 'violated' or 'cannot tell'; `checked` counts the rows, objects and
    receipts that were recomputed. `unknown` names the lists that are empty because nothing was
    there to look at: they are null in findings.json.
    """

    verdict: str
    checked: int
    edited: list[str]
    removed: list[str]
    edited_objects: list[str]
    missing_objects: list[str]
    bad_receipts: list[str]
    server_accepts: list[str]
    findings: list[Finding]
    unknown: frozenset[str] = frozenset()

    def as_json(self) -> dict[str, Any]:
        lists = (
            "edited",
            "removed",
            "edited_objects",
            "missing_objects",
            "bad_receipts",
            "server_accepts",
        )
        return {
            "verdict": self.verdict,
            "checked": self.checked,
            **{name: None if name in self.unknown else getattr(self, name) for name in lists},
            "findings": [finding.as_json() for finding in self.findings],
        }


@dataclass(slots=True)
class Reconciliation:
    """The worker's records against the chain, as in findings.json; `unknown` names the lists that
    nothing tells of: null there.
    """

    unbacked_records: list[str] = field(default_factory=list)
    unsynced_claims: list[str] = field(default_factory=list)
    abandoned_proofs: list[str] = field(default_factory=list)
    unknown: frozenset[str] = frozenset()

    def as_json(self) -> dict[str, Any]:
        lists = ("unbacked_records", "unsynced_claims", "abandoned_proofs")
        return {name: None if name in self.unknown else getattr(self, name) for name in lists}


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One row of the coverage: a part of the evidence, the grant it is about (None: the whole
    case), why it was not checked, in words.

    `why` is a code ('checked' for what was); `detail` is the sentence for people.
    """

    part: str
    grant: str | None
    why: str
    detail: str

    def as_json(self) -> dict[str, Any]:
        return {"part": self.part, "grant": self.grant, "why": self.why, "detail": self.detail}

    @property
    def text(self) -> str:
        """The row as one line, in English: the grant it is about, and the detail."""
        return self.in_language("en")

    def in_language(self, language: Language) -> str:
        """The row as one line: the grant it is about, and the detail."""
        detail = speak(self.detail, language)
        return f"{self.grant}: {detail}" if self.grant else detail


@dataclass(slots=True)
class Coverage:
    """What was checked and what could not be; `complete` is True when nothing was left unchecked."""

    checked: list[Row] = field(default_factory=list)
    not_checked: list[Row] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return not self.not_checked

    def as_json(self) -> dict[str, Any]:
        return {
            "complete": self.complete,
            "checked": [row.as_json() for row in ascending(self.checked)],
            "not_checked": [row.as_json() for row in ascending(self.not_checked)],
        }


def ascending(rows: Iterable[Row]) -> list[Row]:
    """Rows of the coverage once each: those of the case first, then by grant, part, code and words."""
    return sorted(set(rows), key=lambda row: (row.grant or "", row.part, row.why, row.detail))


_UNREAD = Text(
    "not known: the node did not give transactions, or they could not be read",
    "不明: ノードが返さなかった、または読み取れないトランザクションがあります",
)
_NONE_IN_CASE = Text(
    "not known: no accepted claim of this grant is in the case",
    "不明: この grant の受理された claim がケースにありません",
)
_NONE_ACCEPTED = Text(
    "none: no claim of this grant was accepted", "なし: この grant で受理された claim はありません"
)


@dataclass
class Diagnosis:
    """The answer to a case: `verdict`, `exit_code`, one `GrantDiagnosis` a grant, audit,
    reconciliation, coverage, findings.

    `files` are the names of the case's files, as they are packed. `as_json()` is findings.json as
    Python values, `dumps()` its canonical text; nothing in it depends on when or where it was made.
    What pages show beside it is computed when it is first asked for: `collection`,
    `worker_records`, `finding_groups`, `severities`, `critical_findings`, `warnings`, `verdicts`.
    """

    case: str
    as_of: int
    grants: list[GrantDiagnosis]
    audit: AuditDiagnosis
    reconciliation: Reconciliation
    coverage: Coverage
    findings: list[Finding]
    files: frozenset[str] = frozenset()
    facts: Facts | None = field(default=None, repr=False, compare=False)

    @property
    def _known_facts(self) -> Facts:
        assert self.facts is not None, "a diagnosis that was put together by hand holds no case"
        return self.facts

    @cached_property
    def collection(self) -> Collection:
        """What the case holds and how it came to be."""
        return collection_of(self._known_facts)

    @cached_property
    def worker_records(self) -> WorkerRecords:
        """What there was to recompute of the worker's audit chain and ticket receipts."""
        return worker_records(self._known_facts)

    @cached_property
    def finding_groups(self) -> list[FindingGroup]:
        """The findings by code and grant, gravest first."""
        return grouped(self.findings)

    @property
    def severities(self) -> dict[str, int]:
        """How many findings have each severity."""
        return {severity: self.count(severity) for severity in SEVERITIES}

    @cached_property
    def critical_findings(self) -> dict[str | None, int]:
        """How many critical findings name each grant (None: no grant)."""
        return Counter(finding.grant for finding in self.findings if finding.severity == "critical")

    @cached_property
    def warnings(self) -> dict[str, int]:
        """How many warnings each code has, codes ascending."""
        return counted_by_code(self.findings, "warning")

    @property
    def verdicts(self) -> dict[str, int]:
        """How many grants have each verdict, worst first."""
        counts = Counter(grant.verdict for grant in self.grants)
        return {verdict: counts[verdict] for verdict in VERDICTS if counts[verdict]}

    def file(self, logical: str) -> str:
        """The file of the case that a finding's `where` means: with the suffix of its compression,
        where it has one.
        """
        if logical in self.files:
            return logical
        return next(
            (logical + suffix for suffix in SUFFIXES if logical + suffix in self.files), logical
        )

    @property
    def verdict(self) -> str:
        """The worst verdict of the grants; inconclusive for a case without grants."""
        return min((g.verdict for g in self.grants), key=VERDICTS.index, default="inconclusive")

    @property
    def exit_code(self) -> int:
        """1 when a grant is broken or a finding is critical, else 3 when it cannot tell, else 0
        (design §5).
        """
        if self.verdict == "broken" or any(f.severity == "critical" for f in self.findings):
            return EXIT_WRONG
        return (
            EXIT_CANNOT_TELL
            if any(g.verdict == "inconclusive" for g in self.grants) or not self.grants
            else EXIT_FINE
        )

    def grant(self, grant: str) -> GrantDiagnosis:
        """The diagnosis of one grant, by its public key or an unambiguous beginning of it. Raises
        UnknownGrant, which is a KeyError.
        """
        wanted = grant_named(grant, [g.grant for g in self.grants])
        return next(g for g in self.grants if g.grant == wanted)

    def of_grant(self, grant: str) -> Diagnosis:
        """The answer to one grant alone, by its public key or an unambiguous beginning of it.
        Raises UnknownGrant.

        It holds the grant, the findings and coverage that name it or no grant at all, and audit and
        reconciliation whole: all grants share the worker's records. Findings about the evidence
        stay, whatever their severity, as they say how far the answer goes. Verdict and exit code
        follow from what is left.
        """
        found = self.grant(grant)
        about = (None, found.grant)
        checked, not_checked = (
            [row for row in rows if row.grant in about]
            for rows in (self.coverage.checked, self.coverage.not_checked)
        )
        findings = [finding for finding in self.findings if finding.grant in about]
        return replace(
            self, grants=[found], coverage=Coverage(checked, not_checked), findings=findings
        )

    def without_last_good(self, grant: GrantDiagnosis) -> Sentence:
        """In words, what is known where a grant has no last good claim: that claims are unread is
        not that there are none.
        """
        unread = any(
            f.code == "transaction_missing"
            or (f.code == "evidence_unreadable" and f.where[0].startswith("rpc/"))
            for f in self.findings
        )
        if unread or grant.unseen_entries:
            return _UNREAD()
        return (_NONE_IN_CASE if grant.heads.get("on_chain") is None else _NONE_ACCEPTED)()

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "case": self.case,
            "as_of": self.as_of,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "grants": [g.as_json() for g in self.grants],
            "audit": self.audit.as_json(),
            "reconciliation": self.reconciliation.as_json(),
            "coverage": self.coverage.as_json(),
            "findings": [f.as_json() for f in self.findings],
        }

    def dumps(self) -> str:
        """findings.json: UTF-8 JSON, keys ascending, two spaces, a line end last; integers past
        2^53 as decimal strings.
        """
        return for_json(_portable(self.as_json()))

    def count(self, severity: str) -> int:
        """How many findings have a severity."""
        assert severity in SEVERITIES
        return sum(f.severity == severity for f in self.findings)

    def __repr__(self) -> str:
        size = f"{counted(len(self.grants), 'grant')}, {counted(self.count('critical'), 'critical finding')}"
        return f"<Diagnosis {shown(self.case)}: {self.verdict}, {size}>"

    def _repr_html_(self) -> str:
        rows = {g.grant: f"{g.verdict}: {g.judgement.because}" for g in self.grants}
        return html_table(f"Case {self.case}: {self.verdict}", rows)


def _portable(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, dict | list | int):
        return value
    if isinstance(value, int):
        return str(value) if abs(value) > _BIG else value
    if isinstance(value, list):
        return [_portable(item) for item in value]
    return {key: _portable(item) for key, item in value.items()}


__all__ = [
    "AUDIT_VERDICTS",
    "SCHEMA",
    "AuditDiagnosis",
    "Coverage",
    "Diagnosis",
    "GrantDiagnosis",
    "Reconciliation",
    "Row",
    "ascending",
]
