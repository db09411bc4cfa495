"""A second proof for a period that was already claimed."""

from __future__ import annotations

from popkit.causes.model import Cause, CauseKind
from popkit.texts import Text, sentence
from popkit.verdict.incident import Incident

DUPLICATE_CLAIM = CauseKind(
    "duplicate_claim",
    rank=90,
    meaning=Text(
        "A proof was issued for a period whose receipt already existed: the account creation "
        "failed and the proof is burnt.",
        "レシートがすでに存在する期間に対して proof が発行されました。アカウントの作成に失敗し、proof は失効しました。",
    ),
    advice=Text(
        "Cut over; let the page check the receipt before it asks for a proof.",
        "切り替えたうえで、proof を要求する前に画面側でレシートの有無を確認するようにしてください。",
    ),
    ruled_out_by=Text(
        "no receipt of another proof exists for that claimer and period, or the Custom(0) is "
        "another program's",
        "その claimer と期間について別の proof のレシートがないこと、または Custom(0) が別のプログラムのものであること",
    ),
)
_ACCOUNT_IN_USE = ("system", 0)
"""The system program's error inside a claim of which the receipt is there already."""


@DUPLICATE_CLAIM.asks
def duplicate_claim(incident: Incident) -> Cause | None:
    """Burnt because the period's receipt already existed, of another proof."""
    fates, proofs = incident.fates, incident.judgement.line.proofs
    found = [a for a in incident.burnt if a.found_a_receipt]
    attempts = [a for a in found if fates.is_claimed(a.claimer, a.period_index)]
    reported = [
        entry
        for entry, report in incident.reported_on_head.items()
        if (report.failure.layer, report.failure.code) == _ACCOUNT_IN_USE
        and fates.is_claimed(proofs[entry].claimer, proofs[entry].period_index)
    ]
    if not attempts and not reported:
        return None
    because = sentence(
        "a proof was issued for a period whose receipt already existed",
        "レシートがすでに存在する期間に対して proof が発行されました",
    )
    return DUPLICATE_CLAIM.shown(because, attempts, reported)
