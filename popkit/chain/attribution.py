"""Whose key may sign for a grant: anyone can land a transaction that names it, so a proof counts by
its signer alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from popkit.chain.history import History
from popkit.claims.table import PROOF_PLACES, ClaimTable

_PRECEDING = PROOF_PLACES.index("preceding")


@dataclass(slots=True)
class Attribution:
    """Keys that may sign for a grant, by grant: those pop-config named at some slot, and the
    worker's.
    """

    keys: dict[str, set[str]] = field(default_factory=dict)

    def for_grant(self, grant: str) -> set[str]:
        """The keys of one grant; none for a grant that the case does not list."""
        return self.keys.get(grant, set())


def attribution_of(
    claims: ClaimTable,
    history: History,
    grants: Iterable[str],
    signer_now: str | None,
) -> Attribution:
    """The keys that pop-config named for each grant at some slot, and `signer_now`, the one that
    the worker's status names.

    An accepted claim shows its signer to have been pop-config's at its slot, whatever else of
    pop-config is in the case: the program compared the two.
    """
    extra = {signer_now} if signer_now else set()
    keys = {grant: history.signers_ever(history.authority_of(grant)) | extra for grant in grants}
    for row in range(len(claims)):
        grant = claims.key_text["grant"][row]
        checked = claims.accepted[row] and claims.proof_place[row] == _PRECEDING
        if checked and grant in keys and claims.transaction_signatures_hold[row]:
            keys[grant].add(claims.key_text["signer"][row])
    return Attribution(keys)


def signed_audit_hashes(claims: ClaimTable, attribution: Attribution) -> set[str]:
    """The audit hashes to which proofs of version 2 commit that the grant's own issuer signed."""
    hashes, found = claims.hash_text["audit_hash"], set()
    for row in range(len(claims)):
        keys = attribution.for_grant(claims.key_text["grant"][row])
        is_signed = (
            bool(claims.proof_signature_holds[row]) and claims.key_text["signer"][row] in keys
        )
        if claims.message_version[row] == 2 and is_signed:
            found.add(hashes[row])
    return found
