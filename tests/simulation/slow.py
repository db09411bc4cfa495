"""A slow checker written from the words of the design: no index, no chain, every question walks
everything again.

It reads one grant out of a case's files: claims decoded from the wire, the worker's anchors out of
the whole bucket, PopState. It shares the byte layouts with popkit and nothing else, and expects a
case of one moment and a worker whose records are complete up to it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from popkit.drill.addresses import pop_state_address, receipt_address
from popkit.protocol.accounts import decode_account
from popkit.protocol.ed25519 import read_proof
from popkit.protocol.instructions import decode_instruction
from popkit.protocol.keys import ED25519_PROGRAM, PROGRAM_ID
from popkit.protocol.message import PopMessage, decode_message, entry_hash

GENESIS = "0" * 64
CHAIN_RULES = {6026, 6027, 6028}


@dataclass(frozen=True)
class Claim:
    """One claim attempt with its proof."""

    signature: str
    slot: int
    accepted: bool
    code: int | None
    claimer: str
    period: int
    message: PopMessage
    signer: str
    proof_holds: bool


@dataclass(frozen=True)
class Issued:
    """One proof that the worker issued, as its anchor tells."""

    entry: str
    prev: str
    stream: str
    claimer: str
    period: int
    issued_at: int
    moved_head: bool
    follows_chain: bool


def check(files: dict[str, Any], grant: str, relaxed: bool) -> dict[str, Any]:
    """Verdict, last good and first bad signature, missing and unseen entries, forked parents,
    affected claimers.
    """
    return Slow(files, grant, relaxed).answer()


class Slow:
    """The definitions, one method each."""

    def __init__(self, files: dict[str, Any], grant: str, relaxed: bool) -> None:
        self.files, self.grant, self.relaxed = files, grant, relaxed
        self.now = files["case.json"]["collected_at"]
        self.storage = {row["key"]: row["value"] for row in files.get("worker/storage.jsonl", [])}
        self.signers: set[str] = {files["worker/pop-status.json"]["body"]["signerPubkey"]}
        self.claims: list[Claim] = []
        self.audit_hashes: set[str | None] = set()
        for row in files["rpc/transactions.jsonl"]:
            self._read_transaction(row["signature"], row["result"])
        self.claims.sort(key=lambda c: c.slot)
        self.issued = self._read_anchors()

    # reading

    def _read_transaction(self, signature: str, result: dict[str, Any]) -> None:
        transaction = VersionedTransaction.from_bytes(base64.b64decode(result["transaction"][0]))
        assert all(transaction.verify_with_results()), "no forged transactions here"
        loaded = result["meta"]["loadedAddresses"]
        keys = (
            [str(k) for k in transaction.message.account_keys]
            + loaded["writable"]
            + loaded["readonly"]
        )
        proof = None
        for index, instruction in enumerate(transaction.message.instructions):
            program = keys[instruction.program_id_index]
            if program == ED25519_PROGRAM:
                proof = read_proof(bytes(instruction.data))
            if program != PROGRAM_ID:
                continue
            call = decode_instruction(
                bytes(instruction.data), [keys[i] for i in instruction.accounts]
            )
            if call.name == "upsert_pop_config" and result["meta"]["err"] is None:
                self.signers.add(call.args["signer_pubkey"])
            if not call.is_claim or call.accounts["grant"] != self.grant or proof is None:
                continue
            err = result["meta"]["err"]
            code = (
                err["InstructionError"][1]["Custom"]
                if err is not None and err["InstructionError"][0] == index
                else None
            )
            holds = Signature(proof.signature).verify(Pubkey(proof.public_key), proof.message)
            self.claims.append(
                Claim(
                    signature,
                    result["slot"],
                    err is None,
                    code,
                    call.accounts["claimer"],
                    call.args["period_index"],
                    decode_message(proof.message),
                    str(Pubkey(proof.public_key)),
                    holds,
                )
            )

    def _read_anchors(self) -> list[Issued]:
        """The worker's proofs in the order of its audit chain, rebuilt from the anchors."""
        entries = {entry["prev_hash"]: entry for entry in self._audit_entries()}
        chain, at = [], "GENESIS"
        while at in entries:
            chain.append(entries[at])
            at = entries[at]["entry_hash"]
        self.audit_hashes = {e["entry_hash"] for e in chain} | {
            e["data"].get("receiptHash") for e in chain
        }
        anchors = [
            e
            for e in chain
            if e["event"] == "POP_CLAIM_PROOF_ANCHOR" and e["data"]["grant"] == self.grant
        ]
        return [self._rebuild(anchor) for anchor in anchors]

    def _rebuild(self, anchor: dict[str, Any]) -> Issued:
        data, period = anchor["data"], int(anchor["data"]["periodIndex"])
        audit = data.get("receiptHash") or anchor["entry_hash"]
        second = _seconds(anchor["ts"])
        candidates = {}
        for issued_at in range(second, second - 6, -1):
            args = (
                2,
                data["prevHash"],
                data["streamPrevHash"],
                audit,
                self.grant,
                data["claimer"],
                period,
                issued_at,
            )
            candidates[entry_hash(*args)] = issued_at
        named = {c.message.entry_hash for c in self.claims} | set(self._named_by_anchors())
        found = [entry for entry in candidates if entry in named] or list(candidates)[:1]
        moved = data.get("popChainAdvanced") is not False
        follows = data.get("hashSource") == "client_onchain"
        return Issued(
            found[0],
            data["prevHash"],
            data["streamPrevHash"],
            data["claimer"],
            period,
            candidates[found[0]],
            moved,
            follows,
        )

    def _audit_entries(self) -> list[dict[str, Any]]:
        """Every entry of the worker's audit chain, out of the whole bucket or the whole storage."""
        if self.storage:
            return [value for key, value in self.storage.items() if key.startswith("audit_entry:")]
        return [json.loads(row["text"])["entry"] for row in self.files["worker/r2.jsonl"]]

    def _named_by_anchors(self) -> list[str]:
        return [
            e["data"]["prevHash"]
            for e in self._audit_entries()
            if e["event"] == "POP_CLAIM_PROOF_ANCHOR"
        ]

    def _account(self, address: str) -> Any:
        for row in self.files["rpc/accounts.jsonl"]:
            if row["pubkey"] == address:
                return (
                    None
                    if row["account"] is None
                    else decode_account(base64.b64decode(row["account"]["data"][0]))
                )
        raise AssertionError(f"not collected: {address}")

    # words

    def is_attributed(self, claim: Claim) -> bool:
        """Validly signed by a key that pop-config or the worker names; entry hash, grant and
        claimer right; not yet accepted.
        """
        m = claim.message
        return (
            not claim.accepted
            and claim.proof_holds
            and claim.signer in self.signers
            and m.recomputed_entry_hash() == m.entry_hash
            and (m.grant, m.claimer) == (self.grant, claim.claimer)
            and not any(
                c.accepted and c.slot < claim.slot and c.message.entry_hash == m.entry_hash
                for c in self.claims
            )
        )

    def accepted(self) -> list[Claim]:
        return [c for c in self.claims if c.accepted]

    def carried(self) -> set[str]:
        return {c.message.entry_hash for c in self.accepted()}

    def chain_head(self) -> str:
        state = self._account(pop_state_address(self.grant))
        return GENESIS if state is None else state.last_global_hash

    def heads_at(self, claim: Claim) -> set[str]:
        """What may have been the chain's head when a claim was executed (strict rules): the last
        accepted entry seen before it, or an unseen one that the next accepted claim, or PopState
        after them all, stands on.
        """
        before = [c.message.entry_hash for c in self.accepted() if c.slot < claim.slot]
        after = [c.message.prev_hash for c in self.accepted() if c.slot > claim.slot]
        follows = after[0] if after else self.chain_head()
        return {before[-1] if before else GENESIS} | ({follows} & self.unseen())

    def unseen(self) -> set[str]:
        """Named by PopState, or under strict rules by an accepted claim, but carried by no
        transaction.

        A claim that only a date calls relaxed may have been judged by strict rules: its parent
        counts.
        """
        named = {self.chain_head()} | {
            c.message.prev_hash for c in self.accepted() if not self.is_shown_relaxed(c.slot)
        }
        return named - self.carried() - {GENESIS}

    def is_shown_relaxed(self, slot: int) -> bool:
        """Whether behaviour up to a slot shows relaxed rules, which accept any parent: two accepted
        claims on one, a claim before the one that it follows, or one on this worker's own proof
        that was never accepted (its receipt does not exist).
        """
        for claim in (c for c in self.accepted() if c.slot <= slot):
            before = [c for c in self.accepted() if c.slot < claim.slot]
            if any(c.message.prev_hash == claim.message.prev_hash for c in before):
                return self.relaxed
            if any(
                c.message.entry_hash == claim.message.prev_hash
                for c in self.accepted()
                if c.slot > claim.slot
            ):
                return self.relaxed
            parent = next((p for p in self.issued if p.entry == claim.message.prev_hash), None)
            if (
                parent is not None
                and parent.entry not in self.carried()
                and self._receipt_is_missing(parent)
            ):
                return self.relaxed
        return False

    def _receipt_is_missing(self, proof: Issued) -> bool:
        """Whether the receipt of a proof was asked for and does not exist, or is that of another
        accepted claim.
        """
        address = receipt_address(self.grant, proof.claimer, proof.period)
        asked = any(row["pubkey"] == address for row in self.files["rpc/accounts.jsonl"])
        claimed = any(
            (c.claimer, c.period) == (proof.claimer, proof.period) for c in self.accepted()
        )
        return claimed or (asked and self._account(address) is None)

    def was_accepted(self, entry: str) -> bool:
        return entry in self.carried() or entry in self.unseen()

    def worker_head(self) -> str:
        """Where its next proof will point: what its storage holds, else its last anchor that moved
        heads.
        """
        stored = self.storage.get(f"pop_chain:lastHash:global:{self.grant}")
        if stored is not None:
            return str(stored)
        moved = [p for p in self.issued if p.moved_head]
        return moved[-1].entry if moved else GENESIS

    def line(self) -> list[Issued]:
        """The worker's never-accepted proofs from its head back, oldest first."""
        found: list[Issued] = []
        at = self.worker_head()
        while not self.was_accepted(at) and any(p.entry == at for p in self.issued):
            found.insert(0, next(p for p in self.issued if p.entry == at))
            at = found[0].prev
        return found

    def has_claimed(self, claimer: str, period: int) -> bool:
        """Whether a claim of that claimer and period was accepted: by its transaction, or by its
        receipt where that is unseen.
        """
        receipt = self._account_or_none(receipt_address(self.grant, claimer, period))
        return receipt is not None or any(
            (c.claimer, c.period) == (claimer, period) for c in self.accepted()
        )

    def can_land(self, proof: Issued) -> bool:
        return self.is_open(proof.claimer, proof.period, proof.issued_at)

    def is_open(self, claimer: str, period: int, issued_at: int) -> bool:
        """Whether a proof may still land: at most 600 s old, its period not over, and no receipt of
        another for its claimer and period.
        """
        terms = self._account(self.grant)
        over = self.now >= terms.start_ts + (period + 1) * terms.period_seconds
        return self.now - issued_at <= 600 and not over and not self.has_claimed(claimer, period)

    def asks_twice(self) -> bool:
        """Whether two proofs on the worker's line are for one claimer and period: only one of them
        can land.
        """
        asked = [(p.claimer, p.period) for p in self.line()]
        return len(asked) > len(set(asked))

    def _account_or_none(self, address: str) -> Any:
        known = {row["pubkey"] for row in self.files["rpc/accounts.jsonl"]}
        return self._account(address) if address in known else None

    def streams_differ(self) -> bool:
        """Whether the worker's two stored heads are not one, or a proof of its line follows the one
        before it by one link alone.
        """
        stored, line = self.storage.get(f"pop_chain:lastHash:stream:{self.grant}"), self.line()
        if stored is not None and stored != self.worker_head():
            return True
        return any(child.stream != child.prev for child in line[1:])

    def wedge(self) -> str | None:
        """What strict rules make of the worker's head: 'broken', 'in_flight', or None where it is
        the chain's head.
        """
        if self.streams_differ():
            return "broken"
        if self.worker_head() == self.chain_head():
            return None
        line = self.line()
        on_head = bool(line) and (line[0].prev, line[0].stream) == (
            self.chain_head(),
            self.chain_head(),
        )
        return (
            "in_flight"
            if on_head and not self.asks_twice() and all(self.can_land(p) for p in line)
            else "broken"
        )

    def lacks_heads(self) -> bool:
        """Whether the storage holds no head, goes on past where it would stand, and the worker had
        moved it: where its next proof points is not known then. An export that ends before says
        nothing, and the anchors tell.
        """
        last = f"pop_chain:lastHash:stream:{self.grant}"
        goes_on = any(key.startswith("pop_chain:") and key > last for key in self.storage)
        return goes_on and last not in self.storage and any(p.moved_head for p in self.issued)

    def nothing_can_be_wedged(self) -> bool:
        """Whether the worker takes its parents from the chain, or behaviour shows relaxed rules in
        force.
        """
        return (bool(self.issued) and self.issued[-1].follows_chain) or self.is_shown_relaxed(
            1 << 62
        )

    def verdict(self) -> str:
        wedge = None if self.nothing_can_be_wedged() else self.wedge()
        if wedge is not None and self.relaxed:
            return "inconclusive"  # a date alone calls the rules relaxed
        if wedge == "broken":
            return wedge
        if self.unseen() or (self.lacks_heads() and not self.is_shown_relaxed(1 << 62)):
            return "inconclusive"
        if wedge == "in_flight":
            return wedge
        refused = [c for c in self.claims if self.is_attributed(c)]
        if not self.accepted() and not refused and not self.issued:
            return "unused"
        by_chain_rule = [c.slot for c in refused if c.code in CHAIN_RULES]
        return (
            "recovered"
            if any(c.slot >= slot for slot in by_chain_rule for c in self.accepted())
            else "intact"
        )

    def is_burnt(self, claim: Claim) -> bool:
        """Attributed, refused, never accepted and not able to land any more: on the chain's head at
        that moment, where rules are strict; under relaxed rules any whose claimer got nothing else
        for that period.
        """
        m = claim.message
        if (
            not self.is_attributed(claim)
            or claim.code in CHAIN_RULES
            or self.was_accepted(m.entry_hash)
        ):
            return False
        if self.is_open(m.claimer, m.period_index, m.issued_at) or self.may_have_landed_unseen(
            m.claimer, m.period_index
        ):
            return False
        return (
            not self.has_claimed(m.claimer, m.period_index)
            if self.relaxed
            else m.prev_hash in self.heads_at(claim)
        )

    def may_have_landed_unseen(self, claimer: str, period: int) -> bool:
        """Whether a receipt is of a claim that nothing shows, while entries are unseen: it may be
        that of any proof for its period.
        """
        shown = {(c.claimer, c.period) for c in self.accepted()}
        shown |= {(p.claimer, p.period) for p in self.issued if p.entry in self.unseen()}
        shown |= {
            (c.claimer, c.period)
            for c in self.claims
            if c.proof_holds and c.message.entry_hash in self.unseen()
        }
        return (
            bool(self.unseen())
            and self.has_claimed(claimer, period)
            and (claimer, period) not in shown
        )

    def first_bad(self) -> str | None:
        for claim in self.claims:
            if self.is_attributed(claim) and (claim.code in CHAIN_RULES or self.is_burnt(claim)):
                return claim.signature
        return None

    def missing(self) -> set[str]:
        """Issued on the chain's head by both links, carried by no accepted claim; nothing is waited
        for where all is well.
        """
        if self.relaxed or self.verdict() in ("intact", "recovered", "unused"):
            return set()
        head = self.chain_head()
        known = {(p.entry, p.prev, p.stream) for p in self.issued}
        known |= {
            (c.message.entry_hash, c.message.prev_hash, c.message.stream_prev_hash)
            for c in self.claims
            if self.is_attributed(c)
        }
        return {
            entry
            for entry, prev, stream in known
            if (prev, stream) == (head, head) and not self.was_accepted(entry)
        }

    def foreign(self) -> set[str]:
        """Accepted entries whose audit_hash is no entry and no receipt hash of the worker's
        complete audit chain.
        """
        return {
            c.message.entry_hash
            for c in self.accepted()
            if c.message.audit_hash not in self.audit_hashes
        }

    def forks(self) -> set[str]:
        """Parents with two or more different attributed or accepted entries."""
        counted = [c.message for c in self.claims if c.accepted or self.is_attributed(c)]
        return {
            m.prev_hash
            for m in counted
            if len({o.entry_hash for o in counted if o.prev_hash == m.prev_hash}) > 1
        }

    def affected(self) -> set[str] | None:
        """Who tried and got nothing; nobody while all can still land, and not known where the
        verdict is not.
        """
        if self.verdict() == "inconclusive":
            return None
        if self.verdict() == "in_flight":
            return set()
        waiting = {
            (c.claimer, c.message.period_index) for c in self.claims if self.is_attributed(c)
        }
        if not self.relaxed:
            waiting |= {(p.claimer, p.period) for p in self.line()}
        return {claimer for claimer, period in waiting if not self.has_claimed(claimer, period)}

    def answer(self) -> dict[str, Any]:
        accepted, affected = self.accepted(), self.affected()
        return {
            "verdict": self.verdict(),
            "last_good": accepted[-1].signature if accepted else None,
            "first_bad": self.first_bad(),
            "missing_entries": sorted(self.missing()),
            "unseen_entries": sorted(self.unseen()),
            "foreign_entries": sorted(self.foreign()),
            "forks": sorted(self.forks()),
            "affected_claimers": None if affected is None else sorted(affected),
        }


def _seconds(ts: str) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(ts).timestamp())
