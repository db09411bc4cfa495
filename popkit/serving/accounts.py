"""Accounts as a node gives them: encodings, slices of the data, and the filters of
getProgramAccounts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
import pybase64
import zstandard

from popkit.protocol.keys import b58decode, b58encode
from popkit.serving.ledger import Account
from popkit.serving.params import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    RpcError,
    invalid,
    kind_of,
    natural,
    one_of,
    typed,
)

ENCODINGS = ("binary", "base58", "base64", "jsonParsed", "base64+zstd")
MAX_BASE58_BYTES = 128
MAX_FILTERS = 4
MAX_FILTER_BYTES = 128
NULL = msgspec.Raw(b"null")


@lru_cache(maxsize=4096)
def rendered(
    account: Account | None, encoding: str, data_slice: tuple[int, int] | None
) -> msgspec.Raw:
    """One account in an encoding; the recorded bytes where they are what was asked for, null for
    one that does not exist.
    """
    if account is None or account.owner is None:
        return NULL
    value = msgspec.json.decode(account.body)
    if (
        data_slice is None
        and encoding in ("base64", "jsonParsed")
        and _encoding_of(value) == "base64"
    ):
        return msgspec.Raw(account.body)
    data = data_of(value)
    space = value.get("space", len(data))
    if data_slice is not None:
        data = data[data_slice[0] : data_slice[0] + data_slice[1]]
    return msgspec.Raw(
        msgspec.json.encode({**value, "data": _encoded(data, encoding), "space": space})
    )


def data_of(value: dict[str, Any]) -> bytes:
    """The data of a recorded account, whichever encoding it was recorded in. Raises RpcError for
    one that keeps no bytes.
    """
    text, encoding = value["data"], _encoding_of(value)
    try:
        if encoding == "base64":
            return pybase64.b64decode(text[0], validate=True)
        if encoding == "base58":
            return b58decode(text if isinstance(text, str) else text[0])
        if encoding == "base64+zstd":
            return (
                zstandard.ZstdDecompressor()
                .decompressobj()
                .decompress(pybase64.b64decode(text[0], validate=True))
            )
    except (ValueError, zstandard.ZstdError) as error:
        raise RpcError(
            INTERNAL_ERROR,
            f"popkit serve: the account's data in the case is not {encoding}: {error}",
        ) from None
    raise RpcError(
        INTERNAL_ERROR, "popkit serve: the case holds this account parsed; its bytes are not known"
    )


def _encoding_of(value: dict[str, Any]) -> str | None:
    data = value["data"]
    if isinstance(data, str):
        return "base58"
    if isinstance(data, list) and len(data) == 2 and all(isinstance(part, str) for part in data):
        return str(data[1])
    return None


def _encoded(data: bytes, encoding: str) -> Any:
    if encoding in ("binary", "base58"):
        if len(data) > MAX_BASE58_BYTES:
            text = f"Encoded binary (base 58) data should be less than {MAX_BASE58_BYTES} bytes, please use Base64 encoding."
            raise RpcError(INVALID_REQUEST, text)
        return b58encode(data) if encoding == "binary" else [b58encode(data), "base58"]
    if encoding == "base64+zstd":
        return [pybase64.b64encode(zstandard.ZstdCompressor().compress(data)).decode(), encoding]
    return [
        pybase64.b64encode(data).decode(),
        "base64",
    ]  # jsonParsed as well: a node falls back where it knows no parser


def how(config: dict[str, Any], default: str) -> tuple[str, tuple[int, int] | None]:
    """The encoding and the slice (offset, length) that a call asks for."""
    encoding = one_of(config, "encoding", ENCODINGS) or default
    wanted = typed(config, "dataSlice", dict, "struct UiDataSliceConfig")
    if wanted is None:
        return encoding, None
    offset, length = natural(wanted, "offset"), natural(wanted, "length")
    if offset is None or length is None:
        raise invalid(
            f"Invalid params: missing field `{'offset' if offset is None else 'length'}`."
        )
    return encoding, (offset, length)


def filters(config: dict[str, Any]) -> list[Callable[[bytes], bool]]:
    """The filters of getProgramAccounts as questions to an account's data. Raises RpcError for more
    than four or a malformed one.
    """
    wanted = typed(config, "filters", list, "a sequence") or []
    if len(wanted) > MAX_FILTERS:
        raise invalid(f"Too many filters provided; max {MAX_FILTERS}")
    return [_filter(item) for item in wanted]


def _filter(item: Any) -> Callable[[bytes], bool]:
    if not isinstance(item, dict) or len(item) != 1:
        raise invalid(
            f"Invalid params: invalid type: {kind_of(item)}, expected map with a single key."
        )
    size = natural(item, "dataSize")
    if size is not None:
        return lambda data: len(data) == size
    wanted = typed(item, "memcmp", dict, "struct Memcmp")
    if wanted is None:
        raise invalid(
            f"Invalid params: unknown variant `{str(next(iter(item)))[:100]}`, expected one of "
            f"`dataSize`, `memcmp`."
        )
    offset = natural(wanted, "offset")
    if offset is None:
        raise invalid("Invalid params: missing field `offset`.")
    piece = _compared(wanted)
    # Beyond the data's end nothing matches, not even an empty piece; slicing alone would say that it does.
    return lambda data: (
        offset + len(piece) <= len(data) and data[offset : offset + len(piece)] == piece
    )


def _compared(wanted: dict[str, Any]) -> bytes:
    """The bytes that a memcmp filter compares: base58 unless it says base64, or a list of numbers."""
    given = wanted.get("bytes")
    encoding = one_of(wanted, "encoding", ("binary", "base58", "base64", "bytes")) or "base58"
    try:
        if isinstance(given, list):
            piece = bytes(given)
        elif isinstance(given, str) and len(given) <= 2 * MAX_FILTER_BYTES:
            piece = (
                pybase64.b64decode(given, validate=True)
                if encoding == "base64"
                else b58decode(given)
            )
        else:
            raise invalid(
                "Invalid param: DataTooLarge"
                if isinstance(given, str)
                else "Invalid params: missing field `bytes`."
            )
    except (ValueError, TypeError) as error:
        raise invalid(f"Invalid param: {error}") from None
    if len(piece) > MAX_FILTER_BYTES:
        raise invalid("Invalid param: DataTooLarge")
    return piece
