"""A worker that signs with another key than pop-config names."""

from __future__ import annotations

from popkit.causes.model import Cause, CauseKind
from popkit.texts import Sentence, Text, sentence
from popkit.verdict.incident import Incident

_SET_SIGNER = Text(
    "Set pop-config to {signer} now (upsert_pop_config): until then the program refuses every "
    "claim (6018).",
    "今すぐ upsert_pop_config で pop-config を {signer} に設定してください。それまでプログラムはすべての claim を拒否します（6018）。",
)
_SIGNER_FIRST = Text(
    "Before Step 2: set the signer in pop-config to {signer}.",
    "Step 2 の前に: pop-config の signer を {signer} に設定してください。",
)
_WORKERS_SIGNER_FIRST = Text(
    "Before Step 2: set the signer in pop-config to the worker's present one.",
    "Step 2 の前に: pop-config の signer を worker の現在の signer に設定してください。",
)


def _set_signer(incident: Incident) -> Sentence | None:
    signer = _signer_to_set(incident)
    return _SET_SIGNER(signer=signer) if signer else None


def _set_signer_first(incident: Incident) -> Sentence:
    signer = _signer_to_set(incident)
    return _SIGNER_FIRST(signer=signer) if signer else _WORKERS_SIGNER_FIRST()


def _signer_to_set(incident: Incident) -> str | None:
    """The worker's signer where pop-config names another one now; None where the two agree."""
    facts, history = incident.facts, incident.facts.history
    authority = history.authority_of(incident.judgement.grant)
    now = history.signer_now(authority)
    if (
        authority is None
        or now is None
        or now == facts.signer_now
        or not facts.status_counts(authority)
    ):
        return None
    return facts.signer_now


SIGNER_MISMATCH = CauseKind(
    "signer_mismatch",
    rank=80,
    meaning=Text(
        "The worker's signer was not the one that pop-config named at that slot.",
        "worker の signer が、そのスロットの pop-config の signer と異なっていました。",
    ),
    advice=Text(
        "Set pop-config with upsert_pop_config; proofs burnt meanwhile stay burnt, so that a "
        "strict grant needs a cutover as well.",
        "upsert_pop_config で pop-config を設定してください。その間に失効した proof は元に戻らないため、"
        "strict の grant では切り替えも必要です。",
    ),
    ruled_out_by=Text(
        "pop-config named the proof's signer at that slot, by its upserts",
        "更新履歴によれば、そのスロットの pop-config に proof の signer があったこと",
    ),
    # a proof that is on its way is refused as well, and a new grant of the authority has the same
    # pop-config
    shows_in_flight=True,
    at_once=_set_signer,
    before_step=(2, _set_signer_first),
)


@SIGNER_MISMATCH.asks
def signer_mismatch(incident: Incident) -> Cause | None:
    """The worker's signer was not the one in pop-config at that slot.

    Where no proof was issued since, a status of the worker that is young enough shows it.
    """
    facts, grant = incident.facts, incident.judgement.grant
    history = facts.history
    authority = history.authority_of(grant)
    if authority is None:
        return None
    attributed = incident.own(incident.judgement.line.chain.attributed)
    wrong = [a for a in attributed if a.error == "InvalidPopSigner" and a.own_failure]
    reported = _reported(incident, authority)
    if wrong:
        because = sentence(
            "proofs were signed by a key that pop-config did not name at that slot",
            "proof が、そのスロットの pop-config にない鍵で署名されていました",
        )
        return SIGNER_MISMATCH.shown(because, wrong, reported)
    if reported:
        because = sentence(
            "a wallet reports that the program refused its proof, which is lost, for a wrong signer",
            "失われた proof について、signer が誤っているためプログラムに拒否された、とウォレットが報告しています",
        )
        return SIGNER_MISMATCH.shown(because, entries=reported)
    signer, named = facts.signer_now, history.signer_now(authority)
    if None in (signer, named) or signer == named or history.is_closed(grant):
        return None
    if not facts.status_counts(authority):
        return None
    because = sentence(
        "the worker signs with {worker}, while pop-config names {named}",
        "worker は {worker} で署名していますが、pop-config の signer は {named} です",
        worker=signer,
        named=named,
    )
    return SIGNER_MISMATCH.shown(because)


def _reported(incident: Incident, authority: str) -> list[str]:
    """The entry hashes of lost proofs on the chain's head of which a wallet reports a wrong signer.

    Nobody signs a report: it names nothing where the signer that pop-config named then is the
    worker's.
    """
    facts, history, proofs = incident.facts, incident.facts.history, incident.judgement.line.proofs
    refused = [
        entry
        for entry, report in incident.reported_on_head.items()
        if report.error == "InvalidPopSigner" and report.failure.layer == "program"
    ]
    others = {None, *history.signers_ever(authority)} - {facts.signer_now}
    return [
        entry
        for entry in refused
        if history.signer_named_by(authority, proofs[entry].issued_at) in others
    ]
