"""Files that hold what a case needs in a form that cannot be read back, each by its name, and what
to save instead.
"""

from __future__ import annotations

import re
from typing import Any

from popkit.collecting.exports.raw import NotJson, decode, load

RAW_ANSWERS = (
    "save the node's raw answers instead: getSignaturesForAddress of the grant, and getTransaction "
    "of each signature with "
    'encoding "base64" and maxSupportedTransactionVersion 0, or run popkit collect --rpc URL '
    "--grant KEY"
)
_STORAGE = "save the Durable Object's storage with an export of the worker, and the bucket with `rclone copy`, as the README says"
_SIGNATURE_LINE = re.compile(r"^[1-9A-HJ-NP-Za-km-z]{86,88}(\s+\[.*\])?$")
_CSV_COLUMNS = re.compile(r"signature|tx ?hash|transaction ?hash", re.IGNORECASE)
_HEAD = 20_000


def named(path: str, content: bytes) -> str | None:
    """The format of a file that gave nothing, and what to save instead; None when it is none of
    those known here.
    """
    if content.startswith(b"SQLite format 3\0"):
        if ".wrangler" in path or "miniflare" in path.lower():
            return f"is SQLite from wrangler's local state (.wrangler/state), which is not the deployed worker; {_STORAGE}"
        return f"is a SQLite database; {_STORAGE}"
    if re.search(r"(^|/)\.wrangler/", path):
        return f"is wrangler's local state (.wrangler/state), which is not the deployed worker; {_STORAGE}"
    head = content[:_HEAD].decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
    if head[:1] in ("{", "["):
        return _json_format(content)
    lines = [line.strip() for line in head.splitlines() if line.strip()]
    if not lines:
        return None
    if lines[0].count(",") >= 2 and _CSV_COLUMNS.search(lines[0]):
        return f"is a block explorer's CSV, which holds no signed transactions; {RAW_ANSWERS}"
    if "Transaction executed in slot" in head or re.search(r"^Signature 0: ", head, re.MULTILINE):
        return f"is the text of `solana confirm -v`, which holds no signed bytes; {RAW_ANSWERS}"
    if _SIGNATURE_LINE.match(lines[0]) or re.search(
        r"^\d+ transactions found$", head, re.MULTILINE
    ):
        return f"is the text of `solana transaction-history`, which holds signatures alone; {RAW_ANSWERS}"
    return None


def _json_format(content: bytes) -> str | None:
    try:
        value = load(decode(content))
    except NotJson:
        return None
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, dict):
        return None
    if isinstance(first.get("log"), dict) and isinstance(first["log"].get("entries"), list):
        return f"is a HAR, a browser's recording; save the answers themselves (Network, the request, Copy response), or {RAW_ANSWERS}"
    if _is_enhanced(first):
        return f"is Helius' enhanced transactions, which hold no signed bytes; {RAW_ANSWERS}"
    return None


def _is_enhanced(value: dict[str, Any]) -> bool:
    """Parsed by a gateway: a description, transfers and a fee payer in place of the message."""
    return {"signature", "slot"} <= set(value) and bool(
        {"nativeTransfers", "tokenTransfers", "accountData", "feePayer"} & set(value)
    )


__all__ = ["RAW_ANSWERS", "named"]
