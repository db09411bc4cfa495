"""The first claim on a new grant, made by a wallet of the operator's before anything is announced,
as the app makes it.

Every point has an entry in the journal before and after it, so that a run that was killed goes on
from there. Two things may not be done twice or given up: a claim that may have been sent is looked
for on the chain first; and a proof that was issued must be sent within its 600 seconds, as in the
strict eras the worker's head has moved to it and nobody else can claim before it. A run that goes
on uses the same proof, which stands in the journal (it is no secret).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from popkit.cutover.desk.answers import Answered
from popkit.cutover.desk.worker import WorkerDesk
from popkit.cutover.errors import OutcomeUnknown, Silent, Stopped
from popkit.cutover.first_claim.checks import (
    Check,
    Proof,
    Terms,
    anchor_check,
    carries,
    claim_checks,
    equal,
    proof_checks,
    receipt_of,
    ticket_checks,
)
from popkit.cutover.first_claim.notes import (
    ASKS,
    DONE,
    DOUBTFUL,
    LET_GO,
    REFUSED,
    VERIFIED,
    Countdown,
    Notes,
)
from popkit.cutover.first_claim.readiness import FEES, unready
from popkit.cutover.first_claim.result import CanaryResult, Carrier, Landing
from popkit.cutover.first_claim.words import (
    BURNT,
    NO_TICKET,
    NOT_FIRST,
    NOT_READY,
    OUTCOMES,
    PROOF_WRONG,
    RESUME,
    WITHOUT_TRACE,
)
from popkit.cutover.journals.journal import Journal
from popkit.cutover.sending.endpoint import Endpoint
from popkit.cutover.sending.transactions import Call, claim_grant, create_token_account
from popkit.cutover.sending.transactions import proof as proof_call
from popkit.cutover.signing.keys import Signer
from popkit.protocol.message import GENESIS_HASH
from popkit.texts import Listed

__all__ = [
    "STEP",
    "CanaryResult",
    "Carrier",
    "Countdown",
    "Landing",
    "Terms",
    "countdown",
    "take",
    "unready",
]

STEP = "2.5"
PROOF_FIELDS = ("signerPubkey", "messageBase64", "signatureBase64")


def take(
    desk: WorkerDesk,
    first: Endpoint,
    second: Endpoint,
    wallet: Signer,
    event: str,
    terms: Terms,
    journal: Journal,
    attempts: Path,
    *,
    step: str = STEP,
    fee_cap_lamports: int = FEES,
    beat: float = 2.0,
    sleep: Callable[[float], None] = time.sleep,
    carrier: Carrier | None = None,
) -> CanaryResult:
    """Take the first claim on the new grant with `wallet`, or go on where an earlier run ended;
    nothing is done twice.

    Raises Stopped where the grant is not ready, where somebody claimed first, or where a proof or
    claim is refused: its advice says what to do, and until when; Silent where worker or node cannot
    be read; OutcomeUnknown where it is not known whether a proof was issued or a claim landed. What
    was found wrong after the claim landed is in the result, not raised. `carrier` sends the claim
    (else `popkit.cutover.sending`, with `attempts` for the signed bytes, a fee of at most
    `fee_cap_lamports`, and `beat` seconds between two sends of the same bytes).
    """
    if carrier is None:
        from popkit.cutover.first_claim.carrier import ByAttempts

        carrier = ByAttempts(
            first,
            second,
            wallet,
            journal,
            attempts,
            step,
            terms.is_strict,
            fee_cap_lamports,
            beat,
            sleep,
        )
    with journal.held():
        return _Canary(
            desk, first, second, wallet.public_key, event, terms, Notes(journal, step), carrier
        ).result()


def countdown(journal: Journal, now: int, step: str = STEP) -> Countdown | None:
    """How long the canary's proof can still be sent, where one was issued and has not landed; None
    where nothing is outstanding.

    `now` is the cluster's clock (unix s).
    """
    return Notes(journal, step).countdown(now)


class _Canary:
    """One run of the canary, from wherever the journal says that it stands."""

    def __init__(
        self,
        desk: WorkerDesk,
        first: Endpoint,
        second: Endpoint,
        wallet: str,
        event: str,
        terms: Terms,
        notes: Notes,
        carrier: Carrier,
    ) -> None:
        self.desk, self.first, self.second = desk, first, second
        self.wallet, self.event, self.terms, self.notes, self.carrier = (
            wallet,
            event,
            terms,
            notes,
            carrier,
        )
        self.grant = terms.place.grant

    def result(self) -> CanaryResult:
        self.notes.same(wallet=self.wallet, event=self.event, grant=self.grant)
        verified = self.notes.last(VERIFIED)
        if verified is not None:
            return CanaryResult.from_json(verified["result"])
        proof = self._known_proof()
        if proof is None:
            self._ready()
            ticket = self._participation() if self.terms.gives_codes else {}
            proof = self._proof(ticket)
        landed = self._claim(proof)
        ticket = self._registered(proof, landed)
        shown = self._verified(proof, landed, ticket)
        self.notes.write(VERIFIED if shown.is_verified else DOUBTFUL, result=shown.as_json())
        return shown

    # before the proof: nothing is lost yet

    def _ready(self) -> None:
        """Everything that would make the claim fail after its proof was issued, looked at before."""
        wrong = unready(self.desk, self.first, self.terms, self.wallet)
        if any(check.name == "nobody_claimed" for check in wrong):
            raise Stopped("not_first", NOT_FIRST.sentence(), NOT_FIRST.advice())
        if wrong:
            self.notes.write(REFUSED, what="readiness", checks=[check.as_json() for check in wrong])
            names = Listed(tuple(check.name for check in wrong))
            raise Stopped("canary_not_ready", NOT_READY.sentence(checks=names), NOT_READY.advice())

    def _participation(self) -> Mapping[str, Any]:
        """Take part, and hold the ticket receipt that the proof will rest on to what it must be,
        while nothing is lost yet.
        """

        def keep(body: Any) -> dict[str, Any]:
            code, ticket = body["confirmationCode"], body.get("ticketReceipt")
            if not isinstance(
                ticket, dict
            ):  # a worker whose audit store failed the first time answers without it
                again = self.desk.verify_code(self.event, code).body
                ticket = again.get("receipt") if isinstance(again, dict) else None
            return {"code": code, "ticket": ticket}

        taken = self._once(
            "participation", lambda: self.desk.participate(self.event, self.wallet), keep
        )
        wrong = [
            check
            for check in ticket_checks(taken["ticket"], self.event, self.wallet, str(taken["code"]))
            if check.holds is not True
        ]
        if wrong:
            self.notes.write(REFUSED, what="ticket", checks=[check.as_json() for check in wrong])
            self.notes.write(LET_GO, what="participation")
            names = Listed(tuple(check.name for check in wrong))
            raise Stopped("no_ticket", NO_TICKET.sentence(checks=names), NO_TICKET.advice())
        return taken

    # the proof: from here on the clock runs

    def _known_proof(self) -> Proof | None:
        """The proof of an earlier run. One that can land no more is let go only where the program
        takes any parent.
        """
        known = self.notes.done("proof")
        proof = None if known is None else Proof.read(known["proof"])
        if proof is None or self.notes.done("claim") is not None:
            return proof
        landed, outcome = self._found(proof)
        if landed is not None or (outcome is not None and outcome.kind == "landed"):
            return proof
        is_over = self._left(proof) <= 0
        if is_over and self.terms.is_strict:
            raise Stopped("proof_expired", BURNT.sentence(), BURNT.advice())
        if not self.terms.is_strict and (is_over or self._wrong(proof)):
            self.notes.write(LET_GO, what="proof", entry_hash=proof.said.entry_hash)
            return None
        return self._held_to(proof)

    def _proof(self, ticket: Mapping[str, Any]) -> Proof:
        """A new proof. It is in the journal before anything else is done: without it, its claim
        could never be sent.
        """
        period = self.terms.period_at(self.first.clock().block_time)
        heads = (GENESIS_HASH, GENESIS_HASH) if self.terms.takes_heads else None

        def ask() -> Answered:
            return self.desk.pop_proof(
                self.event, self.grant, self.wallet, period, ticket.get("code"), heads
            )

        def keep(body: Any) -> dict[str, Any]:
            return {"proof": {name: body[name] for name in PROOF_FIELDS}}

        proof = Proof.read(self._once("proof", ask, keep)["proof"])
        if proof is None:
            raise OutcomeUnknown(
                "proof_unreadable", PROOF_WRONG.sentence(checks="proof"), PROOF_WRONG.advice()
            )
        return self._held_to(proof)

    def _held_to(self, proof: Proof) -> Proof:
        """The proof, where it is what the first proof of the new grant must be. Raises Stopped, and
        nothing is sent, where it is not.
        """
        wrong = self._wrong(proof)
        if not wrong:
            return proof
        self.notes.write(REFUSED, what="proof", checks=[check.as_json() for check in wrong])
        names = Listed(tuple(check.name for check in wrong))
        raise Stopped("proof_refused", PROOF_WRONG.sentence(checks=names), PROOF_WRONG.advice())

    def _wrong(self, proof: Proof) -> list[Check]:
        now = self.first.clock().block_time
        ticket = (self.notes.done("participation") or {}).get("ticket") or {}
        checks = proof_checks(
            proof,
            self.terms,
            self.wallet,
            self.terms.period_at(now),
            now,
            ticket.get("receiptHash"),
        )
        return [check for check in checks if check.holds is not True]

    def _left(self, proof: Proof) -> int:
        return Countdown.of(proof, self.first.clock().block_time).seconds

    # the claim

    def _claim(self, proof: Proof) -> Mapping[str, Any]:
        known = self.notes.done("claim")
        if known is not None:
            return known
        landed, outcome = self._found(proof)
        if landed is None:
            if outcome is None or outcome.kind != "landed":
                self.notes.write(
                    ASKS,
                    what="claim",
                    entry_hash=proof.said.entry_hash,
                    seconds_left=self._left(proof),
                )
                outcome = self._sent(proof)
            self._judged(outcome, proof)
            landed = self._landed(proof)
        if landed is None:
            raise Silent(WITHOUT_TRACE.sentence(), WITHOUT_TRACE.advice())
        differing = (
            []
            if outcome is None
            else [f"{row.field} of {row.account}" for row in outcome.differences]
        )
        return self.notes.write(DONE, what="claim", differences=differing, **landed)

    def _sent(self, proof: Proof) -> Landing:
        """Send the claim; where it is refused before it was sent, the advice says for how long the
        proof is still good.
        """
        try:
            return self.carrier.send(self._calls(proof))
        except OutcomeUnknown:
            raise
        except Stopped as stopped:
            self.notes.write(REFUSED, what="claim", outcome="not_sent", code=stopped.code)
            left = self._left(proof)
            advice = (
                RESUME(seconds=left)
                if left > 0
                else BURNT.advice()
                if self.terms.is_strict
                else stopped.advice
            )
            raise Stopped(stopped.code, stopped.reason, advice) from stopped

    def _found(self, proof: Proof) -> tuple[dict[str, Any] | None, Landing | None]:
        """The claim as the chain has it, and how the last attempt to send it ended, which is
        settled by that.

        Raises OutcomeUnknown while the chain shows no claim and nobody can tell whether an attempt
        may still land.
        """
        outcome = self.carrier.resume() if self.notes.asked("claim") else None
        landed = self._landed(proof)
        if landed is None and outcome is not None and outcome.kind == "unknown":
            raise OutcomeUnknown(
                "claim_unknown", OUTCOMES["unknown"].sentence(), OUTCOMES["unknown"].advice()
            )
        return landed, outcome

    def _judged(self, outcome: Landing, proof: Proof) -> None:
        """Nothing where the claim landed; else why it did not, and for how long the same proof can
        still be sent.
        """
        if outcome.kind == "landed":
            return
        words, left = OUTCOMES[outcome.kind], self._left(proof)
        if outcome.kind == "unknown":
            raise OutcomeUnknown("claim_unknown", words.sentence(), words.advice())
        self.notes.write(
            REFUSED,
            what="claim",
            outcome=outcome.kind,
            signature=outcome.signature,
            error=str(outcome.error or ""),
        )
        advice = (
            RESUME(seconds=left)
            if left > 0
            else BURNT.advice()
            if self.terms.is_strict
            else words.advice()
        )
        raise Stopped(
            f"claim_{outcome.kind}", words.sentence(error=str(outcome.error or "-")), advice
        )

    def _calls(self, proof: Proof) -> list[Call]:
        """As recorded wallets build it: the token account where it is missing, the proof, and right
        behind it the claim.
        """
        place = self.terms.place
        return [
            create_token_account(self.wallet, self.wallet, place.mint),
            proof_call(proof.signer, proof.signature, proof.message),
            claim_grant(place, self.wallet, proof.said.period_index),
        ]

    def _landed(self, proof: Proof) -> dict[str, Any] | None:
        """The claim by its receipt, which only an accepted claim of this wallet makes: {signature,
        slot, receipt}; None without one.

        Anybody can send lamports to the receipt's address beforehand: then it has an owner and
        transactions, and is no receipt.
        """
        receipt = receipt_of(proof, self.terms)
        held = self.first.accounts([receipt])[receipt]
        if held is None or held.owner != self.terms.place.program:
            return None
        for row in reversed(self.first.signatures(receipt)):
            signature = str(row["signature"])
            if row.get("err") is None and carries(self.first.transaction(signature), proof):
                return {"signature": signature, "slot": int(row["slot"]), "receipt": receipt}
        raise Silent(WITHOUT_TRACE.sentence(), WITHOUT_TRACE.advice())

    # afterwards: nothing here can hurt the grant any more

    def _registered(self, proof: Proof, landed: Mapping[str, Any]) -> Mapping[str, Any]:
        """Tell the worker of the claim, with the code where it wants one, and have it check the
        ticket receipt.
        """
        code = (self.notes.done("participation") or {}).get("code")
        signature, receipt = str(landed["signature"]), receipt_of(proof, self.terms)

        def tell() -> Answered:
            given = code if self.terms.model == "E" else None
            answered = self.desk.register(self.event, self.wallet, signature, receipt, given)
            return (
                self.desk.register(self.event, self.wallet, signature, receipt, code)
                if answered.why == "wants_code"
                else answered
            )

        def keep(body: Any) -> dict[str, Any]:
            return {"code": body["confirmationCode"], "ticket": body.get("ticketReceipt")}

        told = self._once("registration", tell, keep)
        before = self.notes.done("participation") or {}
        ticket = {"code": told["code"], "ticket": told["ticket"] or before.get("ticket")}
        if ticket["ticket"] is not None:
            self._opinion("verify_receipt", lambda: self.desk.verify_receipt(ticket["ticket"]))
        self._opinion("verify_code", lambda: self.desk.verify_code(self.event, ticket["code"]))
        return ticket

    def _opinion(self, what: str, ask: Any) -> None:
        """What the worker says of a receipt, kept beside our own answer and never instead of it."""
        if self.notes.done(what) is None:
            self.notes.write(ASKS, what=what)
            answered: Answered = ask()
            body = answered.body if isinstance(answered.body, dict) else {}
            self.notes.write(
                DONE,
                what=what,
                answer=answered.as_json(),
                ok=answered.is_done and body.get("ok") is True,
            )

    def _verified(
        self, proof: Proof, landed: Mapping[str, Any], ticket: Mapping[str, Any]
    ) -> CanaryResult:
        """The claim as the second endpoint shows it, and the ticket receipt, held to what they must
        be.
        """
        signature, receipt, said = (
            str(landed["signature"]),
            receipt_of(proof, self.terms),
            proof.said,
        )
        self.second.newest_slot = max(
            self.second.newest_slot, int(landed["slot"])
        )  # it may lag: an older answer shows no claim
        accounts = self.second.accounts([receipt, self.terms.place.pop_state])
        code, held = str(ticket["code"]), ticket["ticket"]
        checks = [
            *proof_checks(
                proof, self.terms, self.wallet, said.period_index, said.issued_at, said.audit_hash
            ),
            *claim_checks(
                self.second.transaction(signature), signature, accounts, proof, self.terms
            ),
            *ticket_checks(held, self.event, self.wallet, code),
            anchor_check(self.desk.audit_logs(), proof, held if self.terms.gives_codes else None),
        ]
        if self.terms.gives_codes:
            checks.append(
                Check(
                    "ticket_in_proof",
                    (held or {}).get("receiptHash") == said.audit_hash,
                    said.audit_hash,
                )
            )
        if landed.get("differences"):
            checks.append(equal("accounts_after", [], list(landed["differences"])))
        opinions = {
            what: bool((self.notes.done(what) or {}).get("ok"))
            for what in ("verify_receipt", "verify_code")
        }
        return CanaryResult(
            wallet=self.wallet,
            event=self.event,
            grant=self.grant,
            period=said.period_index,
            signature=signature,
            slot=int(landed["slot"]),
            entry_hash=said.entry_hash,
            issued_at=said.issued_at,
            receipt=receipt,
            code=ticket["code"],
            checks=tuple(checks),
            by_worker=opinions,
        )

    def _once(self, what: str, ask: Any, keep: Any) -> Mapping[str, Any]:
        """What an earlier run was answered, or the answer to asking now; the journal says so before
        and after.
        """
        known = self.notes.done(what)
        if known is not None:
            return known
        self.notes.write(ASKS, what=what)
        answered: Answered = ask()
        if not answered.is_done:
            self.notes.write(REFUSED, what=what, answer=answered.as_json())
            if answered.kind == "not_known":
                raise OutcomeUnknown(f"{what}_unknown", answered.sentence, answered.advice)
            raise Stopped(f"{what}_{answered.why}", answered.sentence, answered.advice)
        return self.notes.write(DONE, what=what, answer=answered.as_json(), **keep(answered.body))
