"""What a node knows now: its name and clock, accounts at one slot, the receipts of a grant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from popkit.collecting.node import Check, Node, Reply
from popkit.collecting.outcomes import Outcome
from popkit.collecting.progress import Progress
from popkit.collecting.workspace import Workspace
from popkit.evidence.layout import ACCOUNTS, NODE
from popkit.protocol.keys import is_pubkey

MOST_ACCOUNTS = 100
"""How many accounts one getMultipleAccounts may name."""
RECEIPT_SIZE, RECEIPT_GRANT_AT = 88, 8


class _Context(msgspec.Struct):
    slot: int


class _Accounts(msgspec.Struct):
    context: _Context
    value: list[msgspec.Raw]


class _Owned(msgspec.Struct):
    pubkey: str
    account: msgspec.Raw


class _OwnedAccounts(msgspec.Struct):
    context: _Context
    value: list[_Owned]


class _Line(msgspec.Struct):
    pubkey: str
    slot: int | None
    account: dict[str, Any] | None


@dataclass(slots=True)
class AccountsSeen:
    """Accounts as kept: by public key the account (None: does not exist), the slots they are of,
    and `why` they are not all there.
    """

    accounts: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    slots: set[int] = field(default_factory=set)
    why: str = ""


class State:
    """Asks one node for its present state, and keeps what it says."""

    def __init__(self, node: Node, work: Workspace, progress: Progress, program: str) -> None:
        self.node, self.work, self.progress, self.program = node, work, progress, program

    async def one(
        self, step: str, method: str, params: list[Any], max_age: float | None = None
    ) -> Reply:
        """One small question; its answer is kept in `rpc/node.jsonl` as {method, params, result or
        error}.
        """
        record = self.work.remembered(step, max_age)
        if record is None:
            reply, note = await self.node.ask(method, params)
            said: dict[str, Any] = {"method": method, "params": params}
            if reply.ok:
                said["result"] = msgspec.Raw(reply.result.replace(b"\n", b" "))
            else:
                said["error"] = {
                    "outcome": reply.outcome,
                    "code": reply.code,
                    "message": reply.message[:200],
                }
            final = {"step": step} if reply.ok or reply.code is not None else {}
            record = self.work.keeps({NODE: [msgspec.json.encode(said)]}, **note, **final)
        line = msgspec.json.decode(self.work.lines(record)[0])
        if "error" in line:
            error = line["error"]
            return Reply(Outcome(error["outcome"]), code=error["code"], message=error["message"])
        return Reply(Outcome.OK, msgspec.json.encode(line["result"]))

    async def accounts(
        self, keys: Sequence[str], step: str, max_age: float | None = None
    ) -> AccountsSeen:
        """Accounts by public key, at most a hundred a request, each request at one slot; finalized."""
        found = AccountsSeen()
        for start in range(0, len(keys), MOST_ACCOUNTS):
            part = list(keys[start : start + MOST_ACCOUNTS])
            record = self.work.remembered(f"{step}/{start}", max_age)
            if record is None:
                params = [
                    part,
                    {"encoding": "base64", "commitment": "finalized", **self._at_least()},
                ]
                reply, note = await self.node.ask(
                    "getMultipleAccounts", params, self._same_length(len(part))
                )
                if not reply.ok:
                    self.work.keeps({}, **note)
                    found.why = reply.says
                    return found
                answer = msgspec.json.decode(reply.result, type=_Accounts)
                lines = [
                    _line(key, answer.context.slot, bytes(raw))
                    for key, raw in zip(part, answer.value, strict=True)
                ]
                record = self.work.keeps({ACCOUNTS: lines}, **note, step=f"{step}/{start}")
            self._take(found, record)
            self.progress.step(len(part), pages=1)
        return found

    async def receipts(self, grant: str, step: str, max_age: float | None = None) -> AccountsSeen:
        """Every receipt account of a grant, by getProgramAccounts; `why` says so where the node
        does not offer that.
        """
        found = AccountsSeen()
        record = self.work.remembered(step, max_age)
        if record is None:
            filters = [
                {"dataSize": RECEIPT_SIZE},
                {"memcmp": {"offset": RECEIPT_GRANT_AT, "bytes": grant}},
            ]
            options = {
                "encoding": "base64",
                "commitment": "finalized",
                "withContext": True,
                "filters": filters,
                **self._at_least(),
            }
            reply, note = await self.node.ask(
                "getProgramAccounts", [self.program, options], self._owned
            )
            if not reply.ok:
                self.work.keeps({}, **note)
                found.why = reply.says
                return found
            answer = msgspec.json.decode(reply.result, type=_OwnedAccounts)
            rows = sorted(answer.value, key=lambda row: row.pubkey)
            lines = [_line(row.pubkey, answer.context.slot, bytes(row.account)) for row in rows]
            record = self.work.keeps({ACCOUNTS: lines}, **note, step=step)
        self._take(found, record)
        self.progress.step(1, pages=1)
        return found

    def _take(self, found: AccountsSeen, record: dict[str, Any]) -> None:
        for text in self.work.lines(record):
            line = msgspec.json.decode(text, type=_Line)
            found.accounts[line.pubkey] = line.account
            if line.slot is not None:
                found.slots.add(line.slot)
                self.node.slot = max(self.node.slot, line.slot)

    def _at_least(self) -> dict[str, Any]:
        return {"minContextSlot": self.node.slot} if self.node.slot else {}

    def _same_length(self, count: int) -> Check:
        """An answer must hold a value a key, and must not be of an older slot than one that was
        given before.
        """

        def check(reply: Reply) -> Reply:
            try:
                answer = msgspec.json.decode(reply.result, type=_Accounts)
            except (msgspec.DecodeError, RecursionError) as error:
                return Reply(Outcome.WRONG_ANSWER, message=f"not accounts with their slot: {error}")
            if len(answer.value) != count:
                return Reply(
                    Outcome.WRONG_ANSWER,
                    message=f"{len(answer.value)} accounts where {count} were asked for",
                )
            if not all(bytes(raw) == b"null" or _is_object(raw) for raw in answer.value):
                return Reply(
                    Outcome.WRONG_ANSWER, message="something that is neither an account nor null"
                )
            return self._not_older(reply, answer.context.slot)

        return check

    def _owned(self, reply: Reply) -> Reply:
        try:
            answer = msgspec.json.decode(reply.result, type=_OwnedAccounts)
        except (msgspec.DecodeError, RecursionError) as error:
            return Reply(
                Outcome.WRONG_ANSWER, message=f"not program accounts with their slot: {error}"
            )
        if not all(is_pubkey(row.pubkey) and _is_object(row.account) for row in answer.value):
            return Reply(
                Outcome.WRONG_ANSWER, message="a row that is not an account with its public key"
            )
        return self._not_older(reply, answer.context.slot)

    def _not_older(self, reply: Reply, slot: int) -> Reply:
        if slot < self.node.slot:
            return Reply(Outcome.SLOT_WENT_BACK, message=f"slot {slot} after slot {self.node.slot}")
        return reply


def _is_object(raw: msgspec.Raw) -> bool:
    return bytes(raw)[:1] == b"{"


def _line(key: str, slot: int, account: bytes) -> bytes:
    return b'{"pubkey":"%s","slot":%d,"account":%s}' % (
        key.encode(),
        slot,
        account.replace(b"\n", b" "),
    )
