"""getTransaction in batches, several requests at once, written down in the order of the list."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import pybase64
from solders.signature import Signature

from popkit.collecting.node import Call, Node, Reply
from popkit.collecting.outcomes import RULES, Outcome
from popkit.collecting.progress import Progress
from popkit.collecting.workspace import Workspace
from popkit.evidence.layout import TRANSACTIONS
from popkit.protocol.transaction import TransactionError, decode_wire

CONFIG = {"encoding": "base64", "commitment": "finalized", "maxSupportedTransactionVersion": 1}
"""Version 1 is the highest that popkit's decoder knows; a node that knows fewer gives what it has.
"""
PASSES = 3
"""How often a listed transaction that was not given is asked for: a node's index may lag its list,
its storage be out of reach.
"""
REST_BETWEEN_PASSES = 0.2
_NEWER_VERSION = -32015
_MARK = b'"transaction":["'
_PREFIX = b'{"signature":"'
_VERSION_1 = b"\x81"


class NodeGone(Exception):
    """The node stopped answering: `says` is how. What was received is kept."""

    def __init__(self, says: str) -> None:
        super().__init__(says)
        self.says = says


@dataclass(slots=True)
class Fetched:
    """The signatures whose transaction was kept, and for the others what the node said last."""

    kept: set[str] = field(default_factory=set)
    missing: dict[str, Reply] = field(default_factory=dict)


class Fetcher:
    """Fetches transactions from one node into the case; what is there already is never asked for
    again.
    """

    def __init__(self, node: Node, work: Workspace, progress: Progress, parallel: int = 4) -> None:
        self.node, self.work, self.progress, self.parallel = node, work, progress, max(1, parallel)
        self.kept = self._kept_before()

    def _kept_before(self) -> set[str]:
        """The signatures whose transactions an interrupted run has written down."""
        path = self.work.root / TRANSACTIONS
        if not path.is_file():
            return set()
        found = set()
        with path.open("rb") as file:
            for line in file:
                signature, given = _signature_of(line)
                if given:
                    found.add(signature)
        return found

    async def fetch(self, signatures: Sequence[str]) -> Fetched:
        """Fetch what is not there yet. Raises NodeGone when the node stops answering."""
        todo = [signature for signature in signatures if signature not in self.kept]
        missing: dict[str, Reply] = {}
        for turn in range(PASSES):
            missing = await self._pass(todo)
            todo = [
                signature for signature, reply in missing.items() if reply.code != _NEWER_VERSION
            ]
            if not todo:
                break
            if turn + 1 < PASSES:
                await asyncio.sleep(REST_BETWEEN_PASSES * 2**turn)
        return Fetched(self.kept & set(signatures), missing)

    async def _pass(self, todo: Sequence[str]) -> dict[str, Reply]:
        """Each signature asked for until it is answered once; those without a transaction, with the
        node's word.
        """
        queue, running = (
            deque(todo),
            deque[asyncio.Task[tuple[dict[str, bytes], dict[str, Reply]]]](),
        )
        missing: dict[str, Reply] = {}
        try:
            while queue or running:
                while queue and len(running) < self.parallel:
                    size = self.node.size_for("getTransaction")
                    chunk = [queue.popleft() for _ in range(min(size, len(queue)))]
                    running.append(asyncio.create_task(self._chunk(chunk)))
                lines, without = await running[0]
                running.popleft()
                missing |= without
                if lines:
                    self.work.keeps({TRANSACTIONS: lines.values()}, kind="keep")
                    self.kept.update(lines)
                self.progress.step(len(lines), pages=1)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return missing

    async def _chunk(self, chunk: list[str]) -> tuple[dict[str, bytes], dict[str, Reply]]:
        """A chunk as lines by signature in its order, in as many requests as the node wants."""
        lines: dict[str, bytes] = {}
        missing: dict[str, Reply] = {}
        todo, failures = deque(chunk), 0
        while todo:
            part = [
                todo.popleft() for _ in range(min(self.node.size_for("getTransaction"), len(todo)))
            ]
            replies, answer, note = await self.node.once(
                [Call("getTransaction", [s, CONFIG]) for s in part], first=part[0]
            )
            checked = [
                _checked(signature, reply) for signature, reply in zip(part, replies, strict=True)
            ]
            strange = [reply for reply in checked if reply.outcome is Outcome.WRONG_ANSWER]
            without = Counter(
                "null" if reply.ok else str(reply.outcome)
                for reply in checked
                if not reply.ok or reply.result == b"null"
            )
            if strange:
                note["outcome"] = Outcome.WRONG_ANSWER
            self.work.keeps({}, **note, **({"without": without} if without else {}))
            if (
                strange and len(part) > 1
            ):  # answers under each other's ids: one at a time, nothing can be mixed up
                self.node.shrink_to(1)
            again = []
            for signature, reply in zip(part, checked, strict=True):
                if reply.ok and reply.result != b"null":
                    lines[signature] = (
                        _PREFIX
                        + signature.encode()
                        + b'","result":'
                        + reply.result.replace(b"\n", b" ")
                        + b"}"
                    )
                elif reply.ok or not RULES[reply.outcome].again:
                    missing[signature] = reply
                else:
                    again.append((signature, reply))
            if not again:
                failures = 0
                continue
            todo.extendleft(signature for signature, _ in reversed(again))
            failures = failures + 1 if len(again) == len(part) else 1
            if failures >= self.node.peer.conduct.attempts:
                if all(
                    reply.outcome in (Outcome.RPC_ERROR, Outcome.WRONG_ANSWER) for _, reply in again
                ):
                    missing |= dict(again)
                    todo = deque(signature for signature in todo if signature not in missing)
                    failures = 0
                    continue
                raise NodeGone(again[0][1].says)
            await self.node.peer.rests(failures, answer)
        return {signature: lines[signature] for signature in chunk if signature in lines}, missing

    def note_missing(self, missing: dict[str, Reply]) -> None:
        """Write down which transactions no node gave: a line with `result` null and what was said."""
        lines = []
        for signature in sorted(missing):
            reply = missing[signature]
            error = msgspec.json.encode(
                {"outcome": reply.outcome, "code": reply.code, "message": reply.message[:200]}
            )
            lines.append(_PREFIX + signature.encode() + b'","error":' + error + b',"result":null}')
        if lines:
            self.work.keeps({TRANSACTIONS: lines}, kind="keep", missing=len(lines))


class _Line(msgspec.Struct):
    signature: str
    result: msgspec.Raw


def _signature_of(line: bytes) -> tuple[str, bool]:
    """The signature of a line, and whether the line holds its transaction. Lines of other tools may
    be spaced otherwise.
    """
    if line.startswith(_PREFIX) and not line.rstrip().endswith(b"null}"):
        return line[len(_PREFIX) : line.index(b'"', len(_PREFIX))].decode(), True
    row = msgspec.json.decode(line, type=_Line)
    return row.signature, bytes(row.result) != b"null"


def _checked(signature: str, reply: Reply) -> Reply:
    """A reply that is the transaction asked for, or null; a transaction of another signature is a
    wrong answer.

    Only the encoding that was asked for is looked into here; whoever reads the case checks
    everything anew.
    """
    if not reply.ok or reply.result == b"null":
        return reply
    encoded = _encoded(reply.result)
    if encoded is None:
        return Reply(Outcome.WRONG_ANSWER, message="not a transaction in base64")
    try:
        signed = _is_signed(signature, encoded)
    except (ValueError, TransactionError):
        return Reply(Outcome.WRONG_ANSWER, message="not a transaction in base64")
    if not signed:
        return Reply(Outcome.WRONG_ANSWER, message="another transaction than the one asked for")
    return reply


class _Result(msgspec.Struct):
    transaction: tuple[str, str]


def _encoded(result: bytes) -> bytes | None:
    """The base64 text of a result, or None where there is none: found by its key as nodes write it,
    else parsed.
    """
    start = result.find(_MARK) + len(_MARK)
    if start >= len(_MARK) and result[:1] == b"{":
        return result[start : result.index(b'"', start)]
    try:
        return msgspec.json.decode(result, type=_Result).transaction[0].encode()
    except (msgspec.DecodeError, RecursionError):
        return None


def _is_signed(signature: str, encoded: bytes) -> bool:
    """Whether the transaction in base64 has this first signature. Raises ValueError or
    TransactionError otherwise.
    """
    head = pybase64.b64decode(encoded[:88])
    if head[:1] == _VERSION_1:  # its signatures are at its end
        return decode_wire(pybase64.b64decode(encoded)).signatures[:1] == (signature,)
    return head[1:65] == bytes(Signature.from_string(signature))
