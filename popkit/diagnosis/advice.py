"""What to do now about a grant, as the runbook's steps, in order; each names what it speaks of."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.meanings import CAUSE_MEANINGS, VERDICT_MEANINGS
from popkit.texts import Sentence, Text
from popkit.verdict.incident import Incident

_CUTOVER = (
    Text(
        "Step 0: freeze the event: give out no new claim codes, announce it, pause the grant.",
        "Step 0: イベントを凍結してください。新規 QR の配布を止め、アナウンスし、grant を一時停止します。",
    ),
    Text(
        "Step 1: note the last good signature and receipt, and the first bad claim.",
        "Step 1: 直近正常点の署名とレシート、および最初の異常な claim を控えてください。",
    ),
    Text(
        "Step 2: create and fund a new grant, set its signer with upsert_pop_config, link it to a new event.",
        "Step 2: 新しい grant を作成して入金し、upsert_pop_config で signer を設定し、新しいイベントに紐付けてください。",
    ),
    Text(
        "Step 3: leave the old chain as it is, read-only, as evidence; send everyone to the new grant.",
        "Step 3: 旧チェーンは書き換えず、読み取り専用の証跡として残し、利用者を新しい grant に誘導してください。",
    ),
    Text(
        "Step 4: verify the new grant without trusting the server; record audit-integrity and receipt checks.",
        "Step 4: サーバーを信用せずに新しい grant を検証し、audit-integrity と参加券検証の結果を記録してください。",
    ),
)
ALREADY_CUT_OVER = Text(
    "This grant is already cut over: keep its chain read-only as evidence and verify the new grant (Steps 3 and 4).",
    "この grant は切り替え済みです。旧チェーンは読み取り専用の証跡として残し、新しい grant を検証してください（Step 3、Step 4）。",
)
_SOUND_ALL_THE_SAME = {
    "paused": Text(
        "Unpause the grant when claims may go on: whoever was refused can claim again.",
        "claim を再開してよくなったら、grant の一時停止を解除してください。拒否された人は再び claim できます。",
    ),
    "grant_expired": Text(
        "Give whoever was refused a claim on another grant: this one has expired.",
        "この grant は期限切れです。拒否された人には別の grant で claim してもらってください。",
    ),
    "vault_empty": Text(
        "Fund the vault with fund_grant: whoever was refused can claim again.",
        "fund_grant で vault に入金してください。拒否された人は再び claim できます。",
    ),
    "wrong_period": Text(
        "Ask whoever was refused to claim again; the present period counts, by the cluster's clock.",
        "拒否された人に claim し直してもらってください。クラスターの時計による現在の期間が対象です。",
    ),
    "proof_expired": Text(
        "Ask whoever was refused to claim again, and to send the claim within ten minutes.",
        "拒否された人に claim し直してもらい、10 分以内に送信してもらってください。",
    ),
    "not_in_allowlist": Text(
        "Check the allowlist: whoever was refused is not in it.", "許可リストを確認してください。拒否された人は含まれていません。"
    ),
}
"""Advice for refusals that burn a claim and wedge nothing."""
_SIGNER_FIRST = Text(
    "Before Step 2: set the signer in pop-config to {signer}.", "Step 2 の前に: pop-config の signer を {signer} に設定してください。"
)
_WORKERS_SIGNER_FIRST = Text(
    "Before Step 2: set the signer in pop-config to the worker's present one.",
    "Step 2 の前に: pop-config の signer を worker の現在の signer に設定してください。",
)
_STOP_ISSUER = Text(
    "At once: stop the second issuer and rotate the signing key.", "直ちに: もう一方の発行者を止め、署名鍵を交換してください。"
)
_SET_SIGNER = Text(
    "Set pop-config to {signer} now (upsert_pop_config): until then the program refuses every claim (6018).",
    "今すぐ upsert_pop_config で pop-config を {signer} に設定してください。それまでプログラムはすべての claim を拒否します（6018）。",
)
_UNPAUSE = Text(
    "Unpause the grant before then: its proofs on the way can land only while it is not paused.",
    "その時刻までに grant の一時停止を解除してください。一時停止中は未確定の proof が取り込まれません。",
)
_FUND = Text(
    "Fund the vault before then: it holds less than the next claim needs.",
    "その時刻までに vault に入金してください。次の claim に必要な残高がありません。",
)


def steps_of(incident: Incident, causes: list[str]) -> list[Sentence]:
    """The steps for a grant, most urgent first."""
    verdict = incident.judgement.verdict
    signer = _signer_to_set(incident)
    if verdict == "broken":
        steps = [text() for text in _CUTOVER]
        if "signer_mismatch" in causes:
            steps.insert(2, _SIGNER_FIRST(signer=signer) if signer else _WORKERS_SIGNER_FIRST())
        if "foreign_issuer" in causes:
            steps.insert(1, _STOP_ISSUER())
        return steps
    urgent = [_SET_SIGNER(signer=signer)] if signer else []
    if verdict == "in_flight":
        return [*urgent, *_to_lift(incident), VERDICT_MEANINGS[verdict][1]()]
    also = [CAUSE_MEANINGS[cause][1]() for cause in causes if cause in ("foreign_issuer", "grant_reuse")]
    also += [text() for cause, text in _SOUND_ALL_THE_SAME.items() if cause in causes]
    if incident.judgement.is_sound and (urgent or also):
        return [*urgent, *also]
    return [*urgent, VERDICT_MEANINGS[verdict][1](), *also]


def _signer_to_set(incident: Incident) -> str | None:
    """The key that pop-config must name, where it names another than the worker's status does now; None where the two agree."""
    facts, history = incident.facts, incident.facts.history
    authority = history.authority_of(incident.judgement.grant)
    now = history.signer_now(authority)
    if authority is None or facts.signer_now is None or now in (None, facts.signer_now) or not facts.status_counts(authority):
        return None
    return facts.signer_now


def _to_lift(incident: Incident) -> Iterator[Sentence]:
    """What keeps proofs on the way from landing and can be lifted in time."""
    facts, grant = incident.facts, incident.judgement.grant
    if facts.history.is_paused(grant):
        yield _UNPAUSE()
    if facts.vault_is_short(grant):
        yield _FUND()
