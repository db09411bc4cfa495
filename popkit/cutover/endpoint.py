"""One RPC node as a cutover asks it: finalized answers that never go back in time, over solana-py's client.

Callers need no event loop: each endpoint has one of its own in a daemon thread, so that it works in a notebook, where a loop runs already.
What is printed or raised shows the host alone: keys hide in paths, queries and headers, and the library's own errors quote them.

Answers are read from raw JSON, never through the library's own types: those end the process (`PanicException`) at an error whose
shape they do not know, such as a -32005 without `data`, which providers send.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pybase64 import b64decode, b64encode

from popkit.collecting.address import Address
from popkit.collecting.limits import backoff
from popkit.cutover.errors import Silent, Stopped
from popkit.text import for_terminal
from popkit.texts import sentence

if TYPE_CHECKING:
    from solana.rpc.async_api import AsyncClient

ATTEMPTS = 5
MOST_ACCOUNTS = 100
"""Accounts that a node gives in one answer."""
MEASURED_SLOTS = 300
MOST_WAIT = 30.0
"""Seconds: a node that asks to be left alone longer is asked again after this."""
NEWEST_VERSION = 1
"""Transactions up to this version are read; an error -32015 is "cannot read", never "absent"."""
UNHEALTHY, UNSUPPORTED_VERSION, SLOT_NOT_REACHED = -32005, -32015, -32016
_PASSING = frozenset({UNHEALTHY, SLOT_NOT_REACHED, -32603, 429, -32429})
"""Codes of JSON-RPC errors that the next request may not meet any more."""
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Held:
    """An account as a node holds it: lamports, the program that owns it, its bytes."""

    lamports: int
    owner: str
    data: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """The cluster's time: a finalized slot and its block time (unix s)."""

    slot: int
    block_time: int


@dataclass(frozen=True, slots=True)
class Blockhash:
    """A finalized blockhash, the last block height that takes it, and the slot that it was asked at."""

    blockhash: str
    last_valid_height: int
    slot: int


class Accounts(Mapping[str, Held | None]):
    """Accounts by public key, None where there is none, as of `slot` (the oldest, where it took several answers)."""

    def __init__(self, accounts: Mapping[str, Held | None], slot: int) -> None:
        self._accounts, self.slot = dict(accounts), slot

    def __getitem__(self, key: str) -> Held | None:
        return self._accounts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._accounts)

    def __len__(self) -> int:
        return len(self._accounts)


class NodeRefused(Stopped):
    """A node answered with a JSON-RPC error: `number` is its code, `message` its words, `data` what came with it."""

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
    """No usable answer to one request. `passes`: the next may have one; `wait`: seconds that the node asked to be left alone."""

    def __init__(self, shown: str, why: str, *, passes: bool = True, wait: float | None = None) -> None:
        self.passes, self.wait = passes, wait
        super().__init__(
            sentence(
                "The node {shown} gave no usable answer: {why}.", "ノード {shown} から使える応答がありません。{why}", shown=shown, why=why
            ),
            sentence(
                "what it holds is not known; try again, or name another node",
                "ノードが持つ内容は不明です。再度実行するか、別のノードを指定してください",
            ),
        )


class Endpoint:
    """An RPC node. `name` is what people call it ("first", "second"); `sleep` is how a pause between attempts is spent."""

    def __init__(
        self,
        name: str,
        address: Address,
        timeout: float = 20.0,
        *,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name, self.address, self.timeout, self.attempts, self._sleep = name, address, timeout, attempts, sleep
        self.newest_slot = 0
        """The newest finalized slot that this endpoint answered at: no later answer may be older."""
        self._rents: dict[int, int] = {}
        self._chance, self._ids = random.Random(), count(1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: AsyncClient | None = None

    @property
    def shown(self) -> str:
        """Scheme and host alone."""
        return self.address.shown

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r}, {self.shown})"

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
            with suppress(Exception):  # whatever is wrong with a connection that is given up is of no interest
                asyncio.run_coroutine_threadsafe(client._provider.close(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join(5)

    # asking

    def ask(self, method: str, params: Sequence[Any] = ()) -> Any:
        """The raw `result` of a read. Passing failures (429, 5xx, timeouts, a node that lags) are tried again a few times.

        Raises NodeRefused for an error that the node gives, Silent where there is no usable answer.
        """
        return self._again(lambda: self.post(method, params))

    def post(self, method: str, params: Sequence[Any] = ()) -> Any:
        """The raw `result` of one request, not repeated here (the library sends it once more where a connection breaks).

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
            self._sleep(backoff(failures, wait, self._chance))
        raise AssertionError("at least one attempt is made")

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run on this endpoint's own loop, from any thread; an interrupt ends the request too."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_turn, args=(self._loop,), name=f"popkit {self.name}", daemon=True)
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
            failure = NodeRefused(self.shown, error.code, self.address.without_secrets(error.message), error.data)
        except TimeoutError:
            failure = Unanswered(self.shown, f"nothing came within {self.timeout:g} seconds")
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
            return Unanswered(self.shown, f"HTTP {response.status_code}", passes=passes, wait=seconds)
        return Unanswered(self.shown, type(cause).__name__)

    def _connected(self) -> AsyncClient:
        from solana.rpc.async_api import AsyncClient

        _silence()
        return AsyncClient(self.address.url, timeout=self.timeout, extra_headers=dict(self.address.headers))

    # what is asked, always at finalized

    def at_newest(self, method: str, *params: Any, **config: Any) -> Any:
        """A read whose answer has a context: at finalized, and no older than what this endpoint has answered before.

        An answer from an older slot is asked for again; Stopped("went_back") where it stays so: a balancer that hands questions to
        nodes of different ages, or a node that was reset.
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
                raise Unanswered(self.shown, f"it answered at slot {slot}, and at {self.newest_slot} before")
            self.newest_slot = slot
            return result

        return self._again(once)

    def malformed(self, method: str) -> Unanswered:
        """The answer to a method is not of the shape that it must have."""
        return Unanswered(self.shown, f"the answer to {method} has another shape than it must have", passes=False)

    def unanswered(self, why: str) -> Unanswered:
        """The answer is of no use, for a reason in words."""
        return Unanswered(self.shown, why)

    def accounts(self, keys: Sequence[str]) -> Accounts:
        """These accounts at finalized, never older than what was seen before."""
        wanted, slots = list(dict.fromkeys(keys)), []
        found: dict[str, Held | None] = {}
        for start in range(0, len(wanted), MOST_ACCOUNTS):
            some = wanted[start : start + MOST_ACCOUNTS]
            result = self.at_newest("getMultipleAccounts", some, encoding="base64")
            values = result.get("value")
            if not isinstance(values, list) or len(values) != len(some):
                raise self.malformed("getMultipleAccounts")
            found |= {key: self.held(value) for key, value in zip(some, values, strict=True)}
            slots.append(result["context"]["slot"])
        return Accounts(found, min(slots, default=self.newest_slot))

    def held(self, value: Any) -> Held | None:
        """One account of an answer in base64; None for null. Raises Silent where it is neither."""
        if value is None:
            return None
        try:
            text, encoding = value["data"]
            lamports, owner, executable = value["lamports"], value["owner"], value["executable"]
            if encoding != "base64" or type(lamports) is not int or not isinstance(owner, str) or not isinstance(executable, bool):
                raise ValueError("not an account in base64")
            return Held(lamports, owner, b64decode(text, validate=True), executable)
        except (KeyError, TypeError, ValueError):
            raise self.malformed("an account") from None

    def clock(self) -> Clock:
        """The newest finalized slot and its block time."""
        slot = self.slot()
        return Clock(slot, self._number("getBlockTime", self.ask("getBlockTime", [slot])))

    def slot(self) -> int:
        """The newest finalized slot."""
        slot = self._number("getSlot", self.ask("getSlot", [{"commitment": "finalized"}]))
        self.newest_slot = max(slot, self.newest_slot)
        return slot

    def slot_seconds(self) -> float | None:
        """Seconds a slot, measured over the last few hundred finalized ones; None where this node knows no earlier time."""
        newest = self.clock()
        for back in range(MEASURED_SLOTS, 0, -max(1, MEASURED_SLOTS // 12)):
            if newest.slot <= back:
                continue
            with suppress(NodeRefused):  # a slot without a block has no time
                then = self._number("getBlockTime", self.ask("getBlockTime", [newest.slot - back]))
                if newest.block_time > then:
                    return (newest.block_time - then) / back
        return None

    def height(self) -> int:
        """The newest finalized block height."""
        return self._number("getBlockHeight", self.ask("getBlockHeight", [{"commitment": "finalized"}]))

    def blockhash(self) -> Blockhash:
        """The newest finalized blockhash."""
        result = self.at_newest("getLatestBlockhash")
        try:
            value = result["value"]
            return Blockhash(str(value["blockhash"]), int(value["lastValidBlockHeight"]), result["context"]["slot"])
        except (KeyError, TypeError, ValueError):
            raise self.malformed("getLatestBlockhash") from None

    def rent(self, size: int) -> int:
        """The lamports that an account with so many bytes of data must hold, as this node says (asked once a size)."""
        if size not in self._rents:
            asked = self.ask("getMinimumBalanceForRentExemption", [size])
            self._rents[size] = self._number("getMinimumBalanceForRentExemption", asked)
        return self._rents[size]

    def fee(self, message: bytes) -> int | None:
        """What a message costs in lamports; None where the node does not know its blockhash (any more)."""
        value = self.at_newest("getFeeForMessage", b64encode(message).decode())["value"]
        return None if value is None else self._number("getFeeForMessage", value)

    def signatures(self, address: str, limit: int = 1000, until: str | None = None) -> list[dict[str, Any]]:
        """The newest signatures of an address, newest first, down to `until` (left out): one page of at most `limit`."""
        config: dict[str, Any] = {"commitment": "finalized", "limit": limit} | ({} if until is None else {"until": until})
        if self.newest_slot:
            config["minContextSlot"] = self.newest_slot
        rows = self.ask("getSignaturesForAddress", [address, config])
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "signature" in row for row in rows):
            raise self.malformed("getSignaturesForAddress")
        return rows

    def transaction(self, signature: str) -> dict[str, Any] | None:
        """A finalized transaction in base64, of any version; None where this node has none."""
        config = {"commitment": "finalized", "encoding": "base64", "maxSupportedTransactionVersion": NEWEST_VERSION}
        result = self.ask("getTransaction", [signature, config])
        if result is not None and not isinstance(result, dict):
            raise self.malformed("getTransaction")
        return result

    def status(self, signature: str) -> dict[str, Any] | None:
        """What this node's history says of a signature; None where it has nothing, which is no proof that there is nothing."""
        result = self.ask("getSignatureStatuses", [[signature], {"searchTransactionHistory": True}])
        try:
            (value,) = result["value"]
        except (KeyError, TypeError, ValueError):
            raise self.malformed("getSignatureStatuses") from None
        if value is not None and not (isinstance(value, dict) and "err" in value and type(value.get("slot")) is int):
            raise self.malformed("getSignatureStatuses")
        return value

    def _number(self, method: str, value: Any) -> int:
        if type(value) is not int:
            raise self.malformed(method)
        return value


def _silence() -> None:
    """Keep the libraries' loggers from writing URLs."""
    try:
        from popkit.cutover.quiet import silence  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ModuleNotFoundError:
        return
    silence()


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, and close it."""
    try:
        loop.run_forever()
    finally:
        loop.close()
