"""How this machine reaches the peers and keys of a run: references alone, in RUN/local.json, which
is no part of the plan.

Another person's machine has references of its own for the same plan. A reference names an
environment variable, or a command; the URL, token or key itself is in no file of the run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from popkit.collecting.address import Address, bearer, read_address
from popkit.cutover.desk.worker import WorkerDesk
from popkit.cutover.planning.survey import Pair
from popkit.cutover.sending.endpoint import Endpoint
from popkit.errors import UsageError
from popkit.texts import Text

FILE = "local.json"
HOLDS_SECRET = Text(
    "--{option}: the URL has more than a host, and may hold a key; put it into an environment "
    "variable and give env:NAME",
    "--{option}: URL にホスト以外の部分があり、鍵を含むおそれがあります。環境変数に入れ、env:NAME で指定してください",
)
UNREADABLE = Text("{place}: cannot be read: {why}", "{place}: 読めません: {why}")
NEEDED = Text("--{option} is needed", "--{option} が必要です")


@dataclass(frozen=True, slots=True)
class Local:
    """References: `env:NAME` or a bare URL for peers, the name of a variable for the token,
    `env:NAME` or `cmd:…` for keys.
    """

    rpc: str | None = None
    second_rpc: str | None = None
    worker: str | None = None
    worker_token_env: str | None = None
    authority_key: str | None = None
    funder_key: str | None = None
    wallet_key: str | None = None

    def with_options(self, **given: str | None) -> Local:
        """The same with what was given now in place of what was noted."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def node(self, name: str) -> Address:
        """The address of 'rpc' or 'second_rpc'. Raises UsageError where there is none, or where it
        holds a secret in the open.
        """
        return _address(getattr(self, name), name.replace("_", "-"))

    def desk_address(self) -> Address:
        """The worker's address, with its token."""
        return bearer(_address(self.worker, "worker"), self.worker_token_env)

    def write(self, run: Path) -> None:
        """Write RUN/local.json, for this user alone."""
        beside = run / f".{FILE}.new"
        beside.touch(mode=0o600)
        beside.write_text(
            json.dumps({k: v for k, v in asdict(self).items() if v is not None}, indent=1) + "\n"
        )
        os.replace(beside, run / FILE)


@contextmanager
def planning_peers(
    local: Local, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[tuple[Pair, WorkerDesk]]:
    """Both endpoints and the worker, for as long as a plan is made. `sleep` waits. Raises
    UsageError where one is not named.

    A run opens its own peers, each when it is first needed, and has its journal keep their secrets
    out.
    """
    worker = local.desk_address()
    first, second = (
        Endpoint(name, local.node(name), sleep=sleep) for name in ("rpc", "second_rpc")
    )
    with closing(Pair(first, second, sleep)) as pair, WorkerDesk(worker, sleep=sleep) as desk:
        yield pair, desk


def read_local(run: Path) -> Local:
    """The references noted in a run; none where nothing was noted. Raises UsageError."""
    place = run / FILE
    try:
        return Local(**json.loads(place.read_text()))
    except FileNotFoundError:
        return Local()
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(UNREADABLE(place=place, why=error)) from None


def _address(reference: str | None, option: str) -> Address:
    if not reference:
        raise UsageError(NEEDED(option=option))
    if not reference.startswith("env:"):
        parts = urlsplit(reference)
        if parts.path.strip("/") or parts.query or parts.username or parts.password:
            raise UsageError(HOLDS_SECRET(option=option))
    return read_address(reference)


def needed(option: str) -> UsageError:
    """The error of a reference that nobody gave."""
    return UsageError(NEEDED(option=option))
