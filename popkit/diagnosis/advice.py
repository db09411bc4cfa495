"""What to do now about a grant, as the runbook's steps, in order; each names what it speaks of."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.diagnosis.causes import Incident
from popkit.vocabulary import CAUSE_MEANINGS, VERDICT_MEANINGS

_CUTOVER = (
    "Step 0: freeze the event: no new claim codes, announce it, pause the grant.",
    "Step 1: note the last good signature and receipt, and the first bad claim.",
    "Step 2: create and fund a new grant, set its signer with upsert_pop_config, link it to a new event.",
    "Step 3: leave the old chain as it is, read-only, as evidence; send everyone to the new grant.",
    "Step 4: verify the new grant without trusting the server; record audit-integrity and receipt checks.",
)
_SOUND_ALL_THE_SAME = {
    "paused": "Unpause the grant when claims may go on: whoever was refused can claim again.",
    "grant_expired": "The grant has expired: whoever was refused needs a claim on another grant.",
    "vault_empty": "Fund the vault with fund_grant: whoever was refused can claim again.",
    "wrong_period": "Ask whoever was refused to claim again; the present period counts, by the cluster's clock.",
    "proof_expired": "Ask whoever was refused to claim again, and to send the claim within ten minutes.",
    "not_in_allowlist": "Check the allowlist: whoever was refused is not in it.",
}
"""Advice for refusals that burn a claim and wedge nothing."""


def steps_of(incident: Incident, causes: list[str]) -> list[str]:
    """The steps for a grant, most urgent first."""
    verdict = incident.judgement.verdict
    signer = _signer_to_set(incident)
    if verdict == "broken":
        steps = list(_CUTOVER)
        if "signer_mismatch" in causes:
            named = f"must be {signer}" if signer else "must be the worker's present one"
            steps.insert(2, f"  before Step 2 opens: the signer in pop-config {named}.")
        if "foreign_issuer" in causes:
            steps.insert(1, "  at once: stop the second issuer and rotate the signing key.")
        return steps
    urgent = [f"Set pop-config to {signer} now (upsert_pop_config): until then the program refuses every claim (6018)."] if signer else []
    if verdict == "in_flight":
        return [*urgent, *_to_lift(incident), VERDICT_MEANINGS[verdict][1]]
    also = [CAUSE_MEANINGS[cause][1] for cause in causes if cause in ("foreign_issuer", "grant_reuse")]
    also += [text for cause, text in _SOUND_ALL_THE_SAME.items() if cause in causes]
    if incident.judgement.is_sound and (urgent or also):
        return [*urgent, *also]
    return [*urgent, VERDICT_MEANINGS[verdict][1], *also]


def _signer_to_set(incident: Incident) -> str | None:
    """The key that pop-config must name, where it names another than the worker's status does now; None where the two agree."""
    facts, history = incident.facts, incident.facts.history
    authority = history.authority_of(incident.judgement.grant)
    now = history.signer_now(authority)
    if authority is None or facts.signer_now is None or now in (None, facts.signer_now) or not facts.status_counts(authority):
        return None
    return facts.signer_now


def _to_lift(incident: Incident) -> Iterator[str]:
    """What keeps proofs on the way from landing and can be lifted in time."""
    facts, grant = incident.facts, incident.judgement.grant
    if facts.history.is_paused(grant):
        yield "Unpause the grant before then: its proofs on the way can land only while it is not paused."
    if facts.vault_is_short(grant):
        yield "Fund the vault before then: it holds less than the next claim."
