"""Verify a case: everything, or what names name: claims, wallets, grants, the worker's claim
records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from popkit.chain.attempts import Attempt
from popkit.diagnosis.coverage import CHECKED
from popkit.diagnosis.diagnose import diagnose_inquiry
from popkit.diagnosis.result import Diagnosis
from popkit.evidence.bundle import Evidence
from popkit.evidence.grants import grant_named
from popkit.facts import Facts
from popkit.rules.claims.tickets import ticket_receipt_answers
from popkit.rules.inquiry import Inquiry
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED, Answer
from popkit.rules.records.claims import answers_of_records
from popkit.texts import Listed, Text
from popkit.verification.model import Check, Section, Verification
from popkit.verification.names import Named, Names

AUDIT = Text("audit chain and ticket receipts", "監査チェーンと参加券レシート")
RECORDS = Text(
    "the worker's claim records against the chain", "worker の claim 記録とチェーンの照合"
)
COVERAGE = Text("what the evidence covers", "証拠の範囲")
VERDICT = Text("the verdict", "判定")

LOOKED_AT = Text(
    "the evidence holds it, and it was looked at: {part}", "証拠にあり、検査したこと: {part}"
)
OF_GRANT = Text(
    "grant {grant} takes the worker's next proof",
    "grant {grant} で worker の次の proof が受理されること",
)
OF_CASE = Text(
    "no grant is broken, and nothing critical was found",
    "断絶した grant がなく、critical の所見もないこと",
)
SOUND = Listed(("intact", "recovered", "in_flight", "unused"), or_=True)
SUMMED_UP = Text("{verdict}, exit code {code}", "{verdict}、終了コード {code}")
STATUS_OF = {"broken": VIOLATED, "inconclusive": CANNOT_TELL}
STATUS_BY_CODE = {0: HOLDS, 1: VIOLATED, 3: CANNOT_TELL}


def verify(
    evidence: Evidence, names: Sequence[str] = (), era: str | None = None, grant: str | None = None
) -> Verification:
    """Verify a case, or what `names` name (see `names`): whole, or by a beginning that one name
    alone has.

    Of a whole case every rule is shown, and the last line is the verdict: it ends with the exit
    code of `diagnose`. `grant`, a public key or an unambiguous beginning of one, leaves out the
    chains and claims of the others; what all grants share (the case, the audit chain, the records)
    is verified all the same. Raises UsageError for a name that nothing in the case has, and for a
    beginning that several have (its first argument is a Sentence); UnknownGrant for a grant that it
    does not have.
    """
    inquiry = Inquiry(Facts(evidence, era))
    header = inquiry.facts.header
    verifier = _Verifier(
        inquiry, header.grants if grant is None else [grant_named(grant, header.grants)]
    )
    sections = [Section("case", header.case, _lines(inquiry.case))]
    if not names:
        diagnosis = (
            diagnose_inquiry(inquiry)
            if grant is None
            else diagnose_inquiry(inquiry).of_grant(grant)
        )
        sections += [*verifier.of_everything(), *_answer(diagnosis)]
        return Verification(header.case, sections, (), diagnosis.verdict, diagnosis.exit_code)
    known = Names(
        inquiry.facts,
        {grant: inquiry.facts.line(grant) for grant in verifier.grants},
        inquiry.facts.claim_records,
    )
    found = dict(known.find(name) for name in names)
    for name, one in found.items():
        sections += verifier.of_name(name, one)
    return Verification(header.case, sections, tuple(found))


def _lines(answers: Iterable[Answer]) -> list[Check]:
    return [Check.of(answer) for answer in answers]


def _answer(diagnosis: Diagnosis) -> Iterator[Section]:
    """What was looked at and what could not be; then the verdict of each grant, and last that of
    the case.
    """
    coverage = [
        Check(LOOKED_AT(part=row.part), HOLDS if row.why == CHECKED else CANNOT_TELL, row.part, row.detail, (row.part, row.grant or ""),
              "design §7", code=row.why, is_optional=True)
        for row in [*diagnosis.coverage.checked, *diagnosis.coverage.not_checked]
    ]  # fmt: skip
    yield Section("coverage", COVERAGE, coverage)
    lines = [
        Check(
            OF_GRANT(grant=grant.grant),
            STATUS_OF.get(grant.verdict, HOLDS),
            SOUND,
            grant.verdict,  # why, says the rule of the grant that is violated
            ("", grant.grant),
            "design §5",
        )
        for grant in diagnosis.grants
    ]
    status, observed = (
        STATUS_BY_CODE[diagnosis.exit_code],
        SUMMED_UP(verdict=diagnosis.verdict, code=diagnosis.exit_code),
    )
    yield Section(
        "verdict",
        VERDICT,
        [*lines, Check(OF_CASE(), status, SOUND, observed, ("case.json", ""), "design §5")],
    )


class _Verifier:
    """Makes the sections of one case."""

    def __init__(self, inquiry: Inquiry, grants: Sequence[str]) -> None:
        self.inquiry, self.facts, self.grants = inquiry, inquiry.facts, grants

    def of_everything(self) -> Iterator[Section]:
        """Each grant's chain and claims, then what the worker keeps."""
        for grant in self.grants:
            yield from self._grant(grant)
        yield Section("audit", AUDIT, _lines(self.inquiry.audit))
        yield Section("records", RECORDS, _lines(self.inquiry.records))

    def of_name(self, name: str, named: Named) -> Iterator[Section]:
        """What one name stands for; claim records whose transactions are not among that have a
        section of their own.
        """
        if named.grant is not None:
            yield from self._grant(named.grant)
            return
        yield from (
            self._claim(line.chain.grant, attempt) for line, attempt in named.attempts.values()
        )
        reached = {attempt.signature for _, attempt in named.attempts.values()}
        if not named.attempts or any(
            record.tx_signature not in (None, *reached) for record in named.records
        ):
            side, keys = self.inquiry.side, {record.key for record in named.records}
            answers = answers_of_records(side, named.records, reached)
            receipts = ticket_receipt_answers(side, keys)
            yield Section("record", name, _lines([*answers, *receipts]))

    def _grant(self, grant: str) -> Iterator[Section]:
        side = self.inquiry.side.grant(grant)
        yield Section("chain", grant, _lines(self.inquiry.grant(grant)))
        yield from (
            self._claim(grant, attempt) for attempt in [*side.chain.accepted, *side.chain.forged]
        )

    def _claim(self, grant: str, attempt: Attempt) -> Section:
        return Section("claim", attempt.signature, _lines(self.inquiry.claim(grant, attempt)))
