"""Who asked for proofs of the new grant: anchors in the worker's audit list, read by looks that
must overlap.

Proofs are not bound to an event, and the worker answers for a grant that does not exist yet.
Somebody who guesses the new grant's address can move the worker's head away from GENESIS before the
first claim; in the strict eras the grant is then dead. The list shows the newest fifty entries
only, so that "nobody asked" is known only where no entry went by unseen between two looks; else it
is not known.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

from popkit.audit.anchors import ANCHOR_EVENT, API_EVENT
from popkit.audit.entries import GENESIS, LIST_WINDOW, milliseconds
from popkit.cutover.desk.worker import WorkerDesk
from popkit.protocol import canonical
from popkit.texts import Listed, Noun, Sentence, sentence

ASKED = Noun("proof was asked for", "proofs were asked for", "{n} 件")
LOOKS = Noun("look", "looks", "{n} 回")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One audit entry that names a grant. `event` is its kind: an anchor, or the API row of a
    request for a proof.

    `moved` says whether the worker's head of the grant may have moved for it: an anchor, or a
    request that was not refused. `is_whole` is False where the entry does not hash to what it says,
    so that somebody changed it. `claimer` is None where the entry does not say.
    """

    entry: str
    event: str
    at_ms: int | None
    grant: str
    claimer: str | None
    prev_hash: str | None
    moved: bool
    is_whole: bool

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Look:
    """What one reading of the audit list showed, short enough for a journal.

    `at` is when (unix s), `links` the entries as {entry hash: its prev_hash} whose hashes hold,
    `is_all` whether the list was shorter than its window, so that it showed everything there is.
    """

    at: float
    links: Mapping[str, str]
    sightings: tuple[Sighting, ...]
    is_all: bool

    @classmethod
    def of(
        cls,
        rows: Iterable[Mapping[str, Any]],
        at: float,
        grants: Collection[str],
        *,
        is_list: bool = True,
    ) -> Self:
        """Read audit entries: a list from the worker, or (`is_list` False) those of a case, as the
        look from which others go on.
        """
        read = list(rows)
        links = {row["entry_hash"]: row["prev_hash"] for row in read if _is_whole(row)}
        found = [sighting for row in read if (sighting := _sighting(row, grants)) is not None]
        return cls(
            at,
            links,
            tuple(sorted(found, key=lambda s: (s.at_ms or 0, s.entry))),
            is_list and len(read) < LIST_WINDOW,
        )

    @property
    def newest(self) -> str | None:
        """The end of the longest unbroken line of entries: what the next look must lead back to;
        None where nothing was shown.

        A list cut through entries of one millisecond may show an old entry without the one that
        follows it; it ends a short line.
        """
        ends = set(self.links) - set(self.links.values())
        return max(ends, key=lambda end: (len(self.line(end)), end), default=None)

    def line(self, entry: str) -> list[str]:
        """The hashes from an entry back along its links, up to and with the first that this look
        does not show.
        """
        found = [entry]
        while found[-1] in self.links:
            found.append(self.links[found[-1]])
        return found

    def as_json(self) -> dict[str, Any]:
        """{at, links, sightings, is_all}: read again by `from_json`."""
        return {
            "at": self.at,
            "links": dict(self.links),
            "sightings": [sighting.as_json() for sighting in self.sightings],
            "is_all": self.is_all,
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        sightings = tuple(Sighting(**row) for row in given["sightings"])
        return cls(float(given["at"]), dict(given["links"]), sightings, bool(given["is_all"]))


@dataclass(frozen=True, slots=True)
class Anchors:
    """What the looks together show of the new grants. `gaps` are the times (from, until; unix s)
    between which entries went by unseen.
    """

    looks: tuple[Look, ...]
    sightings: tuple[Sighting, ...]
    gaps: tuple[tuple[float, float], ...]
    grants: tuple[str, ...] = field(default=())

    @property
    def is_known(self) -> bool:
        """Whether nothing went by unseen from the first look to the last."""
        return bool(self.looks) and not self.gaps

    def by_others(self, wallet: str | None = None) -> tuple[Sighting, ...]:
        """What may have moved a new grant's head and was not for `wallet`, which is the canary's."""
        return tuple(
            s for s in self.sightings if s.moved and (wallet is None or s.claimer != wallet)
        )

    def is_untouched(self, wallet: str | None = None) -> bool | None:
        """Whether nobody but `wallet` asked for a proof of the new grants: True, False, or None
        where that is not known.
        """
        return False if self.by_others(wallet) else True if self.is_known else None

    def sentence(self, wallet: str | None = None) -> Sentence:
        """What the looks show, in words."""
        others = self.by_others(wallet)
        if others:
            return sentence(
                "{proofs} of the new grant by somebody else ({claimers}): its head at the worker "
                "may not be GENESIS any more.",
                "新しい grant の proof が別の人から{proofs}要求されました（{claimers}）。worker にある head は GENESIS "
                "ではなくなった"
                "可能性があります。",
                proofs=ASKED(len(others)),
                claimers=Listed(tuple(dict.fromkeys(s.claimer or "?" for s in others))[:5]),
            )
        if not self.is_known:
            return sentence(
                "Whether somebody asked for a proof of the new grant is not known: more than fifty "
                "audit entries went by between two of "
                "{looks}, and those between were not seen.",
                "新しい grant の proof が要求されたかどうかは分かりません。{looks}の確認の間に監査エントリが 50 件より多く流れ、その間の"
                "エントリを見ていません。",
                looks=LOOKS(len(self.looks)),
            )
        return sentence(
            "Nobody else asked for a proof of the new grant, by {looks} at the worker's audit list "
            "without a gap.",
            "新しい grant の proof を要求した人は他にいません（worker の監査リストを{looks}、途切れなく確認）。",
            looks=LOOKS(len(self.looks)),
        )

    def advice(self, wallet: str | None = None) -> Sentence:
        """What to do about it."""
        untouched = self.is_untouched(wallet)
        if untouched:
            return sentence(
                "Look again right before the first claim.",
                "最初の claim の直前に、もう一度確認してください。",
            )
        if untouched is None:
            return sentence(
                "Read the worker's storage or bucket export for anchors of the new grant, or let "
                "the canary show it: a proof that begins "
                "at GENESIS is a head that nobody moved.",
                "worker のストレージまたはバケットのエクスポートで新しい grant のアンカーを調べるか、カナリアで確かめてください。proof が"
                " GENESIS から始まれば、head は動かされていません。",
            )
        return sentence(
            "Do not announce the new grant. In the strict eras only the stranger's own proof can "
            "be claimed first, and only within 600 "
            "seconds: give this grant up and plan anew with another id. In relaxed and head go on; "
            "the head may have a parent that never "
            "landed.",
            "新しい grant を告知しないでください。strict の era では、最初に claim できるのはその他人の proof だけで、600 秒以内に限ら"
            "れます。この grant を破棄し、別の ID で計画し直してください。relaxed と head では続けられますが、head の親が取り込まれて"
            "いないことがあります。",
        )


def watch(desk: WorkerDesk, grants: Sequence[str], looks: Sequence[Look] = ()) -> Anchors:
    """Look once more at the worker's audit list and judge it together with the earlier `looks`,
    oldest first.

    Raises Silent where the list cannot be read. Looking appends an entry of its own; the first of
    `looks` may be `Look.of` a case's entries, so that the time since the case counts as well.
    """
    return judged((*looks, Look.of(desk.audit_logs(), time.time(), grants)), grants)


def judged(looks: Sequence[Look], grants: Sequence[str]) -> Anchors:
    """What looks show together, oldest first; no worker is asked."""
    gaps = [(one.at, other.at) for one, other in pairwise(looks) if not follows(one, other)]
    found = {
        sighting.entry: sighting
        for look in looks
        for sighting in look.sightings
        if sighting.grant in grants
    }
    return Anchors(
        tuple(looks),
        tuple(sorted(found.values(), key=lambda s: (s.at_ms or 0, s.entry))),
        tuple(gaps),
        tuple(grants),
    )


def follows(one: Look, other: Look) -> bool:
    """Whether no entry went by unseen between two looks: by its links, the later list leads back to
    the newest entry of the earlier.

    A list that shows everything there is from its GENESIS on needs no overlap with one that held
    nothing.
    """
    if other.newest is None:
        return one.newest is None and other.is_all
    return (GENESIS if one.newest is None else one.newest) in other.line(other.newest)


def _is_whole(row: Mapping[str, Any]) -> bool:
    named = row.get("entry_hash"), row.get("prev_hash")
    return (
        all(isinstance(value, str) for value in named)
        and canonical.entry_hash(dict(row)) == row["entry_hash"]
    )


def _sighting(row: Mapping[str, Any], grants: Collection[str]) -> Sighting | None:
    """A row that names one of the grants as an anchor or as a request for a proof; None for every
    other.
    """
    data = row.get("data")
    if not isinstance(data, dict) or row.get("event") not in (ANCHOR_EVENT, API_EVENT):
        return None
    is_anchor = row["event"] == ANCHOR_EVENT
    told = data if is_anchor else data.get("requestBody")
    if not isinstance(told, dict) or told.get("grant") not in list(grants):
        return None
    status = data.get("status")
    is_refused = not is_anchor and isinstance(status, int) and 400 <= status < 500
    return Sighting(
        entry=str(row.get("entry_hash")),
        event=str(row["event"]),
        at_ms=milliseconds(str(row.get("ts"))),
        grant=str(told["grant"]),
        claimer=str(told["claimer"]) if isinstance(told.get("claimer"), str) else None,
        prev_hash=str(told["prevHash"]) if isinstance(told.get("prevHash"), str) else None,
        moved=not is_refused,
        is_whole=_is_whole(row),
    )
