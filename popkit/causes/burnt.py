"""Proofs that a rule other than the chain's refused for good: a cause for each of those rules."""

from __future__ import annotations

from functools import partial

from popkit.causes.model import Cause, CauseKind
from popkit.texts import Listed, Text, sentence
from popkit.verdict.incident import Incident

_ACCEPTED_OR_OFF_HEAD = Text(
    "the proof was accepted later, or did not stand on the chain's head when it was refused",
    "その proof が後で受理されたこと、または拒否された時点でチェーンの head の上になかったこと",
)
PROOF_EXPIRED = CauseKind(
    "proof_expired",
    rank=100,
    meaning=Text(
        "A proof on the chain's head was sent more than 600 s from its issue.",
        "チェーンの head の上の proof が、発行から 600 秒を過ぎて送信されました。",
    ),
    advice=Text(
        "Cut over; check clocks and slow wallets.",
        "切り替えたうえで、時計と遅いウォレットを確認してください。",
    ),
    ruled_out_by=_ACCEPTED_OR_OFF_HEAD,
    if_it_goes_on=Text(
        "Ask whoever was refused to claim again, and to send the claim within ten minutes.",
        "拒否された人に claim し直してもらい、10 分以内に送信してもらってください。",
    ),
)
NOT_IN_ALLOWLIST = CauseKind(
    "not_in_allowlist",
    rank=110,
    meaning=Text(
        "A proof was issued for a wallet outside the allowlist, and the program refused the claim.",
        "許可リストにないウォレットに proof が発行され、claim が拒否されました。",
    ),
    advice=Text(
        "Cut over; check wallets before issuing.",
        "切り替えたうえで、発行前にウォレットを確認してください。",
    ),
    ruled_out_by=_ACCEPTED_OR_OFF_HEAD,
    if_it_goes_on=Text(
        "Check the allowlist: whoever was refused is not in it.",
        "許可リストを確認してください。拒否された人は含まれていません。",
    ),
)
PAUSED = CauseKind(
    "paused",
    rank=120,
    meaning=Text(
        "A wallet held a proof while the grant was paused; the program refused the proof and the "
        "wallet did not send it again in time.",
        "grant の一時停止中に proof を持っていたウォレットの claim が拒否され、期限内に再送されませんでした。",
    ),
    advice=Text(
        "Cut over; stop proofs before pausing.",
        "切り替えてください。今後は一時停止の前に proof の発行を止めてください。",
    ),
    ruled_out_by=Text(
        "the proof was accepted after the pause", "一時停止の後にその proof が受理されたこと"
    ),
    if_it_goes_on=Text(
        "Unpause the grant when claims may go on: whoever was refused can claim again.",
        "claim を再開してよくなったら、grant の一時停止を解除してください。拒否された人は再び claim できます。",
    ),
)
GRANT_EXPIRED = CauseKind(
    "grant_expired",
    rank=130,
    meaning=Text(
        "A proof was issued for a grant past its expiry.",
        "期限を過ぎた grant に対して proof が発行されました。",
    ),
    advice=Text(
        "Close the event before the grant expires.",
        "grant の期限より前にイベントを終了してください。",
    ),
    ruled_out_by=_ACCEPTED_OR_OFF_HEAD,
    if_it_goes_on=Text(
        "Give whoever was refused a claim on another grant: this one has expired.",
        "この grant は期限切れです。拒否された人には別の grant で claim してもらってください。",
    ),
)
VAULT_EMPTY = CauseKind(
    "vault_empty",
    rank=140,
    meaning=Text(
        "The vault held less than one period's amount when the proof was sent.",
        "proof の送信時に、vault の残高が 1 期間分の金額に足りませんでした。",
    ),
    advice=Text(
        "Fund the new grant for all claims.",
        "新しい grant には、すべての claim に足りる額を入金してください。",
    ),
    ruled_out_by=Text(
        "the proof was accepted after funding", "入金の後にその proof が受理されたこと"
    ),
    if_it_goes_on=Text(
        "Fund the vault with fund_grant: whoever was refused can claim again.",
        "fund_grant で vault に入金してください。拒否された人は再び claim できます。",
    ),
)
WRONG_PERIOD = CauseKind(
    "wrong_period",
    rank=150,
    meaning=Text(
        "A proof was sent in another period than it was issued for.",
        "proof が、発行時とは別の期間に送信されました。",
    ),
    advice=Text(
        "Cut over; take the period from the cluster's clock.",
        "切り替えたうえで、期間はクラスターの時計から求めてください。",
    ),
    ruled_out_by=_ACCEPTED_OR_OFF_HEAD,
    if_it_goes_on=Text(
        "Ask whoever was refused to claim again; the present period counts, by the cluster's clock.",
        "拒否された人に claim し直してもらってください。クラスターの時計による現在の期間が対象です。",
    ),
)
_ERRORS = {
    PROOF_EXPIRED: ("PopProofExpired",),
    NOT_IN_ALLOWLIST: ("NotInAllowlist",),
    PAUSED: ("Paused",),
    GRANT_EXPIRED: ("GrantExpired",),
    VAULT_EMPTY: ("InsufficientFunds",),
    WRONG_PERIOD: ("InvalidPeriodIndex", "PopProofPeriodMismatch"),
}
"""The program's errors by which each of them shows."""


def _burnt_by(kind: CauseKind, errors: tuple[str, ...], incident: Incident) -> Cause | None:
    """A proof that the program refused with one of the errors and never accepted.

    It shows by claims that landed, or by what its wallet reported; where rules are strict, the
    proof stood on the chain's head.
    """
    attempts = [
        a
        for a in incident.burnt
        if a.error in errors
        and a.failure is not None
        and a.failure.layer == "program"
        and a.own_failure
    ]
    reported = [
        entry
        for entry, report in incident.reported_on_head.items()
        if report.error in errors and report.failure.layer == "program"
    ]
    if not attempts and not reported:
        return None
    because = sentence(
        "the program refused a proof with {errors} and never accepted it",
        "プログラムが proof を {errors} で拒否し、その後も受理していません",
        errors=Listed(errors, or_=True),
    )
    return kind.shown(because, attempts, reported)


for _kind, _errors in _ERRORS.items():
    _kind.asks(partial(_burnt_by, _kind, _errors))
