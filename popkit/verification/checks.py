"""Numbered checks of one claim: what was expected, what was observed, where it stands, and the source of the rule.

They follow "How to Verify (Independent / Server-Untrusted)" and add what it leaves out: nothing in them believes the server, and rules
are those of the claim's slot (terms by the grant's history, the signer by its upserts), not of today's accounts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from popkit.attempts import Attempt
from popkit.audit.receipts import SINK_TIMES, check_receipt
from popkit.claims.scalar import scalar_claims
from popkit.claims.table import key_strings
from popkit.diagnosis.checks import shares_account
from popkit.diagnosis.facts import Facts
from popkit.diagnosis.proofs import WorkerLine
from popkit.diagnosis.records import ClaimRecord
from popkit.diagnosis.tickets import Tickets
from popkit.protocol import allowlist
from popkit.protocol.message import SKEW_SECONDS
from popkit.protocol.pda import pop_config_address

Records = Mapping[str, list[ClaimRecord]]
"""The worker's claim records by the transaction that they name."""
HOLDS, VIOLATED, CANNOT_TELL = "holds", "violated", "cannot tell"
TRANSACTIONS, ACCOUNTS, RECEIPTS = "rpc/transactions.jsonl", "rpc/accounts.jsonl", "worker/ticket-receipts.jsonl"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `status` is 'holds', 'violated' or 'cannot tell'; `where` is (file, key)."""

    title: str
    status: str
    expected: str
    observed: str
    where: tuple[str, str]
    rule: str

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "status": self.status,
            "expected": self.expected,
            "observed": self.observed,
            "where": {"file": self.where[0], "key": self.where[1]},
            "rule": self.rule,
        }


def equal(title: str, expected: object, observed: object, where: tuple[str, str], rule: str) -> Check:
    """A check that two things are one; None on either side cannot tell."""
    unknown = expected is None or observed is None
    status = CANNOT_TELL if unknown else HOLDS if expected == observed else VIOLATED
    return Check(title, status, _text(expected), _text(observed), where, rule)


def _text(value: object) -> str:
    return "not in the evidence" if value is None else str(value)


class ClaimChecks:
    """The checks of one claim attempt, in the order in which an auditor asks for them; iterate to get them."""

    def __init__(self, facts: Facts, line: WorkerLine, attempt: Attempt, records: Records, tickets: Tickets) -> None:
        self.facts, self.line, self.chain, self.attempt, self.tickets = facts, line, line.chain, attempt, tickets
        self.claims, self.row = facts.claims, attempt.row
        self.here = (TRANSACTIONS, attempt.signature)
        self.era = self.chain.era_at(attempt)
        self.named = records.get(attempt.signature, [])

    def __iter__(self) -> Iterator[Check]:
        yield from self.transaction()
        if int(self.claims.account_count[self.row]) < 12:
            yield from self.without_proof()
        else:
            yield from self.proof()
            yield from self.config()
            yield from self.message()
            yield from self.links()
            yield from self.audit_hash()
            yield from self.ticket_behind()
        yield from self.receipt()
        if self.attempt.accepted:
            yield from self.terms()
        yield from self.allowlist()
        yield from self.worker_record()
        yield from self.ticket_receipts()

    def transaction(self) -> Iterator[Check]:
        """Step 1: accepted, and signed by those it names."""
        seen = "accepted" if self.attempt.accepted else f"refused with {self.attempt.error}"
        yield equal("the transaction was accepted", "accepted", seen, self.here, "How to Verify 1; meta.err is null")
        authentic = self.claims.transaction_signatures_hold[self.row]
        said = {None: "the answer does not carry the signed bytes", True: "they hold", False: "they do not"}[authentic]
        status = CANNOT_TELL if authentic is None else HOLDS if authentic else VIOLATED
        yield Check("its signatures hold, its own name among them", status, "signatures over its bytes", said, self.here, "invariant L1")
        signed = bool(self.claims.claimer_signed[self.row])
        seen = "a signature of the claimer" if signed else "none of the claimer"
        yield equal("the claimer signed it", "a signature of the claimer", seen, self.here, "program §1.2: claimer W S")

    def without_proof(self) -> Iterator[Check]:
        """A claim of the program before PoP: that program was not deployed any more once a proof was accepted."""
        later = [a for grant in self.facts.header.grants for a in self.facts.chain(grant).linked if a.slot < self.attempt.slot]
        title, seen = "no proof had been accepted before it", f"proofs from slot {min(a.slot for a in later)} on" if later else "none"
        status = HOLDS if not later else VIOLATED if self.attempt.accepted else CANNOT_TELL
        yield Check(title, status, "no proof: the program before PoP", seen, self.here, "program §1.7: 3007 on pop_config; invariant L1")

    def proof(self) -> Iterator[Check]:
        """Steps 2 and 3: the instruction right before the claim, its signature, its signer as of the slot."""
        right = "right before the claim, indices 0xFFFF"
        place = ("no proof", right, "elsewhere in the transaction")[int(self.claims.proof_place[self.row])]
        yield equal("an ed25519 instruction stands right before the claim", right, place, self.here, "How to Verify 2; program §1.6")
        holds = bool(self.claims.proof_signature_holds[self.row])
        seen = "it verifies" if holds else "it does not verify"
        yield equal("its signature verifies, strictly", "it verifies", seen, self.here, "the ed25519 precompile's strict rule")
        authority = self.facts.history.authority_of(self.chain.grant)
        history, signer = self.facts.history, self.attempt.signer
        named = history.signers_at(authority, self.attempt.slot) if authority else None
        is_named = history.signer_holds(authority, self.attempt.slot, signer) if authority else None
        status = {True: HOLDS, False: VIOLATED, None: CANNOT_TELL}[is_named]
        expected = "not in the evidence" if named is None else " or ".join(sorted(named))
        title = "its signer is the one that pop-config named at that slot"
        yield Check(title, status, expected, _text(self.attempt.signer), self.here, "How to Verify 3; invariant L5")

    def config(self) -> Iterator[Check]:
        """The pop-config that the claim was held against is that of the grant's authority."""
        authority = self.facts.history.authority_of(self.chain.grant)
        wanted = None if authority is None else pop_config_address(authority, self.facts.header.program_id)
        title = "its pop-config is that of the grant's authority"
        yield equal(title, wanted, self.claims.key_text["pop_config"][self.row], self.here, "program §1.4; How to Verify 3")

    def message(self) -> Iterator[Check]:
        """Version, grant, claimer, period, entry hash."""
        if self.attempt.entry_hash is None:
            wanted = "177 bytes of version 1 or 209 of version 2"
            yield Check("the message can be read", VIOLATED, wanted, "neither", self.here, "program §1.6")
            return
        version = int(self.claims.message_version[self.row])
        allowed = (1, 2) if self.era == "strict" else (2,)
        status = HOLDS if version in allowed else VIOLATED
        wanted = " or ".join(map(str, allowed))
        yield Check(f"the {self.era} program takes its version", status, wanted, str(version), self.here, "invariant L2")
        text = self.claims.hash_text
        yield equal("it names the grant", self.chain.grant, text["message_grant"][self.row], self.here, "invariant L3")
        yield equal("it names the claimer", self.attempt.claimer, text["message_claimer"][self.row], self.here, "invariant L3")
        named = int(self.claims.message_period_index[self.row])
        yield equal("it names the period", self.attempt.period_index, named, self.here, "invariant L3")
        recomputed = self.claims.entry_hash_recomputed[self.row].tobytes().hex()
        yield equal("its entry hash is that of its fields", recomputed, self.attempt.entry_hash, self.here, "invariant L4")

    def links(self) -> Iterator[Check]:
        """Both links, under the rules of the slot."""
        heads = self.chain.heads_during(self.attempt.slot)
        if self.attempt.accepted:
            heads -= {self.attempt.entry_hash}  # it became the head, and follows another
        for name, parent in (("global", self.attempt.prev_hash), ("stream", self.attempt.stream_prev_hash)):
            title, rule = f"its {name} link names the chain's head", "program §1.8; invariant L9"
            if self.era == "relaxed":
                yield Check(title, HOLDS, "any parent", _text(parent), self.here, "program commit 5ceddca: any parent is accepted")
                continue
            unseen = parent in self.chain.unseen
            status = CANNOT_TELL if unseen else HOLDS if parent in heads else VIOLATED
            yield Check(title, status, " or ".join(sorted(heads)), _text(parent), self.here, rule)

    def audit_hash(self) -> Iterator[Check]:
        """What the proof commits to: its anchor's hash (model A) or its ticket receipt's (B and later)."""
        title, rule = "the worker's records hold the proof", "reference §3.2; invariants X1, X2"
        proof = self.line.proofs.get(self.attempt.entry_hash or "")
        if proof is None:
            yield Check(title, CANNOT_TELL, "a proof that is the grant's", "none", self.here, rule)
            return
        status = {"this_worker": HOLDS, "foreign": VIOLATED, "unknown": CANNOT_TELL}[proof.issuer]
        seen = {
            "this_worker": "an anchor of this proof" if proof.anchor else "named by the worker's records",
            "foreign": "not in the worker's audit chain, which is complete over that time",
            "unknown": "the worker's records do not cover that time",
        }[proof.issuer]
        wanted = f"a record of audit_hash {self.attempt.audit_hash or 'that a message of version 1 does not carry'}"
        key = proof.anchor.anchor_hash if proof.anchor else str(self.attempt.audit_hash or self.attempt.entry_hash)
        yield Check(title, status, wanted, seen, ("worker", key), rule)
        if proof.anchor is not None and self.facts.storage_history and self.attempt.accepted:
            status = HOLDS if proof.in_history else VIOLATED if proof in self.line.unrecorded else CANNOT_TELL
            seen = "there" if proof.in_history else "not there"
            where = ("worker/storage.jsonl", proof.entry_hash)
            title = "the worker's storage holds the proof's history record"
            yield Check(title, status, "a record under pop_chain:history:", seen, where, "reference §3.2")

    def ticket_behind(self) -> Iterator[Check]:
        """Of a receipt-gated worker's proof: the ticket receipt that it commits to, and whose that is."""
        proof = self.line.proofs.get(self.attempt.entry_hash or "")
        if proof is None or not self.tickets.is_gated(proof):
            return
        where, rule = (RECEIPTS, str(self.attempt.audit_hash)), "reference §1.11; invariants X1, W4"
        for title, wanted, answer in (
            ("its audit hash is a ticket receipt that verifies", "every field as its entry says", self.tickets.backing(proof)),
            ("the ticket is the claimer's", f"a ticket of {self.attempt.claimer}", self.tickets.holder(proof, self.chain.grant)),
        ):
            status = {True: HOLDS, False: VIOLATED, None: CANNOT_TELL}[answer.holds]
            yield Check(title, status, wanted, answer.seen, where, rule)

    def receipt(self) -> Iterator[Check]:
        """Step 4: the receipt's address, content and time."""
        expected = key_strings(self.claims.receipt_expected[self.row : self.row + 1])[0]
        title = "the receipt's address derives from grant, claimer and period"
        yield equal(title, expected, self.attempt.receipt, self.here, "How to Verify 4; program §1.4")
        if not self.attempt.accepted:
            return
        where = (ACCOUNTS, self.attempt.receipt)
        title, rule = "the receipt exists and says the same", "How to Verify 4; invariant L6"
        wanted = f"grant {self.chain.grant}, claimer {self.attempt.claimer}, period {self.attempt.period_index}"
        if not self.facts.is_collected_since(self.attempt.receipt, self.attempt.slot):
            yield Check(title, CANNOT_TELL, wanted, "not collected since the claim", where, rule)
            return
        value = self.facts.receipt(self.attempt.receipt)
        seen = "no receipt" if value is None else f"grant {value.grant}, claimer {value.claimer}, period {value.period_index}"
        yield equal(title, wanted, seen, where, rule)
        if value is not None and self.attempt.issued_at is not None:
            skew = abs(value.claimed_at - self.attempt.issued_at)
            status = HOLDS if skew <= SKEW_SECONDS else VIOLATED
            title = "claimed at most 600 s from the issue"
            yield Check(
                title, status, f"{self.attempt.issued_at} ± {SKEW_SECONDS}", str(value.claimed_at), where, "program §1.8; invariant L6"
            )

    def terms(self) -> Iterator[Check]:
        """Step 5: the period by the receipt's clock, and what reached the claimer, by the terms as of the slot."""
        terms, receipt = self.facts.history.terms_during(self.chain.grant, self.attempt.slot), self.facts.receipt(self.attempt.receipt)
        periods = [t.period_at(receipt.claimed_at) for t in terms] if receipt is not None else []
        yield self._one_of("the period is that of the claim's time", periods, self.attempt.period_index, "invariant L7")
        mixed = shares_account(self.facts, self.attempt)  # then what the accounts gained and lost is not this claim's alone
        for title, moved in (
            ("one period's amount reached the claimer", self.claims.amount_moved[self.row]),
            ("one period's amount left the vault", self.claims.amount_taken[self.row]),
        ):
            amounts = [t.amount_per_period for t in terms]
            yield self._one_of(title, amounts, moved, "How to Verify 5; invariant L8", mixed)
        refused = [t.refuses(receipt.claimed_at if receipt is not None else None) for t in terms]
        status = CANNOT_TELL if not terms else HOLDS if None in refused else VIOLATED
        seen = "no terms in the evidence" if not terms else "open" if None in refused else f"{refused[0]} refuses it"
        title = "the grant took claims at that time"
        yield Check(title, status, "neither paused, over nor not begun", seen, self.here, "program §1.7: 6007, 6008, 6009")

    def _one_of(self, title: str, expected: list[int], observed: int | None, rule: str, mixed: bool = False) -> Check:
        """A check against every value that the slot's terms allow; `mixed` observations show nothing when they differ."""
        unknown = not expected or observed is None
        status = CANNOT_TELL if unknown else HOLDS if observed in expected else CANNOT_TELL if mixed else VIOLATED
        wanted = " or ".join(map(str, dict.fromkeys(expected))) or "not in the evidence"
        return Check(title, status, wanted, _text(observed), self.here, rule)

    def allowlist(self) -> Iterator[Check]:
        """The Merkle proof, where a root was set at that slot."""
        terms = self.facts.history.terms_during(self.chain.grant, self.attempt.slot)
        roots = [t.merkle_root for t in terms if int(t.merkle_root, 16) != 0]
        if not roots or len(roots) != len(terms):
            return
        title, rule = "the claimer is under the grant's allowlist root", "program §1.9"
        row = int(self.claims.transaction[self.row])
        calls = scalar_claims(self.claims.transactions, row, self.claims.decode(row), self.claims.program_id)
        call = next((c.instruction for c in calls if c.index == self.attempt.instruction_index), None)
        proof = call.args.get("proof") if call is not None else None
        wanted = f"a proof under {' or '.join(roots)}"
        if proof is None:
            yield Check(title, VIOLATED, wanted, "claim_grant carries none", self.here, rule)
            return
        holds = any(allowlist.holds(self.attempt.claimer, list(proof), root) for root in roots)
        yield Check(title, HOLDS if holds else VIOLATED, wanted, "it leads there" if holds else "it does not", self.here, rule)

    def worker_record(self) -> Iterator[Check]:
        """The worker's record of the claim; it proves nothing, and its absence proves nothing against the claim."""
        title, rule = "the worker's record says the same", "invariants X3, X4"
        for record in self.named:
            where = (record.file, record.key)
            if not self.attempt.accepted:
                yield Check(title, VIOLATED, "no record of a refused claim", "a record", where, rule)
                continue
            same = self.attempt.claimer in record.wallets or not record.wallets
            seen = f"claimer {' or '.join(record.wallets) or 'not named'}, receipt {record.receipt or 'not named'}"
            status = HOLDS if same and record.receipt in (None, self.attempt.receipt) else VIOLATED
            yield Check(title, status, f"claimer {self.attempt.claimer}, receipt {self.attempt.receipt}", seen, where, rule)
        if self.attempt.accepted and not self.named:
            yield Check(title, CANNOT_TELL, "a record of this signature", "none", self.here, rule)

    def ticket_receipts(self) -> Iterator[Check]:
        """Every ticket receipt of the record's entry, and of the entry that the proof's anchor names."""
        proof = self.line.proofs.get(self.attempt.entry_hash or "")
        keys = {record.key for record in self.named}
        if proof is not None and proof.anchor is not None and proof.anchor.receipt_id is not None:
            keys.add(proof.anchor.receipt_id)
        yield from ticket_receipt_checks(self.facts, keys)


def ticket_receipt_checks(facts: Facts, entries: set[str]) -> Iterator[Check]:
    """Every ticket receipt that speaks of one of these audit entries, every field."""
    told = {id(receipt): (receipt, place) for entry in sorted(entries) for receipt, place in facts.receipts_by_entry.get(entry, ())}
    for receipt, place in told.values():
        result = check_receipt(receipt, facts.audit, place)
        unknown = [name for name in result.unknown if name != SINK_TIMES]
        status = VIOLATED if result.wrong else CANNOT_TELL if unknown else HOLDS
        seen = f"not in the evidence: {', '.join(unknown)}" if unknown and not result.wrong else result.observed
        where, rule = (RECEIPTS, result.receipt_id), "reference §3.6; invariant W4"
        yield Check("the ticket receipt says what its audit entry says", status, "every field", seen, where, rule)
        if SINK_TIMES in result.unknown:
            wanted, seen = "the times of the entry's own sinks", "the entry's row is in neither list nor storage"
            yield Check("its sinks' times are the entry's", CANNOT_TELL, wanted, seen, where, rule)
