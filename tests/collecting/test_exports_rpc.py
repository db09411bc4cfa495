"""Saved answers of a node, in the forms in which people save them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from popkit.collecting.exports import Exports
from popkit.errors import UsageError
from tests.collecting.taking_apart import (
    diagnosed_again,
    diagnosis,
    reasons,
    response,
    rows_of,
    rpc_calls,
    write,
)
from tests.conftest import CASES
from tests.exported import read_exports

CASE = "cutover"
KEY = "9JzAeLwRH5SF9MEnFDe8vR1V2qqNiyRPwhf19fFgKxZG"
URL = "https://rpc.example/?api-key=s3cret"


def _pairs() -> list[dict[str, Any]]:
    return [
        {"request": call, "response": response(call, result)} for call, result in rpc_calls(CASE)
    ]


def _with_bodies(pair: dict[str, Any], as_text: bool) -> dict[str, Any]:
    body = json.dumps if as_text else (lambda value: value)
    return {
        "request": {
            "method": "POST",
            "url": URL,
            "headers": {"Authorization": "Bearer s3cret"},
            "body": body(pair["request"]),
        },
        "response": {"status": 200, "headers": {"x": "s3cret"}, "body": body(pair["response"])},
    }


def _batches(folder: Path) -> None:
    pairs = _pairs()
    for number in range(0, len(pairs), 10):
        some = pairs[number : number + 10]
        answers = [pair["response"] for pair in some]
        random.Random(number).shuffle(answers)
        write(
            folder / f"{number}.json",
            json.dumps(
                {"request": [pair["request"] for pair in some], "response": answers}, indent=1
            ),
        )


def _by_file(folder: Path) -> None:
    """One response a file, requests not saved: the name says what was asked where the answer does
    not.
    """
    for number, (call, result) in enumerate(rpc_calls(CASE)):
        name = (
            str(number)
            if call["method"] == "getTransaction"
            else f"{call['method']}-{call['params'][0]}"
        )
        write(folder / f"{name}.json", json.dumps(response(call, result)))


def _accounts_together(folder: Path) -> None:
    rows: dict[int, list[Any]] = {}
    pairs = []
    for call, result in rpc_calls(CASE):
        if call["method"] == "getAccountInfo":
            rows.setdefault(result["context"]["slot"], []).append(
                (call["params"][0], result["value"])
            )
        else:
            pairs.append({"request": call, "response": response(call, result)})
    for slot, some in rows.items():
        call = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "getMultipleAccounts",
            "params": [[key for key, _ in some], {}],
        }
        answer = response(call, {"context": {"slot": slot}, "value": [value for _, value in some]})
        pairs.append({"request": call, "response": answer})
    write(folder / "calls.jsonl", "\n".join(map(json.dumps, pairs)))


SAVED = {
    "pairs": lambda folder: write(folder / "calls.jsonl", "\n".join(map(json.dumps, _pairs()))),
    "pairs in one array": lambda folder: write(
        folder / "calls.json", json.dumps(_pairs(), indent=2)
    ),
    "bodies": lambda folder: write(
        folder / "log.jsonl", "\n".join(json.dumps(_with_bodies(p, False)) for p in _pairs())
    ),
    "bodies as text": lambda folder: write(
        folder / "log.jsonl", "\n".join(json.dumps(_with_bodies(p, True)) for p in _pairs())
    ),
    "batches": _batches,
    "a file a response": _by_file,
    "accounts together": _accounts_together,
}


@pytest.mark.parametrize("saved", SAVED)
def test_saved_answers_give_the_findings_of_the_case(saved: str, tmp_path: Path) -> None:
    SAVED[saved](tmp_path / "saved")
    exports, whole = read_exports([tmp_path]), read_exports([CASES / CASE])
    assert exports.not_used == []
    for file in ("rpc/transactions.jsonl", "rpc/signatures.jsonl", "rpc/accounts.jsonl"):
        assert list(map(json.loads, exports.rows[file])) == list(map(json.loads, whole.rows[file]))
        whole.rows[file] = exports.rows[file]
    assert diagnosed_again(whole, CASE, tmp_path / "again") == diagnosis(CASES / CASE)
    assert "s3cret" not in repr(exports)


def test_a_u64_is_never_rewritten(tmp_path: Path) -> None:
    SAVED["pairs"](tmp_path)
    assert any(
        b'"rentEpoch":18446744073709551615' in line.replace(b" ", b"")
        for line in read_exports([tmp_path]).rows["rpc/accounts.jsonl"]
    )


def _one(tmp_path: Path, value: Any, name: str = "saved.json") -> Exports:
    write(tmp_path / name, value if isinstance(value, str) else json.dumps(value))
    write(tmp_path / "errors.jsonl", "")
    return read_exports([tmp_path])


def _transaction() -> dict[str, Any]:
    return next(dict(row) for row in rows_of(CASE, "rpc/transactions.jsonl"))


@pytest.mark.parametrize("envelope", ["jsonrpc", "bare", "batch"])
@pytest.mark.parametrize("encoding", ["base64", "json", "base58", "cut"])
def test_the_signature_is_read_from_the_transaction(
    encoding: str, envelope: str, tmp_path: Path
) -> None:
    import pybase64

    from popkit.protocol.keys import b58encode

    row = _transaction()
    wire = pybase64.b64decode(row["result"]["transaction"][0])
    row["result"]["transaction"] = {
        "base64": row["result"]["transaction"],
        "base58": b58encode(wire),
        "json": {
            "signatures": [row["signature"]],
            "message": {"accountKeys": [], "instructions": []},
        },
        "cut": [pybase64.b64encode(wire[:90]).decode(), "base64"],
    }[encoding]
    answer = {"jsonrpc": "2.0", "id": 1, "result": row["result"]}
    exports = _one(
        tmp_path, {"jsonrpc": answer, "bare": row["result"], "batch": [answer, answer]}[envelope]
    )
    assert [json.loads(line) for line in exports.rows["rpc/transactions.jsonl"]] == [row]


def test_what_was_asked_for_is_the_key_even_where_the_transaction_says_otherwise(
    tmp_path: Path,
) -> None:
    first, second = rows_of(CASE, "rpc/transactions.jsonl")[:2]
    call = {"jsonrpc": "2.0", "id": 1, "method": "getTransaction", "params": [first["signature"]]}
    exports = _one(tmp_path, {"request": call, "response": response(call, second["result"])})
    assert json.loads(exports.rows["rpc/transactions.jsonl"][0])["signature"] == first["signature"]


def test_null_is_unavailable_and_an_error_is_kept(tmp_path: Path) -> None:
    signature = _transaction()["signature"]
    call = {"jsonrpc": "2.0", "id": 1, "method": "getTransaction", "params": [signature]}
    failed = {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": -32004, "message": "Block not available"},
    }
    exports = _one(
        tmp_path,
        [
            {"request": call, "response": response(call, None)},
            {"request": call, "response": failed},
        ],
    )
    assert [json.loads(line) for line in exports.rows["rpc/transactions.jsonl"]] == [
        {"signature": signature, "result": None, "error": failed["error"]},
        {"signature": signature, "result": None},
    ]
    named = _one(
        tmp_path / "named", {"jsonrpc": "2.0", "id": 1, "result": None}, f"tx-{signature}.json"
    )
    assert [json.loads(line) for line in named.rows["rpc/transactions.jsonl"]] == [
        {"signature": signature, "result": None}
    ]


def _account(value: Any) -> dict[str, Any]:
    return {"context": {"slot": 7}, "value": value}


ACCOUNT = {"data": ["", "base64"], "owner": KEY, "lamports": 1, "executable": False, "rentEpoch": 0}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            {"jsonrpc": "2.0", "id": 1, "result": None},
            "a null answer, it is not known of which transaction",
        ),
        (
            {"jsonrpc": "2.0", "id": 1, "result": _account(ACCOUNT)},
            "an account, it is not known which",
        ),
        (
            {"jsonrpc": "2.0", "id": 1, "result": _account([ACCOUNT])},
            "1 accounts of getMultipleAccounts for 0 known addresses",
        ),
        ({"jsonrpc": "2.0", "id": 1, "result": 443210000}, "nothing that a case keeps"),
        (
            {"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "Too many requests"}},
            "with an error (code -32005)",
        ),
        (
            {
                "jsonrpc": "2.0",
                "id": 1,
                "result": {"slot": 3, "transaction": ["AA==", "base64"], "meta": None},
            },
            "without a readable signature",
        ),
        (
            [{"signature": "1" * 64, "slot": 3, "err": None}],
            "a list of signatures, it is not known whose",
        ),
        (
            {
                "request": {"method": "getAccountInfo", "params": [KEY]},
                "response": {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "x"}},
            },
            "the node answered getAccountInfo with an error (code 1)",
        ),
        (
            {
                "request": {"method": "getMultipleAccounts", "params": [[KEY, KEY]]},
                "response": {"jsonrpc": "2.0", "result": _account([ACCOUNT])},
            },
            "1 accounts of getMultipleAccounts for 2 known addresses",
        ),
        (
            {
                "request": {"method": "getSlot", "params": []},
                "response": {"jsonrpc": "2.0", "result": 3},
            },
            "getSlot: nothing that a case keeps",
        ),
    ],
)
def test_answers_about_nobody_knows_what_are_left_with_the_reason(
    value: Any, said: str, tmp_path: Path
) -> None:
    exports = _one(tmp_path, value)
    assert said in reasons(exports)["saved.json"]
    assert [item.path for item in exports.used] == ["errors.jsonl"]


def test_a_list_without_rows_says_that_it_was_asked_for(tmp_path: Path) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "getSignaturesForAddress", "params": [KEY]}
    assert (
        _one(tmp_path, {"request": call, "response": response(call, [])}).rows[
            "rpc/signatures.jsonl"
        ]
        == []
    )


def test_accounts_of_a_program_name_themselves(tmp_path: Path) -> None:
    rows = [{"pubkey": KEY, "account": ACCOUNT}]
    without = _one(tmp_path / "a", {"jsonrpc": "2.0", "id": 1, "result": rows})
    assert json.loads(without.rows["rpc/accounts.jsonl"][0]) == {
        "pubkey": KEY,
        "slot": None,
        "account": ACCOUNT,
    }
    with_slot = _one(tmp_path / "b", {"jsonrpc": "2.0", "id": 1, "result": _account(rows)})
    assert json.loads(with_slot.rows["rpc/accounts.jsonl"][0]) == {
        "pubkey": KEY,
        "slot": 7,
        "account": ACCOUNT,
    }


def test_contradictory_answers_are_both_kept_and_equal_ones_once(tmp_path: Path) -> None:
    row = _transaction()
    other = json.loads(json.dumps(row))
    other["result"]["slot"] += 1
    lines = [
        json.dumps(row),
        json.dumps(other),
        json.dumps(row, indent=1),
        json.dumps(dict(reversed(row.items())), separators=(",", ":")),
    ]
    exports = _one(tmp_path, "\n".join(lines), "mixed.jsonl")
    assert sorted(
        json.loads(line)["result"]["slot"] for line in exports.rows["rpc/transactions.jsonl"]
    ) == [
        row["result"]["slot"],
        other["result"]["slot"],
    ]


def test_newest_is_the_last_block_time(tmp_path: Path) -> None:
    SAVED["pairs"](tmp_path)
    exports = read_exports([tmp_path])
    assert exports.newest == max(row["blockTime"] for row in rows_of(CASE, "rpc/signatures.jsonl"))
    assert exports.newest_in == "calls.jsonl"


def test_a_log_of_something_else_is_not_taken(tmp_path: Path) -> None:
    write(
        tmp_path / "lsp.jsonl",
        '{"jsonrpc":"2.0","id":1,"method":"textDocument/hover","params":{}}\n{"jsonrpc":"2.0","id":1,"result":{"contents":[]}}\n',
    )
    with pytest.raises(UsageError):
        read_exports([tmp_path])
