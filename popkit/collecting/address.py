"""Where a peer is, and the secrets that go with it: read from the environment, shown nowhere."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from pybase64 import b64encode

from popkit.errors import UsageError

_LOOKS_SECRET = re.compile(r"^(?=.*\d)(?=.*[a-z])[a-z0-9-]{20,}$", re.IGNORECASE)
_LOCAL = ("127.0.0.1", "localhost", "::1")
_HEADER = re.compile(r"^[A-Za-z0-9-]+$")
_SCHEME = re.compile(r"^[a-z]{1,10}$", re.IGNORECASE)
_VARIABLE = re.compile(r"^([A-Z_][A-Z0-9_]*|[A-Za-z_]+)$")
"""Names that may be quoted; anything else given for a name may be the secret itself."""
_SHORTEST = 6  # a text that is shorter occurs by chance
_SHORTEST_ECHO = 8  # in a body of megabytes of base64, six characters do too
_SHORTEST_KEY = 12
_KEY_NAME = re.compile(r"key|token|auth|secret|pass", re.IGNORECASE)
_HAS_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Address:
    """A peer's URL and extra headers. Printing one shows scheme, host and port alone: keys hide in
    paths, queries and host names.
    """

    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def shown(self) -> str:
        """What may be written down: `scheme://host:port`, with host labels that look like keys left
        out.
        """
        parts = urlsplit(self.url)
        host = ".".join(
            "…" if _LOOKS_SECRET.match(label) else label
            for label in (parts.hostname or "").split(".")
        )
        if ":" in host:
            host = f"[{host}]"
        return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")

    def __str__(self) -> str:
        return self.shown

    def secrets(self) -> tuple[str, ...]:
        """Texts of this address that must not turn up in anything that is written, longest first."""
        parts = urlsplit(self.url)
        found = [
            parts.username or "",
            parts.password or "",
            parts.query,
            *parts.path.split("/"),
            *(value for _, value in self.headers),
        ]
        found += [value.split("=", 1)[-1] for value in parts.query.split("&")]
        found += [value.removeprefix("Bearer ") for _, value in self.headers]
        found += [
            label for label in (parts.hostname or "").split(".") if _LOOKS_SECRET.match(label)
        ]
        found += [unquote(text) for text in found]
        return tuple(
            sorted(
                {text for text in found if len(text) >= _SHORTEST},
                key=lambda text: (-len(text), text),
            )
        )

    def without_secrets(self, text: str) -> str:
        """A text that a peer sent, fit to be written down: some nodes quote the key in their
        errors.
        """
        for secret in self.secrets() if text else ():
            text = text.replace(secret, "…")
        return text

    def replaced_in(self, body: bytes) -> tuple[bytes, int]:
        """An answer's body without the secrets that were sent, and how often one stood in it: a
        peer may echo what it was asked with.

        Each is looked for as it is, as JSON and as a URL write it. Words of a path or query such as
        `mainnet` or `finalized` stand in honest answers, and evidence is not to be changed for
        them: of those only what looks like a key counts.
        """
        count = 0
        for form in self._echoes():
            if form in body:
                count += body.count(form)
                body = body.replace(form, "…".encode())
        return body, count

    def _echoes(self) -> tuple[bytes, ...]:
        """What of the secrets may come back in an answer, in every form, longest first."""
        parts = urlsplit(self.url)
        found = [parts.username or "", parts.password or "", *(value for _, value in self.headers)]
        found += [value.removeprefix("Bearer ") for _, value in self.headers]
        found += [
            value
            for name, value in parse_qsl(parts.query)
            if _HAS_DIGIT.search(value) or _KEY_NAME.search(name)
        ]
        found += [
            text
            for text in parts.path.split("/")
            if len(text) >= _SHORTEST_KEY and _HAS_DIGIT.search(text)
        ]
        found += [
            label for label in (parts.hostname or "").split(".") if _LOOKS_SECRET.match(label)
        ]
        found += [unquote(text) for text in found]
        if parts.password:
            found.append(
                b64encode(
                    f"{unquote(parts.username or '')}:{unquote(parts.password)}".encode()
                ).decode()
            )
        written = [
            (text, json.dumps(text)[1:-1], quote(text, safe=""))
            for text in found
            if len(text) >= _SHORTEST_ECHO
        ]
        forms = {form for each in written for form in (*each, each[1].replace("/", "\\/"))}
        return tuple(form.encode() for form in sorted(forms, key=lambda form: (-len(form), form)))

    def below(self, path: str) -> str:
        """The URL of a path (with its query) below this one; a query of the address itself stays."""
        if not path:
            return self.url
        parts = urlsplit(self.url)
        more, _, query = path.partition("?")
        return urlunsplit(
            (
                parts.scheme,
                parts.netloc,
                parts.path.rstrip("/") + more,
                "&".join(filter(None, (parts.query, query))),
                "",
            )
        )


def read_address(text: str, headers: dict[str, str] | None = None) -> Address:
    """A URL, or `env:NAME` for one held in an environment variable; `headers` maps header names to
    environment variable names.

    Raises UsageError, which never shows more of the URL than `Address.shown`, when a variable is
    not set or it is no http(s) URL.
    """
    url = from_environment(text[4:], "the URL") if text.startswith("env:") else text
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        scheme, colon, _ = text.partition("://")
        shown = f"{scheme}://…" if colon and _SCHEME.match(scheme) else "the URL given"
        if text.startswith("env:"):
            shown = f"env:{_quoted(text[4:])}"
        raise UsageError(
            f"{shown}: is not an http or https URL; expected https://host or env:NAME of a "
            f"variable that holds one"
        )
    if (
        parts.scheme == "http"
        and parts.hostname not in _LOCAL
        and (headers or parts.username or parts.password)
    ):
        raise UsageError(f"{Address(url).shown}: a secret would travel unencrypted; use https")
    return Address(
        url,
        tuple(
            (_header(name), from_environment(variable, name))
            for name, variable in (headers or {}).items()
        ),
    )


def bearer(address: Address, variable: str | None) -> Address:
    """The address with `Authorization: Bearer …`, the token read from the environment variable
    `variable`.
    """
    if variable is None:
        return address
    parts = urlsplit(address.url)
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        raise UsageError(f"{address.shown}: the token would travel unencrypted; use https")
    token = from_environment(variable, "the token")
    return Address(address.url, (*address.headers, ("Authorization", f"Bearer {token}")))


def _header(name: str) -> str:
    if not _HEADER.match(name):
        raise UsageError(
            "--rpc-header: what stands before '=' is not a header's name; expected NAME=VARIABLE"
        )
    return name


def from_environment(variable: str, what: str) -> str:
    """The value of an environment variable. Raises UsageError when it is not set, empty or holds a
    line end.
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        raise UsageError(
            f"{what} is to be read from the environment variable {_quoted(variable)}, which is not "
            f"set; set it and ask again"
        )
    if any(character < " " for character in value):
        raise UsageError(
            f"the environment variable {_quoted(variable)} holds a line end or control character; "
            f"{what} cannot be that"
        )
    return value


def _quoted(variable: str) -> str:
    return (
        variable[:60]
        if _VARIABLE.match(variable)
        else "whose name was given (not shown, as it may be the secret itself)"
    )
