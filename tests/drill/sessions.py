"""Recorded sessions with a node, put to the drill's: one world whose start, clock and blockhashes
are the recording's.

What the program answered is compared whole: outcome, error, logs, balances, accounts byte for byte.
What the bridge in front of it answered shows a node's shape, not a node's behaviour (the
recordings' README): its errors are compared by code, those of a preflight by error and words as
well, everything else by names and types.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from popkit.drill.bank import Landed
from popkit.drill.chain import BLOCKHASH_SLOTS, Chain
from popkit.drill.ledger import Account, Ledger
from popkit.drill.machine import PROGRAM_DATA
from popkit.drill.node import LiveNode
from popkit.drill.stage import MODELS
from popkit.drill.world import World
from popkit.protocol.keys import PROGRAM_ID, SYSTEM_PROGRAM
from popkit.serving.params import RpcError
from tests.drill.recorded import DATA, NATIVE_LOADER, account_of, rows_of, transaction_of

SESSIONS = DATA / "sessions"
SLOT_MS, SLOTS_BEFORE = 400, 1000
BEHIND = {"processed": 2, "confirmed": 5, "finalized": 33}
"""After how many slots the recording's bridge showed what was sent."""
NONCE_SIZE, NONCE = 80, slice(40, 72)
RECENT_BLOCKHASHES = "SysvarRecentB1ockHashes11111111111111111111"
MADE_UP = {
    "apiVersion", "computeUnitsConsumed", "confirmations", "context", "lastValidBlockHeight", "rentEpoch", "replacementBlockhash",
    "slot", "unitsConsumed",
}  # fmt: skip
"""What the bridge made up, or what a native program costs: no answer of the program's."""
BRIDGE_ALONE = (
    "the same bytes twice: simulate what landed",
    "statuses in order: getTransaction in another encoding",
    "unknown blockhash: fee",
)
"""Steps whose answers the recordings' README says not to build on."""


class RecordedWorld(World):
    """The world before a session's first line; blocks have the hashes that the recording shows,
    where it shows one.
    """

    def __init__(self, era: str, exchanges: list[dict[str, Any]]) -> None:
        rows = rows_of(SESSIONS / f"{era}-start.jsonl")
        start = next(row for row in rows if row["kind"] == "world")
        newest = [
            (row["at"], *_newest_block(row))
            for row in exchanges
            if row["request"].get("method") == "getLatestBlockhash"
        ]
        self.shown = {slot: blockhash for _, slot, blockhash in newest}
        super().__init__(era, MODELS[era], f"{era} session", int(start["now"]))
        self.ms, self.first_slot = int(start["now"] * 1000), start["slot"] - SLOTS_BEFORE
        begun = min(int(1000 * at) - SLOT_MS * (slot - self.first_slot) for at, slot, _ in newest)
        self.pace = [(begun, self.first_slot, SLOT_MS)]
        held = {
            row["pubkey"]: account_of(row["account"]) for row in rows if row["kind"] == "account"
        }
        # The recorded program is a built-in of its executor, without the ProgramData account that the drill's has.
        held |= {PROGRAM_ID: Account(1, NATIVE_LOADER, b"\0", executable=True), PROGRAM_DATA: None}
        held |= {RECENT_BLOCKHASHES: Account(1, NATIVE_LOADER)}
        self.ledger = Ledger(
            {key: row for key, row in {**self.ledger.accounts, **held}.items() if row is not None}
        )
        self.ledgers = [(self.first_slot, self.ledger)]
        for row in rows:
            if row["kind"] == "transaction":
                result = row["result"]
                keys = tuple(map(str, transaction_of(result).message.account_keys))
                self.landed.append(
                    Landed(row["signature"], result["slot"], result["blockTime"], result, keys)
                )

    def blockhash(self, slot: int) -> str:
        return self.shown.get(slot) or super().blockhash(slot)

    def prepare(self, row: dict[str, Any]) -> None:
        """Bring the clock to a row, and put in place what no transaction did: lamports of the
        laboratory's faucet.
        """
        self.ms = max(self.ms, int(row["at"] * 1000))
        asked, recorded = row["request"], row["response"]
        if asked.get("method") == "simulateTransaction" and "result" in recorded:
            value, wanted = (
                recorded["result"]["value"],
                asked["params"][1].get("accounts") or {"addresses": []},
            )
            shown = value["accounts"] if value["err"] is not None else None
            for key, value in zip(wanted["addresses"], shown or [], strict=False):
                if (
                    key not in self.ledger.accounts
                    and value is not None
                    and value["owner"] == SYSTEM_PROGRAM
                ):
                    self.ledger.accounts[key] = Account(value["lamports"])

    def take_nonces(self, row: dict[str, Any]) -> None:
        """Put the recorded nonces in place: they follow from blockhashes of the executor that
        nobody wrote down.
        """
        if row["request"].get("method") == "getMultipleAccounts":
            for key, value in zip(
                row["request"]["params"][0], row["response"]["result"]["value"], strict=True
            ):
                recorded, held = account_of(value), self.ledger.accounts.get(key)
                if recorded is not None and held is not None and _is_nonce(recorded):
                    data = held.data[: NONCE.start] + recorded.data[NONCE] + held.data[NONCE.stop :]
                    self.ledger.accounts[key] = replace(held, data=data)


def _newest_block(row: dict[str, Any]) -> tuple[int, str]:
    """The slot and hash of the block that getLatestBlockhash showed: the bridge's height is its
    slot.
    """
    value = row["response"]["result"]["value"]
    return value["lastValidBlockHeight"] - BLOCKHASH_SLOTS, value["blockhash"]


class RecordedChain(Chain):
    """A chain that shows at each commitment what the recording's bridge showed."""

    def slot_at(self, commitment: str) -> int:
        return self.slot - BEHIND[commitment]

    def last_valid_slot(self, blockhash: str, at: int | None = None) -> int | None:
        """The bridge gave the newest block's hash whatever the commitment, and knew it at every
        one.
        """
        return super().last_valid_slot(blockhash)


def _is_nonce(account: Account) -> bool:
    return account.owner == SYSTEM_PROGRAM and len(account.data) == NONCE_SIZE


def differences(era: str, session: str, build: str | None = None) -> Iterator[str]:
    """Every answer of the drill's node that is another than recorded, each with its line; with
    `build` another program is deployed.
    """
    rows = rows_of(SESSIONS / f"{era}-{session}.jsonl")
    world = RecordedWorld(era, rows)
    world.build = build or era
    node = LiveNode(RecordedChain(world))
    for number, row in enumerate(rows, 1):
        if row["to"] != "rpc":
            continue
        world.prepare(row)
        asked, recorded = row["request"], row["response"]
        try:
            answer: dict[str, Any] = {
                "result": msgspec.json.decode(node.answer(asked["method"], asked.get("params")))
            }
        except RpcError as refused:
            answer = {"error": refused.body()}
        world.take_nonces(row)
        if row["step"] not in BRIDGE_ALONE:
            for found in _compared(row["by"], recorded, answer):
                yield f"{number} {row['by']} {row['step']} {asked['method']}{found}"


def _compared(by: str, recorded: dict[str, Any], answer: dict[str, Any]) -> Iterator[str]:
    if "error" in recorded and "error" in answer:
        known = ("code", "message", "data") if "data" in recorded["error"] else ("code",)
        yield from _differs(
            *({name: body["error"].get(name) for name in known} for body in (recorded, answer)),
            whole=True,
        )
    else:
        ours = {name: recorded[name] for name in ("result", "error") if name in recorded}
        yield from _differs(ours, answer, whole=by == "program")


def _differs(recorded: Any, answered: Any, whole: bool, where: str = "") -> Iterator[str]:
    if isinstance(recorded, dict) and isinstance(answered, dict):
        if recorded.keys() - MADE_UP != answered.keys() - MADE_UP:
            yield f"{where}: {sorted(recorded)} recorded, {sorted(answered)} answered"
        for key in recorded.keys() & answered.keys() - MADE_UP:
            yield from _differs(recorded[key], answered[key], whole, f"{where}.{key}")
    elif isinstance(recorded, list) and isinstance(answered, list):
        recorded, answered = (
            [item for item in items if " consumed " not in str(item)]
            for items in (recorded, answered)
        )
        if whole and len(recorded) != len(answered):
            yield f"{where}: {len(recorded)} items recorded, {len(answered)} answered"
        for at, (one, other) in enumerate(zip(recorded, answered, strict=False)):
            yield from _differs(one, other, whole, f"{where}[{at}]")
    elif _is_other(recorded, answered, whole) and not _are_nonces(recorded, answered):
        yield f"{where}: {str(recorded)[:200]} recorded, {str(answered)[:200]} answered"


def _is_other(recorded: Any, answered: Any, whole: bool) -> bool:
    return bool(recorded != answered) if whole else type(recorded) is not type(answered)


def _are_nonces(recorded: Any, answered: Any) -> bool:
    """Whether two texts are the bytes of one nonce account but for its value."""
    try:
        one, other = (
            bytearray(base64.b64decode(text, validate=True)) for text in (recorded, answered)
        )
    except (TypeError, ValueError):
        return False
    one[NONCE] = other[NONCE] = b""
    return len(one) == NONCE_SIZE - 32 and one == other
