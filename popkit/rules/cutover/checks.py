"""A record of a cutover against the chain as the case holds it, statement by statement.

1. It is of this cluster and program; else nothing more is looked at.
2. The old grant: whose it is, its last good claim, and that its chain has not moved since.
3. The transactions: landed, accepted, in the stated slots.
4. The new grant: made after the last good claim, by a stated transaction, with the stated
   authority, mint and terms.
5. Who signs: pop-config as of the switch, and the first claim, which follows GENESIS.
6. The event's link, and the operator's own claim.

Absence contradicts a record only where the evidence is complete and no older than what is stated;
else it cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterator

from popkit.evidence.cutover import Record
from popkit.facts import Facts
from popkit.protocol.genesis import UNKNOWN, cluster_of
from popkit.rules.cutover.first_claims import (
    canary_points,
    event_points,
    first_claim_points,
    signer_points,
)
from popkit.rules.cutover.new_grant import new_grant_points
from popkit.rules.cutover.old_grant import old_grant_points
from popkit.rules.cutover.points import VIOLATED, Point
from popkit.rules.cutover.side import RecordSide
from popkit.rules.cutover.transactions import transaction_points
from popkit.texts import Text

LOCAL = "localnet"
"""What a case calls a cluster that has no name of its own."""
CLUSTER, PROGRAM = Text("the cluster", "クラスター"), Text("the program", "プログラム")


def points_of(facts: Facts, record: Record) -> list[Point]:
    """Every point of a record, held against one case, in the order of the rules above."""
    side = RecordSide(facts, record)
    here = list(_place_points(side))
    if any(point.result == VIOLATED for point in here):
        return here
    found = [*here, *old_grant_points(side), *transaction_points(side)]
    if side.new is not None and not record.given_up:
        found += [
            *new_grant_points(side, side.new),
            *first_claim_points(side, side.new),
            *event_points(side, side.new),
            *canary_points(side, side.new),
        ]
    return [*found, *signer_points(side)]


def _place_points(side: RecordSide) -> Iterator[Point]:
    """That the record is of this cluster and program."""
    header, record = side.facts.header, side.record
    if record.program_id != header.program_id:
        yield Point("program_id", PROGRAM, VIOLATED, record.program_id, header.program_id)
    named = cluster_of(record.genesis_hash) if record.genesis_hash is not None else record.cluster
    if header.cluster not in (UNKNOWN, LOCAL, named) and named != UNKNOWN:
        yield Point("cluster", CLUSTER, VIOLATED, named, header.cluster)
