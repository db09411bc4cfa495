"""What the audit chain, the bucket and the ticket receipts came to, as findings."""

from __future__ import annotations

from popkit.audit.copies import Alteration
from popkit.audit.ends import beginnings, wrong_ends, wrong_stream_links
from popkit.audit.entries import LIST
from popkit.audit.entries import STORAGE as STORED
from popkit.audit.receipts import altered_receipts
from popkit.audit.server import server_verdict
from popkit.diagnosis.facts import Facts
from popkit.diagnosis.result import AuditDiagnosis, Finding, sorted_findings
from popkit.wording import counted

AUDIT_LOGS, STORAGE, BUCKET, RECEIPTS = "worker/audit-logs.json", "worker/storage.jsonl", "worker/r2", "worker/ticket-receipts.jsonl"


def diagnose_audit(facts: Facts) -> AuditDiagnosis:
    """The audit chain and the ticket receipts."""
    records, tampering, checks = facts.audit, facts.tampering, facts.receipt_checks
    bad = sorted({c.receipt_id for c in checks if c.is_bad})
    accepted = sorted({c.receipt_id for c in checks if c.is_bad and c.server_accepts})
    findings = []
    for entry in tampering.edited:
        findings.append(
            Finding("audit_entry_edited", None, (_edited_in(facts, entry), entry), "a row that hashes to its entry_hash", "it does not")
        )
    for entry in tampering.removed:
        findings.append(
            Finding("audit_entry_removed", None, (_lacking_file(facts, entry), entry), "the entry that later evidence names", "it is gone")
        )
    for key in tampering.edited_objects:
        findings.append(
            Finding("bucket_object_edited", None, (BUCKET, key), "the canonical payload of the entry under its key", "another text")
        )
    for key in tampering.missing_objects:
        findings.append(
            Finding("bucket_object_missing", None, (BUCKET, key), "the object that the entry's sinks name", "not in the export")
        )
    for entry in tampering.orphans:
        findings.append(Finding("bucket_orphan", None, (BUCKET, entry), observed="no later entry names it"))
    for entry in tampering.half_copies:
        findings.append(Finding("storage_copy_missing", None, (STORAGE, entry), "audit_history and audit_entry", "one of the two"))
    for file, done in _altered(altered_receipts(facts.receipt_rows) | records.altered):
        findings.append(Finding("export_altered_by_tool", None, (file, ""), "the texts as the worker wrote them", str(done)))
    for entry in tampering.unshown:
        where, wanted = (AUDIT_LOGS, entry), "the entry that a row of the list follows"
        findings.append(Finding("audit_list_gap", None, where, wanted, "it is neither in the list nor anywhere else in the evidence"))
    for cut in tampering.cuts:
        findings.append(Finding("bucket_export_partial", None, (BUCKET, cut.key), "every object that is named elsewhere", str(cut)))
    for folder in tampering.unexported:
        findings.append(Finding("bucket_folder_not_exported", None, (BUCKET, ""), not_checked=f"the bucket's objects below {folder}"))
    if tampering.export_is_partial and not tampering.cuts:
        findings.append(Finding("bucket_export_partial", None, (BUCKET, ""), "every object that sinks name", "most are not there"))
    findings += _partial_storage(facts)
    for row in facts.storage_history:
        if not row.holds:
            findings.append(
                Finding(
                    "history_record_false",
                    row.grant if row.grant in facts.header.grants else None,
                    (STORAGE, row.key),
                    "a hash of its fields",
                    row.entry_hash,
                )
            )
    unchecked = 0
    for check in checks:
        if check.is_bad:
            findings.append(
                Finding(
                    "ticket_receipt_bad",
                    None,
                    (check.place.part, check.receipt_id),
                    "what its audit entry says",
                    check.observed,
                )
            )
        if check.is_bad and check.server_accepts:
            findings.append(
                Finding(
                    "ticket_receipt_server_accepts",
                    None,
                    (check.place.part, check.receipt_id),
                    "refused by the worker's check",
                    "the worker's check passes it",
                )
            )
        unchecked += "entry" in check.unknown
    if unchecked:
        findings.append(
            Finding(
                "ticket_receipt_unchecked",
                None,
                (RECEIPTS, ""),
                not_checked=f"{counted(unchecked, 'receipt')} whose audit entry is not in the evidence",
            )
        )
    ends, restarts, links = wrong_ends(facts.evidence.storage, records), beginnings(records)[1:], wrong_stream_links(records)
    for link in links:
        where, severity = (link.entry.place.part, link.entry.hash), "warning" if link.can_be_a_crash else ""
        seen = str(link.entry.stream_prev_hash)
        findings.append(Finding("audit_stream_link_wrong", None, where, link.expected, seen, severity=severity))
    for end in ends:
        findings.append(Finding("audit_end_differs", None, (end.file, end.key), end.expected or "no entry", end.observed or "no entry"))
    for restart in restarts:
        where = (restart.place.part, restart.hash)
        findings.append(Finding("audit_chain_restarted", None, where, "one entry that begins it", "another one"))
    server = server_verdict(facts.evidence, records, tampering, not bad, not (ends or restarts or links))
    if server is not None and not server.agrees:
        where = ("worker/audit-integrity.json", "ok")
        findings.append(Finding("server_verdict_differs", None, where, f"ok {str(server.recomputed).lower()}", server.text))
    violated = any(finding.severity == "critical" for finding in findings)
    verdict = "violated" if violated else "holds" if records.is_known else "cannot tell"
    return AuditDiagnosis(
        verdict=verdict,
        checked=records.rows_checked + len(checks),
        edited=tampering.edited,
        removed=tampering.removed,
        edited_objects=tampering.edited_objects,
        missing_objects=tampering.missing_objects,
        bad_receipts=bad,
        server_accepts=accepted,
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


def _partial_storage(facts: Facts) -> list[Finding]:
    """Where the export of the storage ended, and heads of which one of two rows is not in it.

    A proof whose parent the client gave moves no stored head, so that its history may rightly stand without one.
    """
    records, extent = facts.audit, facts.audit.storage_extent
    if extent is None:
        return []
    rows = records.sources[STORED].stated if STORED in records.sources else {}
    known = [records.entries[row] for row in rows if row in records.entries]
    written = [f"audit_history:{entry.ts}:{entry.hash}" for entry in known]
    written += [f"pop_chain:lastHash:global:{row.grant}" for row in facts.storage_history if row.holds and not row.follows_chain]
    end = extent.ends_early(written)
    lone = [(key, "both heads of the grant", f"this one without {lost}") for key, lost in extent.lone_heads()]
    ends = [] if end is None else [(end, "every row that the worker writes", "the listing ends here, before others")]
    return [Finding("storage_export_partial", None, (STORAGE, key), wanted, seen) for key, wanted, seen in [*lone, *ends]]


def _altered(by_file: dict[str, Alteration]) -> list[tuple[str, Alteration]]:
    """What tools did to texts, by part of the case; one line for the bucket where both of its folders were treated alike."""
    bucket = [done for file, done in by_file.items() if file.startswith(BUCKET)]
    if len(bucket) == 2 and bucket[0].ways == bucket[1].ways:
        rest = {file: done for file, done in by_file.items() if not file.startswith(BUCKET)}
        return sorted([*rest.items(), (BUCKET, Alteration(bucket[0].ways, sum(done.texts for done in bucket)))])
    return sorted((BUCKET if file.startswith(BUCKET) else file, done) for file, done in by_file.items())


def _edited_in(facts: Facts, entry: str) -> str:
    """The first of list and storage whose row of an entry does not hash to it."""
    return next(STORAGE if source.name == STORED else AUDIT_LOGS for source in facts.audit.sources.values() if entry in source.edited)


def _lacking_file(facts: Facts, entry: str) -> str:
    """The source that lacks an entry: the list where it does, else the storage."""
    shown = facts.audit.sources.get(LIST)
    return STORAGE if shown is None or entry in shown.stated else AUDIT_LOGS
