"""What a person may name to have it verified, and what each name stands for.

A claim goes by its signature, receipt account, entry hash, audit hash, the audit entries behind its
proof, a confirmation code, or the wallet that claims; a grant by its address. A beginning stands
for the one name that begins so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property

from popkit.chain.attempts import Attempt
from popkit.errors import UsageError
from popkit.facts import Facts
from popkit.text import shown
from popkit.texts import Listed, Text
from popkit.worker.claim_records import ClaimRecord
from popkit.worker.line import WorkerLine

SIGNATURE = Text("signature", "署名")
RECEIPT = Text("receipt account", "レシートアカウント")
ENTRY = Text("entry hash", "entry hash")
AUDIT = Text("audit entry", "監査エントリ")
CODE = Text("confirmation code", "確認コード")
WALLET = Text("wallet", "ウォレット")
GRANT = Text("grant", "grant")
KINDS = (SIGNATURE, RECEIPT, ENTRY, AUDIT, CODE, WALLET, GRANT)

CANDIDATE = Text("{name} ({kind})", "{name}（{kind}）")
AMBIGUOUS = Text(
    "{name} is the beginning of {count} names: {candidates}; give more of the one that you mean",
    "{name} で始まる名前が {count} 個あります: {candidates}。目的の名前をもう少し長く指定してください",
)
MORE = Text("and {count} more", "ほか {count} 個")
UNKNOWN = Text(
    "nothing in the case is named {name}, or begins so. A name is one of these: {kinds}",
    "ケースに {name} という名前も、それで始まる名前もありません。指定できるのは次の種類の名前です: {kinds}",
)
UNKNOWN_BUT_NEAR = Text(
    "nothing in the case is named {name}, or begins so; near it: {candidates}. A name is one of "
    "these: {kinds}",
    "ケースに {name} という名前も、それで始まる名前もありません。近い名前: {candidates}。指定できるのは次の種類の名前です: {kinds}",
)
LISTED = 8
"""How many candidates an error lists."""
COMPARED = 500
"""How many names a misspelt one is held against: those that begin, or end, as it does."""


@dataclass(slots=True)
class Named:
    """What one name stands for: attempts (by `id`) with their lines, the worker's claim records, a
    grant; and the name's kinds.
    """

    kinds: list[Text] = field(default_factory=list)
    attempts: dict[int, tuple[WorkerLine, Attempt]] = field(default_factory=dict)
    records: list[ClaimRecord] = field(default_factory=list)
    grant: str | None = None


class Names:
    """Every name in a case."""

    def __init__(
        self, facts: Facts, lines: dict[str, WorkerLine], records: list[ClaimRecord]
    ) -> None:
        self._facts, self._lines, self._records = facts, lines, records

    def find(self, name: str) -> tuple[str, Named]:
        """The whole name, and what it stands for. Raises UsageError where several names begin so,
        or none.
        """
        exact = self._all.get(name)
        if exact is not None:
            return name, exact
        beginning = sorted(known for known in self._all if name and known.startswith(name))
        if len(beginning) == 1:
            return beginning[0], self._all[beginning[0]]
        if beginning:
            raise UsageError(
                AMBIGUOUS(
                    name=shown(name), count=len(beginning), candidates=self._candidates(beginning)
                )
            )
        near, kinds = self._near(name), Listed(KINDS)
        if near:
            raise UsageError(
                UNKNOWN_BUT_NEAR(name=shown(name), candidates=self._candidates(near), kinds=kinds)
            )
        raise UsageError(UNKNOWN(name=shown(name), kinds=kinds))

    def _candidates(self, names: list[str]) -> Listed:
        listed: list[object] = [
            CANDIDATE(name=shown(name), kind=self._all[name].kinds[0]) for name in names[:LISTED]
        ]
        return Listed(
            (*listed, *([MORE(count=len(names) - LISTED)] if len(names) > LISTED else []))
        )

    def _near(self, name: str) -> list[str]:
        """Names that a slip of the hand makes of this one, the nearest first."""
        alike = [
            known
            for known in self._all
            if len(name) > 3 and (known[:3] == name[:3] or known[-3:] == name[-3:])
        ]
        same = [known for known in self._all if known.lower() == name.lower()]
        return same or get_close_matches(name, sorted(alike)[:COMPARED], n=3, cutoff=0.8)

    @cached_property
    def _all(self) -> dict[str, Named]:
        found: dict[str, Named] = defaultdict(Named)

        def named(name: str | None, kind: Text) -> Named:
            known = found[name] if name else Named()
            if kind not in known.kinds:
                known.kinds.append(kind)
            return known

        claimed = {
            (line.chain.grant, a.claimer, a.period_index)
            for line in self._lines.values()
            for a in line.chain.accepted
        }
        by_signature: dict[str, Named] = defaultdict(Named)
        for line in self._lines.values():
            named(line.chain.grant, GRANT).grant = line.chain.grant
            for attempt in [*line.chain.accepted, *line.chain.refused, *line.chain.forged]:
                by_signature[attempt.signature].attempts[id(attempt)] = (line, attempt)
                for name, kind in self._names_of(line, attempt):
                    named(name, kind).attempts[id(attempt)] = (line, attempt)
                # of a person's claims of one period, the one that was accepted is meant, where there is one
                if (
                    attempt.accepted
                    or (line.chain.grant, attempt.claimer, attempt.period_index) not in claimed
                ):
                    named(attempt.claimer, WALLET).attempts[id(attempt)] = (line, attempt)
        for record in self._records:
            claims = (
                by_signature[record.tx_signature].attempts
                if record.tx_signature in by_signature
                else {}
            )
            for name, kind in (
                (record.code, CODE),
                (record.key, AUDIT),
                (record.tx_signature, SIGNATURE),
            ):
                one = named(name, kind)
                one.records.append(record)
                one.attempts |= claims
        return dict(found)

    def _names_of(self, line: WorkerLine, attempt: Attempt) -> Iterator[tuple[str | None, Text]]:
        """What an attempt is called by: its own names, and those of the anchor and the ticket
        receipt behind its proof.
        """
        yield attempt.signature, SIGNATURE
        yield attempt.entry_hash, ENTRY
        yield attempt.audit_hash, AUDIT
        if attempt.accepted:
            yield attempt.receipt, RECEIPT
        proof = line.proofs.get(attempt.entry_hash or "")
        if proof is not None and proof.anchor is not None:
            code = self._facts.audit.entries[proof.anchor.anchor_hash].data.get("confirmationCode")
            yield proof.anchor.anchor_hash, AUDIT
            yield proof.anchor.receipt_id, AUDIT
            yield (code if isinstance(code, str) else None), CODE
