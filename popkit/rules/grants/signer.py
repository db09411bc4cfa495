"""The key that signs proofs against the one that pop-config names."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.rules.model import Answer, Rule
from popkit.rules.sides import ACCOUNTS, TRANSACTIONS, GrantSide
from popkit.texts import Sentence, Text

_NAMED_SIGNER = Text("the signer in pop-config", "pop-config の signer")
_NOT_COMPARED = Text(
    "the worker's present signer against pop-config", "worker の現在の signer と pop-config の照合"
)
_OLDER_STATUS = Text(
    "the worker's present signer: its status may have been taken before pop-config was last "
    "changed",
    "worker の現在の signer（ステータスは pop-config の最後の変更より前のものかもしれません）",
)


def _not_compared(side: GrantSide) -> Sentence | None:
    """Why the worker's present signer cannot be held against pop-config; None where it can, or
    where the two agree.
    """
    facts = side.facts
    if facts.signer_now is None:
        return _NOT_COMPARED()
    authority = facts.history.authority_of(side.grant)
    named = None if authority is None else facts.history.signer_now(authority)
    if authority is None or named in (None, facts.signer_now) or facts.status_counts(authority):
        return None
    return _OLDER_STATUS()


def _is_compared(side: GrantSide) -> bool:
    return _not_compared(side) is None or any(
        cause.name == "signer_mismatch" for cause in side.causes
    )


SIGNER_MISMATCH = Rule(
    "signer_mismatch",
    "critical",
    "grant",
    source="program §1.7: 6018",
    holds=Text(
        "the worker signs with the key that pop-config names",
        "worker が pop-config に設定された鍵で署名していること",
    ),
    meaning=Text(
        "A proof, or the worker as it is configured, signs with a key that pop-config does "
        "not name.",
        "proof または現在の設定の worker が、pop-config にない鍵で署名しています。",
    ),
    advice=Text(
        "Set pop-config to the worker's key before the new grant opens; a burnt proof stays burnt.",
        "新しい grant を始める前に、pop-config を worker の鍵に設定してください。"
        "失効した proof は元に戻りません。",
    ),
    applies=_is_compared,
)


@SIGNER_MISMATCH.asks
def signer_mismatch(side: GrantSide) -> Iterator[Answer]:
    """The cause of that name, at the first refused claim; a wallet's report alone makes a warning,
    as nobody signs it.
    """
    for cause in side.causes:
        if cause.name == "signer_mismatch":
            refused = next(
                (a for a in side.chain.attributed if a.signature in cause.signatures), None
            )
            where = (ACCOUNTS, side.grant) if refused is None else (TRANSACTIONS, refused.signature)
            severity = "warning" if cause.entries and not cause.signatures else ""
            slot = refused.slot if refused is not None else None
            yield SIGNER_MISMATCH.violated(
                where, _NAMED_SIGNER(), cause.because, slot=slot, severity=severity
            )


SIGNER_UNKNOWN = Rule(
    "signer_unknown",
    "info",
    "grant",
    source="invariant L5",
    holds=Text(
        "the worker's present signer can be held against pop-config",
        "worker の現在の signer を pop-config と照合できること",
    ),
    meaning=Text(
        "The worker's present signer is not in the evidence, or older than pop-config's last "
        "change, so that the two were not compared.",
        "worker の現在の signer が証拠にないか、pop-config の最後の変更より古いため、"
        "照合していません。",
    ),
    advice=Text(
        "Collect pop-status and runtime-status again.",
        "pop-status と runtime-status を再収集してください。",
    ),
    context=("not_checked",),
)


@SIGNER_UNKNOWN.asks
def signer_unknown(side: GrantSide) -> Iterator[Answer]:
    """Why the two were not compared."""
    why = _not_compared(side)
    if why is not None:
        yield SIGNER_UNKNOWN.violated(("worker/pop-status.json", side.grant), not_checked=why)
