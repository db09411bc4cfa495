"""Whether a case names the wrong program: another one owns the grant, or is called instead."""

from __future__ import annotations

from collections.abc import Mapping

from popkit.chain.history import History
from popkit.claims.table import ClaimTable
from popkit.evidence.rpc import AccountRow
from popkit.protocol.instructions import InstructionError, decode_instruction

_FIRST_TRANSACTIONS = 64
"""How many transactions are searched for another program, where none calls the case's."""


def foreign_owner(grant: str, accounts: Mapping[str, AccountRow], history: History) -> str | None:
    """The program that owns a grant's account where it is not the case's; else None.

    Without that account, a case of which no transaction calls its program is of the program that
    they call instead.
    """
    claims, row = history.claims, accounts.get(grant)
    if row is not None and row.exists:
        return row.owner if row.owner != claims.program_id else None
    return called_instead(claims) if not len(claims) and not history.steps else None


def called_instead(claims: ClaimTable) -> str | None:
    """Another program than the case's that transactions call with its instructions; None where none
    is.
    """
    for row in range(min(len(claims.transactions), _FIRST_TRANSACTIONS)):
        for call in claims.decode(row).instructions:
            if call.data is None or call.program == claims.program_id:
                continue
            try:
                decode_instruction(call.data, call.accounts)
            except InstructionError:
                continue
            return call.program
    return None
