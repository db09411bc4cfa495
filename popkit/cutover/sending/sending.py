"""Sending: the same bytes until they are final or proven expired, on two endpoints; what nobody
knows is said to be unknown.

The rules are those of `reference/sending.md` §3 and §4.12 to 13. An attempt is on disk before its
first send, so that whatever happens to this process, `resume` can find out how it ended. Nothing
here builds a second transaction.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from pybase64 import b64decode, b64encode

from popkit.cutover.errors import Silent
from popkit.cutover.sending.attempts import (
    Attempt,
    Outcome,
    begin,
    open_attempts,
    outcome_of,
    read_attempt,
    settle,
)
from popkit.cutover.sending.effects import Difference, at_clock, differences
from popkit.cutover.sending.endpoint import UNSUPPORTED_VERSION, Endpoint, Held, NodeRefused
from popkit.cutover.sending.preparing import Prepared, Rules, Signer, Simulated, dry, prepare
from popkit.cutover.sending.transactions import digest_of
from popkit.cutover.sending.trying import WouldFail, failure_name
from popkit.protocol.transaction import decode_wire

__all__ = [
    "Attempt", "Outcome", "Prepared", "Rules", "Signer", "Simulated", "WouldFail", "dry", "open_attempts", "prepare", "resume", "send",
]  # fmt: skip

BEAT = 2.0
PATIENCE = 150
"""Beats after which an attempt that is neither final nor proven expired is called unknown."""
FINAL_LOOKS = 12
"""Beats in which the endpoints must have come to the slot of a landing."""
_ATTEMPTS_A_BEAT = 2
PREFLIGHT, FALSE_SIGNATURE = -32002, -32003
_LANDED_ALREADY, _NO_BLOCKHASH = "AlreadyProcessed", "BlockhashNotFound"


class Journal(Protocol):
    """Where is written down what is done."""

    def write(self, kind: str, step: str | None = None, **facts: Any) -> Any:
        """Write one entry, and return when it is on disk."""


def send(
    prepared: Prepared,
    first: Endpoint,
    second: Endpoint,
    attempts: Path,
    journal: Journal,
    step: str,
    *,
    beat: float = BEAT,
    patience: int = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Send a prepared transaction to the first endpoint until it is final or proven expired, and
    look at what came of it on both.

    The signed bytes are on disk and in the journal before the first send. Raises OutcomeUnknown,
    having sent nothing, where an earlier attempt of this step is still open. An interrupt leaves an
    attempt that `resume` settles.
    """
    attempt = begin(attempts, step, prepared)
    journal.write("attempt", step, **attempt.facts)
    return _Course(attempt, first, second, journal, beat, patience, sleep).run(is_sending=True)


def resume(
    attempt_file: Path,
    first: Endpoint,
    second: Endpoint,
    journal: Journal,
    step: str,
    *,
    beat: float = BEAT,
    patience: int = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Find out how an attempt ended; the same answer again where it is known already.

    It only looks: whoever confirmed those bytes did so for that moment, and something else may have
    been done since. It never builds a transaction. Raises Stopped where the file is no attempt of
    this step.
    """
    attempt = read_attempt(attempt_file)
    if attempt.step != step:
        raise ValueError(f"{attempt_file.name} is an attempt of step {attempt.step}, not of {step}")
    known = outcome_of(attempt)
    if known is not None:
        return known
    journal.write("resume", step, **attempt.facts)
    return _Course(attempt, first, second, journal, beat, patience, sleep).run(is_sending=False)


@dataclass(slots=True)
class _Course:
    """One attempt on its way: what was sent, what the endpoints answered, how it ended."""

    attempt: Attempt
    first: Endpoint
    second: Endpoint
    journal: Journal
    beat: float
    patience: int
    sleep: Callable[[float], None]
    refusal: tuple[str, tuple[str, ...]] | None = None
    """The name and logs of a refusal by which the node will not take these bytes; they are not sent
    again then.
    """
    _answers: set[str] = field(default_factory=set)

    def run(self, *, is_sending: bool) -> Outcome:
        """Beat by beat until it is final, proven expired, or nobody knows; then what came of it,
        and the outcome written down.
        """
        both = (self.first, self.second)
        attempts = [endpoint.attempts for endpoint in both]
        try:
            for endpoint in (
                both
            ):  # beats are the repetition here: the next one must not wait for a node that hangs
                endpoint.attempts = min(endpoint.attempts, _ATTEMPTS_A_BEAT)
            found = self._watched(is_sending=is_sending)
        finally:
            for endpoint, before in zip(both, attempts, strict=True):
                endpoint.attempts = before
        outcome = found if isinstance(found, Outcome) else self._landed(found)
        # The journal decides what was done, so that it comes first; the file beside the attempt makes it quick to see.
        self.journal.write(
            "outcome", self.attempt.step, attempt=self.attempt.file.name, outcome=outcome.facts()
        )
        settle(self.attempt, outcome)
        return outcome

    def _watched(self, *, is_sending: bool) -> Outcome | dict[str, Any]:
        """The status of a finalized transaction; or an outcome without a landing."""
        for number in range(self.patience):
            # The blockhash lives for seconds: the first send does not wait for a look.
            status = None if is_sending and number == 0 else self._status()
            if status is None and is_sending and self.refusal is None:
                self._post()
            elif status is not None and status.get("confirmationStatus") == "finalized":
                return status
            if status is None and self._is_expired():
                error, logs = self.refusal or (None, ())
                return Outcome("expired", self.attempt.signature, error=error, logs=logs)
            self.sleep(self.beat)
        return Outcome(
            "unknown", self.attempt.signature, error=self.refusal[0] if self.refusal else None
        )

    def _post(self) -> None:
        """Send the bytes once. Any answer but a refusal of these very bytes leaves everything open."""
        config = {
            "encoding": "base64",
            "skipPreflight": False,
            "preflightCommitment": "finalized",
            "maxRetries": 0,
        }
        if self.first.newest_slot:
            config["minContextSlot"] = self.first.newest_slot
        try:
            answer = self.first.post(
                "sendTransaction", [b64encode(self.attempt.wire).decode(), config]
            )
            self._note("taken" if answer == self.attempt.signature else "another_signature")
        except NodeRefused as problem:
            data = problem.data if isinstance(problem.data, dict) else {}
            err, logs = data.get("err"), self.first.lines(data.get("logs"))
            if problem.number == FALSE_SIGNATURE:
                self.refusal = ("SignatureFailure", ())
            elif (
                problem.number == PREFLIGHT
                and err is not None
                and err not in (_LANDED_ALREADY, _NO_BLOCKHASH)
            ):
                self.refusal = (str(self._name(err, logs)), logs)
            self._note(
                self.refusal[0]
                if self.refusal
                else err
                if isinstance(err, str)
                else f"refused {problem.number}"
            )
        except Silent:
            self._note("no_answer")

    def _note(self, answer: str) -> None:
        """Each kind of answer is written down once, not at every beat."""
        if answer not in self._answers:
            self._answers.add(answer)
            self.journal.write(
                "sent", self.attempt.step, attempt=self.attempt.file.name, answer=answer
            )

    def _name(self, err: Any, logs: tuple[str, ...]) -> str | None:
        return failure_name(
            err,
            logs,
            [instruction.program for instruction in decode_wire(self.attempt.wire).instructions],
        )

    def _status(self) -> dict[str, Any] | None:
        """What the first endpoint's history says; the second's where that one is silent or does not
        know it.
        """
        for endpoint in (self.first, self.second):
            with suppress(Silent, NodeRefused):
                status = endpoint.status(self.attempt.signature)
                if status is not None:
                    return status
        return None

    def _is_expired(self) -> bool:
        """Whether it is proven that these bytes never landed and never can.

        Both endpoints have finalized a height above the last valid one; only then is history looked
        at once more, on both, and the accounts too: a history that hides a transaction does not
        hide what it did. Anything but a clear "none" proves nothing.
        """
        both = (self.first, self.second)
        try:
            if not all(endpoint.height() > self.attempt.last_valid_height for endpoint in both):
                return False
            return not any(
                self._is_known(endpoint) or self._has_happened(endpoint) for endpoint in both
            )
        except (Silent, NodeRefused):
            return False

    def _has_happened(self, endpoint: Endpoint) -> bool:
        """Whether the accounts are as after these bytes, and no other transaction of the payer can
        have made them so.
        """
        expected, before = self.attempt.expected, self.attempt.before
        changed = [key for key in expected if expected[key] != before[key]]
        found = endpoint.accounts(changed)
        if any(found[key] != expected[key] for key in changed):
            return False
        return not any(
            row.get("slot", 0) > self.attempt.slot
            for row in endpoint.signatures(self.attempt.payer)
        )

    def _is_known(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint's history has these bytes, by status, by transaction, and by the
        payer's list.

        Behind one address may stand nodes of different ages: each answer must be from the present
        finalized slot or later (a transaction alone cannot be asked so).
        """
        since, signature = endpoint.slot(), self.attempt.signature
        if (
            endpoint.status(signature, since=since) is not None
            or endpoint.transaction(signature) is not None
        ):
            return True
        return any(row["signature"] == signature for row in endpoint.signatures(self.attempt.payer))

    def _landed(self, status: Mapping[str, Any]) -> Outcome:
        """A finalized transaction, fetched and held to what was sent; the accounts after it held to
        what must be, on both endpoints.

        Where status and transaction contradict each other it counts as landed with differences,
        never as a failure: a failure may be tried again, and what landed must not be.
        """
        slot, err = int(status["slot"]), status["err"]
        result, unread = self._fetched(slot)
        meta = (result or {}).get("meta") or {}
        logs, wrong = self.first.lines(meta.get("logMessages")), self._otherwise(result)
        rows = (
            []
            if result is None or meta.get("err") == err
            else [_contradiction(self.attempt, err, meta.get("err"))]
        )
        time_ = (result or {}).get("blockTime")
        failed = err is not None and not rows
        outcome = Outcome(
            "failed" if failed else "landed",
            self.attempt.signature,
            slot=slot,
            block_time=time_ if type(time_) is int else None,
            error=self._name(err, logs) if failed else None,
            logs=logs,
            fee=meta.get("fee") if type(meta.get("fee")) is int else None,
        )
        apart, missing = self._looked(outcome)
        if failed and apart and not self._looked(replace(outcome, kind="landed"))[0]:
            # What it says of itself is a failure, and what it did is there to be seen.
            apart = [Difference(self.attempt.signature, "err", outcome.error, None)]
            outcome = replace(outcome, kind="landed", error=None)
        return replace(
            outcome, differences=(*wrong, *rows, *apart), not_checked=(*unread, *missing)
        )

    def _fetched(self, slot: int) -> tuple[dict[str, Any] | None, list[str]]:
        """The transaction as either endpoint has it, the first preferred; what could not be read
        where neither has.
        """
        unread = False
        for _ in range(FINAL_LOOKS):
            for endpoint in (self.first, self.second):
                try:
                    result = endpoint.transaction(self.attempt.signature)
                    if result is not None and result.get("slot") == slot:
                        return result, []
                except NodeRefused as problem:
                    unread = unread or problem.number == UNSUPPORTED_VERSION
                except Silent:
                    continue
            self.sleep(self.beat)
        return None, ["version" if unread else "bytes"]

    def _otherwise(self, result: Mapping[str, Any] | None) -> list[Difference]:
        """Where the bytes that landed are others than those that were sent."""
        if result is None:
            return []
        try:
            text, encoding = result["transaction"]
            landed = b64decode(text, validate=True) if encoding == "base64" else b""
        except (KeyError, TypeError, ValueError):
            landed = b""
        if landed == self.attempt.wire:
            return []
        return [
            Difference(
                self.attempt.signature, "bytes", digest_of(self.attempt.wire), digest_of(landed)
            )
        ]

    def _looked(self, outcome: Outcome) -> tuple[list[Difference], list[str]]:
        """The accounts at finalized, no earlier than the landing, on both endpoints: differences,
        and who could not be asked.
        """
        wanted = self._ends(outcome)
        found = {
            endpoint.name: self._accounts_since(endpoint, int(outcome.slot or 0), list(wanted))
            for endpoint in (self.first, self.second)
        }
        rows: list[Difference] = []
        missing = [f"accounts:{name}" for name, accounts in found.items() if accounts is None]
        for accounts in found.values():
            rows += (
                [row for row in differences(wanted, accounts) if row not in rows]
                if accounts is not None
                else []
            )
        if all(accounts is None for accounts in found.values()):
            rows = differences(wanted, {})  # nobody looked: never taken for equal
        return rows, missing

    def _ends(self, outcome: Outcome) -> dict[str, Held | None]:
        """The accounts as they must be: after a success as was worked out, after a failure as
        before but for the fee.
        """
        if outcome.kind == "landed":
            timed = self.attempt.receipts if outcome.block_time is not None else ()
            return at_clock(self.attempt.expected, timed, outcome.block_time or 0)
        ends = dict(self.attempt.before)
        payer = ends[self.attempt.payer]
        assert payer is not None  # it could pay, or nothing would have landed
        left = payer.lamports - self.attempt.fee
        ends[self.attempt.payer] = replace(payer, lamports=left) if left else None
        return ends

    def _accounts_since(
        self, endpoint: Endpoint, slot: int, keys: list[str]
    ) -> Mapping[str, Held | None] | None:
        """These accounts as an endpoint has them at that slot or later; None where it does not come
        there in time.
        """
        endpoint.newest_slot = max(endpoint.newest_slot, slot)
        for _ in range(FINAL_LOOKS):
            with suppress(Silent, NodeRefused):
                return endpoint.accounts(keys)
            self.sleep(self.beat)
        return None


def _contradiction(attempt: Attempt, status: Any, transaction: Any) -> Difference:
    return Difference(attempt.signature, "err", json.dumps(status), json.dumps(transaction))
