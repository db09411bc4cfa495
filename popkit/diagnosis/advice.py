"""What to do now about a grant, in order.

Of a broken grant these are the runbook's steps, of others the verdict's own advice. Each cause adds
the steps that it defines (`popkit.causes.model.CauseKind`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from popkit.causes.model import CauseKind, Step
from popkit.causes.registry import CAUSES
from popkit.texts import Sentence, Text
from popkit.verdict.incident import Incident
from popkit.verdict.words import VERDICT_WORDS

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
        "Step 2: create and fund a new grant, set its signer with upsert_pop_config, link it to a "
        "new event.",
        "Step 2: 新しい grant を作成して入金し、upsert_pop_config で signer を設定し、新しいイベントに紐付けてください。",
    ),
    Text(
        "Step 3: leave the old chain as it is, read-only, as evidence; send everyone to the new "
        "grant.",
        "Step 3: 旧チェーンは書き換えず、読み取り専用の証跡として残し、利用者を新しい grant に誘導してください。",
    ),
    Text(
        "Step 4: verify the new grant without trusting the server; record audit-integrity and "
        "receipt checks.",
        "Step 4: サーバーを信用せずに新しい grant を検証し、audit-integrity と参加券検証の結果を記録してください。",
    ),
)
ALREADY_CUT_OVER = Text(
    "This grant is already cut over: keep its chain read-only as evidence and verify the new grant "
    "(Steps 3 and 4).",
    "この grant は切り替え済みです。旧チェーンは読み取り専用の証跡として残し、新しい grant を検証してください（Step 3、Step 4）。",
)
_UNPAUSE = Text(
    "Unpause the grant before then: its proofs on the way can land only while it is not paused.",
    "その時刻までに grant の一時停止を解除してください。一時停止中は未確定の proof が取り込まれません。",
)
_FUND = Text(
    "Fund the vault before then: it holds less than the next claim needs.",
    "その時刻までに vault に入金してください。次の claim に必要な残高がありません。",
)


def steps_of(incident: Incident, causes: Iterable[str]) -> list[Sentence]:
    """The steps for a grant of which the evidence shows these causes, most urgent first."""
    kinds = [CAUSES[name] for name in causes]
    verdict = incident.judgement.verdict
    if verdict == "broken":
        return list(_cutover(incident, kinds))
    urgent = _steps(incident, (kind.at_once for kind in kinds))
    own = VERDICT_WORDS[verdict].advice()
    if verdict == "in_flight":
        return [*urgent, *_to_lift(incident), own]
    also = _steps(incident, (kind.if_it_goes_on for kind in kinds))
    if incident.judgement.is_sound and (urgent or also):
        return [*urgent, *also]
    return [*urgent, own, *also]


def _steps(incident: Incident, steps: Iterable[Step | None]) -> list[Sentence]:
    """The steps that there are, as sentences about one grant."""
    wanted = [step for step in steps if step is not None]
    spoken = [step() if isinstance(step, Text) else step(incident) for step in wanted]
    return [words for words in spoken if words is not None]


def _cutover(incident: Incident, kinds: list[CauseKind]) -> Iterator[Sentence]:
    """The runbook's numbered steps, each with what must be done before it."""
    before = [kind.before_step for kind in kinds if kind.before_step is not None]
    for number, text in enumerate(_CUTOVER):
        yield from _steps(incident, (step for numbered, step in before if numbered == number))
        yield text()


def _to_lift(incident: Incident) -> Iterator[Sentence]:
    """What keeps proofs on the way from landing and can be lifted in time."""
    facts, grant = incident.facts, incident.judgement.grant
    if facts.history.is_paused(grant):
        yield _UNPAUSE()
    if facts.vault_is_short(grant):
        yield _FUND()
