"""The evidence that a new grant is verified by: a case that is there, one that a run took, or what
a node of one's own answers now.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from popkit.cutover.local import Local, read_local
from popkit.cutover.plan import Plan
from popkit.errors import UsageError
from popkit.protocol.keys import PROGRAM_ID
from popkit.texts import Text

NO_CASE = Text(
    "no evidence to open: give CASE (a case directory), RUN whose step 4 took one, or ENDPOINT (a "
    "node of your own) to collect it",
    "開く証拠がありません。CASE（ケースの場所）、手順 4 を済ませた RUN、または収集に使う ENDPOINT（自分のノード）を指定してください",
)
NO_GRANT = Text(
    "GRANT is needed: which of them is the new grant? {grants}",
    "GRANT が必要です。新しい grant はどれですか: {grants}",
)
NO_PLACE = Text(
    "CASE or RUN is needed, so that there is a place for the evidence",
    "証拠を置く場所として CASE または RUN が必要です",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: a case, a run with its plan, a grant (may be empty), and an endpoint
    (env:NAME or a bare URL; may be empty).
    """

    case: Path | None
    run: Path | None
    plan: Plan | None
    grant: str
    endpoint: str


def evidence_of(wish: Wish) -> Path:
    """The directory of the case, collected through the endpoint where there is none yet. Raises
    UsageError, CollectionStopped.
    """
    if wish.case is not None and (not wish.endpoint or (wish.case / "case.json").is_file()):
        return wish.case
    if wish.endpoint:
        return _collected(wish)
    taken = (
        sorted((wish.run / "evidence").glob("4-after-*/case.json"), key=_number)
        if wish.run is not None
        else []
    )
    if not taken:
        raise UsageError(NO_CASE())
    return taken[-1].parent


def _number(place: Path) -> int:
    digits = place.parent.name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def _collected(wish: Wish) -> Path:
    """Collect the grant through one endpoint; the run's worker is asked as well where its token is
    at hand.
    """
    from popkit.collecting.collect import collect
    from popkit.collecting.options import Options

    if not wish.grant:
        raise UsageError(NO_GRANT(grants="-"))
    place = wish.case if wish.case is not None else _free(wish.run)
    local = read_local(wish.run) if wish.run is not None else Local()
    has_worker = bool(
        local.worker and local.worker_token_env and os.environ.get(local.worker_token_env)
    )
    options = Options(
        out=place,
        name=place.name,
        rpc=Local(rpc=wish.endpoint).node("rpc"),
        worker=local.desk_address() if has_worker else None,
        has_token=has_worker,
        grants=(wish.grant,),
        program_id=wish.plan.program.program_id if wish.plan is not None else PROGRAM_ID,
    )
    with ThreadPoolExecutor(1) as apart:  # a notebook's own event loop runs in this thread
        apart.submit(collect, options).result()
    return place


def _free(run: Path | None) -> Path:
    """RUN/evidence/own-<n> that is not there yet. Raises UsageError where there is no run."""
    if run is None:
        raise UsageError(NO_PLACE())
    number = 1
    while (run / "evidence" / f"own-{number}").exists():
        number += 1
    return run / "evidence" / f"own-{number}"
