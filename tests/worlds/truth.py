"""What was so at a moment of a world: the verdict of a grant, by the words of design §5 and with
everything known.

Nothing of popkit's judge is used. Where the design leaves two words open, or names a word only by
what the evidence shows, the set holds both; each such place says why.
"""

from __future__ import annotations

from dataclasses import dataclass

from popkit.drill.proofs import GENESIS
from popkit.drill.world import START, GrantHandle
from popkit.protocol.error_table import FRAMEWORK_ERRORS, PROGRAM_ERRORS
from tests.worlds.plays import Play
from tests.worlds.timed import STRICT, Moment, Tried

CHAIN_RULES = {6026, 6027, 6028}
SKEW = 600
NAMES = {
    PROGRAM_ERRORS[name][1].get("strict", 6030): name for name in PROGRAM_ERRORS
} | FRAMEWORK_ERRORS
BURNT = {
    0: "duplicate_claim",
    6001: "vault_empty",
    6005: "wrong_period",
    6007: "paused",
    6008: "grant_expired",
    6013: "not_in_allowlist",
    6018: "signer_mismatch",
    6024: "proof_expired",
}


@dataclass(frozen=True)
class Way:
    """The worker's proofs from the chain's head to its own, oldest first; None where no way leads
    there. `heals` while all can land.
    """

    entries: tuple[str, ...] | None
    heals: int | None
    streams_differ: bool


class Truth:
    """Everything about one grant of a play."""

    def __init__(self, play: Play, handle: GrantHandle) -> None:
        """`by_anchors` makes the worker's head that of its newest proof, as its records have it
        where no storage tells (design §5).
        """
        self.play, self.world, self.handle = play, play.world, handle
        self.grant = handle.address
        self.proofs = {
            row.proof.entry: row for row in self.world.issued if row.proof.grant == self.grant
        }
        self.by_anchors = False
        self._verdicts: dict[tuple[int, int], set[str]] = {}

    # what there was

    def issued(self, moment: Moment) -> list[str]:
        """Entries of the grant's proofs, in the order of issue."""
        return [
            row.proof.entry
            for row in self.world.issued[: moment.issued]
            if row.proof.grant == self.grant
        ]

    def tried(self, moment: Moment) -> list[Tried]:
        """Landed claims of the grant's own issuers, in the order of landing."""
        return [t for t in self.world.tried[: moment.tried] if t.proof.grant == self.grant]

    def accepted(self, moment: Moment) -> list[Tried]:
        return [t for t in self.tried(moment) if t.accepted]

    def refused(self, moment: Moment) -> list[Tried]:
        """Attributed refusals: ours, and not of an entry that had been accepted before."""
        found, carried = [], set()
        for t in self.tried(moment):
            if t.accepted:
                carried.add(t.proof.entry)
            elif t.ours and t.proof.entry not in carried:
                found.append(t)
        return found

    def chain_head(self, moment: Moment) -> str:
        state = moment.ledger.states.get(self.handle.state)
        return GENESIS if state is None else state.last_global_hash

    def has_claimed(self, claimer: str, period: int, moment: Moment) -> bool:
        return any((t.proof.claimer, t.period) == (claimer, period) for t in self.accepted(moment))

    # ways and verdicts

    def way(self, moment: Moment, now: int) -> Way:
        """How the worker's head stands to the chain's under strict rules."""
        head = self.chain_head(moment)
        at, stream = moment.heads.get(self.grant, (GENESIS, GENESIS))
        if self.by_anchors:
            own = [entry for entry in self.issued(moment) if self.proofs[entry].issuer == "worker"]
            at = stream = own[-1] if own else GENESIS
        differ, path = at != stream, []
        while at != head and at in self.proofs and len(path) < 1000:
            path.insert(0, self.proofs[at].proof)
            at = path[0].prev
        differ |= any(proof.stream != proof.prev for proof in path)
        if at != head:
            return Way(None, None, differ)
        ends, keys = [], set()
        grant = moment.ledger.grants.get(self.grant)
        for proof in path:
            key = (proof.claimer, proof.period)
            if key in keys or self.has_claimed(*key, moment) or grant is None:
                return Way(tuple(p.entry for p in path), None, differ)
            keys.add(key)
            begins = grant.start_ts + grant.period_seconds * proof.period
            over = begins + grant.period_seconds - 1
            ends += [proof.issued_at + SKEW, over] + (
                [grant.expires_at] if grant.expires_at else []
            )
            if begins > proof.issued_at + SKEW:
                ends.append(-1)
        heals = min(ends, default=None)  # type: ignore[type-var]
        return Way(
            tuple(p.entry for p in path), heals if heals is None or heals >= now else None, differ
        )

    def verdicts(self, moment: Moment, now: int) -> set[str]:
        """What the grant was at a moment, at a time (unix seconds) before the next one.
        'inconclusive' where no word is right.
        """
        key = (moment.ms, now)
        if key not in self._verdicts:
            self._verdicts[key] = self._verdicts_of(moment, now)
        return self._verdicts[key]

    def _verdicts_of(self, moment: Moment, now: int) -> set[str]:
        relaxed = moment.build not in STRICT
        found = self.under(moment, now, relaxed)
        shown = self.shown(moment)
        if relaxed and shown != "relaxed":
            # Nothing shows the relaxed program yet: where the newest behaviour is strict, or the day is too early for another, the strict
            # reading is what any evidence says. Where nothing shows and the day allows both, only a word that both readings share is
            # certain; the true one is right, and so is "cannot tell".
            # A worker that keeps its own head is of the strict days: where behaviour is silent its model decides (design §5, eras).
            strict = shown == "strict" or now < START["relaxed"] or not self.play.follows
            found |= self.under(moment, now, False) if strict else {"inconclusive"}
        if not relaxed and shown == "relaxed":
            # Strict again and nothing shows it: the newest behaviour decides.
            found |= self.under(moment, now, True)
        return found

    def shown(self, moment: Moment) -> str | None:
        """The newest behaviour that only one of the two rules has: 'relaxed', 'strict' or None."""
        found, carried = None, {GENESIS}
        for t in self.world.tried[: moment.tried]:
            if t.accepted and t.proof.prev != t.head and t.proof.prev in carried:
                found = "relaxed"  # a parent that never landed shows nothing: it may be a claim that is not in the evidence
            carried |= {t.proof.entry} if t.accepted else set()
            if t.accepted:
                continue
            if t.code in CHAIN_RULES:
                found = "strict"
        return found

    def under(self, moment: Moment, now: int, relaxed: bool) -> set[str]:
        """The verdicts by one reading of the rules."""
        refused, tried = self.refused(moment), self.tried(moment)
        if not refused and not self.issued(moment) and not self.accepted(moment):
            return {"unused"}
        if not tried and not any(
            self.proofs[entry].issuer == "worker" for entry in self.issued(moment)
        ):
            return {
                "unused",
                "intact",
            }  # another issuer's proof that was not sent yet is in nobody's records
        if not relaxed and not self.play.follows:
            way = self.way(moment, now)
            if way.streams_differ:
                return {"broken"}
            if way.entries is None:
                return {"broken"}
            if way.entries:
                # A closed grant may be created again: the design does not say whether a proof for it can land.
                open_ = {"in_flight"} if self.grant not in moment.ledger.grants else set()
                return {"in_flight"} if way.heals is not None else {"broken"} | open_
        broke = [t for t in refused if t.code in CHAIN_RULES]
        if not broke:
            return {"intact"}
        after = [t for t in tried if t.accepted and tried.index(t) > tried.index(broke[-1])]
        if after:
            return {"recovered"}
        # Refused by a chain rule, nothing accepted since, and no head of the worker's is in the way: "neither recovered nor broken"
        # (fault 05). Where the worker keeps its own head and it is the chain's, `intact` is the table's word by its letter.
        return {"inconclusive", "intact"} | (
            {"recovered"} if any(self.accepted(moment)) and len(broke) > 1 else set()
        )

    # what an answer may name

    def causes(self, moment: Moment) -> set[str]:
        """Causes that something in the world up to a moment can be the reason of; more than a
        single verdict has.
        """
        happened = {what for ms, what in self.world.happened if ms <= moment.ms}
        found = {"unexplained"}
        carried = {t.proof.entry for t in self.accepted(moment)}
        lost = [self.proofs[e].proof for e in self.issued(moment) if e not in carried]
        if lost:
            found.add("abandoned_proof")
        if any(proof.prev == GENESIS for proof in lost):
            found.add("genesis_mismatch")
        for t in self.refused(moment):
            if t.code in CHAIN_RULES:
                found.add("out_of_order")
            found |= {BURNT[t.code]} if t.code in BURNT else set()
        for what in happened:
            number = int(what.split()[1]) if what.startswith("reported ") else None
            found |= {BURNT[number]} if number in BURNT else set()
        found |= {"foreign_issuer"} if "foreign" in happened else set()
        found |= (
            {"worker_head_reset", "worker_head_rollback"}
            if happened & {"reset", "rollback", "storage sourced"}
            else set()
        )
        found |= {"stream_divergence"} if "stream" in happened else set()
        found |= {"signer_mismatch"} if "signer" in happened else set()
        # The operator's own list of events is not of a moment.
        found |= (
            {"grant_reuse"}
            if any(what == "grant reuse" for _, what in self.world.happened)
            else set()
        )
        return found

    def waiting(self, early: Moment, late: Moment) -> set[str]:
        """Claimers of a refused claim or of a never-accepted proof, who had no accepted claim of
        that period at the earlier moment.
        """
        carried = {t.proof.entry for t in self.accepted(early)}
        keys = {(t.proof.claimer, t.period) for t in self.refused(late)}
        keys |= {
            (p.claimer, p.period)
            for e in self.issued(late)
            if e not in carried
            for p in [self.proofs[e].proof]
        }
        return {claimer for claimer, period in keys if not self.has_claimed(claimer, period, early)}

    def unlanded(self, early: Moment, late: Moment) -> set[str]:
        """Entries issued by the later moment and not accepted by the earlier."""
        return set(self.issued(late)) - {t.proof.entry for t in self.accepted(early)}
