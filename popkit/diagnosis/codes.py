"""The table of finding codes: what each means, how grave it is, what to do, and which context its findings carry.

Codes are API: they stand in findings.json, in the report and in `popkit explain`.
"""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Code:
    """One finding code. `context` names the fields that a finding of it fills: expected, observed, and what was not checked."""

    code: str
    severity: str
    meaning: str
    advice: str
    rule: str
    context: tuple[str, ...] = ("expected", "observed")


_TABLE = (
    # the chain
    Code("chain_broken", "critical", "No proof that the worker issues now will be accepted on this grant.",
         "Freeze the event (Step 0), note the last good claim (Step 1), cut over to a new grant (Step 2).", "runbook §4"),
    Code("proof_lost", "warning", "A proof was issued and never accepted, and it can land no more.",
         "Nothing brings it back; its holder needs a claim on the new grant.", "program: |clock - issued_at| <= 600 s"),
    Code("proof_repeated", "warning", "Two proofs on the way are for one claimer and period: at most one of them can land, and what follows the other cannot.",
         "The chain cannot heal: freeze the event and cut over.", "program §1.2: one receipt a claimer and period"),
    Code("proof_out_of_period", "warning", "A proof on the way is for a period that was over when it was issued, or that begins too late for it.",
         "The program refuses the proof whenever it is sent: freeze the event and cut over.", "program §1.7: 6005"),
    Code("chain_read_early", "warning", "The case holds something younger than the last second at which the proofs on the way could land.",
         "Collect the chain again: whether those proofs landed is decided by now.", "design §5: in_flight"),
    Code("anchor_unattested", "warning", "An anchor tells of a proof, and nothing else does: it may have been written by hand, or its request failed after the head had moved.",
         "Export the worker's storage: its head and history show whether the worker issued that proof.", "design §5; reference §3.7, trap 26"),
    Code("claims_refused", "warning", "Claims of the grant's issuer were refused by a chain rule.",
         "See which proof they waited for, and whether the chain went on past them.", "program §1.8: 6026, 6027, 6028"),
    Code("proof_burnt", "warning", "A proof on the chain's head was refused by a rule other than the chain's and never accepted.",
         "The reason is a cause of the break; fix it before the new grant opens.", "program §1.7"),
    Code("entry_unseen", "warning", "The chain names an accepted claim whose transaction is not in the evidence.",
         "Collect again from another RPC node; until then the chain past it cannot be judged.", "program §1.8: strict link, PopState"),
    Code("claim_unseen", "warning", "A receipt account exists whose claim is in no transaction of the evidence.",
         "Collect again from another RPC node: a claim is missing, and under relaxed rules no link tells of it.", "program §1.2: no instruction closes a receipt"),
    Code("state_contradicts_claims", "critical", "PopState names a head that the accepted claims do not lead to.",
         "One of the two is not what the chain holds: collect both again from a second node.", "invariants L9, L10"),
    Code("order_contradicts_links", "critical", "An accepted strict claim does not stand where its links say it must.",
         "A slot or an outcome in the evidence is false: collect it again from a second node.", "program §1.8"),
    Code("period_claimed_twice", "critical", "Two accepted claims hold one claimer and period, which one receipt cannot.",
         "An outcome in the evidence is false: collect both again from a second node.", "program §1.7: the receipt is created once"),
    Code("fork", "warning", "Two different proofs stand on one parent under strict rules, or come from two issuers.",
         "Find out who issued each: two workers, a reset or restored storage.", "design §5"),
    Code("race", "info", "Two proofs stand on one parent under relaxed rules; nothing is wrong.", "Nothing to do.", "program commit 5ceddca"),
    Code("equivocation", "critical", "Two different proofs were signed for one grant, claimer and period on one parent.",
         "Treat the signing key as used in two places until shown otherwise.", "design §5"),
    Code("repeat_proof", "info", "One worker that takes its parents from the chain was asked twice for the same claim.", "Nothing to do.", "design §5"),
    Code("foreign_issuer", "critical", "A proof is validly signed but is not in the worker's complete audit chain: another issuer holds the key.",
         "Stop every other worker, rotate the signing key, then cut over.", "invariant X1"),
    Code("issuer_unknown", "info", "Whether the worker issued this proof cannot be told: its records do not cover that time.",
         "Export the immutable bucket or the worker's storage.", "invariant X1", ("not_checked",)),
    Code("forged_transaction", "critical", "A transaction in the evidence cannot be what was executed: a signature or its proof does not hold.",
         "Collect it again from a second node and keep both answers.", "invariants L1-L4"),
    Code("signer_mismatch", "critical", "A proof, or the worker as it is configured, signs with a key that pop-config does not name.",
         "Set pop-config to the worker's key before the new grant opens; a burnt proof stays burnt.", "program §1.7: 6018"),
    Code("signer_unknown", "info", "The worker's present signer is not in the evidence, or older than pop-config's last change, so the two were not compared.",
         "Collect pop-status and runtime-status again.", "invariant L5", ("not_checked",)),
    Code("stream_divergence", "warning", "The worker's global and stream heads differ, which no sound worker writes.",
         "Find out who wrote the worker's storage.", "program §1.8: 6027"),
    Code("receipt_contradicts_claim", "critical", "A receipt account does not say what the accepted claim says.",
         "Collect both again from a second node.", "invariants L6"),
    Code("receipt_address_wrong", "critical", "An accepted claim names a receipt that its grant, claimer and period do not derive.",
         "The program refuses this: collect the transaction again from a second node.", "program §1.4"),
    Code("amount_differs", "critical", "A claim moved another amount than the grant's terms at that slot.",
         "Collect the transaction and the grant's history again from a second node.", "invariant L8"),
    Code("period_differs", "critical", "A claim landed in another period than the grant's terms at that slot allow.",
         "Collect the transaction and the grant's history again from a second node.", "invariant L7"),
    Code("claim_not_allowed", "critical", "A claim was accepted while the grant was paused, over or not begun, by its terms at that slot.",
         "The program refuses this: collect the transaction and the grant's history again from a second node.", "program §1.7: 6007, 6008, 6009"),
    Code("terms_unknown", "info", "The grant's terms at some claims are not known: its creation, or a change of terms, is not in the evidence.",
         "Collect the grant's whole history.", "invariants L7, L8", ("not_checked",)),
    Code("noise", "info", "Refused attempts that are not the grant's issuer's: anyone can land a failing transaction.", "Nothing to do.", "design §5", ("observed",)),
    # the grant
    Code("grant_paused", "info", "The grant is paused.", "Unpause it only when its chain is sound.", "program §1.7: 6007", ("observed",)),
    Code("grant_closed", "info", "The grant is closed.", "Nothing can be claimed from it any more.", "program §1.2", ("observed",)),
    Code("grant_over", "info", "The grant's expiry has passed.", "Nothing can be claimed from it any more.", "program §1.7: 6008", ("observed",)),
    Code("vault_low", "warning", "The vault holds less than one period's amount.", "Fund the grant.", "program §1.7: 6001"),
    Code("grant_reuse", "warning", "Two events are linked to one grant.", "One event, one grant: give the later one a grant of its own.", "runbook §2"),
    Code("terms_rewritten", "info", "create_grant was called again on a running grant: terms are judged as of the slot.",
         "Check that the change was meant.", "reference §5, incident 16"),
    Code("superseded", "info", "A later grant of the same authority and mint took over.", "Keep the old chain read-only.", "runbook Step 3", ("observed",)),
    # the era
    Code("era_assumed", "info", "No behaviour shows which program was deployed; it was taken from the worker's model, the date or an option.",
         "A program dump or a log line of that time would settle it.", "design §5"),
    Code("era_contradictory", "warning", "An older program's behaviour is seen after a newer one's.", "Check for a rollback of the program, or false logs.", "design §5"),
    # the worker
    Code("worker_records_missing", "warning", "Without the worker's records a proof that was issued and never sent does not show.",
         "Export the immutable bucket or the worker's storage, or collect audit-logs.", "design §5", ("expected", "observed", "not_checked")),
    Code("worker_records_stale", "warning", "The worker's records end before the chain's last claim, or more than a minute before the chain was read.", "Collect the worker's records again.", "design §5"),
    Code("wallets_report_break", "warning", "Wallets reported refusals by a chain rule that never reached the chain.",
         "Reports are nobody's signature: confirm with the worker's records.", "design §5"),
    Code("head_assumed", "info", "The entry hash of an issued proof rests on an assumed second of issue.", "A storage export or the next anchor would confirm it.",
         "design §6, missing_entries"),
    # audit and receipts
    Code("audit_entry_edited", "critical", "A row of the worker's audit chain does not hash to what it says.",
         "Keep the export; compare with the bucket; find out who wrote the storage.", "reference §3.8"),
    Code("audit_entry_removed", "critical", "An audit entry that later evidence names is gone from where it must stand.",
         "Keep the export; the bucket may still hold the entry.", "reference §3.8, §3.10"),
    Code("audit_end_differs", "warning", "The worker's own word on its newest entry (a stored head, an empty list) is not what its entries say.",
         "A crash between two writes, or rows deleted from the end: compare with the bucket and with ticket receipts.", "reference §3.10; invariant W2"),
    Code("audit_chain_restarted", "warning", "The audit chain begins more than once: what stands before the later beginning is not linked to it.",
         "Find out when and why the worker's storage was emptied.", "reference §3.8, §3.10"),
    Code("audit_stream_link_wrong", "critical", "An entry's stream link does not name the entry before it in its stream.",
         "A worker that stopped between two writes can name an older one (a warning); no worker names another stream's, or none.",
         "reference §3.8; invariant W1"),
    Code("bucket_object_edited", "critical", "A bucket object is not the canonical payload of an entry under its key.",
         "Keep the export; the storage may still hold the entry.", "reference §3.9"),
    Code("bucket_object_missing", "critical", "A bucket object that an entry's sinks name is not in an otherwise whole export.",
         "Export the bucket again; if it is still missing, it was removed.", "reference §3.9"),
    Code("bucket_orphan", "info", "A bucket object that no later entry names: the trace of an append that failed.", "Nothing to do.", "reference §3.9", ("observed",)),
    Code("bucket_export_partial", "warning", "The bucket export is only a part: its listing stopped, began late or lost a page, or most objects are not there.",
         "Export the whole bucket, to the end of its listing (a page holds at most 1,000 keys), and collect again.", "reference §3.9"),
    Code("export_altered_by_tool", "warning", "Every text of a source differs in one way that can be undone, and every hash holds without it: a tool did it.",
         "The entries count as read. Export again as the finding says, so that the bytes are the worker's.", "design §7: recompute, never believe"),
    Code("bucket_folder_not_exported", "info", "One of the bucket's two folders is not in the export: the second copy of every entry was not compared.",
         "Export audit/immutable/ whole, entry/ and stream/.", "reference §3.9", ("not_checked",)),
    Code("storage_export_partial", "warning", "The export of the worker's storage is only a part: a row that it lacks may never have been exported.",
         "List the whole storage again, every page of it and without a prefix, and collect again.", "reference §3.8"),
    Code("audit_list_gap", "warning", "A row of the worker's list follows an entry that nothing in the evidence holds, though older rows are listed.",
         "Export the bucket or the storage: a clock that was wrong once puts a row outside the newest fifty; so does a removal.", "reference §3.7, §3.8"),
    Code("storage_copy_missing", "warning", "The storage holds one of an audit entry's two copies.", "A crash between two writes, or an edit: compare with the bucket.",
         "reference §3.8"),
    Code("history_record_missing", "critical", "The worker's storage anchors an accepted proof and holds no history record of it, as of others.",
         "The anchor was written by hand, or the record was taken out: ask who could write to the storage or to /v1/audit/log.", "reference §3.2, trap 26"),
    Code("history_record_false", "critical", "A history record of the worker's storage does not hash to what it says.",
         "Keep the export; find out who wrote the storage.", "reference §3.2"),
    Code("ticket_receipt_bad", "critical", "A ticket receipt does not say what its audit entry says.",
         "Ask where the receipt came from; the audit entry counts.", "reference §3.6"),
    Code("ticket_receipt_server_accepts", "critical", "A false ticket receipt that the worker's own check would pass.",
         "Do not rely on the worker's verify endpoint for it.", "reference §3.6"),
    Code("ticket_receipt_unchecked", "info", "A ticket receipt's entry is not in the evidence, so only its own hash was checked.",
         "Export the immutable bucket.", "reference §3.6", ("not_checked",)),
    Code("ticket_receipt_contradicts_proof", "critical", "A proof on chain commits to a ticket receipt that the worker's audit chain contradicts.",
         "The proof counts: what it commits to was written anew after it. Keep the export.", "invariant X1; reference §3.10"),
    Code("ticket_receipt_of_another", "warning", "An accepted claim rests on a ticket receipt of somebody else, or of another grant's event.",
         "Ask both: the worker binds a ticket to no wallet, and a person may have two. Nothing shows a forgery.", "invariant X1; reference §1.11"),
    Code("ticket_receipt_reused", "warning", "One ticket receipt stands behind several accepted claims.",
         "Count the tickets, not the claims: the worker takes a receipt again and again, in another period or for another wallet.", "reference §1.11"),
    Code("ticket_receipt_unseen", "info", "The ticket receipt that a proof commits to is not in the evidence, and cannot be made again from its entry.",
         "Export the worker's storage, or collect the participants' receipts.", "invariant X1", ("not_checked",)),
    Code("server_verdict_differs", "info", "The worker's own audit-integrity answer differs from what was recomputed.",
         "The recomputed result counts; the server's false alarms and misses are known.", "reference §3.10"),
    # records against the chain
    Code("record_unbacked", "critical", "The worker holds a record of an on-chain claim that the chain does not hold.",
         "Do not count the ticket; the worker never checks what it is told.", "invariant X3"),
    Code("record_unchecked", "warning", "A record of an on-chain claim could not be held against the chain as it was read.",
         "Collect the chain again, the receipt account that the record names included.", "invariant X3"),
    Code("record_contradicted", "critical", "A record names a transaction that is another's, or was refused.", "Do not count the ticket.", "invariant X3"),
    Code("claim_unsynced", "info", "A claim landed of which the worker holds no record.", "The ticket counts; tell the worker.", "invariant X4"),
    # the evidence itself
    Code("evidence_contradictory", "critical", "Two lines of the evidence say different things of one key.",
         "Keep both; collect again from a second source.", "design §4"),
    Code("outcome_contradictory", "critical", "The node's list and its transaction disagree on slot or outcome.", "Collect again from a second node.", "design §4"),
    Code("evidence_unreadable", "warning", "A part of the evidence could not be read and was left out.", "Collect that part again.", "design §4", ("observed", "not_checked")),
    Code("time_in_milliseconds", "info", "Times stand in milliseconds, as JavaScript's clock gives them, where unix seconds are expected; they were read as such.",
         "Nothing to do.", "design §4"),
    Code("transaction_missing", "warning", "The node listed a transaction and did not give it.", "Collect it from another node.", "design §4", ("observed", "not_checked")),
)  # fmt: skip

CODES: dict[str, Code] = {row.code: row for row in _TABLE}
