"""Reading a transaction's log: whose line is whose, and which program failed first.

A program can print any text after `Program log: `, but it cannot print the runtime's own lines. So
a line counts for a program only while that program's frame is the innermost open one. Once the log
is cut ("Log truncated") lines may be missing anywhere, and frames mean nothing any more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_INVOKE = re.compile(r"Program ([1-9A-HJ-NP-Za-km-z]{32,44}) invoke \[(\d+)\]")
_SUCCESS = re.compile(r"Program ([1-9A-HJ-NP-Za-km-z]{32,44}) success")
_FAILED = re.compile(r"Program ([1-9A-HJ-NP-Za-km-z]{32,44}) failed: (.*)", re.DOTALL)
_CUSTOM = re.compile(r"custom program error: 0x([0-9a-fA-F]{1,8})")
_ANCHOR = re.compile(
    r"AnchorError (?:thrown in (?P<file>[^\n]+?):(?P<line>[0-9]{1,9})"
    r"|caused by account: (?P<account>[A-Za-z_][A-Za-z0-9_]*)|occurred)"
    r"\. Error Code: (?P<name>[A-Za-z][A-Za-z0-9]*)\. Error Number: (?P<number>[0-9]{1,10})\. "
    r"Error Message: .*",
    re.DOTALL,
)
_PRINTED = "Program log: "
_TRUNCATED = "Log truncated"


@dataclass(frozen=True, slots=True)
class AnchorLine:
    """What an Anchor program printed about its own error; `line` only where a `require!` stands in
    lib.rs.
    """

    name: str
    number: int
    line: int | None
    account: str | None


@dataclass(frozen=True, slots=True)
class LoggedFailure:
    """The first failure of a log.

    `program` failed first, by `code` if that was a custom one, else by `text`. `outermost` is the
    top-level program of its frame. `anchor` is the last Anchor line of `program` in that very
    frame. `whole` is False when the log was cut before, so that `program` may only be an outer one
    and the frame is unknown.
    """

    program: str
    outermost: str | None
    code: int | None
    text: str
    anchor: AnchorLine | None
    whole: bool


@dataclass(slots=True)
class _Frame:
    program: str
    anchor: AnchorLine | None = field(default=None)


def first_failure(logs: Sequence[object]) -> LoggedFailure | None:
    """The first failure that a log shows, or None when it shows none."""
    frames: list[_Frame] = []
    whole = True
    for entry in logs:
        if not isinstance(entry, str):
            whole = False
        elif entry.startswith(_PRINTED):
            if frames and whole:
                frames[-1].anchor = read_anchor_line(entry) or frames[-1].anchor
        elif entry == _TRUNCATED:
            whole = False
        elif invoked := _INVOKE.fullmatch(entry):
            # Depth 1 begins a top-level instruction, whatever was left open before.
            if int(invoked[2]) == 1:
                frames = []
            whole = whole and int(invoked[2]) == len(frames) + 1
            frames.append(_Frame(invoked[1]))
        elif succeeded := _SUCCESS.fullmatch(entry):
            whole = whole and bool(frames) and frames[-1].program == succeeded[1]
            if frames:
                frames.pop()
        elif failed := _FAILED.fullmatch(entry):
            return _failure(failed[1], failed[2], frames, whole)
    return None


def read_anchor_line(entry: str) -> AnchorLine | None:
    """The error that one log entry describes, if it is Anchor's description of an error."""
    said = _ANCHOR.fullmatch(entry.removeprefix(_PRINTED))
    if said is None:
        return None
    in_library = said["file"] is not None and said["file"].replace("\\", "/").endswith("lib.rs")
    return AnchorLine(
        name=said["name"],
        number=int(said["number"]),
        line=int(said["line"]) if in_library else None,
        account=said["account"],
    )


def custom_code(text: str) -> int | None:
    """The number in `custom program error: 0x…`, wherever that stands in a text."""
    found = _CUSTOM.search(text)
    return None if found is None else int(found[1], 16)


def _failure(program: str, text: str, frames: list[_Frame], whole: bool) -> LoggedFailure:
    whole = whole and bool(frames) and frames[-1].program == program
    return LoggedFailure(
        program=program,
        outermost=frames[0].program if whole else None,
        code=custom_code(text),
        text=text,
        anchor=frames[-1].anchor if whole else None,
        whole=whole,
    )
