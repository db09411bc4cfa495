"""What the cluster holds right now, from two endpoints: who it is, the program, the accounts,
whether addresses are unused, costs.

Nothing is judged by the clock of one node, and nothing that a node does not give is guessed: the
answer is Stopped, or null.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pybase64 import b64encode
from solders.pubkey import Pubkey

from popkit.chain.eras import EraAt
from popkit.cutover.errors import Stopped
from popkit.cutover.plan import Block, Cluster, Limits, Program, canonical
from popkit.cutover.reasons import stop
from popkit.cutover.sending.asking import SLOT_NOT_REACHED
from popkit.cutover.sending.calls import GrantPlace, create_grant
from popkit.cutover.sending.endpoint import Accounts, Endpoint, Held, NodeRefused
from popkit.cutover.sending.transactions import message_of, unsigned
from popkit.evidence.rpc import SignatureRow
from popkit.protocol.accounts import (
    DISCRIMINATORS,
    AccountError,
    Grant,
    TokenAccount,
    decode_grant,
    decode_token_account,
)
from popkit.protocol.genesis import UNKNOWN, cluster_of
from popkit.protocol.keys import b58encode, key_bytes

UPGRADEABLE_LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
PROGRAM_DATA_HEADER = 45
"""Bytes before the program in a ProgramData account: kind, slot, whether there is an upgrade
authority, and which.
"""
SKIPPED = (-32007, -32009)
"""Codes of a slot without a block, and of one that this node does not keep."""
GRANT_SIZE = 178
PAGE, MOST_PAGES = 1000, 20
"""Signatures in a page, and how many pages of a grant's list are worth asking for."""
AUTHORITY_OFFSET = 8
SIZES = {
    "grant": GRANT_SIZE,
    "vault": 165,
    "pop_config": 73,
    "pop_state": 122,
    "receipt": 88,
    "token_account": 165,
    "empty": 0,
}
"""Bytes of the accounts that rent is asked for."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two endpoints of one cluster: the first builds, simulates and sends, the second vouches.
    `sleep` waits between two looks.
    """

    first: Endpoint
    second: Endpoint
    sleep: Callable[[float], None] = time.sleep

    def close(self) -> None:
        self.first.close()
        self.second.close()


def cluster_seen(
    pair: Pair,
    case_cluster: str,
    limits: Limits,
    *,
    newest: SignatureRow | None,
    wall: float | None = None,
) -> Cluster:
    """Which cluster both endpoints are on. Raises Stopped where they are not on one, or not on the
    case's.

    `newest` is the newest signature of the case, which both must have: a cluster that was reset
    keeps its name.
    """
    first, second = pair.first, pair.second
    if first.address.url == second.address.url:
        raise stop("one_endpoint", endpoint=first.shown)
    genesis, other = str(first.ask("getGenesisHash", [])), str(second.ask("getGenesisHash", []))
    if genesis != other:
        raise stop("endpoints_disagree", what="getGenesisHash", first=genesis, second=other)
    for endpoint in (first, second):
        version = endpoint.ask("getVersion", [])
        if isinstance(version, dict) and "surfnet-version" in version:
            raise stop("forked_node", endpoint=endpoint.shown, version=version["surfnet-version"])
    name = cluster_of(genesis)
    if case_cluster not in (UNKNOWN, "localnet", name):
        raise stop("wrong_cluster", case=case_cluster, found=name if name != UNKNOWN else genesis)
    version = first.ask("getVersion", [])
    if newest is not None:
        for endpoint in (first, second):
            if endpoint.status(newest.signature) is None:
                _refuse_lag(pair, newest.slot)
                raise stop("history_missing", signature=newest.signature)
    return Cluster(
        name=name if name != UNKNOWN else case_cluster,
        genesis_hash=genesis,
        node_version=str(version.get("solana-core")) if isinstance(version, dict) else "unknown",
        block=_common_block(pair, limits, wall),
        agreed_by_second=True,
    )


def _refuse_lag(pair: Pair, slot: int) -> None:
    """Refuse where an endpoint has not reached a slot yet: what it lacks may be still to come."""
    first, second = pair.first.slot(), pair.second.slot()
    if min(first, second) < slot:
        raise stop("endpoints_disagree", what="getSlot", first=first, second=second)


def _common_block(pair: Pair, limits: Limits, wall: float | None) -> Block:
    """A finalized block that both endpoints have, by slot and hash; its time is held against this
    machine's clock.
    """
    slot = min(pair.first.slot(), pair.second.slot())
    first, second = (_block(endpoint, slot) for endpoint in (pair.first, pair.second))
    if first["blockhash"] != second["blockhash"]:
        raise stop(
            "endpoints_disagree",
            what=f"getBlock {slot}",
            first=first["blockhash"],
            second=second["blockhash"],
        )
    clock = pair.first.clock()
    apart = abs((time.time() if wall is None else wall) - clock.block_time)
    if apart > limits.clock_seconds:
        raise stop("clock_off", seconds=round(apart), limit=limits.clock_seconds)
    return Block(slot=first["slot"], blockhash=first["blockhash"], time=first["blockTime"])


def _block(endpoint: Endpoint, slot: int) -> dict[str, Any]:
    """The newest block at or before a slot: slots may be skipped."""
    config = {
        "encoding": "json",
        "transactionDetails": "none",
        "rewards": False,
        "commitment": "finalized",
    }
    config["maxSupportedTransactionVersion"] = 1
    for at in range(slot, max(slot - 50, -1), -1):
        try:
            found = endpoint.ask("getBlock", [at, config])
        except NodeRefused as refused:
            if refused.number in SKIPPED:  # skipped, or not stored: the one before
                continue
            raise
        if isinstance(found, dict):
            return {
                "slot": at,
                "blockhash": str(found.get("blockhash")),
                "blockTime": found.get("blockTime"),
            }
    raise stop("endpoints_disagree", what=f"getBlock {slot}", first="", second="")


def block_at(endpoint: Endpoint, slot: int) -> str | None:
    """The hash of the block of one slot; None where the node does not hold it any more."""
    config = {
        "encoding": "json",
        "transactionDetails": "none",
        "rewards": False,
        "commitment": "finalized",
    }
    try:
        found = endpoint.ask("getBlock", [slot, config | {"maxSupportedTransactionVersion": 1}])
    except NodeRefused:
        return None
    return str(found["blockhash"]) if isinstance(found, dict) else None


def program_seen(pair: Pair, program_id: str, era: EraAt, init: bool | None) -> Program:
    """The program's loader, ProgramData and upgrade authority as both endpoints hold them, with the
    era that the case shows.
    """
    held = agreed(pair, [program_id])[program_id]
    known: dict[str, Any] = {
        "program_data": None,
        "slot": None,
        "sha256": None,
        "upgrade_authority": None,
    }
    kind = held.owner if held is not None else "missing"
    if held is not None and held.owner == UPGRADEABLE_LOADER and len(held.data) >= 36:
        kind = "upgradeable"
        address = b58encode(held.data[4:36])
        known["program_data"] = address
        data = agreed(pair, [address])[address]
        if data is not None and len(data.data) >= PROGRAM_DATA_HEADER:
            known["slot"] = int.from_bytes(data.data[4:12], "little")
            known["upgrade_authority"] = b58encode(data.data[13:45]) if data.data[12] == 1 else None
            known["sha256"] = hashlib.sha256(data.data).hexdigest()
    return Program(
        program_id=program_id,
        kind=kind,
        era=era.era,
        era_shown_by=era.decided_by,
        init=init,
        **known,
    )


def shows_init(endpoint: Endpoint, at: GrantPlace, grant: Grant) -> bool | None:
    """Whether create_grant refuses a grant that exists: a simulation over the old one, which
    changes nothing, shows it.

    None where the node does not simulate, or the answer is neither: then the program is taken for
    one that rewrites.
    """
    call = create_grant(
        at,
        amount_per_period=grant.amount_per_period,
        period_seconds=grant.period_seconds,
        start_ts=grant.start_ts,
        expires_at=grant.expires_at,
    )
    wire = unsigned(message_of([call], at.authority, "1" * 32))
    config = {
        "encoding": "base64",
        "sigVerify": False,
        "replaceRecentBlockhash": True,
        "commitment": "finalized",
    }
    try:
        value = endpoint.ask("simulateTransaction", [b64encode(wire).decode(), config])["value"]
    except Stopped:
        return None
    if value.get("err") is None:
        return False
    return True if value["err"] == {"InstructionError": [0, {"Custom": 0}]} else None


def grants_of(pair: Pair, program_id: str, authority: str) -> dict[str, Grant]:
    """Every grant account of an authority, by address: from the second endpoint where the first
    does not list a program's accounts.

    Raises Stopped where neither does: whom a change hits, and who was ahead, would not be known.
    """
    filters = [
        {"dataSize": GRANT_SIZE},
        {"memcmp": {"offset": AUTHORITY_OFFSET, "bytes": authority}},
    ]
    config = {"encoding": "base64", "commitment": "finalized", "filters": filters}
    found: dict[str, Grant] = {}
    endpoint, rows = _listed(pair, "getProgramAccounts", [program_id, config])
    for row in rows:
        held = endpoint.held(row["account"])
        if held is not None and held.data[:8] == DISCRIMINATORS[Grant]:
            found[row["pubkey"]] = decode_grant(held.data)
    return found


def _listed(pair: Pair, method: str, params: list[Any]) -> tuple[Endpoint, list[dict[str, Any]]]:
    """The endpoint that answers a method that not every provider offers, and its rows."""
    why: list[Stopped] = []
    for endpoint in (pair.first, pair.second):
        try:
            rows = endpoint.ask(method, params)
        except Stopped as stopped:
            why.append(stopped)
            continue
        if isinstance(rows, list):
            return endpoint, rows
    raise stop(
        "no_account_list",
        first=pair.first.shown,
        second=pair.second.shown,
        why=why[0].reason if why else "null",
    )


def created_at(endpoint: Endpoint, grant: str) -> int | None:
    """The slot of a grant's oldest transaction that the node lists; None where its list is longer
    than is worth asking for.
    """
    oldest, config = None, {"commitment": "finalized", "limit": PAGE}
    for _ in range(MOST_PAGES):
        page = endpoint.ask("getSignaturesForAddress", [grant, config])
        if page:
            oldest, config = page[-1]["slot"], config | {"before": page[-1]["signature"]}
        if len(page) < PAGE:
            return oldest
    return None


def is_made_after(endpoint: Endpoint, grant: str, slot: int) -> bool:
    """Whether all that the node lists of a grant landed after a slot; where its list is too long to
    tell, as if it had.
    """
    config: dict[str, Any] = {"commitment": "finalized", "limit": PAGE}
    for _ in range(MOST_PAGES):
        page = endpoint.ask("getSignaturesForAddress", [grant, config])
        if any(row["slot"] <= slot for row in page):
            return False
        if len(page) < PAGE:
            return True
        config |= {"before": page[-1]["signature"]}
    return True


LOOKS, CATCH_UP_SECONDS = 4, 5.0
"""How often two endpoints are compared, and how long a second one that lags is left to catch up
each time.
"""


def unused_at(pair: Pair, addresses: Mapping[str, str]) -> dict[str, int]:
    """The finalized slots at which both endpoints show no account and no signature at any address.
    Raises Stopped with the first found.

    `addresses` are named by what they are. Lamports that somebody merely sent do no harm, yet the
    signature says that the address is known.
    """
    slots = {}
    grant = f" (grant {addresses['grant']})" if "grant" in addresses else ""
    for endpoint in (pair.first, pair.second):
        seen = endpoint.accounts(list(addresses.values()))
        for what, address in addresses.items():
            if seen[address] is not None:
                raise stop(
                    "address_taken",
                    what=what,
                    address=address,
                    how=f"{endpoint.shown}: account{grant}",
                )
            listed = endpoint.signatures(address, limit=1)
            if listed:
                raise stop(
                    "address_taken",
                    what=what,
                    address=address,
                    how=f"{endpoint.shown}: {listed[0]['signature']}{grant}",
                )
        slots[endpoint.name] = seen.slot
    return slots


def agreed(pair: Pair, keys: Sequence[str]) -> Accounts:
    """Accounts as the first endpoint holds them, where the second holds the same. Raises Stopped
    where the two differ.

    The second is asked at the first's slot or later: one that lags a little is waited for, one that
    lags longer vouches for nothing. Both are asked again where they differ, as accounts may move
    between two looks.
    """
    apart: list[str] = []
    for attempt in range(LOOKS):
        first = pair.first.accounts(keys)
        second = _caught_up(pair, keys, first.slot)
        apart = [key for key in keys if first[key] != second[key]]
        if not apart:
            return first
        if attempt < LOOKS - 1:
            pair.sleep(0.5)
    key = apart[0]
    raise stop(
        "endpoints_disagree",
        what=key,
        first=state_digest(first[key]) or "null",
        second=state_digest(second[key]) or "null",
    )


def _caught_up(pair: Pair, keys: Sequence[str], slot: int) -> Accounts:
    """Accounts as the second endpoint holds them at a slot or later. Raises Stopped where it does
    not come there in time.
    """
    pair.second.newest_slot = max(pair.second.newest_slot, slot)
    for _ in range(LOOKS):
        try:
            return pair.second.accounts(keys)
        except NodeRefused as refused:
            if refused.number != SLOT_NOT_REACHED:
                raise
        pair.sleep(CATCH_UP_SECONDS)
    raise stop("endpoints_disagree", what="getSlot", first=slot, second=f"< {slot}")


def token_account(held: Held | None) -> TokenAccount | None:
    """A token account's mint, owner and amount; None where it is none."""
    if held is None:
        return None
    try:
        return decode_token_account(held.data)
    except AccountError:
        return None


def state_digest(held: Held | None) -> str | None:
    """SHA-256 of an account's owner, lamports and data; None where there is no account."""
    if held is None:
        return None
    row = {"owner": held.owner, "lamports": held.lamports, "data": b64encode(held.data).decode()}
    return hashlib.sha256(canonical(row)).hexdigest()


def is_on_curve(key: str) -> bool:
    """Whether a private key can exist for an address; a multisig's vault is off the curve."""
    return Pubkey(key_bytes(key)).is_on_curve()
