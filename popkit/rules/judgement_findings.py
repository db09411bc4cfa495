"""Findings of a grant that rules of the case and of the audit chain take over."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.protocol.pda import pop_state_address
from popkit.rules.model import Finding
from popkit.rules.sides import ACCOUNTS, STORAGE, GrantSide
from popkit.texts import Text, sentence

_HISTORY_OF = Text("a record of {entry} under pop_chain:history:", "pop_chain:history: 以下にある {entry} の記録")
_EXPORT_ENDS_BEFORE = Text(
    "the export holds no such record, and its records end before that key",
    "その記録はなく、エクスポートの記録はそのキーより前で終わっています",
)


def judgement_findings(side: GrantSide) -> Iterator[Finding]:
    """Accounts of another program, history records past the end of the storage's export."""
    program = side.facts.header.program_id
    state = pop_state_address(side.grant, program)
    for address, owner in ((side.grant, side.facts.foreign_owner(side.grant)), (state, side.chain_as_read.state.foreign_owner)):
        if owner is not None:
            wanted = sentence(
                "an account of {program}, the case's program", "ケースのプログラム {program} のアカウントであること", program=program
            )
            other = sentence("the account belongs to {owner}", "アカウントは {owner} に属しています", owner=owner)
            yield Finding("evidence_contradictory", side.grant, (ACCOUNTS, address), wanted, other)
    for proof in side.line.unrecorded_beyond:
        where = (STORAGE, proof.anchor.anchor_hash if proof.anchor is not None else proof.entry_hash)
        yield Finding("storage_export_partial", None, where, _HISTORY_OF(entry=proof.entry_hash), _EXPORT_ENDS_BEFORE())
