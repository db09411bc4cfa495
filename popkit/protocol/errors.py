"""Why a transaction was refused: the program's errors by era, and whose error a number is.

The number alone never tells. The same 0 means "account already in use" from the system program and
nothing at all from another, and 6030 is two errors in two eras. So the log decides where there is
one; where there is none, the number is read as far as it goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from popkit.protocol.error_table import (
    ANY_ERA,
    CHAIN_RULE_ERRORS,
    ERAS,
    FRAMEWORK_ERRORS,
    PROGRAM_ERRORS,
    dated,
    eras_of,
    names_of,
)
from popkit.protocol.keys import ATA_PROGRAM, ED25519_PROGRAM, SYSTEM_PROGRAM, TOKEN_PROGRAM
from popkit.protocol.logs import (
    AnchorLine,
    LoggedFailure,
    custom_code,
    first_failure,
    read_anchor_line,
)

__all__ = [
    "CHAIN_RULE_ERRORS",
    "ERAS",
    "FRAMEWORK_ERRORS",
    "PROGRAM_ERRORS",
    "Layer",
    "TransactionFailure",
    "names_of",
    "read_failure",
    "read_logged_failure",
]

Layer = Literal[
    "program",
    "anchor",
    "system",
    "token",
    "precompile",
    "associated_token",
    "runtime",
    "unknown",
    "other_program",
]

_LAYERS: Final[dict[str, Layer]] = {
    SYSTEM_PROGRAM: "system",
    TOKEN_PROGRAM: "token",
    ATA_PROGRAM: "associated_token",
    ED25519_PROGRAM: "precompile",
    "KeccakSecp256k11111111111111111111111111111": "precompile",
    "Secp256r1SigVerify1111111111111111111111111": "precompile",
}
_LEAVES: Final = frozenset({SYSTEM_PROGRAM, TOKEN_PROGRAM})
_LAST_SYSTEM_ERROR: Final = 8
_LAST_TOKEN_ERROR: Final = 19

# What the runtime prints after "failed: ", for the names that `meta.err` would carry.
_RUNTIME_TEXTS: Final[dict[str, str]] = {
    "invalid program argument": "InvalidArgument",
    "invalid instruction data": "InvalidInstructionData",
    "invalid account data for instruction": "InvalidAccountData",
    "account data too small for instruction": "AccountDataTooSmall",
    "insufficient funds for instruction": "InsufficientFunds",
    "incorrect program id for instruction": "IncorrectProgramId",
    "missing required signature for instruction": "MissingRequiredSignature",
    "instruction requires an initialized account": "UninitializedAccount",
    "instruction requires an uninitialized account": "AccountAlreadyInitialized",
    "insufficient account keys for instruction": "NotEnoughAccountKeys",
    "Provided owner is not allowed": "IllegalOwner",
    "Computational budget exceeded": "ComputationalBudgetExceeded",
    "exceeded CUs meter at BPF instruction": "ProgramFailedToComplete",
    "Program failed to complete": "ProgramFailedToComplete",
    "Cross-program invocation with unauthorized signer or writable account": "PrivilegeEscalation",
    "An account required by the instruction is missing": "MissingAccount",
    "Unsupported program id": "UnsupportedProgramId",
}
_MESSAGE_INDEX = re.compile(r"[Ee]rror processing [Ii]nstruction (\d{1,3})\b")
_MESSAGE_CUSTOM = re.compile(r'(?:"?Custom"?\s*[:(]\s*|[Cc]ustom program error: #)([0-9]{1,10})\b')


@dataclass(frozen=True, slots=True)
class TransactionFailure:
    """One refusal, as far as it can be told.

    `error` is the program's or Anchor's name, else `Custom(n)`; the runtime's name for what is no
    custom error; None for a precompile. `layer` says whose error it is and `program` which
    program's, where known. `eras` are the eras in which the program can have said this (all of them
    when it says nothing about that). `source` is `log` when the log named the culprit.
    """

    error: str | None
    layer: Layer
    code: int | None
    instruction_index: int | None
    program: str | None
    eras: frozenset[str]
    source: Literal["log", "number"]


def read_failure(
    err: object,
    logs: Sequence[str] | None,
    instruction_programs: Sequence[str],
    era: str | None = None,
    *,
    program: str,
) -> TransactionFailure | None:
    """Why a landed transaction failed; None when `err` (its `meta.err`) is None.

    `instruction_programs` are the programs of the top-level instructions, `program` is the grant
    program. The innermost program that the log says failed first is the culprit; a log that does
    not fit `err` is not believed. Without a log, the program of the failing instruction and the
    number are all there is. `era` decides what an ambiguous number means.
    """
    if err is None:
        return None
    index, reason = _instruction_error(err)
    if index is None:
        return _failure(reason, "runtime" if reason else "unknown")
    top_level = instruction_programs[index] if index < len(instruction_programs) else None
    code = _custom(reason)
    logged = first_failure(logs or ())
    if logged is not None and _fits(logged, code, top_level):
        return _from_log(logged, code, _runtime_name(reason), index, top_level, era, program)
    if code is None:
        return _failure(
            _runtime_name(reason), _runtime_layer(top_level), index=index, program=top_level
        )
    return _from_number(code, index, top_level, era, program)


def read_logged_failure(
    logs: Sequence[str], message: str = "", *, program: str
) -> TransactionFailure | None:
    """Why a wallet says that its transaction was refused: the simulation's log, and the message it
    showed.

    None when neither names a failure ("User rejected the request."). A message alone is read as
    speaking of the grant program, `program`.
    """
    at = _MESSAGE_INDEX.search(message)
    index = int(at[1]) if at else None
    logged = first_failure(logs)
    if logged is not None:
        name = _RUNTIME_TEXTS.get(logged.text.strip())
        return _from_log(logged, logged.code, name, index, logged.outermost, None, program)
    said = (
        read_anchor_line(message[message.find("AnchorError") :])
        if "AnchorError" in message
        else None
    )
    code = said.number if said else custom_code(message)
    if code is None and (custom := _MESSAGE_CUSTOM.search(message)):
        code = int(custom[1])
    if code is None:
        return None
    if code < 100:
        return _failure(f"Custom({code})", "unknown", code=code, index=index)
    return _of_grant_program(code, index, said, None, "number", program)


def _from_log(
    logged: LoggedFailure,
    code: int | None,
    name: str | None,
    index: int | None,
    top_level: str | None,
    era: str | None,
    program: str,
) -> TransactionFailure:
    """A failure whose culprit the log names, as far as a cut log can."""
    culprit = logged.program
    if culprit == program and code is not None:
        # Below 100 are system and token errors: a cut log may have lost the line that says whose it is.
        if code < 100 and not logged.whole:
            return _from_number(code, index, program, era, program)
        anchor = logged.anchor if logged.anchor and logged.anchor.number == code else None
        return _of_grant_program(code, index, anchor, era, "log" if anchor else "number", program)
    if not logged.whole and culprit not in _LEAVES:
        return _failure(
            name if code is None else f"Custom({code})", "unknown", code=code, index=index
        )
    layer = _LAYERS.get(culprit, "runtime" if culprit == program else "other_program")
    return _failure(
        name if code is None else f"Custom({code})",
        layer,
        code=code,
        index=index,
        program=culprit,
        source="log",
    )


def _from_number(
    code: int, index: int | None, top_level: str | None, era: str | None, program: str
) -> TransactionFailure:
    """A failure of which only the number and the top-level program are known."""
    if top_level == program:
        return _of_claim_by_number(code, index, era, program)
    layer: Layer = (
        "unknown"
        if top_level in (None, ATA_PROGRAM)
        else _LAYERS.get(top_level or "", "other_program")
    )
    error = None if layer == "precompile" else f"Custom({code})"
    return _failure(
        error, layer, code=code, index=index, program=None if layer == "unknown" else top_level
    )


def _of_claim_by_number(
    code: int, index: int | None, era: str | None, program: str
) -> TransactionFailure:
    """A number that the grant program's instruction ended with, when no log says whose it is."""
    if code >= 100:
        return _of_grant_program(code, index, None, era, "number", program)
    if code == 0:  # the grant program only calls the token program where that cannot fail with 0
        return _failure("Custom(0)", "system", code=0, index=index, program=SYSTEM_PROGRAM)
    if _LAST_SYSTEM_ERROR < code <= _LAST_TOKEN_ERROR:
        return _failure(f"Custom({code})", "token", code=code, index=index, program=TOKEN_PROGRAM)
    return _failure(f"Custom({code})", "unknown", code=code, index=index)


def _of_grant_program(
    code: int,
    index: int | None,
    anchor: AnchorLine | None,
    era: str | None,
    source: Literal["log", "number"],
    program: str,
) -> TransactionFailure:
    """An error of the grant program's own, named by its log line or, failing that, by its number."""
    if code < 100:
        return _failure(
            f"Custom({code})", "unknown", code=code, index=index, program=program, source="log"
        )
    names = (anchor.name,) if anchor else names_of(code, era) or names_of(code, None)
    readings = names if anchor else names_of(code, None)
    eras = frozenset().union(*(eras_of(name, code) for name in readings)) if readings else ANY_ERA
    if anchor:
        eras = dated(eras, anchor)
    known = anchor is not None or code in FRAMEWORK_ERRORS or code >= 6000
    layer: Layer = "unknown" if not known else "anchor" if code < 6000 else "program"
    error = names[0] if len(names) == 1 else f"Custom({code})"
    return _failure(error, layer, code=code, index=index, program=program, eras=eras, source=source)


def _fits(logged: LoggedFailure, code: int | None, top_level: str | None) -> bool:
    """Whether a logged failure can be the one `meta.err` speaks of: same code, same instruction."""
    same_program = logged.outermost is None or top_level is None or logged.outermost == top_level
    return logged.code == code and same_program


def _instruction_error(err: object) -> tuple[int | None, object]:
    """The failing instruction's index and reason, or None and the transaction's own reason."""
    if isinstance(err, str):
        return None, err
    if not isinstance(err, Mapping) or len(err) != 1:
        return None, None
    kind, detail = next(iter(err.items()))
    if kind != "InstructionError":
        return None, str(kind)
    if not isinstance(detail, Sequence) or isinstance(detail, str) or len(detail) != 2:
        return None, None
    index, reason = detail
    return (index, reason) if type(index) is int and index >= 0 else (None, None)


def _custom(reason: object) -> int | None:
    code = reason.get("Custom") if isinstance(reason, Mapping) else None
    return code if type(code) is int and 0 <= code < 1 << 32 else None


def _runtime_name(reason: object) -> str | None:
    if isinstance(reason, Mapping) and len(reason) == 1:
        return str(next(iter(reason)))
    return reason if isinstance(reason, str) else None


def _runtime_layer(top_level: str | None) -> Layer:
    """Whose a named instruction error is when no log says so: certain only of programs that call no
    other.
    """
    layer = _LAYERS.get(top_level or "", "runtime")
    return "runtime" if layer == "associated_token" else layer


def _failure(
    error: object,
    layer: Layer,
    *,
    code: int | None = None,
    index: int | None = None,
    program: str | None = None,
    eras: frozenset[str] = ANY_ERA,
    source: Literal["log", "number"] = "number",
) -> TransactionFailure:
    name = error if isinstance(error, str) else None
    return TransactionFailure(name, layer, code, index, program, eras, source)
