"""Other grants of the authority: those made since, and what a change of pop-config does to those
that work.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from popkit.cutover.plan import OtherGrant, Signer
from popkit.cutover.planning.announcing import words
from popkit.cutover.planning.deciding import Gate
from popkit.cutover.planning.survey import created_at, is_made_after
from popkit.cutover.sending.endpoint import Endpoint
from popkit.facts import Facts
from popkit.protocol.accounts import Grant
from popkit.protocol.ed25519 import ProofDataError, read_proof
from popkit.protocol.keys import ED25519_PROGRAM, b58encode
from popkit.protocol.transaction import TransactionError, decode_result
from popkit.texts import Listed, Text

NEWEST = 30
"""How many of a grant's newest transactions are looked at for the key that signs its proofs."""

STAYS = Text("pop-config stays as it is", "pop-config は変わりません")
PAUSED, EXPIRED = Text("paused", "一時停止中"), Text("expired", "期限切れ")
NO_CLAIM_YET = Text(
    "an event of this worker, no claim yet", "この worker のイベントで、まだ claim がありません"
)
NO_CLAIM = Text(
    "no claim shows whose proofs the grant takes",
    "どの鍵の proof を受け付けるかを示す claim がありません",
)
BY_THE_PLANS_KEY = Text(
    "the newest claim was signed by the plan's key", "最新の claim は計画の鍵で署名されています"
)
SAME_MISMATCH = Text(
    "an event of this worker; no claim was accepted since the mismatch",
    "この worker のイベントで、鍵の不一致以後に受理された claim がありません",
)
BY_ANOTHER_KEY = Text(
    "the newest claim (slot {slot}) was signed by {key}",
    "最新の claim（スロット {slot}）は {key} で署名されています",
)


def refuse_later(endpoint: Endpoint, grants: Mapping[str, Grant], old: Grant, old_address: str, given_up: Collection[str],
    last_good: Mapping[str, Any] | None, gate: Gate) -> None:  # fmt: skip
    """Refuse where the authority made a grant of this mint after the last good claim: somebody may
    have cut over already.
    """
    after = last_good["slot"] if last_good is not None else created_at(endpoint, old_address)
    for address, grant in sorted(grants.items()):
        if address == old_address or address in given_up or grant.mint != old.mint:
            continue
        if after is None or is_made_after(endpoint, address, after):
            gate.refuse("later_grant", grant=address)


def effects_of(facts: Facts, endpoint: Endpoint, grants: Mapping[str, Grant], old: str, signer: Signer, linked: Collection[str],
    gate: Gate, now: int) -> list[OtherGrant]:  # fmt: skip
    """What the plan's signer does to every other grant of the authority. Raises Stopped where it
    would stop one that works.

    `linked` are grants that the worker has an event for: their proofs come from the worker that
    signs with the plan's key, so that they are broken by the same mismatch and helped. A grant
    whose newest accepted claim is by the key that pop-config names now, landed after the first
    claim here was refused, or is of no event of this worker, works now and would be hit.
    """
    found = []
    for address, grant in sorted(grants.items()):
        if address != old:
            found.append(
                OtherGrant(
                    address=address,
                    **_effect(facts, endpoint, address, grant, signer, linked, old, now),
                )
            )
    hit = [row.address for row in found if row.effect in ("hit", "not known")]
    if hit:
        gate.refuse("other_grants_hit", grants=Listed(tuple(hit)))
    return found


def _effect(facts: Facts, endpoint: Endpoint, address: str, grant: Grant, signer: Signer, linked: Collection[str], old: str,
    now: int) -> dict[str, Any]:  # fmt: skip
    if not signer.upsert:
        return {"effect": "none", "why": words(STAYS)}
    if grant.paused:
        return {"effect": "none", "why": words(PAUSED)}
    if 0 < grant.expires_at <= now:
        return {"effect": "none", "why": words(EXPIRED)}
    newest = _newest_signer(endpoint, address)
    if newest is None:
        is_linked = address in linked
        return {
            "effect": "helped" if is_linked else "not known",
            "why": words(NO_CLAIM_YET if is_linked else NO_CLAIM),
        }
    key, slot = newest
    refused = _first_refused(facts, old)
    if key == signer.planned:
        return {"effect": "helped", "why": words(BY_THE_PLANS_KEY)}
    if address in linked and (refused is None or slot < refused):
        return {"effect": "helped", "why": words(SAME_MISMATCH)}
    return {"effect": "hit", "why": words(BY_ANOTHER_KEY(slot=slot, key=key))}


def _first_refused(facts: Facts, old: str) -> int | None:
    """The slot of the first claim of the old grant that was refused for its signer."""
    slots = [a.slot for a in facts.chain(old).attributed if a.error == "InvalidPopSigner"]
    return min(slots) if slots else None


def _newest_signer(endpoint: Endpoint, grant: str) -> tuple[str, int] | None:
    """The key that signed the proof of a grant's newest accepted claim, and its slot; None where
    none of the newest has one.
    """
    for row in endpoint.signatures(grant, limit=NEWEST):
        if row.get("err") is not None:
            continue
        result = endpoint.transaction(row["signature"])
        if result is None:
            continue
        try:
            read = decode_result(result)
        except TransactionError:
            continue
        for instruction in read.instructions:
            if instruction.program == ED25519_PROGRAM and instruction.data is not None:
                try:
                    return b58encode(read_proof(instruction.data).public_key), int(row["slot"])
                except ProofDataError:
                    continue
    return None
