"""Which accounts a case needs, and which grants are meant: by public key, by (authority, mint,
grant id), or by event.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from popkit.errors import UsageError
from popkit.facts import Facts
from popkit.protocol.keys import is_pubkey
from popkit.protocol.pda import (
    grant_address,
    pop_config_address,
    pop_state_address,
    receipt_address,
    vault_address,
)


def read_grant(text: str, program: str) -> str:
    """A grant's public key, given as such or as AUTHORITY,MINT,GRANT_ID. Raises UsageError naming
    the part that is neither.
    """
    parts = text.split(",")
    if len(parts) == 1 and is_pubkey(text):
        return text
    if (
        len(parts) == 3
        and is_pubkey(parts[0])
        and is_pubkey(parts[1])
        and parts[2].isdigit()
        and int(parts[2]) < 1 << 64
    ):
        return grant_address(parts[0], parts[1], int(parts[2]), program)
    raise UsageError(f"--grant {text[:100]!r}: expected a public key, or AUTHORITY,MINT,GRANT_ID")


@dataclass(slots=True)
class Names:
    """The addresses of a case: `core` accounts in the order they are asked for together, `receipts`
    besides, `configs` by authority.
    """

    core: list[str] = field(default_factory=list)
    receipts: set[str] = field(default_factory=set)
    configs: dict[str, str] = field(default_factory=dict)


def names_of(facts: Facts) -> Names:
    """Every account that the claims, the worker's records or the grants themselves name, as far as
    the evidence goes by now.
    """
    found, program = Names(), facts.header.program_id
    for grant in facts.header.grants:
        authority, mint = facts.history.authority_of(grant), facts.history.mint_of(grant)
        found.core += [grant, pop_state_address(grant, program), vault_address(grant, program)]
        if mint is not None:
            found.core.append(mint)
        if authority is not None:
            found.configs[authority] = pop_config_address(authority, program)
            found.core.append(found.configs[authority])
    found.core = list(dict.fromkeys(found.core))
    found.receipts = (_receipts_of_claims(facts) | _receipts_of_records(facts)) - set(found.core)
    return found


def _receipts_of_claims(facts: Facts) -> set[str]:
    """The receipt of every attempt, refused ones included: whether it exists says whether another
    proof took the period.
    """
    keys, periods = facts.claims.key_text, facts.claims.period_index
    found = set()
    for row in range(len(facts.claims)):
        if keys["grant"][row] in facts.header.grants:
            found.add(keys["receipt"][row])
            found.add(
                receipt_address(
                    keys["grant"][row],
                    keys["claimer"][row],
                    int(periods[row]),
                    facts.header.program_id,
                )
            )
    return found


def _receipts_of_records(facts: Facts) -> set[str]:
    """The receipts of proofs that the worker issued, of claims it recorded, and those that its
    records name.
    """
    found = {
        receipt_address(anchor.grant, anchor.claimer, anchor.period_index, facts.header.program_id)
        for anchor in facts.anchors
        if anchor.grant in facts.header.grants
    }
    for row in facts.storage_history:
        if row.grant in facts.header.grants:
            found.add(
                receipt_address(row.grant, row.claimer, row.period_index, facts.header.program_id)
            )
    return found | {record.receipt for record in facts.claim_records if record.receipt is not None}
