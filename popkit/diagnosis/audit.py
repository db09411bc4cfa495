"""What the worker's audit chain and the ticket receipts came to: the answers of the audit rules."""

from __future__ import annotations

from popkit.diagnosis.result import AuditDiagnosis
from popkit.facts import Facts
from popkit.rules.inquiry import Inquiry
from popkit.rules.model import sorted_findings


def diagnose_audit(inquiry: Inquiry) -> AuditDiagnosis:
    """The lists of findings.json, the findings, and the verdict: violated where one is critical."""
    facts = inquiry.facts
    tampering, checks = facts.tampering, facts.receipt_checks
    findings = [answer.finding for answer in inquiry.audit if answer.is_finding]
    is_violated = any(finding.severity == "critical" for finding in findings)
    return AuditDiagnosis(
        verdict="violated" if is_violated else "holds" if facts.audit.is_known else "cannot tell",
        checked=facts.audit.rows_checked + len(checks),
        edited=tampering.edited,
        removed=tampering.removed,
        edited_objects=tampering.edited_objects,
        missing_objects=tampering.missing_objects,
        bad_receipts=sorted({c.receipt_id for c in checks if c.is_bad}),
        server_accepts=sorted({c.receipt_id for c in checks if c.is_bad and c.server_accepts}),
        findings=sorted_findings(findings),
        unknown=_unknown(facts),
    )


def _unknown(facts: Facts) -> frozenset[str]:
    """The lists of findings.json that nothing in the case could fill."""
    unknown = set()
    if not facts.audit.sources:
        unknown |= {"edited", "removed"}
    if facts.audit.bucket_keys is None:
        unknown |= {"edited_objects", "missing_objects"}
    if not facts.receipt_rows:
        unknown |= {"bad_receipts", "server_accepts"}
    return frozenset(unknown)
