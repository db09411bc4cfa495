"""What an 'intact' is worth: who could tamper with what, and whether the evidence would show it.

One row is one mutant with one reason, re-signed or re-hashed as far as that attacker could. The
vectors (`data/attacks/vectors.json`) and their mutants are made from this table by `python -m
tests.attacks.build`; the tests hold popkit to every row.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from popkit.errors import EXIT_CANNOT_TELL, EXIT_FINE, EXIT_WRONG

FOUND, CANNOT_BE_FOUND, CANNOT_TELL = "found", "cannot be found", "cannot tell"
OUTCOMES = (FOUND, CANNOT_TELL, CANNOT_BE_FOUND)
HOLDER, NODE, KEY, WALLET = (
    "nobody's key",
    "the RPC node",
    "the worker's signing key",
    "a wallet with somebody's code",
)
OTHER_WORKER, DATABASE, BOTH = (
    "another worker",
    "the operator with the database",
    "the operator with database and bucket",
)
ATTACKERS = {
    HOLDER: "Somebody who holds the case or a ticket receipt, signs nothing, and computes any "
    "hash, the case's manifest included.",
    NODE: "The node that the chain's evidence was asked of. It lies or leaves out; it can sign for "
    "nobody.",
    WALLET: "Anybody with a wallet and another participant's confirmation code, who asks the "
    "worker for a proof as everybody does.",
    KEY: "A thief with a copy of the key, and a wallet of their own. The worker and its records "
    "know nothing of it.",
    OTHER_WORKER: "A second worker with the same key and a copy of the heads, and with records of "
    "its own.",
    DATABASE: "Whoever writes the worker's storage, its lists and its audit log, and hashes anew "
    "whatever hashes can be made to fit.",
    BOTH: "The same, and the bucket that should have been immutable.",
}
"""Each attacker, and what they have."""
UNREADABLE = "unreadable"
"""The verdict of a case that is not opened at all: its files are not those of its manifest."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One row of the table.

    `finding_codes` are the critical findings that tell of it (where popkit cannot tell: the
    warnings that say what is missing), ascending; `verdict` is the case's all the same; `by` says
    in words what finds it, `would_need` which evidence would where this evidence cannot. `pending`
    says why this version does not yet find what it should; empty everywhere else.
    """

    name: str
    attacker: str
    tampering: str
    outcome: str
    finding_codes: tuple[str, ...]
    by: str = ""
    would_need: str = ""
    verdict: str = "intact"
    pending: str = ""

    @property
    def exit_code(self) -> int:
        """The exit code of `popkit diagnose` on the mutant."""
        if self.outcome == FOUND:
            return EXIT_CANNOT_TELL if self.verdict == UNREADABLE else EXIT_WRONG
        return EXIT_CANNOT_TELL if self.verdict == "inconclusive" else EXIT_FINE


ATTACKS: tuple[Attack, ...] = (
    # nobody's key
    Attack("file-changed-seal-kept", HOLDER, "A file of the case is changed and its manifest is not", FOUND, (),
           by="the manifest: the case is not opened", verdict=UNREADABLE),
    Attack("message-byte", HOLDER, "One byte of an accepted proof's message", FOUND, ("forged_transaction",),
           by="the proof's signature, the wallet's, and the entry hash", verdict="inconclusive"),
    Attack("proof-rehashed-without-key", HOLDER, "The newest proof commits to another record; "
                                                 "entry hash and PopState are made to fit",
           FOUND, ("chain_broken", "forged_transaction"), by="the two signatures; the worker's "
                                                             "head is no longer the chain's",
           verdict="broken"),
    Attack("worker-files-left-out", HOLDER, "The worker's files are left out", CANNOT_TELL, ("worker_records_missing",),
           would_need="the worker's records: without them no chain is called intact", verdict="inconclusive"),
    Attack("earlier-case-dated-today", HOLDER, "A sound case of yesterday is passed off as today's", CANNOT_TELL, ("worker_records_stale",),
           would_need="the worker's records up to that moment; or the manifest's digest, written "
                      "down elsewhere when the case was taken",
           verdict="inconclusive"),
    Attack("moment-set-back", HOLDER, "The time of collection is set back, so that a lost proof "
                                      "looks young enough to land",
           CANNOT_TELL, ("chain_read_early",), would_need="the chain, read again: the case's own "
                                                          "records are younger than the proof can "
                                                          "be",
           verdict="inconclusive"),
    Attack("ticket-receipt-edited", HOLDER, "A ticket receipt commits to another person", FOUND, ("ticket_receipt_bad",),
           by="the receipt's own hash"),
    Attack("ticket-receipt-rehashed", HOLDER, "The same, and the receipt's hash is made to fit", FOUND,
           ("ticket_receipt_bad", "ticket_receipt_server_accepts"),
           by="the commitment, recomputed from the entry; the worker's own check passes it"),
    Attack("ticket-receipt-added-to", HOLDER, "A field that no receipt has is added, and the "
                                              "receipt's hash is made to fit", FOUND,
           ("ticket_receipt_bad", "ticket_receipt_server_accepts"),
           by="the fields that a worker writes; its own check passes it"),
    Attack("ticket-receipt-re-anchored", HOLDER, "A ticket receipt is moved to another person's "
                                                 "entry, its hash made to fit", FOUND,
           ("ticket_receipt_bad", "ticket_receipt_server_accepts"),
           by="the commitment, recomputed from the entry; the worker's own check passes it"),
    Attack("ticket-receipt-invented", HOLDER, "A whole ticket receipt is invented, with an entry "
                                              "that never was", FOUND,
           ("ticket_receipt_bad",), by="its entry is not in an audit chain that is whole over its "
                                       "time"),
    # the RPC node
    Attack("transaction-replaced", NODE, "Another transaction is given under a claim's signature", FOUND, ("forged_transaction",),
           by="a transaction is named by its first signature", verdict="inconclusive"),
    Attack("transaction-omitted-middle", NODE, "A claim in the middle is left out everywhere", CANNOT_TELL,
           ("claim_unseen", "entry_unseen"),
           would_need="the transaction, from a second node: the next claim names it", verdict="inconclusive"),
    Attack("transaction-omitted-newest", NODE, "The newest claim is left out everywhere", CANNOT_TELL,
           ("claim_unseen", "entry_unseen"),
           would_need="the transaction, from a second node: PopState names it", verdict="inconclusive"),
    Attack("transaction-omitted-newest-and-accounts", NODE, "The newest claim is left out, and "
                                                            "with it PopState, vault and receipt",
           CANNOT_TELL, ("record_unchecked",), would_need="PopState, from a second node: the "
                                                          "worker recorded a claim that nothing "
                                                          "shows",
           verdict="inconclusive"),
    Attack("newest-claim-denied", NODE, "The newest claim never was, say list, PopState, vault and "
                                        "receipt alike", FOUND,
           ("chain_broken", "record_unbacked"), by="the worker's anchor and record of it; which of "
                                                   "the two lies, a second node tells",
           verdict="broken"),
    Attack("newest-claim-denied-chain-alone", NODE, "The same, where the worker's records were not "
                                                    "collected", CANNOT_BE_FOUND, (),
           would_need="a second node, or the worker's records", verdict="inconclusive"),
    Attack("refused-claim-hidden", NODE, "A refused attempt is left out whose proof was accepted "
                                         "later", CANNOT_BE_FOUND, (),
           would_need="a second node: nothing on chain commits to a refusal"),
    Attack("accepted-shown-as-refused", NODE, "An accepted claim is shown as refused, in list and "
                                              "transaction", CANNOT_TELL,
           ("claim_unseen", "entry_unseen"), would_need="the transaction, from a second node: the "
                                                        "next claim names it",
           verdict="inconclusive"),
    Attack("refused-shown-as-accepted", NODE, "A refused repeat of a claim is shown as accepted, "
                                              "balances and all", FOUND,
           ("order_contradicts_links", "period_claimed_twice", "vault_amount_differs"),
           by="its link, which names no head of that moment; the period's one receipt",
           verdict="inconclusive"),
    Attack("slot-changed-in-one-answer", NODE, "A claim's slot is changed in its transaction and "
                                               "not in the list", FOUND,
           ("outcome_contradictory",), by="the node's two answers"),
    Attack("order-changed", NODE, "A claim is moved behind the newest, in both answers", FOUND,
           ("order_contradicts_links", "state_contradicts_claims"), by="its link, and PopState: it "
                                                                       "is not where that order "
                                                                       "leads",
           verdict="inconclusive"),
    Attack("order-changed-before-the-newest", NODE, "A claim is moved in front of the one that it "
                                                    "follows, in both answers", FOUND,
           ("order_contradicts_links",), by="its link, which names no head of that moment", verdict="inconclusive"),
    Attack("block-time-changed", NODE, "A claim's block time is changed by seconds, in both answers", CANNOT_BE_FOUND, (),
           would_need="a second node: no signature covers it; the rules look at the receipt's own "
                      "time"),
    Attack("balances-changed", NODE, "The tokens that a claim moved", FOUND, ("amount_differs",), by="the grant's terms at that slot"),
    Attack("receipt-account-altered", NODE, "A receipt account names another claimer", FOUND, ("receipt_contradicts_claim",),
           by="the claim that wrote it, signed by its wallet"),
    Attack("receipt-account-denied", NODE, "A receipt account does not exist, says the node", FOUND,
           ("receipt_contradicts_claim",),
           by="the claim that wrote it: no instruction closes a receipt"),
    Attack("receipt-time-altered", NODE, "A receipt's time is changed within 600 s of the proof's "
                                         "issue", CANNOT_BE_FOUND, (),
           would_need="a second node: the rules allow any time in that window"),
    Attack("pop-state-altered", NODE, "PopState names an older claim", FOUND, ("state_contradicts_claims",),
           by="the claims, which lead further", verdict="inconclusive"),
    Attack("pop-config-altered", NODE, "pop-config names another signer than its history does", FOUND, ("signer_mismatch",),
           by="the worker's signer; the upserts on chain tell that the account is false"),
    Attack("log-lines-altered", NODE, "Log lines of an accepted claim", CANNOT_BE_FOUND, (),
           would_need="a second node: no signature covers logs, and nothing about an accepted "
                      "claim rests on them"),
    # a wallet with somebody's code
    Attack("proof-on-another-s-ticket", WALLET, "A receipt-gated worker issues a proof on another "
                                                "participant's ticket; it is accepted",
           CANNOT_TELL, ("ticket_receipt_of_another", "ticket_receipt_reused"),
           would_need="the two participants: a person may have two wallets, and the worker binds a "
                      "ticket to none"),
    # the worker's signing key
    Attack("proof-re-signed-after-the-fact", KEY, "The newest proof is made anew and signed with "
                                                  "the key; PopState is made to fit", FOUND,
           ("chain_broken", "forged_transaction"), by="the wallet's signature over the whole "
                                                      "transaction", verdict="broken"),
    Attack("foreign-proof-accepted", KEY, "A proof that the worker never issued is accepted, "
                                          "strict rules", FOUND,
           ("chain_broken", "foreign_issuer"), by="the worker's complete audit chain, which does "
                                                  "not hold it", verdict="broken"),
    Attack("foreign-proof-refused", KEY, "A proof that the worker never issued is refused", FOUND, ("foreign_issuer",),
           by="the worker's complete audit chain, which does not hold it"),
    Attack("foreign-proof-with-a-true-audit-hash", KEY, "A foreign proof is accepted, relaxed "
                                                        "rules; its audit hash is a true proof's",
           FOUND, ("foreign_issuer",), by="the worker's anchors: none is of this proof"),
    Attack("foreign-proof-with-a-false-anchor", KEY,
           "The same; claim, anchor and request are written by /v1/audit/log; no storage export", CANNOT_BE_FOUND, (),
           would_need="the storage's history of proofs, or the log of who called /v1/audit/log"),
    Attack("foreign-proof-with-a-false-anchor-and-the-storage", KEY, "The same, where the storage "
                                                                     "was exported",
           CANNOT_TELL, ("storage_export_partial",),
           would_need="the whole storage: the worker writes a record of every proof beside its "
                      "anchor, and the export's may end before it"),
    Attack("foreign-proof-chain-alone", KEY, "A foreign proof is accepted, where the worker's "
                                             "records were not collected",
           CANNOT_BE_FOUND, (), would_need="the worker's audit chain over that time", verdict="inconclusive"),
    Attack("foreign-proof-kept", KEY, "A foreign proof is signed and not used", CANNOT_BE_FOUND, (),
           would_need="nothing outside the thief's hands: a key in hardware that counts its "
                      "signatures"),
    # another worker
    Attack("second-worker-accepted", OTHER_WORKER, "The second worker's proof is accepted", FOUND, ("chain_broken", "foreign_issuer"),
           by="the first worker's complete audit chain; its head is left behind", verdict="broken"),
    Attack("equivocation", OTHER_WORKER, "Both sign for one wallet and period, on one parent", FOUND, ("equivocation", "foreign_issuer"),
           by="the two signed messages alone"),
    Attack("second-worker-chain-alone", OTHER_WORKER, "The second worker's proof is accepted; no "
                                                      "worker's records were collected",
           CANNOT_BE_FOUND, (), would_need="the audit chain of either worker", verdict="inconclusive"),
    # the operator with the database
    Attack("audit-row-edited", DATABASE, "A row of the audit chain is edited", FOUND, ("audit_entry_edited",), by="the row's own hash"),
    Attack("audit-row-rehashed", DATABASE, "The same, and the row's hash is made to fit", FOUND,
           ("audit_entry_removed", "bucket_object_missing"), by="the next row's link, and the "
                                                                "bucket"),
    Attack("audit-tail-rehashed", DATABASE, "The same, and every row after it is hashed anew", FOUND,
           ("audit_entry_removed", "bucket_object_missing"), by="the bucket"),
    Attack("audit-tail-rehashed-no-bucket", DATABASE, "The same, after the last proof on chain; "
                                                      "the bucket was not exported",
           CANNOT_BE_FOUND, (), would_need="the bucket; else a ticket receipt or a later on-chain "
                                           "proof that names an old row"),
    Attack("audit-tail-rehashed-and-a-ticket-receipt-kept", DATABASE, "The same, and a participant "
                                                                      "still holds the old ticket "
                                                                      "receipt",
           FOUND, ("ticket_receipt_bad",), by="the ticket receipt: its entry is not in an audit "
                                              "chain that is whole over its time"),
    Attack("audit-row-removed-middle", DATABASE, "A row is removed from the middle", FOUND, ("audit_entry_removed",),
           by="the next row's link, and the bucket"),
    Attack("audit-newest-rows-left-out", DATABASE, "The newest rows are removed and the stored "
                                                   "heads made to fit; the bucket holds them",
           CANNOT_BE_FOUND, (), would_need="when each export was taken: the bucket's may just be "
                                           "younger; or a later entry or proof"),
    Attack("history-record-edited", DATABASE, "A history record of an issued proof", FOUND, ("history_record_false",),
           by="the record's own entry hash"),
    Attack("stored-head-edited", DATABASE, "The worker's stored head is set back", FOUND, ("chain_broken",),
           by="PopState: the worker's next proof will be refused", verdict="broken"),
    Attack("claim-record-invented", DATABASE, "A claim record with an invented transaction, "
                                              "written by /v1/audit/log", FOUND,
           ("record_unbacked",), by="the chain: neither transaction nor receipt"),
    Attack("claim-record-invented-since", DATABASE, "The same, of a moment after the chain was read", CANNOT_TELL, ("record_unchecked",),
           would_need="the chain, collected again"),
    Attack("claim-record-of-another-s-transaction", DATABASE, "A claim record with somebody else's "
                                                              "transaction", FOUND,
           ("record_contradicted",), by="the chain: the transaction is another wallet's"),
    Attack("claim-record-off-chain-invented", DATABASE, "A record of an off-chain claim that "
                                                        "nobody made", CANNOT_BE_FOUND, (),
           would_need="the participant: nobody signs an off-chain claim, and it names nothing on "
                      "chain"),
    # the operator with database and bucket
    Attack("bucket-object-edited", BOTH, "A bucket object is edited", FOUND, ("bucket_object_edited",),
           by="the entry's hash, which is the object's key"),
    Attack("bucket-object-removed", BOTH, "A bucket object is removed", FOUND, ("bucket_object_missing",),
           by="the row's own list of its objects"),
    Attack("bucket-object-added", BOTH, "An object of an entry that never was is added", CANNOT_BE_FOUND, (),
           would_need="the bucket's own access log: an append that failed leaves the same trace, "
                      "and it is no tampering"),
    Attack("everything-rehashed-before-a-proof", BOTH, "A row is edited, all after it hashed anew "
                                                       "in both; proofs on chain follow",
           FOUND, ("audit_entry_removed",), by="the on-chain proofs and the history: they name "
                                               "anchors that are gone"),
    Attack("everything-rehashed-before-a-proof-no-storage", BOTH, "The same, where the storage was "
                                                                  "not exported", FOUND,
           ("chain_broken", "foreign_issuer"), by="the on-chain proofs: no anchor is theirs; a "
                                                  "thief or the operator, this cannot tell",
           verdict="broken"),
    Attack("everything-rehashed-after-the-last-proof", BOTH, "A row is edited, all after it hashed "
                                                             "anew in both; no proof on chain "
                                                             "follows",
           CANNOT_BE_FOUND, (),
           would_need="a ticket receipt, a copy in another sink or an earlier export: no proof on "
                      "chain names what follows the edit"),
    Attack("everything-rehashed-and-a-ticket-receipt-kept", BOTH, "The same, and a participant "
                                                                  "still holds the old ticket "
                                                                  "receipt",
           FOUND, ("ticket_receipt_bad",), by="the ticket receipt: its entry is not in an audit "
                                              "chain that is whole over its time"),
    Attack("everything-rehashed-receipt-gated", BOTH, "A receipt-gated worker: hashed anew in both "
                                                      "before proofs on chain; no storage",
           FOUND, ("ticket_receipt_contradicts_proof",),
           by="the on-chain proofs: the entries, as they now stand, make other ticket receipts "
              "than those they commit to"),
    Attack("everything-rehashed-receipt-gated-bucket-alone", BOTH, "The same, where neither list "
                                                                   "nor storage was collected",
           CANNOT_BE_FOUND, (),
           would_need="the participants' ticket receipts, or the rows of list or storage: no "
                      "object holds its sinks' times"),
    Attack("entry-removed-everywhere-middle", BOTH, "An entry is removed from the middle, with its "
                                                    "objects", FOUND,
           ("audit_entry_removed",), by="the next entry's link"),
    Attack("newest-entries-removed-everywhere", BOTH, "The newest entries are removed, heads and "
                                                      "all; no proof on chain follows",
           CANNOT_BE_FOUND, (), would_need="a ticket receipt, a copy in another sink, or an "
                                           "earlier export"),
)  # fmt: skip


def attack_table() -> list[dict[str, str]]:
    """The table for display: one dict a row, the attackers in the order of their means."""
    ordered = sorted(ATTACKS, key=lambda attack: list(ATTACKERS).index(attack.attacker))
    return [
        {
            "attacker": attack.attacker,
            "tampering": attack.tampering,
            "outcome": attack.outcome,
            "verdict": attack.verdict,
            "findings": ", ".join(attack.finding_codes),
            "found by": attack.by,
            "would need": attack.would_need,
            "pending": attack.pending,
        }
        for attack in ordered
    ]


def outcome_counts() -> dict[str, int]:
    """How many rows have each outcome; those that this version does not find yet count as 'not yet
    found'.
    """
    counts = Counter("not yet found" if attack.pending else attack.outcome for attack in ATTACKS)
    return {name: counts[name] for name in (*OUTCOMES, "not yet found") if counts[name]}
