"""The rules of the case itself, of the audit chain and of the records: what verify shows of them is
what diagnose finds.
"""

from __future__ import annotations

import pytest

from popkit.diagnosis.diagnose import diagnose_inquiry
from popkit.evidence.bundle import Evidence
from popkit.facts import Facts
from popkit.rules.inquiry import Inquiry
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED
from popkit.rules.registry import rules_of
from popkit.verification.verify import verify
from tests.conftest import CASES

SUBJECTS = ("case", "audit", "records")
WRONG = {
    "intact": set(),
    "abandoned-no-worker": set(),
    "audit-tampered": {"audit_entry_edited", "audit_entry_removed"},
    "receipts-tampered": {
        "ticket_receipt_bad",
        "ticket_receipt_server_accepts",
        "server_verdict_differs",
    },
    "unbacked-records": {"record_unbacked"},
    "unsynced-claims": {"claim_unsynced"},
    "bucket-orphan": {"bucket_orphan"},
}


@pytest.mark.parametrize("name", WRONG)
def test_each_finding_is_a_violated_line_and_each_such_line_a_finding(name: str) -> None:
    inquiry = Inquiry(Facts(Evidence(CASES / name)))
    codes = {rule.code for subject in SUBJECTS for rule in rules_of(subject)}
    found = {
        (f.code, f.severity, f.where) for f in diagnose_inquiry(inquiry).findings if f.code in codes
    }
    sections = [s for s in verify(Evidence(CASES / name)).sections if s.subject in SUBJECTS]
    lines = [check for section in sections for check in section.checks]
    wrong = {(c.code, c.severity, c.where) for c in lines if c.status == VIOLATED}
    assert wrong == found
    assert {code for code, _, _ in wrong} == WRONG[name]
    assert {c.status for c in lines if c.code not in WRONG[name]} <= {HOLDS, CANNOT_TELL}


def test_without_the_worker_s_records_its_rules_cannot_tell() -> None:
    inquiry = Inquiry(Facts(Evidence(CASES / "abandoned-no-worker")))
    unknown = {a.rule.code for a in [*inquiry.audit, *inquiry.records] if a.status == CANNOT_TELL}
    assert {"audit_chain_partial", "record_unbacked"} <= unknown
    asked = {answer.rule.code for answer in inquiry.audit}
    assert not asked & {"bucket_object_edited", "ticket_receipt_bad", "audit_stream_link_wrong"}, (
        "nothing was collected of which they ask"
    )
