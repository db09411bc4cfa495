"""The claim attempts on a grant: which of them count, and what they show of the program's era."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from popkit.chain.attribution import Attribution
from popkit.chain.eras import EARLIEST, Shown, only, since
from popkit.chain.history import History
from popkit.claims.table import PROOF_PLACES, ClaimTable
from popkit.protocol.errors import CHAIN_RULE_ERRORS, ERAS, TransactionFailure
from popkit.texts import Text


class Attempt(NamedTuple):
    """One claim attempt on a grant. Hashes are hex or None (no message); times are unix seconds.

    `period_index` is what the claim asked for, `message_period_index` what its proof is for (the
    program refuses where they differ).

    `noise` says why a refused attempt is not attributed to the grant's issuer (None: it is
    attributed, or it was accepted).
    """

    row: int
    signature: str
    slot: int
    position: int | None
    block_time: int | None
    instruction_index: int
    accepted: bool
    claimer: str
    period_index: int
    receipt: str
    has_proof: bool
    signer: str | None
    prev_hash: str | None
    stream_prev_hash: str | None
    audit_hash: str | None
    entry_hash: str | None
    issued_at: int | None
    message_period_index: int | None
    authentic: bool | None
    noise: str | None
    failure: TransactionFailure | None
    own_failure: bool

    @property
    def error(self) -> str | None:
        """The program's or Anchor's name of the error, else Custom(n); None when accepted or
        unknown.
        """
        if self.failure is None:
            return None
        return self.failure.error or (
            f"Custom({self.failure.code})" if self.failure.code is not None else None
        )

    @property
    def found_a_receipt(self) -> bool:
        """Whether it was refused because the receipt of its claimer and period was there already
        (system, Custom(0)).
        """
        return (
            self.own_failure
            and self.failure is not None
            and (self.failure.layer, self.failure.code) == ("system", 0)
        )

    @property
    def broke_chain_rule(self) -> bool:
        """Whether the program refused this very claim by a chain rule (6026, 6027, 6028)."""
        f = self.failure
        return (
            self.own_failure
            and f is not None
            and f.layer == "program"
            and f.error in CHAIN_RULE_ERRORS
        )


def read_attempts(
    claims: ClaimTable, keys: Attribution, grants: Iterable[str]
) -> dict[str, list[Attempt]]:
    """The attempts on each grant, with noise told from the issuer's own; linear in the number of
    claims.
    """
    found: dict[str, list[Attempt]] = {grant: [] for grant in grants}
    text, hashes = claims.key_text, claims.hash_text
    transactions = claims.transactions
    first_accepted: dict[str, int] = {}
    rows = [row for row in range(len(claims)) if text["grant"][row] in found]
    noise: dict[int, str | None] = {}
    for row in rows:
        noise[row] = _noise(claims, row, keys.for_grant(text["grant"][row]))
        if claims.accepted[row] and noise[row] != "forged" and claims.has_message[row]:
            entry = hashes["entry_hash"][row]
            first_accepted[entry] = min(first_accepted.get(entry, 1 << 63), int(claims.slot[row]))
    for row in rows:
        tx = int(claims.transaction[row])
        has = bool(claims.has_message[row])
        accepted = bool(claims.accepted[row])
        why = noise[row]
        message_entry: str | None = hashes["entry_hash"][row] if has else None
        if (
            why is None
            and not accepted
            and _came_after(claims, row, first_accepted.get(message_entry or ""))
        ):
            why = _ALREADY_ACCEPTED
        found[text["grant"][row]].append(
            Attempt(
                row=row,
                signature=claims.signature[row],
                slot=int(claims.slot[row]),
                position=transactions.position[tx],
                block_time=transactions.block_time[tx],
                instruction_index=int(claims.index[row]),
                accepted=accepted,
                claimer=text["claimer"][row],
                period_index=int(claims.period_index[row]),
                receipt=text["receipt"][row],
                has_proof=PROOF_PLACES[int(claims.proof_place[row])] is not None,
                signer=text["signer"][row] if claims.proof_place[row] else None,
                prev_hash=hashes["prev_hash"][row] if has else None,
                stream_prev_hash=hashes["stream_prev_hash"][row] if has else None,
                audit_hash=hashes["audit_hash"][row]
                if has and claims.message_version[row] == 2
                else None,
                entry_hash=message_entry,
                issued_at=int(claims.issued_at[row]) if has else None,
                message_period_index=int(claims.message_period_index[row]) if has else None,
                authentic=claims.transaction_signatures_hold[row],
                noise=why,
                failure=claims.failure[row],
                own_failure=bool(claims.own_failure[row]),
            )
        )
    return found


def _came_after(claims: ClaimTable, row: int, accepted: int | None) -> bool:
    """Whether a refused claim was sent again after its entry was accepted (at slot `accepted`).

    Within one slot the error tells: once accepted, the receipt stands in the way before any rule is
    asked (system, Custom(0)).
    """
    if accepted is None or accepted > int(claims.slot[row]):
        return False
    failure = claims.failure[row]
    in_the_way = failure is None or failure.layer != "program" or not claims.own_failure[row]
    return accepted < int(claims.slot[row]) or in_the_way


_ALREADY_ACCEPTED = Text("the proof was already accepted", "proof はすでに受理されています")
_NO_PROOF = Text("the claim carries no proof", "claim に proof が含まれていません")
_SIGNATURE_FAILS = Text("the proof's signature does not verify", "proof の署名を検証できません")
_HASH_FAILS = Text(
    "the proof's entry hash is not that of its fields",
    "proof の entry hash が各フィールドと一致しません",
)
_OTHER_GRANT = Text("the proof names another grant", "proof が別の grant を指しています")
_OTHER_CLAIMER = Text("the proof names another claimer", "proof が別の claimer を指しています")
_OTHER_PERIOD = Text("the proof names another period", "proof が別の期間を指しています")
_OTHER_KEY = Text(
    "the proof is signed by a key that was never the grant's",
    "proof が、この grant のものになったことのない鍵で署名されています",
)


def _noise(claims: ClaimTable, row: int, keys: set[str]) -> str | None:
    """Why an attempt does not count: None for the issuer's own, 'forged' when its transaction
    cannot be what it says it is.

    An accepted claim's proof was checked by the program; where it does not hold, the evidence is
    not what the chain executed.
    """
    if claims.transaction_signatures_hold[row] is False:
        return "forged"
    accepted = bool(claims.accepted[row])
    pre_pop = claims.account_count[row] < 12
    if accepted and pre_pop:
        return None
    if not claims.has_message[row] or (
        accepted and PROOF_PLACES[int(claims.proof_place[row])] != "preceding"
    ):
        return "forged" if accepted else _NO_PROOF
    same_grant = (claims.hashes["message_grant"][row] == claims.keys["grant"][row]).all()
    same_claimer = (claims.hashes["message_claimer"][row] == claims.keys["claimer"][row]).all()
    checks = (
        (bool(claims.proof_signature_holds[row]), _SIGNATURE_FAILS),
        (bool(claims.entry_hash_holds[row]), _HASH_FAILS),
        (bool(same_grant), _OTHER_GRANT),
        (bool(same_claimer and claims.claimer_signed[row]), _OTHER_CLAIMER),
        # refused for it, a proof is still the issuer's, and may land in its own period
        (
            not accepted or claims.message_period_index[row] == claims.period_index[row],
            _OTHER_PERIOD,
        ),
    )
    for holds, why in checks:
        if not holds:
            return "forged" if accepted else why
    if not accepted and claims.key_text["signer"][row] not in keys:
        return _OTHER_KEY
    return None


def shown_by_claims(claims: ClaimTable, history: History) -> list[Shown]:
    """What accepted and refused attempts, of every grant in the case, show of the program's era."""
    shown: list[Shown] = []
    for row in range(len(claims)):
        if claims.transaction_signatures_hold[row] is False:
            continue
        slot = int(claims.slot[row])
        if not claims.accepted[row]:
            failure = claims.failure[row]
            if failure is not None and failure.eras and failure.eras != frozenset(ERAS):
                shown.append(Shown(slot, failure.eras, f"refused with {failure.error}"))
            continue
        if claims.account_count[row] < 12:
            shown.append(Shown(slot, only("pre_pop"), "a claim with nine accounts was accepted"))
            continue
        shown.append(Shown(slot, since("strict"), "a claim with twelve accounts was accepted"))
        if claims.message_version[row] == 1:
            shown.append(Shown(slot, only("strict"), "a message of version 1 was accepted"))
    shown += _shown_by_parents(claims)
    for step in history.steps:
        if step.name == "upsert_pop_config":
            shown.append(Shown(step.slot, since("strict"), "upsert_pop_config was accepted"))
        if step.name == "update_grant":
            shown.append(Shown(step.slot, only("relaxed"), "update_grant was accepted"))
    return _thinned(shown)


def _shown_by_parents(claims: ClaimTable) -> list[Shown]:
    """What only the relaxed program does: two children of one parent accepted, a child before its
    parent, two links that differ.

    The latter show it from the day on which that program exists; before that day the evidence is
    false.
    """
    shown = []
    entries, parents, streams = (
        claims.hashes[name] for name in ("entry_hash", "prev_hash", "stream_prev_hash")
    )
    times = claims.transactions.block_time
    sound = claims.accepted & claims.entry_hash_holds & claims.proof_signature_holds
    rows = [
        row
        for row in sound.nonzero()[0].tolist()
        if claims.transaction_signatures_hold[row] is not False
    ]
    landed: dict[tuple[bytes, bytes], int] = {}
    for row in rows:
        landed.setdefault(
            (claims.keys["grant"][row].tobytes(), entries[row].tobytes()), int(claims.slot[row])
        )
    children: dict[tuple[bytes, bytes], bytes] = {}
    for row in rows:
        slot, moment = int(claims.slot[row]), times[int(claims.transaction[row])]
        parent = (claims.keys["grant"][row].tobytes(), parents[row].tobytes())
        if children.setdefault(parent, entries[row].tobytes()) != entries[row].tobytes():
            shown.append(Shown(slot, only("relaxed"), "two accepted claims share a parent"))
        if moment is None or moment < EARLIEST["relaxed"]:
            continue
        if landed.get(parent, slot) > slot:
            shown.append(
                Shown(slot, only("relaxed"), "a claim was accepted before the one it follows")
            )
        if (parents[row] != streams[row]).any():
            shown.append(
                Shown(slot, only("relaxed"), "a claim was accepted whose two links differ")
            )
    return shown


def _thinned(shown: list[Shown]) -> list[Shown]:
    """The first and the last slot at which each thing was shown: what stands between adds nothing."""
    groups: dict[tuple[frozenset[str], str], list[Shown]] = defaultdict(list)
    for item in shown:
        groups[item.allowed, item.basis].append(item)
    kept = []
    for items in groups.values():
        kept += [min(items, key=lambda s: s.slot), max(items, key=lambda s: s.slot)]
    return kept
