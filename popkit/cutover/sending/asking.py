"""Asking one RPC node, over solana-py's client, from code that has no event loop or is inside one.

Each node has a loop of its own in a daemon thread, so that it works in a notebook, where one runs
already. What is printed or raised shows the host alone: keys hide in paths, queries and headers,
and the library's own errors quote them.

Answers are read from raw JSON, never through the library's own types: those end the process
(`PanicException`) at an error whose shape they do not know, such as a -32005 without `data`, which
providers send.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Self, TypeVar

from popkit.collecting.address import Address
from popkit.collecting.limits import backoff
from popkit.cutover.errors import Silent, Stopped
from popkit.cutover.signing.quiet import silence
from popkit.text import for_terminal
from popkit.texts import Sentence, Text, sentence

if TYPE_CHECKING:
    from solana.rpc.async_api import AsyncClient

ATTEMPTS = 5
MOST_WAIT = 30.0
"""Seconds: a node that asks to be left alone longer is asked again after this."""
UNHEALTHY, UNSUPPORTED_VERSION, SLOT_NOT_REACHED = -32005, -32015, -32016
_PASSING = frozenset({UNHEALTHY, SLOT_NOT_REACHED, -32603, 429, -32429})
"""Codes of JSON-RPC errors that the next request may not meet any more."""
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})

OLDER = Text(
    "the node answered at slot {slot}, and at {before} before",
    "以前はスロット {before} で応答したのに、スロット {slot} で応答しました",
)
_LATE = Text("nothing came within {seconds} seconds", "{seconds} 秒以内に何も届きませんでした")
_SHAPE = Text(
    "the answer to {method} has another shape than it must have",
    "{method} への応答の形が、あるべきものと異なります",
)

T = TypeVar("T")


class NodeRefused(Stopped):
    """A node answered with a JSON-RPC error: `number` is its code, `message` its words, `data` what
    came with it.
    """

    def __init__(self, shown: str, number: int, message: str, data: Any) -> None:
        self.number, self.message, self.data = number, message, data
        super().__init__(
            "node_refused",
            sentence(
                "The node {shown} refused: {message} ({number}).",
                "ノード {shown} が拒否しました。{message}（{number}）",
                shown=shown,
                message=for_terminal(message),
                number=number,
            ),
            sentence(
                "read the node's words; ask again when they no longer apply",
                "ノードの説明を読み、当てはまらなくなってから再度実行してください",
            ),
        )


class Unanswered(Silent):
    """No usable answer to one request. `passes`: the next may have one; `wait`: seconds that the
    node asked to be left alone.
    """

    def __init__(
        self, shown: str, why: Sentence | str, *, passes: bool = True, wait: float | None = None
    ) -> None:
        self.passes, self.wait = passes, wait
        super().__init__(
            sentence(
                "The node {shown} gave no usable answer: {why}.",
                "ノード {shown} から使える応答がありません。{why}",
                shown=shown,
                why=why,
            ),
            sentence(
                "what it holds is not known; try again, or name another node",
                "ノードが持つ内容は不明です。再度実行するか、別のノードを指定してください",
            ),
        )


@dataclass(eq=False, repr=False)
class Asked:
    """An RPC node that can be asked. `name` is what people call it ("first", "second"), `sleep` how
    a pause between attempts is spent.
    """

    name: str
    address: Address
    timeout: float = 20.0
    _: KW_ONLY
    attempts: int = ATTEMPTS
    sleep: Callable[[float], None] = time.sleep
    newest_slot: int = field(default=0, init=False)
    """The newest finalized slot that this endpoint answered at: no later answer may be older."""
    _chance: random.Random = field(default_factory=random.Random, init=False)
    _ids: count[int] = field(default_factory=lambda: count(1), init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _client: AsyncClient | None = field(default=None, init=False)

    @property
    def shown(self) -> str:
        """Scheme and host alone."""
        return self.address.shown

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.shown})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next question opens it again."""
        loop, client, self._loop, self._client = self._loop, self._client, None, None
        if loop is None:
            return
        if client is not None:
            with suppress(
                Exception
            ):  # whatever is wrong with a connection that is given up is of no interest
                asyncio.run_coroutine_threadsafe(client.close(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join(5)

    # asking

    def ask(self, method: str, params: Sequence[Any] = ()) -> Any:
        """The raw `result` of a read. Passing failures (429, 5xx, timeouts, a node that lags) are
        tried again a few times.

        Raises NodeRefused for an error that the node gives, Silent where there is no usable answer.
        """
        return self._again(lambda: self.post(method, params))

    def post(self, method: str, params: Sequence[Any] = ()) -> Any:
        """The raw `result` of one request, not repeated here (the library sends it once more where
        a connection breaks).

        Raises NodeRefused, or Silent.
        """
        return self._run(self._request(method, list(params)))

    def _again(self, once: Callable[[], T]) -> T:
        for failures in range(1, self.attempts + 1):
            try:
                return once()
            except NodeRefused as problem:
                if failures == self.attempts or problem.number not in _PASSING:
                    raise
                wait = None
            except Unanswered as problem:
                if failures == self.attempts or not problem.passes:
                    raise
                wait = problem.wait
            self.sleep(backoff(failures, wait, self._chance))
        raise AssertionError("at least one attempt is made")

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on this endpoint's own loop, from any thread; an interrupt ends the request too."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_turn, args=(self._loop,), name=f"popkit {self.name}", daemon=True
            )
            self._thread.start()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def _request(self, method: str, params: list[Any]) -> Any:
        from solana.rpc.jsonrpc import JsonRpcRequest, SolanaJsonRpcError

        if self._client is None:
            self._client = self._connected()
        failure: Stopped
        try:
            async with asyncio.timeout(self.timeout):
                request = JsonRpcRequest(id=next(self._ids), method=method, params=params)
                return await self._client.send_rpc_request(request, Any)
        except SolanaJsonRpcError as error:
            failure = NodeRefused(
                self.shown, error.code, self.address.without_secrets(error.message), error.data
            )
        except TimeoutError:
            failure = self.unanswered(_LATE(seconds=f"{self.timeout:g}"))
        except Exception as problem:
            failure = self._failure(problem)
        # Raised out here, where no traceback leads to the library's error: that one quotes the URL.
        raise failure

    def _failure(self, problem: Exception) -> Unanswered:
        """Why the library has no answer, in words without a URL."""
        cause = problem.__cause__ or problem
        response = getattr(cause, "response", None)
        if response is not None:
            wait = response.headers.get("retry-after", "")
            passes = response.status_code in _PASSING_STATUS
            seconds = min(float(wait), MOST_WAIT) if wait.isdecimal() else None
            return Unanswered(
                self.shown, f"HTTP {response.status_code}", passes=passes, wait=seconds
            )
        return Unanswered(self.shown, type(cause).__name__)

    def _connected(self) -> AsyncClient:
        from solana.rpc.async_api import AsyncClient

        silence()
        return AsyncClient(
            self.address.url, timeout=self.timeout, extra_headers=dict(self.address.headers)
        )

    def at_newest(self, method: str, *params: Any, **config: Any) -> Any:
        """A read whose answer has a context: at finalized, and no older than what this endpoint has
        answered before.

        An answer from an older slot is asked for again; Stopped("went_back") where it stays so: a
        balancer that hands questions to nodes of different ages, or a node that was reset.
        """

        def once() -> Any:
            settings = {"commitment": "finalized", **config}
            if self.newest_slot:
                settings["minContextSlot"] = self.newest_slot
            result = self.post(method, [*params, settings])
            slot = (result.get("context") or {}).get("slot") if isinstance(result, dict) else None
            if type(slot) is not int:
                raise self.malformed(method)
            if slot < self.newest_slot:
                raise self.unanswered(OLDER(slot=slot, before=self.newest_slot))
            self.newest_slot = slot
            return result

        return self._again(once)

    def malformed(self, method: str) -> Unanswered:
        """The answer to a method is not of the shape that it must have."""
        return Unanswered(self.shown, _SHAPE(method=method), passes=False)

    def lines(self, value: Any) -> tuple[str, ...]:
        """Log lines of an answer, without the secrets that this node was asked with; none where it
        gave none.
        """
        return (
            tuple(self.address.without_secrets(str(line)) for line in value)
            if isinstance(value, list)
            else ()
        )

    def unanswered(self, why: Sentence | str) -> Unanswered:
        """The answer is of no use, for a reason in words."""
        return Unanswered(self.shown, why)


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, and close it."""
    try:
        loop.run_forever()
    finally:
        loop.close()
