"""What the audit chain, the bucket and the ticket receipts came to, as findings."""

from __future__ import annotations

from popkit.audit.copies import Alteration
from popkit.audit.ends import beginnings, wrong_ends, wrong_stream_links
from popkit.audit.entries import LIST
from popkit.audit.entries import STORAGE as STORED
from popkit.audit.receipts import altered_receipts
from popkit.audit.server import server_verdict
from popkit.diagnosis.result import AuditDiagnosis
from popkit.facts import Facts
from popkit.rules.model import Finding, sorted_findings
from popkit.texts import Sentence, Text, sentence
from popkit.wording import TICKET_RECEIPTS

AUDIT_LOGS, STORAGE, BUCKET, RECEIPTS = "worker/audit-logs.json", "worker/storage.jsonl", "worker/r2", "worker/ticket-receipts.jsonl"

_HASHES = Text("a row that hashes to its entry_hash", "行のハッシュが entry_hash と一致すること")
_DOES_NOT_HASH = Text("the row hashes to another value", "行のハッシュが別の値になります")
_NAMED_ENTRY = Text("the audit entry that later evidence names", "後の証拠が参照している監査エントリ")
_MISSING_ENTRY = Text(
    "the audit entry that later evidence names is missing from the worker's records here",
    "後の証拠が参照している監査エントリが、worker のこの記録にありません",
)
_CANONICAL = Text("the canonical payload of the entry under its key", "キーに対応するエントリの正規化された内容")
_OTHER_TEXT = Text("the object holds another text than its entry", "オブジェクトの内容がエントリと異なります")
_NAMED_OBJECT = Text("the object that the entry's sinks name", "エントリの書き込み先の記録が示すオブジェクト")
_MISSING_OBJECT = Text("the export lacks the object that the entry names", "エントリが示すオブジェクトがエクスポートにありません")
_UNNAMED = Text("no later entry names the object", "このオブジェクトを参照する後のエントリがありません")
_BOTH_COPIES = Text("both copies of the entry, audit_history and audit_entry", "エントリの 2 つの写し（audit_history と audit_entry）")
_ONE_COPY = Text("the storage holds one of the two copies", "ストレージには一方の写ししかありません")
_AS_WRITTEN = Text("the texts as the worker wrote them", "worker が書いたままのテキスト")
_FOLLOWED_ENTRY = Text("the entry that a row of the list follows", "一覧の行が続いているエントリ")
_NOWHERE = Text("neither the list nor any other part of the evidence holds the entry", "一覧にも他の証拠にも、このエントリがありません")
_EVERY_OBJECT = Text("every object that other evidence names", "他の証拠が参照しているすべてのオブジェクト")
_MOST_MISSING = Text("the export lacks most of those objects", "それらのオブジェクトの大半がエクスポートにありません")
_HASH_OF_FIELDS = Text(
    "an entry hash that is the hash of the record's fields", "記録の各フィールドから計算したハッシュと一致する entry hash"
)
_AS_ITS_ENTRY = Text("what the receipt's audit entry says", "レシートの監査エントリと同じ内容")
_NO_ENTRY = Text("no entry", "エントリなし")
_ONE_BEGINNING = Text("one entry that begins the audit chain", "監査チェーンの先頭となるエントリが 1 つだけであること")
_ANOTHER_BEGINNING = Text("this entry begins the audit chain once more", "このエントリから監査チェーンが再び始まっています")
_BOTH_HEADS = Text("both heads of the grant", "grant の head の両方")
_LONE_HEAD = Text("the export holds this head without {lost}", "エクスポートにこの head はありますが、{lost} がありません")
_EVERY_ROW = Text("every row that the worker writes", "worker が書き込むすべての行")
_ENDS_HERE = Text("the listing ends here, before other rows of the worker", "取得した一覧がここで終わっており、worker の他の行がありません")


def diagnose_audit(facts: Facts) -> AuditDiagnosis:
    """The audit chain and the ticket receipts."""
    records, tampering, checks = facts.audit, facts.tampering, facts.receipt_checks
    bad = sorted({c.receipt_id for c in checks if c.is_bad})
    accepted = sorted({c.receipt_id for c in checks if c.is_bad and c.server_accepts})
    findings = []
    for entry in tampering.edited:
        findings.append(Finding("audit_entry_edited", None, (_edited_in(facts, entry), entry), _HASHES(), _DOES_NOT_HASH()))
    for entry in tampering.removed:
        findings.append(Finding("audit_entry_removed", None, (_lacking_file(facts, entry), entry), _NAMED_ENTRY(), _MISSING_ENTRY()))
    for key in tampering.edited_objects:
        findings.append(Finding("bucket_object_edited", None, (BUCKET, key), _CANONICAL(), _OTHER_TEXT()))
    for key in tampering.missing_objects:
        findings.append(Finding("bucket_object_missing", None, (BUCKET, key), _NAMED_OBJECT(), _MISSING_OBJECT()))
    for entry in tampering.orphans:
        findings.append(Finding("bucket_orphan", None, (BUCKET, entry), observed=_UNNAMED()))
    for entry in tampering.half_copies:
        findings.append(Finding("storage_copy_missing", None, (STORAGE, entry), _BOTH_COPIES(), _ONE_COPY()))
    for file, done in _altered(altered_receipts(facts.receipt_rows) | records.altered):
        findings.append(Finding("export_altered_by_tool", None, (file, ""), _AS_WRITTEN(), done.sentence))
    for entry in tampering.unshown:
        findings.append(Finding("audit_list_gap", None, (AUDIT_LOGS, entry), _FOLLOWED_ENTRY(), _NOWHERE()))
    for cut in tampering.cuts:
        findings.append(Finding("bucket_export_partial", None, (BUCKET, cut.key), _EVERY_OBJECT(), cut.sentence))
    for folder in tampering.unexported:
        unchecked_folder = sentence("the bucket's objects below {folder}", "バケットの {folder} 以下のオブジェクト", folder=folder)
        findings.append(Finding("bucket_folder_not_exported", None, (BUCKET, ""), not_checked=unchecked_folder))
    if tampering.export_is_partial and not tampering.cuts:
        findings.append(Finding("bucket_export_partial", None, (BUCKET, ""), _EVERY_OBJECT(), _MOST_MISSING()))
    findings += _partial_storage(facts)
    for row in facts.storage_history:
        if not row.holds:
            findings.append(
                Finding(
                    "history_record_false",
                    row.grant if row.grant in facts.header.grants else None,
                    (STORAGE, row.key),
                    _HASH_OF_FIELDS(),
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
                    _AS_ITS_ENTRY(),
                    check.observed,
                )
            )
        if check.is_bad and check.server_accepts:
            findings.append(
                Finding(
                    "ticket_receipt_server_accepts",
                    None,
                    (check.place.part, check.receipt_id),
                    sentence("the worker's check refuses the receipt", "worker の検査がこのレシートを拒否すること"),
                    sentence("the worker's check passes the receipt", "worker の検査はこのレシートを通します"),
                )
            )
        unchecked += "entry" in check.unknown
    if unchecked:
        findings.append(
            Finding(
                "ticket_receipt_unchecked",
                None,
                (RECEIPTS, ""),
                not_checked=sentence(
                    "{receipts} whose audit entry is not in the evidence",
                    "監査エントリが証拠にない{receipts}",
                    receipts=TICKET_RECEIPTS(unchecked),
                ),
            )
        )
    ends, restarts, links = wrong_ends(facts.evidence.storage, records), beginnings(records)[1:], wrong_stream_links(records)
    for link in links:
        where, severity = (link.entry.place.part, link.entry.hash), "warning" if link.can_be_a_crash else ""
        seen = str(link.entry.stream_prev_hash)
        findings.append(Finding("audit_stream_link_wrong", None, where, link.expected, seen, severity=severity))
    for end in ends:
        findings.append(Finding("audit_end_differs", None, (end.file, end.key), end.expected or _NO_ENTRY(), end.observed or _NO_ENTRY()))
    for restart in restarts:
        where = (restart.place.part, restart.hash)
        findings.append(Finding("audit_chain_restarted", None, where, _ONE_BEGINNING(), _ANOTHER_BEGINNING()))
    server = server_verdict(facts.evidence, records, tampering, not bad, not (ends or restarts or links))
    if server is not None and not server.agrees:
        where = ("worker/audit-integrity.json", "ok")
        findings.append(
            Finding("server_verdict_differs", None, where, sentence("ok {ok}", "ok {ok}", ok=str(server.recomputed).lower()), server.text)
        )
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
    lone = [(key, _BOTH_HEADS(), _LONE_HEAD(lost=lost)) for key, lost in extent.lone_heads()]
    ends = [] if end is None else [(end, _EVERY_ROW(), _ENDS_HERE())]
    rows_: list[tuple[str, Sentence, Sentence]] = [*lone, *ends]
    return [Finding("storage_export_partial", None, (STORAGE, key), wanted, observed) for key, wanted, observed in rows_]


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
