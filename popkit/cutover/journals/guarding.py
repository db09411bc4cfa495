"""Texts that may not be written down, and a way to write everything else: each stands as "…"
wherever it occurs in a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pybase64 import b64encode, urlsafe_b64encode

from popkit.protocol.keys import b58encode

SHORTEST = 8
"""Characters below which a text is not looked for: shorter ones occur in honest values by chance.
"""
HONEST = frozenset({"mainnet-beta", "finalized", "confirmed", "processed", "localhost"})
"""Words that stand in URLs, and so among what is given as secret, and that a journal must be able
to write.
"""
_MASK = "…"


class Guard:
    """Texts that may not be written down. From the start: the folder of the journal at `path`, and
    the user's own, with all below.

    Its repr shows none of them.
    """

    __slots__ = ("_folders", "_forms")

    def __init__(self, path: Path) -> None:
        self._forms: tuple[str, ...] = ()
        folders = {
            str(folder)
            for folder in (path.parent.resolve(), path.parent.absolute(), _home())
            if folder and len(folder.parts) > 1
        }
        longest = sorted(folders, key=len, reverse=True)
        self._folders = re.compile(
            "|".join(rf"{re.escape(folder)}(?![\w.-])[^\s\"'`,;:)]*" for folder in longest)
            or r"(?!)"
        )

    def __repr__(self) -> str:
        return f"Guard({len(self._forms)} forms)"

    def add(self, secrets: Iterable[str | bytes]) -> None:
        """Take more texts; bytes are looked for as hex, base58 and base64. What is shorter than
        SHORTEST, or HONEST, is not looked for.
        """
        forms = {
            form
            for secret in secrets
            if secret not in HONEST
            for form in _forms_of(secret)
            if len(form) >= SHORTEST
        }
        self._forms = tuple(sorted({*self._forms, *forms}, key=lambda form: (-len(form), form)))

    def clean(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Facts with every guarded text in a value, or in the name of one, written as "…"."""
        return {self._text(name): self._value(value) for name, value in facts.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {
                self._text(name) if isinstance(name, str) else name: self._value(member)
                for name, member in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._value(item) for item in value]
        return value

    def _text(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, _MASK)
        return self._folders.sub(_MASK, text)


def _forms_of(secret: str | bytes) -> Iterable[str]:
    if isinstance(secret, str):
        raw = secret.encode("utf-8", "surrogatepass")
        yield from (secret, quote(secret, safe=""))
    else:
        raw = bytes(secret)
        yield from (raw.hex(), b58encode(raw))
    for encoded in (b64encode(raw), urlsafe_b64encode(raw)):
        yield encoded.decode().rstrip("=")


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None
