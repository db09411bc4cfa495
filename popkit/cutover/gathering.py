"""Small cases taken before and after steps: collected as 'popkit collect' collects, kept in
RUN/evidence, never overwritten.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from popkit.case import Case, open_case
from popkit.cutover.reasons import stop

if TYPE_CHECKING:
    from popkit.cutover.run import Run


def gather(run: Run, name: str, *grants: str, second: bool = False) -> Case:
    """Collect a case of these grants into RUN/evidence/<name>-<n> and open it; `second` collects
    through the second endpoint alone.

    Raises Stopped where the peers do not answer.
    """
    from popkit.collecting.collect import CollectionStopped, collect
    from popkit.collecting.options import WORKER_CONDUCT, Options
    from popkit.collecting.peer import Conduct

    place = _free(run.evidence, name)
    rpc, other = run.local.node("rpc"), run.local.node("second_rpc")
    options = Options(
        out=place,
        name=place.name,
        rpc=other if second else rpc,
        second=None if second else other,
        worker=run.local.desk_address(),
        has_token=run.local.worker_token_env is not None,
        grants=tuple(sorted(grants)),
        program_id=run.plan.program.program_id,
        conduct=run.conduct or Conduct(),
        worker_conduct=run.conduct or WORKER_CONDUCT,
    )
    try:
        with ThreadPoolExecutor(1) as apart:  # a notebook's own event loop runs in this thread
            apart.submit(collect, options).result()
    except CollectionStopped as stopped:
        raise stop("worker_unreachable", why=str(stopped)) from None
    return open_case(place)


def _free(folder: Path, name: str) -> Path:
    number = 1
    while (folder / f"{name}-{number}").exists():
        number += 1
    return folder / f"{name}-{number}"
