"""The ticket receipts that proofs of a receipt-gated worker commit to (models B to E): whether they
hold, and whose they are.

From f79cf5d on a proof's audit_hash is the hash of the ticket receipt of an off-chain claim. The
worker checks that receipt, and binds it to nothing: neither to the claimer, nor to the grant, nor
to one use. On chain it commits to the claim's audit entry, and by its predecessors to every entry
before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from popkit.audit.entries import GENESIS
from popkit.audit.receipts import (
    SINK_TIMES,
    ReceiptCheck,
    check_receipt,
    receipts_made_by,
    subjects_of,
)
from popkit.chain.attempts import Attempt
from popkit.protocol import canonical
from popkit.texts import Listed, Sentence, Text, sentence
from popkit.worker.case_index import CaseIndex
from popkit.worker.proofs import Proof

_NOT_IN_EVIDENCE = Text("not in the evidence: {fields}", "証拠にないもの: 「{fields}」")


@dataclass(frozen=True, slots=True)
class Answer:
    """A three-valued answer: `holds` is None where the evidence does not tell; `seen` says in words
    what it rests on.
    """

    holds: bool | None
    seen: Sentence


class Tickets:
    """Asks of the ticket receipts of one case; every question is a method."""

    def __init__(self, facts: CaseIndex) -> None:
        self.facts = facts

    @cached_property
    def _stored(self) -> dict[str, list[tuple[ReceiptCheck, dict[str, Any]]]]:
        """Every ticket receipt in the evidence by the hash of what it says, whatever hash it
        states.
        """
        found = defaultdict(list)
        for receipt, place in self.facts.receipt_rows:
            found[canonical.receipt_hash(receipt)].append(
                (check_receipt(receipt, self.facts.audit, place), receipt)
            )
        return found

    @cached_property
    def _wallets(self) -> dict[str, set[str]]:
        """Subject commitment → the wallets that the worker's claim records name beside that
        subject.
        """
        found: dict[str, set[str]] = defaultdict(set)
        for record in self.facts.claim_records:
            entry = self.facts.audit.entries.get(record.key)
            for subject in subjects_of(entry) if entry is not None else ():
                found[canonical.subject_commitment(record.event_id, subject)] |= set(record.wallets)
        return found

    def is_gated(self, proof: Proof) -> bool:
        """Whether a proof commits to a ticket receipt: its anchor says so, or a receipt in the
        evidence has that hash.
        """
        if proof.anchor is not None:
            return proof.is_gated
        return proof.issuer != "foreign" and proof.audit_hash in self._stored

    def receipt_of(self, proof: Proof) -> dict[str, Any] | None:
        """The receipt that hashes to a proof's audit hash: a stored one, or as its audit entry
        makes it; None when neither is there.
        """
        if proof.audit_hash in self._stored:
            return self._stored[proof.audit_hash][0][1]
        named = proof.anchor.receipt_id if proof.anchor is not None else None
        entry = self.facts.audit.entries.get(named or "")
        made = receipts_made_by(entry) if entry is not None else []
        return next(
            (receipt for receipt in made if receipt["receiptHash"] == proof.audit_hash), None
        )

    def backing(self, proof: Proof) -> Answer:
        """Whether the receipt that a proof commits to says what its audit entry says, every field."""
        if proof.audit_hash in self._stored:
            check = self._stored[proof.audit_hash][0][0]
            unknown = [name for name in check.unknown if name != SINK_TIMES]
            if check.is_bad:
                why = sentence(
                    "receipt {receipt}: {wrong}",
                    "レシート {receipt}: {wrong}",
                    receipt=check.receipt_id,
                    wrong=check.observed,
                )
                return Answer(False, why)
            if unknown:
                return Answer(None, _NOT_IN_EVIDENCE(fields=Listed(tuple(unknown), between=", ")))
            return Answer(True, sentence("a receipt that verifies", "検証に成功したレシート"))
        if self.receipt_of(proof) is not None:
            return Answer(
                True,
                sentence(
                    "the receipt that its audit entry makes", "監査エントリから作られるレシート"
                ),
            )
        return self._unbacked(proof)

    def _unbacked(self, proof: Proof) -> Answer:
        """No receipt hashes to the proof's audit hash: whether that is a gap in the evidence, or
        contradicts the audit chain.
        """
        neither = sentence(
            "neither the receipt nor its entry's own row is in the evidence",
            "証拠に、レシートもそのエントリの行もありません",
        )
        unknown = Answer(None, neither)
        if proof.anchor is None or proof.anchor.receipt_id is None:
            return unknown
        named, records = proof.anchor.receipt_id, self.facts.audit
        entry = records.entries.get(named)
        if entry is not None and receipts_made_by(entry):
            anew = sentence(
                "the entry {entry} makes a receipt of another hash: the entry, or its sinks, were "
                "written anew after the proof",
                "エントリ {entry} から作られるレシートのハッシュが異なります。"
                "エントリまたはその書き込み先の記録が proof の後に書き直されています",
                entry=named,
            )
            return Answer(False, anew)
        if entry is None and records.walk_back(proof.anchor.anchor_hash)[-1].prev_hash == GENESIS:
            absent = sentence(
                "the entry {entry}, which the anchor names, is not in the audit chain, which is "
                "whole before the proof",
                "アンカーが示すエントリ {entry} が、proof より前について完全な監査チェーンにありません",
                entry=named,
            )
            return Answer(False, absent)
        return unknown

    def holder(self, proof: Proof, grant: str) -> Answer:
        """Whether the receipt is of an event of the grant, and of the claimer or of somebody who
        used that wallet.
        """
        receipt = self.receipt_of(proof)
        audit = receipt.get("audit") if receipt is not None else None
        if receipt is None or not isinstance(audit, dict):
            return Answer(
                None, sentence("the receipt is not in the evidence", "レシートが証拠にありません")
            )
        event, linked = str(audit.get("eventId")), self.facts.events_of(grant)
        if linked and event not in linked:
            other = sentence(
                "a ticket of the event {event}, which is not linked to the grant",
                "この grant に紐付いていないイベント {event} の参加券です",
                event=event,
            )
            return Answer(False, other)
        told = str(receipt.get("subjectCommitment"))
        if told == canonical.subject_commitment(event, proof.claimer):
            return Answer(True, sentence("the claimer's ticket", "claimer 本人の参加券"))
        wallets = self._wallets.get(told, set())
        if proof.claimer in wallets:
            return Answer(
                True,
                sentence(
                    "a ticket of somebody who used that wallet", "そのウォレットを使った人の参加券"
                ),
            )
        if wallets:
            other = sentence(
                "a ticket of somebody whose records name {wallets}",
                "記録上のウォレットが {wallets} である人の参加券です",
                wallets=Listed(tuple(sorted(wallets))),
            )
            return Answer(False, other)
        unnamed = sentence(
            "a ticket of a subject whose wallets are not in the evidence",
            "ウォレットが証拠にない人の参加券です",
        )
        return Answer(None, unnamed)

    def gated_claims(self) -> Iterator[tuple[str, Attempt, Proof]]:
        """(grant, claim, proof) of every accepted claim whose proof commits to a ticket receipt."""
        for grant in self.facts.header.grants:
            line = self.facts.line(grant)
            for entry, attempt in line.chain.accepted_entries.items():
                if self.is_gated(line.proofs[entry]):
                    yield grant, attempt, line.proofs[entry]

    @cached_property
    def reused(self) -> dict[str, list[tuple[str, Attempt]]]:
        """Audit hashes that stand behind more than one accepted claim, with those claims in the
        order of grants and slots.
        """
        found = defaultdict(list)
        for grant, attempt, proof in self.gated_claims():
            found[str(proof.audit_hash)].append((grant, attempt))
        return {told: claims for told, claims in found.items() if len(claims) > 1}
