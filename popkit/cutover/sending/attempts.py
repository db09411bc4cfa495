"""Attempts on disk: the signed bytes and what must come of them, written and fsynced before the
first send.

`RUN/attempts/<step>-<n>.json` is written whole or not at all, and never changed.
`<step>-<n>.outcome.json` beside it says how it ended, once that is certain; an attempt without one
is open, and no other attempt of its step may begin.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import rfc8785
from pybase64 import b64decode, b64encode

from popkit.cutover.errors import OutcomeUnknown, Stopped
from popkit.cutover.sending.effects import Difference
from popkit.cutover.sending.endpoint import Held
from popkit.cutover.sending.preparing import Prepared, Signed
from popkit.cutover.sending.transactions import digest_of, signature_of
from popkit.texts import Sentence, Text, sentence

SCHEMA, OUTCOME_SCHEMA = "popkit.attempt/1", "popkit.outcome/1"
_STEP = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_ATTEMPT = re.compile(r"^(?P<step>[A-Za-z0-9][A-Za-z0-9._-]*)-(?P<number>[1-9][0-9]*)\.json$")

_MOST_EXACT = 2**53 - 1

Kind = Literal["landed", "failed", "expired", "unknown"]


_UNCHECKED = {
    "version": Text(
        "The transaction landed in a version that the nodes cannot give: its bytes were not "
        "compared.",
        "トランザクションは、ノードが返せないバージョンで取り込まれています。バイト列は照合していません。",
    ),
    "bytes": Text(
        "Neither node gave the transaction that landed: its bytes were not compared.",
        "取り込まれたトランザクションをどちらのノードも返しませんでした。バイト列は照合していません。",
    ),
}
_NOT_LOOKED_AT = Text(
    "The node {name} did not give the accounts after the landing.",
    "ノード {name} が、取り込み後のアカウントを返しませんでした。",
)


def unchecked(codes: Iterable[str]) -> list[Sentence]:
    """What could not be looked at after a landing, in words, by an outcome's codes."""
    return [
        _NOT_LOOKED_AT(name=code.partition(":")[2]) if ":" in code else _UNCHECKED[code]()
        for code in codes
    ]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. `kind` is `landed` (finalized, no error), `failed` (finalized with
    `error`), `expired` (proven on both endpoints that it never landed and never can) or `unknown`.

    `error` is the chain's name of a failure, or of the refusal by which a node would not take it;
    `differences` is where the accounts that were looked at afterwards are otherwise than they must
    be (not empty: stop); `not_checked` are codes of what could not be looked at: `version`,
    `bytes`, and `accounts:NAME` of an endpoint; `unchecked` has them in words.
    """

    kind: Kind
    signature: str
    slot: int | None = None
    block_time: int | None = None
    error: str | None = None
    logs: tuple[str, ...] = ()
    fee: int | None = None
    differences: tuple[Difference, ...] = ()
    not_checked: tuple[str, ...] = ()

    @property
    def unchecked(self) -> list[Sentence]:
        """What could not be looked at, in words."""
        return unchecked(self.not_checked)

    def facts(self) -> dict[str, Any]:
        """The outcome as JSON values, as journal and outcome file have it."""
        return {name: _plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Attempt(Signed):
    """One attempt as its file has it."""

    file: Path
    step: str
    number: int

    @property
    def outcome_file(self) -> Path:
        return self.file.with_name(f"{self.file.stem}.outcome.json")

    @property
    def facts(self) -> dict[str, Any]:
        """What the journal says of it: no bytes, but their digest."""
        return {
            "attempt": self.file.name,
            "signature": self.signature,
            "blockhash": self.blockhash,
            "last_valid_height": self.last_valid_height,
            "fee": self.fee,
            "sha256": digest_of(self.wire),
        }


def begin(attempts: Path, step: str, prepared: Prepared) -> Attempt:
    """Write an attempt, the next of its step, so that it survives whatever comes. Raises
    OutcomeUnknown where an earlier one is open.
    """
    if not _STEP.match(step):
        raise ValueError(
            f"a step's id has letters, digits, points, hyphens and underscores, got {step!r}"
        )
    if not attempts.is_dir():
        attempts.mkdir(parents=True)
        _sync_folder(attempts.parent)
    earlier = of_step(attempts, step)
    for attempt in earlier:
        if outcome_of(attempt) is None:
            raise _open(attempt)
    number = 1 + max((attempt.number for attempt in earlier), default=0)
    attempt = Attempt(
        file=attempts / f"{step}-{number}.json",
        step=step,
        number=number,
        **{each.name: getattr(prepared, each.name) for each in fields(Signed)},
    )
    _write(attempt.file, _document(attempt))
    return attempt


def read_attempt(file: Path) -> Attempt:
    """An attempt from its file. Raises Stopped("attempt_unreadable") where it is not one that
    `begin` wrote.
    """
    named = _ATTEMPT.match(file.name)
    try:
        value = json.loads(file.read_bytes())
        wire = b64decode(value["wire"], validate=True)
        attempt = Attempt(
            file=file,
            step=value["step"],
            number=value["number"],
            payer=value["payer"],
            wire=wire,
            signature=value["signature"],
            blockhash=value["blockhash"],
            last_valid_height=int(value["last_valid_height"]),
            slot=int(value["slot"]),
            fee=int(value["fee"]),
            before={key: _read_account(row) for key, row in value["before"].items()},
            expected={key: _read_account(row) for key, row in value["expected"].items()},
            receipts=tuple(value["receipts"]),
        )
        is_whole = (
            file.read_bytes() == _document(attempt) and signature_of(wire) == attempt.signature
        )
    except (OSError, KeyError, TypeError, ValueError, AttributeError, Stopped) as problem:
        raise _unreadable(file) from problem
    if (
        named is None
        or not is_whole
        or (named["step"], int(named["number"])) != (attempt.step, attempt.number)
    ):
        raise _unreadable(file)
    return attempt


def of_step(attempts: Path, step: str) -> list[Attempt]:
    """The attempts of a step, by number; none where there is no folder."""
    if not attempts.is_dir():
        return []
    files = [
        file
        for file in attempts.iterdir()
        if (named := _ATTEMPT.match(file.name)) and named["step"] == step
    ]
    return sorted((read_attempt(file) for file in files), key=lambda attempt: attempt.number)


def open_attempts(attempts: Path) -> list[Attempt]:
    """Attempts of which nobody knows yet how they ended, by step and number; none where there is no
    folder.
    """
    if not attempts.is_dir():
        return []
    found = [read_attempt(file) for file in attempts.iterdir() if _ATTEMPT.match(file.name)]
    return sorted(
        (attempt for attempt in found if outcome_of(attempt) is None),
        key=lambda a: (a.step, a.number),
    )


def settle(attempt: Attempt, outcome: Outcome) -> None:
    """Write down how an attempt ended. Nothing is written while that is unknown."""
    if outcome.kind != "unknown":
        _write(
            attempt.outcome_file,
            rfc8785.dumps({"schema": OUTCOME_SCHEMA, **outcome.facts()}) + b"\n",
        )


def outcome_of(attempt: Attempt) -> Outcome | None:
    """How an attempt ended; None while it is open."""
    if not attempt.outcome_file.is_file():
        return None
    try:
        value: dict[str, Any] = json.loads(attempt.outcome_file.read_bytes())
        rows = tuple(Difference(**row) for row in value.pop("differences"))
        logs, not_checked = tuple(value.pop("logs")), tuple(value.pop("not_checked"))
        if value.pop("schema") != OUTCOME_SCHEMA or value["signature"] != attempt.signature:
            raise _unreadable(attempt.outcome_file)
        return Outcome(**value, logs=logs, not_checked=not_checked, differences=rows)
    except (KeyError, TypeError, ValueError) as problem:
        raise _unreadable(attempt.outcome_file) from problem


def _document(attempt: Attempt) -> bytes:
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "step": attempt.step,
        "number": attempt.number,
        "payer": attempt.payer,
        "wire": b64encode(attempt.wire).decode(),
        "sha256": digest_of(attempt.wire),
        "signature": attempt.signature,
        "blockhash": attempt.blockhash,
        "last_valid_height": attempt.last_valid_height,
        "slot": attempt.slot,
        "fee": attempt.fee,
        "before": {key: _account(held) for key, held in attempt.before.items()},
        "expected": {key: _account(held) for key, held in attempt.expected.items()},
        "receipts": list(attempt.receipts),
    }
    return rfc8785.dumps(value) + b"\n"


def _plain(value: Any) -> Any:
    """A value as canonical JSON can hold it: integers beyond 2^53 as text."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if type(value) is int and abs(value) > _MOST_EXACT else value


def _account(held: Held | None) -> dict[str, Any] | None:
    """An account as JSON; lamports as text, as they may be beyond 2^53."""
    if held is None:
        return None
    return {
        "lamports": str(held.lamports),
        "owner": held.owner,
        "data": b64encode(held.data).decode(),
        "executable": held.executable,
    }


def _read_account(row: dict[str, Any] | None) -> Held | None:
    return (
        None
        if row is None
        else Held(
            int(row["lamports"]),
            row["owner"],
            b64decode(row["data"], validate=True),
            row["executable"],
        )
    )


def _write(file: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, and is still there after the power
    went.
    """
    part = file.with_name(f"{file.name}.part")
    with part.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open(attempt: Attempt) -> OutcomeUnknown:
    return OutcomeUnknown(
        "attempt_open",
        sentence(
            "Nobody knows yet how attempt {number} of step {step} ended.",
            "手順 {step} の試行 {number} がどう終わったかは、まだ分かりません。",
            number=attempt.number,
            step=attempt.step,
        ),
        sentence(
            "settle it first; nothing new was sent",
            "先にその結果を確定させてください。新しいものは何も送信していません",
        ),
    )


def _unreadable(file: Path) -> Stopped:
    return Stopped(
        "attempt_unreadable",
        sentence(
            "{file} is no attempt that popkit wrote, or was changed since.",
            "{file} は popkit が書いた試行ではないか、その後に変更されています。",
            file=file.name,
        ),
        sentence(
            "keep the file as evidence; look for its signature on the chain by hand",
            "ファイルを証拠として残し、その署名をチェーン上で手作業で探してください",
        ),
    )
