"""What the words mean: verdicts, causes, finding codes, program errors; and what to do about each."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from popkit.collecting.outcomes import RULES, Outcome, Rule
from popkit.diagnosis.causes import CAUSES, RULED_OUT_BY
from popkit.diagnosis.codes import CODES
from popkit.errors import UsageError
from popkit.protocol.errors import CHAIN_RULE_ERRORS, ERAS, FRAMEWORK_ERRORS, PROGRAM_ERRORS
from popkit.texts import Language

VERDICT_MEANINGS: dict[str, tuple[str, str]] = {
    "broken": (
        "The worker's head cannot become the chain's head any more: no proof it issues now will be accepted on this grant.",
        "Freeze the event, note the last good claim, cut over to a new grant from GENESIS, keep the old chain read-only.",
    ),
    "inconclusive": (
        "The evidence does not decide. The answer says what is missing.",
        "Collect what is missing before deciding; until then do not cut over and do not call it fine.",
    ),
    "in_flight": (
        "Proofs stand on the chain's head that can all still land: issued at most 600 s before the evidence was taken.",
        "Hold new claims until heals_until, then collect again. No cutover yet.",
    ),
    "recovered": (
        "Claims were refused by a chain rule, and the chain went on past them: it is sound now.",
        "Nothing is wedged. See who was refused, and whether they claimed again.",
    ),
    "intact": (
        "Every accepted claim follows an accepted one (or GENESIS) as its era's rules ask, PopState is where the claims lead, and the "
        "worker's head is the chain's head.",
        "Nothing needs doing about the chain.",
    ),
    "unused": ("Nobody has claimed from the grant and nobody holds a proof for it.", "Nothing to do."),
}

CAUSE_MEANINGS: dict[str, tuple[str, str]] = {
    "abandoned_proof": (
        "A proof of this worker on top of the chain's head was never accepted and can land no more: never sent, or burnt.",
        "Cut over to a new grant; ask why the wallet did not send it.",
    ),
    "genesis_mismatch": (
        "The lost proof was the grant's first, so no claim of the grant can ever be accepted.",
        "Cut over to a new grant.",
    ),
    "out_of_order": (
        "A claim was refused because an earlier proof was still on its way; both landed later.",
        "Nothing to repair. Fewer wallets at once, or the relaxed program, avoid it.",
    ),
    "foreign_issuer": (
        "A proof is validly signed by the configured key, but this worker's complete audit chain does not know it: a second issuer.",
        "Stop the other issuer and rotate the key before the new grant opens.",
    ),
    "worker_head_reset": (
        "This worker issued from GENESIS on a grant that already had state: its storage was emptied.",
        "Cut over to a new grant; find out what emptied the storage.",
    ),
    "worker_head_rollback": (
        "This worker issued from an entry older than its own newest one: a backup was restored.",
        "Cut over to a new grant; never restore the worker's heads alone.",
    ),
    "stream_divergence": (
        "The global link holds and the stream link does not; no sound worker writes that.",
        "Cut over to a new grant; find out who wrote the worker's storage.",
    ),
    "signer_mismatch": (
        "The worker's signer was not the one that pop-config named at that slot.",
        "Set pop-config with upsert_pop_config; proofs burnt meanwhile stay burnt, so a strict grant needs a cutover as well.",
    ),
    "proof_expired": (
        "A proof on the chain's head was sent more than 600 s from its issue.",
        "Cut over; check clocks and slow wallets.",
    ),
    "duplicate_claim": (
        "A proof was issued for a period whose receipt already existed: the account creation failed, the proof is burnt.",
        "Cut over; let the page check the receipt before it asks for a proof.",
    ),
    "not_in_allowlist": (
        "A proof was issued for a wallet outside the allowlist; the claim was refused.",
        "Cut over; check wallets before issuing.",
    ),
    "paused": (
        "A wallet held a proof while the grant was paused; it was refused and not sent again in time.",
        "Cut over; stop proofs before pausing.",
    ),
    "grant_expired": ("A proof was issued for a grant past its expiry.", "Close the event before the grant expires."),
    "vault_empty": (
        "The vault held less than one period's amount when the proof was sent.",
        "Fund the new grant for all claims.",
    ),
    "wrong_period": (
        "A proof was sent in another period than it was issued for.",
        "Cut over; take the period from the cluster's clock.",
    ),
    "grant_reuse": (
        "Two events are linked to one grant. The chain may hold; the guard does not.",
        "One event, one grant: give the later event a grant of its own.",
    ),
    "unexplained": (
        "The grant is broken and no cause is shown by the evidence; what was ruled out is said.",
        "Collect what the coverage names.",
    ),
}

ERROR_ADVICE: dict[str, str] = {
    "PopHashChainBroken": "The proof does not follow the grant's head: run popkit diagnose on the grant's case to see which proof is missing.",
    "PopStreamChainBroken": "The global link held and the stream link did not: the worker's two heads differ.",
    "PopGenesisMismatch": "The grant has no state yet and the proof does not start from GENESIS: an earlier first proof never landed.",
    "InvalidPopSigner": "The message's signer is not the one in pop-config at that slot: compare pop-status with the pop-config account.",
    "PopProofExpired": "Clock and issued_at differ by more than 600 s, in either direction: check the worker's clock and the time until sending.",
    "InvalidPeriodIndex": "The period is not floor((now - start_ts) / period_seconds): check the wallet's clock and the grant's terms.",
    "Paused": "The grant is paused; a proof that was issued for it is lost after 600 s.",
    "NotInAllowlist": "The claimer is not under the grant's Merkle root.",
    "InsufficientFunds": "The vault holds less than amount_per_period: fund the grant.",
    "GrantExpired": "The grant's expires_at has passed.",
}

_PROOF_CHECK = "The proof or its place in the transaction is not what the program asks for; see the order of checks in a claim."


@dataclass(frozen=True, slots=True)
class Explanation:
    """One word explained: its kind, its meaning, what to do, and details as (name, text) pairs."""

    word: str
    kind: str
    meaning: str
    advice: str
    details: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        rows = [f"{self.word}  ({self.kind})", "", f"  {self.meaning}", "", f"  What to do: {self.advice}"]
        rows += [f"  {name}: {text}" for name, text in self.details]
        return "\n".join(rows)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        details = "".join(f"<p><b>{escape(name)}</b>: {escape(text)}</p>" for name, text in self.details)
        return f"<p><b>{escape(self.word)}</b> ({escape(self.kind)})</p><p>{escape(self.meaning)}</p><p>{escape(self.advice)}</p>{details}"


def _program_error(name: str) -> Explanation:
    message, numbers = PROGRAM_ERRORS[name]
    by_number: dict[int, list[str]] = {}
    for era in ERAS:
        number = numbers.get(era)
        if number is not None:
            by_number.setdefault(number, []).append(era)
    text = "; ".join(f"{number} (0x{number:x}) under {', '.join(eras)}" for number, eras in by_number.items())
    note = "a chain rule; never raised by the relaxed program" if name in CHAIN_RULE_ERRORS else "not a chain rule"
    return Explanation(name, "program error", f"{message}.", ERROR_ADVICE.get(name, _PROOF_CHECK), (("numbers", text), ("rule", note)))


def vocabulary() -> dict[str, Explanation]:
    """Every word that `explain` knows: verdicts, causes, finding codes, program errors, framework errors, ends of a collector's request."""
    words = [Explanation(word, "verdict", *text) for word, text in VERDICT_MEANINGS.items()]
    words += [
        Explanation(word, "cause", *CAUSE_MEANINGS[word], (("ruled out by", RULED_OUT_BY[word]),)) for word in [*CAUSES, "unexplained"]
    ]
    words += [
        Explanation(row.code, f"finding, {row.severity}", row.meaning, row.advice, (("rule", row.rule),))
        for row in CODES.values()
        if row.code not in CAUSES
    ]
    words += [_program_error(name) for name in PROGRAM_ERRORS]
    known = {word.word for word in words}
    words += [
        Explanation(
            name,
            "framework error",
            f"Anchor refused the instruction with error {number}.",
            "See which account the log names.",
            (("number", str(number)),),
        )
        for number, name in FRAMEWORK_ERRORS.items()
        if name not in known
    ]
    words += [
        Explanation(str(outcome), "end of a request", f"{_sentence(rule.meaning)}.", _next(rule))
        for outcome, rule in RULES.items()
        if outcome is not Outcome.OK
    ]
    return {word.word: word for word in words}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _next(rule: Rule) -> str:
    """What the collector does when a request ends so."""
    if rule.shrink:
        return "It is asked again, in smaller requests."
    return "It is asked again, with patience." if rule.again else "The case says what is missing for it; popkit collect --extend asks anew."


def explain(word: str, language: Language = "en") -> Explanation:
    """Explain a verdict, cause, finding code, program error name or number. Raises UsageError for a word nobody uses, with near ones."""
    words = vocabulary()
    if word in words:
        return words[word]
    folded = {name.lower(): name for name in words}
    if word.lower() in folded:
        return words[folded[word.lower()]]
    numbered = _by_number(word)
    if numbered is not None:
        return numbered
    from difflib import get_close_matches

    near = get_close_matches(word, words, 3, 0.5)
    raise UsageError(
        f"{word!r} is no verdict, cause, finding code or error"
        + (f"; near it: {', '.join(near)}" if near else "; popkit explain lists them")
    )


def _by_number(word: str) -> Explanation | None:
    """An error by its number, decimal or hex; 6030 is two errors, told apart by the era."""
    from popkit.protocol.errors import names_of

    try:
        number = int(word, 0)
    except ValueError:
        return None
    names = names_of(number, None)
    if not names:
        return None
    words = vocabulary()
    if len(names) == 1:
        return words[names[0]]
    meaning = " or ".join(f"{name} ({words[name].meaning.rstrip('.')})" for name in names)
    return Explanation(
        word,
        "program error number",
        f"{meaning}: which of them depends on the program's era.",
        "Read the name in the log line, not the number.",
    )
