"""The program's errors and Anchor's, by era: number to name, and what a name or a line of lib.rs
says about the era.
"""

from __future__ import annotations

from typing import Final

from popkit.protocol.logs import AnchorLine

ERAS: Final = ("pre_pop", "strict", "strict_v2", "relaxed")

# The enum of commits 92198e8, 456358a, f79cf5d and 5ceddca (one an era), in the order of its declaration.
_ALWAYS = (
    ("Unauthorized", "Unauthorized"),
    ("InsufficientFunds", "Insufficient funds"),
    ("InvalidAmount", "Invalid amount"),
    ("InvalidPeriod", "Invalid period"),
    ("InvalidStartTs", "Invalid start timestamp"),
    ("InvalidPeriodIndex", "Invalid period index"),
    ("MintMismatch", "Mint mismatch"),
    ("Paused", "Grant is paused"),
    ("GrantExpired", "Grant expired"),
    ("GrantNotStarted", "Grant not started"),
    ("MathOverflow", "Math overflow"),
    ("AllowlistRequired", "Allowlist is required for this grant"),
    ("AllowlistNotEnabled", "Allowlist is not enabled"),
    ("NotInAllowlist", "Claimer is not in allowlist"),
)
_SINCE_POP = (
    ("InvalidPopConfigAuthority", "PoP config authority mismatch"),
    ("MissingPopSignatureInstruction", "Missing PoP signature instruction"),
    ("InvalidPopSignatureProgram", "Invalid PoP signature program"),
    ("InvalidPopSignatureData", "Invalid PoP signature data"),
    ("InvalidPopSigner", "Invalid PoP signer"),
    ("InvalidPopMessageVersion", "Invalid PoP message version"),
    ("InvalidPopMessageLength", "Invalid PoP message length"),
    ("PopProofGrantMismatch", "PoP proof grant mismatch"),
    ("PopProofClaimerMismatch", "PoP proof claimer mismatch"),
    ("PopProofPeriodMismatch", "PoP proof period mismatch"),
    ("PopProofExpired", "PoP proof expired"),
    ("PopEntryHashMismatch", "PoP entry hash mismatch"),
    ("PopHashChainBroken", "PoP hash chain continuity is broken"),
    ("PopStreamChainBroken", "PoP stream chain continuity is broken"),
    ("PopGenesisMismatch", "PoP genesis hash mismatch"),
    ("PopStateGrantMismatch", "PoP state grant mismatch"),
)


def _program_errors() -> dict[str, tuple[str, dict[str, int]]]:
    table: dict[str, tuple[str, dict[str, int]]] = {}
    for number, (name, message) in enumerate(_ALWAYS, start=6000):
        table[name] = (message, dict.fromkeys(ERAS, number))
    for number, (name, message) in enumerate(_SINCE_POP, start=6014):
        table[name] = (message, dict.fromkeys(ERAS[1:], number))
    table["PopReceiptCommitmentRequired"] = (
        "PoP proof must include off-chain receipt commitment (v2)",
        {"strict_v2": 6030, "relaxed": 6030},
    )
    table["PopAuditHashMissing"] = (
        "PoP audit hash is missing",
        {"strict": 6030, "strict_v2": 6031, "relaxed": 6031},
    )
    return table


PROGRAM_ERRORS: Final[dict[str, tuple[str, dict[str, int]]]] = _program_errors()
"""name -> (message, {era: number}); an era that does not know the error is absent."""

CHAIN_RULE_ERRORS: Final = frozenset(
    {"PopHashChainBroken", "PopStreamChainBroken", "PopGenesisMismatch"}
)
"""Refusals by the chain rule itself; the relaxed program knows the names and never raises them."""

FRAMEWORK_ERRORS: Final[dict[int, str]] = {
    100: "InstructionMissing",
    101: "InstructionFallbackNotFound",
    102: "InstructionDidNotDeserialize",
    103: "InstructionDidNotSerialize",
    2000: "ConstraintMut",
    2001: "ConstraintHasOne",
    2002: "ConstraintSigner",
    2003: "ConstraintRaw",
    2004: "ConstraintOwner",
    2005: "ConstraintRentExempt",
    2006: "ConstraintSeeds",
    2009: "ConstraintAssociated",
    2012: "ConstraintAddress",
    2014: "ConstraintTokenMint",
    2015: "ConstraintTokenOwner",
    2019: "ConstraintSpace",
    2023: "ConstraintTokenTokenProgram",
    3000: "AccountDiscriminatorAlreadySet",
    3001: "AccountDiscriminatorNotFound",
    3002: "AccountDiscriminatorMismatch",
    3003: "AccountDidNotDeserialize",
    3004: "AccountDidNotSerialize",
    3005: "AccountNotEnoughKeys",
    3006: "AccountNotMutable",
    3007: "AccountOwnedByWrongProgram",
    3008: "InvalidProgramId",
    3009: "InvalidProgramExecutable",
    3010: "AccountNotSigner",
    3011: "AccountNotSystemOwned",
    3012: "AccountNotInitialized",
    3014: "AccountNotAssociatedTokenAccount",
    3015: "AccountSysvarMismatch",
    4100: "DeclaredProgramIdMismatch",
}

# Where each `require!` stands in lib.rs, by era (which may have several builds): an Anchor line that names
# it dates the program.
_LINES: Final[dict[str, dict[str, frozenset[int]]]] = {
    name: {era: frozenset(lines) for era, lines in zip(ERAS, columns, strict=True)}
    for name, columns in {
        "Paused": ([94], [105], [105], [105, 135]),
        "InvalidPeriodIndex": ([483], [576], [576], [576, 621]),
        "InsufficientFunds": ([496], [589], [589], [589, 634]),
        "InvalidPopSigner": ([], [658], [658], [658, 669, 714]),
        "PopReceiptCommitmentRequired": ([], [], [665], [665, 676, 721]),
        "PopProofGrantMismatch": ([], [664], [669], [669, 680, 725]),
        "PopAuditHashMissing": ([], [675], [679], [679, 690, 735]),
        "PopEntryHashMismatch": ([], [691], [694], [694, 705, 750]),
        "PopProofExpired": ([], [697], [700], [700, 711, 756]),
        "PopHashChainBroken": ([], [702], [705], []),
        "PopStreamChainBroken": ([], [706], [709], []),
        "PopGenesisMismatch": ([], [711, 712], [714, 715], []),
    }.items()
}

ANY_ERA: Final = frozenset(ERAS)
_POP_ERAS: Final = frozenset(ERAS[1:])
_POP_ACCOUNTS: Final = frozenset({"pop_state", "pop_config", "instructions_sysvar"})


def names_of(number: int, era: str | None) -> tuple[str, ...]:
    """The names an error number has in an era, or in any era when that is None; empty when it has
    none.
    """
    if number in FRAMEWORK_ERRORS:
        return (FRAMEWORK_ERRORS[number],)
    if era is not None and era not in ERAS:
        raise ValueError(f"an era is one of {', '.join(ERAS)}, got {era!r}")
    eras = ERAS if era is None else (era,)
    return tuple(
        name
        for name, (_, numbers) in PROGRAM_ERRORS.items()
        if any(numbers.get(e) == number for e in eras)
    )


def eras_of(name: str, code: int) -> frozenset[str]:
    """The eras whose program raises `name` as `code`; by the name alone when none gives it that
    number.
    """
    if name not in PROGRAM_ERRORS:
        return ANY_ERA
    numbers = PROGRAM_ERRORS[name][1]
    raised = frozenset(numbers) - ({"relaxed"} if name in CHAIN_RULE_ERRORS else frozenset())
    return frozenset(era for era in raised if numbers[era] == code) or raised


def dated(eras: frozenset[str], anchor: AnchorLine) -> frozenset[str]:
    """`eras`, narrowed by the line of lib.rs or the account that an Anchor line names."""
    if anchor.account in _POP_ACCOUNTS:
        return eras & _POP_ERAS or eras
    lines = _LINES.get(anchor.name, {})
    return frozenset(era for era in eras if anchor.line in lines.get(era, ())) or eras
