"""Records of cutovers among exports: carried on byte for byte, as they are canonical; whether one
is true is for `diagnose` to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from popkit.collecting.exports.raw import NotJson, decode, load
from popkit.evidence.cutover import is_record

WHAT = "record of a cutover"
OLDER = "is an older record of a cutover than another one here, and a case holds one; give it to diagnose with --cutover"


def is_record_of_cutover(content: bytes) -> bool:
    """Whether a file is a record of a cutover, by what it says of itself."""
    return is_record(_value(content))


def newest(records: Iterable[bytes]) -> bytes | None:
    """The record that was written last, by its own word; None where there is none."""
    return max(records, key=lambda content: (_made_at(content), content), default=None)


def _made_at(content: bytes) -> int:
    value = _value(content)
    at = value.get("made_at") if isinstance(value, dict) else None
    return at if type(at) is int else -1


def _value(content: bytes) -> Any:
    if b"popkit.cutover/" not in content:
        return None
    try:
        return load(decode(content))
    except NotJson:
        return None
