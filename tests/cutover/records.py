"""Records of cutovers made by hand, from what a recorded case shows of one that was done without a
record.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from popkit.case import Case, open_case
from popkit.evidence.cutover import Record, canonical, read_record
from popkit.protocol.message import GENESIS_HASH
from tests.conftest import CASES

CUTOVER = CASES / "cutover"
OLD, NEW = (
    "GyNErNFYyguDK24JREUeQvazex3M2WoUvELAnZPpqkvH",
    "9JzAeLwRH5SF9MEnFDe8vR1V2qqNiyRPwhf19fFgKxZG",
)
"""The two grants of the recorded cutover."""
DIGEST = "5" * 64


def stated(case: Case, old: str, new: str, **changes: Any) -> dict[str, Any]:
    """The plain values of a true record of the cutover that a case shows. `changes` replace them,
    by paths such as `new__signer`.
    """
    facts, diagnosis = case.facts, case.diagnose().grant(old).as_json()
    history, first = facts.history, facts.chain(new).linked[0]
    pause = next((call for call in history.of_grant(old) if call.name == "set_paused"), None)
    creation = next(call for call in history.of_grant(new) if call.name == "create_grant")
    sent = [*([("0", pause)] if pause is not None else []), ("2", creation)]
    terms = {
        name: creation.args[name]
        for name in ("grant_id", "amount_per_period", "period_seconds", "start_ts", "expires_at")
    }
    made: dict[str, Any] = {
        "schema": "popkit.cutover/1",
        "made_at": case.collected_at,
        "cluster": case.cluster,
        "genesis_hash": None,
        "program_id": facts.header.program_id,
        "remedy": "switch",
        "reason": None,
        "overridden": [],
        "old": {
            "grant": old,
            "authority": history.authority_of(old),
            "mint": history.mint_of(old),
            **{name: diagnosis[name] for name in ("last_good", "first_bad", "heads", "causes", "missing_entries")},
            "events": facts.events_of(old),
            "closed": False,
        },
        "new": {
            "grant": new,
            "authority": history.authority_of(new),
            "mint": history.mint_of(new),
            "genesis": GENESIS_HASH,
            "signer": first.signer,
            "event": facts.events_of(new)[0],
            **terms,
            **{name: str(terms[name]) for name in ("grant_id", "amount_per_period")},
        },
        "signer": first.signer,
        "transactions": [
            {"step": name, "signature": call.signature, "slot": call.slot, "block_time": call.block_time, "done_by": "us"}
            for name, call in sent
        ],
        "canary": {
            "wallet": first.claimer, "signature": first.signature, "slot": first.slot, "entry_hash": first.entry_hash, "receipt": None
        },
        "verified": None,
        "adjudicates": [{"code": "chain_broken", "key": None}],
        "digests": {
            "plan": DIGEST, "case": None, "findings": DIGEST, "journal": DIGEST, "journal_head": DIGEST, "journal_entries": 9
        },
        "given_up": False,
        "given_up_before": [],
        "open_points": [{"step": "4", "state": "open"}],
        "so_far": True,
    }  # fmt: skip
    made = deepcopy(made)
    for path, value in changes.items():
        *parts, last = path.split("__")
        place = made
        for part in parts:
            place = place[int(part) if isinstance(place, list) else part]
        place[last] = value
    return made


def bytes_of(values: dict[str, Any]) -> bytes:
    """A record's canonical bytes. Raises CaseUnreadable where the values are none."""
    data = canonical(msgspec.convert(values, Record))
    read_record(data)
    return data


def written(place: Path, values: dict[str, Any]) -> Path:
    """A record as a file."""
    place.write_bytes(bytes_of(values))
    return place


@cache
def cutover_case() -> Case:
    """The recorded cutover, opened once."""
    return open_case(CUTOVER)
