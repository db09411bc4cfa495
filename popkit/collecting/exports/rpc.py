"""Saved answers of a Solana node: JSON-RPC responses, with their requests or alone, single or in
batches, and rows of a case.

What an answer is about is read from its request; where there is none, from the transaction itself
or from the file's name. A null is evidence only where it is known what was asked for.
"""

from __future__ import annotations

import re
from typing import Any

from popkit.collecting.exports.found import Document, Found, Row, joined, seconds
from popkit.collecting.exports.raw import NotJson, elements, load, member, one_line
from popkit.collecting.exports.shapes import (
    block,
    is_block,
    is_transaction,
    notification,
    number_of,
    page_of,
    parts_of,
)
from popkit.evidence.layout import ACCOUNTS, SIGNATURES, TRANSACTIONS
from popkit.protocol.keys import b58decode, b58encode, is_pubkey, is_signature
from popkit.protocol.transaction import TransactionError, decode_result

_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,88}")
_METHOD = re.compile(r"^get[A-Z][A-Za-z]{2,40}$")
WHAT = "answers of a node"


def read(document: Document) -> Found | None:
    """What a value says as an answer of a node, or None when it is none."""
    value = document.value
    if isinstance(value, list):
        return _read_list(document)
    if not isinstance(value, dict):
        return None
    row = case_row(document.raw, value)
    if row is not None:
        return Found("rows of a case", [row])
    if "request" in value and "response" in value:
        return _read_pair(document)
    if _is_response(value):
        return _answer(document, None)
    if is_transaction(value):
        return _transaction(document, None)
    if is_block(value):
        return block(document, None)
    if (found := notification(document)) is not None:
        return found
    if (page := page_of(document)) is not None:
        return _page(page, value)
    if (
        set(value) == {"context", "value"}
        and isinstance(value["context"], dict)
        and "slot" in value["context"]
    ):
        return _account(document, None)
    return None


def case_row(raw: str, value: dict[str, Any]) -> Row | None:
    """A line as it stands in a case's `rpc/` files, or None."""
    names = set(value)
    if {"signature", "result"} <= names <= {"signature", "result", "error"} and is_signature(
        value["signature"]
    ):
        result = value["result"]
        if result is None or isinstance(result, dict):
            return Row(
                TRANSACTIONS,
                (0, value["signature"]),
                one_line(raw),
                seconds(number_of((result or {}).get("blockTime"))),
            )
    if (
        {"address", "signature", "slot"} <= names
        and is_pubkey(value["address"])
        and _is_listed(value)
    ):
        return _signature_row(value["address"], value, one_line(raw))
    if (
        {"pubkey", "account"} <= names <= {"pubkey", "slot", "account"}
        and is_pubkey(value["pubkey"])
        and _is_account(value["account"])
    ):
        return Row(ACCOUNTS, (0, value["pubkey"], _slot(value.get("slot"))), one_line(raw))
    return None


def _is_listed(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and is_signature(value.get("signature"))
        and number_of(value.get("slot")) is not None
        and "err" in value
    )


def _is_account(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and "data" in value and "owner" in value)


def _is_response(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and "jsonrpc" in value
        and ("result" in value or "error" in value)
        and "method" not in value
    )


def _slot(value: Any) -> int:
    slot = number_of(value)
    return -1 if slot is None else slot


def _signature_row(address: str, value: dict[str, Any], line: bytes) -> Row:
    """Newest first within an address, as a node lists them."""
    return Row(
        SIGNATURES,
        (0, address, -(number_of(value["slot"]) or 0), value["signature"]),
        line,
        seconds(number_of(value.get("blockTime"))),
    )


def _read_list(document: Document) -> Found | None:
    value = document.value
    if value and all(_is_response(item) for item in value):
        return joined(WHAT, [_answer(part, None) for part in parts_of(document)])
    if value and all(_is_listed(item) and "address" not in item for item in value):
        return _signatures(document, None)
    return None


def _read_pair(document: Document) -> Found | None:
    """{request, response}, of one call or of a batch; None when it is another kind of exchange."""
    request, response = _unwrapped(document, "request"), _unwrapped(document, "response")
    if request is None or response is None:
        return None
    requests = request.value if isinstance(request.value, list) else [request.value]
    if not requests or not all(
        isinstance(item, dict) and _METHOD.match(str(item.get("method"))) for item in requests
    ):
        return None
    if isinstance(response.value, dict):
        asked = requests[0] if len(requests) == 1 else {"method": "getBatch"}
        return _answer(response, asked)
    if not isinstance(response.value, list):
        return None
    by_id = {str(item.get("id")): item for item in requests}
    answered = [part for part in parts_of(response) if _is_response(part.value)]
    return joined(WHAT, [_answer(part, by_id.get(str(part.value.get("id")))) for part in answered])


def _unwrapped(document: Document, name: str) -> Document | None:
    """A member that is JSON-RPC, or whose body is (as an object, or as text)."""
    part = document.at(member(document.raw, name), document.value[name])
    if isinstance(part.value, dict) and "body" in part.value and "jsonrpc" not in part.value:
        body = part.value["body"]
        try:
            part = (
                document.at(body, load(body))
                if isinstance(body, str)
                else document.at(member(part.raw, "body"), body)
            )
        except NotJson:
            return None
    return part if isinstance(part.value, dict | list) else None


def _answer(document: Document, request: dict[str, Any] | None) -> Found:
    """One JSON-RPC response, with its request where that is known."""
    response = document.value if isinstance(document.value, dict) else {}
    method = str(request.get("method")) if request else None
    if "result" not in response or response.get("error") is not None:
        return _failed(document, method, _asked(request))
    result = document.at(member(document.raw, "result"), response["result"])
    kind = method or _guess(result.value)
    if kind == "getTransaction":
        return _transaction(result, _asked(request))
    if kind == "getSignaturesForAddress" and isinstance(result.value, list):
        return _signatures(result, _asked(request))
    if kind == "getAccountInfo":
        return _account(result, _asked(request))
    if kind == "getMultipleAccounts":
        return _accounts(result, request)
    if kind == "getProgramAccounts":
        return _program_accounts(result)
    if is_block(result.value):
        return block(result, _asked_slot(request))
    page = page_of(result)
    if page is not None and (found := _page(page, result.value)) is not None:
        return found
    if kind is None and result.value is None:
        return _transaction(result, None)
    known = method if method and _METHOD.match(method) else "an answer"
    return Found(WHAT, left=[f"{known}: nothing that a case keeps"])


def _page(page: Document, whole: dict[str, Any]) -> Found | None:
    """The values of a gateway's page, each by itself, or None when none of them is of a node."""
    if all(
        _is_listed(item) and "address" not in item and not is_transaction(item)
        for item in page.value
    ):
        found = _signatures(page, None)
    else:
        parts = [read(part) for part in parts_of(page)]
        known = [part for part in parts if part is not None]
        if not known:
            return None
        found = joined(WHAT, known)
        found.left += ["a value of a page that is no answer of a node"] * (len(parts) - len(known))
    if whole.get("paginationToken") is not None:
        found.left.append(
            "a page with more behind it (paginationToken): save the pages that follow, too"
        )
    return found


def _asked_slot(request: dict[str, Any] | None) -> int | None:
    params = (request or {}).get("params")
    return number_of(params[0]) if isinstance(params, list) and params else None


def _asked(request: dict[str, Any] | None) -> str | None:
    """What a request is about: its first parameter, when that is a key or a signature."""
    params = (request or {}).get("params")
    first = params[0] if isinstance(params, list) and params else None
    return first if is_pubkey(first) or is_signature(first) else None


def _guess(result: Any) -> str | None:
    if is_transaction(result):
        return "getTransaction"
    rows = result.get("value") if isinstance(result, dict) and "context" in result else result
    if (
        isinstance(rows, list)
        and rows
        and all(isinstance(row, dict) and {"pubkey", "account"} <= set(row) for row in rows)
    ):
        return "getProgramAccounts"
    if isinstance(result, dict) and "context" in result and "value" in result:
        return (
            "getMultipleAccounts"
            if isinstance(result["value"], list)
            else "getAccountInfo"
            if _is_account(result["value"])
            else None
        )
    if isinstance(result, list) and result and all(_is_listed(row) for row in result):
        return "getSignaturesForAddress"
    return None


def _failed(document: Document, method: str | None, asked: str | None) -> Found:
    """A refusal: of a transaction it is kept as such, of anything else it is no evidence."""
    error = member(document.raw, "error") if "error" in document.value else "null"
    if method == "getTransaction" and is_signature(asked):
        line = f'{{"signature":"{asked}","result":null,"error":'.encode() + one_line(error) + b"}"
        return Found(WHAT, [Row(TRANSACTIONS, (0, asked), line)])
    value = document.value.get("error")
    code = value.get("code") if isinstance(value, dict) else None
    return Found(
        WHAT,
        left=[
            f"the node answered {method or 'a request that was not saved'} with an error (code "
            f"{code}): ask it again"
        ],
    )


def _named(document: Document, wanted: Any) -> str | None:
    """The one key or signature that the file's name holds."""
    found = {text for text in _BASE58.findall(document.name) if wanted(text)}
    return found.pop() if len(found) == 1 else None


def _transaction(document: Document, asked: str | None) -> Found:
    result = document.value
    if result is not None and not is_transaction(result):
        return Found(WHAT, left=["an answer to getTransaction is neither a transaction nor null"])
    signature = asked if is_signature(asked) else _named(document, is_signature)
    if result is not None and asked is None:
        signature = signature_of(result)
    if signature is None:
        why = (
            "a null answer, it is not known of which transaction"
            if result is None
            else "a transaction without a readable signature"
        )
        return Found(WHAT, left=[f"{why}; save requests with their answers"])
    line = f'{{"signature":"{signature}","result":'.encode() + one_line(document.raw) + b"}"
    return Found(
        WHAT,
        [
            Row(
                TRANSACTIONS,
                (0, signature),
                line,
                seconds(number_of((result or {}).get("blockTime"))),
            )
        ],
    )


def signature_of(result: dict[str, Any]) -> str | None:
    """The first signature in a transaction as a node gives it, or None when it cannot be read."""
    try:
        signatures = decode_result(result).signatures
    except (TransactionError, ValueError):
        signatures = ()
    first = signatures[0] if signatures else _first_signature(result["transaction"])
    return first if is_signature(first) else None


def _first_signature(transaction: Any) -> str | None:
    """The first signature of a transaction that is not well-formed further on."""
    from pybase64 import b64decode

    if isinstance(transaction, dict):
        listed = transaction.get("signatures")
        return (
            listed[0]
            if isinstance(listed, list) and listed and isinstance(listed[0], str)
            else None
        )
    text, encoding = (
        (*transaction, "", "")[:2] if isinstance(transaction, list) else (transaction, "base58")
    )
    try:
        wire = b64decode(str(text), validate=True) if encoding == "base64" else b58decode(str(text))
    except ValueError:
        return None
    return b58encode(wire[1:65]) if len(wire) > 65 and 0 < wire[0] < 0x80 else None


def _signatures(document: Document, asked: str | None) -> Found:
    address = asked if is_pubkey(asked) else _named(document, is_pubkey)
    if address is None:
        return Found(
            WHAT,
            left=[
                "a list of signatures, it is not known whose; save the request with it, or name "
                "the file by the address"
            ],
        )
    found = Found(WHAT, files=(SIGNATURES,))
    for part in parts_of(document):
        if not _is_listed(part.value):
            found.left.append("a row of getSignaturesForAddress without signature, slot or err")
            continue
        line = f'{{"address":"{address}",'.encode() + one_line(part.raw).lstrip()[1:].lstrip()
        found.rows.append(_signature_row(address, part.value, line))
    return found


def _account(document: Document, asked: str | None) -> Found:
    pubkey = asked if is_pubkey(asked) else _named(document, is_pubkey)
    result = document.value
    if not (isinstance(result, dict) and "value" in result and _is_account(result["value"])):
        return Found(WHAT, left=["an answer to getAccountInfo without a value"])
    if pubkey is None:
        return Found(
            WHAT,
            left=[
                "an account, it is not known which; save the request with it, or name the file by "
                "the address"
            ],
        )
    return Found(WHAT, [_account_row(pubkey, _context_slot(result), member(document.raw, "value"))])


def _context_slot(result: Any) -> int | None:
    context = result.get("context") if isinstance(result, dict) else None
    slot = context.get("slot") if isinstance(context, dict) else None
    return slot if type(slot) is int else None


def _account_row(pubkey: str, slot: int | None, raw: str) -> Row:
    line = (
        f'{{"pubkey":"{pubkey}","slot":{"null" if slot is None else slot},"account":'.encode()
        + one_line(raw)
        + b"}"
    )
    return Row(ACCOUNTS, (0, pubkey, _slot(slot)), line)


def _accounts(document: Document, request: dict[str, Any] | None) -> Found:
    params = (request or {}).get("params")
    asked = params[0] if isinstance(params, list) and params and isinstance(params[0], list) else []
    values = document.value.get("value") if isinstance(document.value, dict) else None
    if not isinstance(values, list):
        return Found(WHAT, left=["an answer to getMultipleAccounts without values"])
    if len(asked) != len(values) or not all(is_pubkey(key) for key in asked):
        known = f"{len(values)} accounts of getMultipleAccounts for {len(asked)} known addresses"
        return Found(WHAT, left=[f"{known}; save the request with the answer"])
    slot = _context_slot(document.value)
    raws = list(elements(member(document.raw, "value")))
    found = Found(WHAT)
    for key, value, raw in zip(asked, values, raws, strict=True):
        if _is_account(value):
            found.rows.append(_account_row(str(key), slot, raw))
        else:
            found.left.append("an account that is neither an account nor null")
    return found


def _program_accounts(document: Document) -> Found:
    slot = _context_slot(document.value)
    rows, found = document, Found(WHAT)
    if isinstance(document.value, dict) and "value" in document.value:
        rows = document.at(member(document.raw, "value"), document.value["value"])
    if not isinstance(rows.value, list):
        return Found(WHAT, left=["an answer to getProgramAccounts without rows"])
    for part in parts_of(rows):
        if (
            isinstance(part.value, dict)
            and is_pubkey(part.value.get("pubkey"))
            and _is_account(part.value.get("account", ""))
        ):
            found.rows.append(_account_row(part.value["pubkey"], slot, member(part.raw, "account")))
        else:
            found.left.append("a row of getProgramAccounts without a readable pubkey and account")
    return found
