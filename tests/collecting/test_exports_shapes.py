"""Transactions in the shapes that operators have at hand are read; forms that cannot be read back
are named, with what to save instead.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from popkit import open_case
from popkit.collecting.collect import collect
from popkit.collecting.options import Options
from popkit.errors import UsageError
from popkit.protocol.keys import PROGRAM_ID
from tests.conftest import CASES, Copy
from tests.evidence.renditions import encoded
from tests.exported import read_exports

CASE = "abandoned-proof"
FILE = "rpc/transactions.jsonl"


@pytest.fixture
def case(tmp_path: Path) -> Copy:
    return Copy(CASE, tmp_path / "source")


def block_of(row: dict[str, Any]) -> dict[str, Any]:
    """getBlock's answer with one transaction of ours and one that is nobody's here."""
    result = row["result"]
    ours = {name: result[name] for name in ("transaction", "meta", "version") if name in result}
    foreign = [
        "A"
        + "A" * 87
        + "AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ow==",
        "base64",
    ]
    meta = {"err": None, "innerInstructions": [], "logMessages": []}
    block = {
        "blockhash": "1" * 32,
        "blockTime": result["blockTime"],
        "parentSlot": result["slot"] - 3,
    }
    return {
        **block,
        "transactions": [{"transaction": foreign, "meta": meta, "version": "legacy"}, ours],
    }


def answered(result: Any, *params: Any, method: str = "getBlock") -> dict[str, Any]:
    return {
        "request": {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)},
        "response": {"jsonrpc": "2.0", "id": 1, "result": result},
    }


def notified(row: dict[str, Any]) -> dict[str, Any]:
    result = row["result"]
    shown = {name: result[name] for name in ("transaction", "meta", "version") if name in result}
    params = {
        "subscription": 7,
        "result": {"transaction": shown, "signature": row["signature"], "slot": result["slot"]},
    }
    return {"jsonrpc": "2.0", "method": "transactionNotification", "params": params}


SHAPES: dict[str, Any] = {
    "@solana/kit, bigints as text": lambda rows: [encoded(row, "kit")["result"] for row in rows],
    "web3.js": lambda rows: [encoded(row, "web3.js")["result"] for row in rows],
    "jsonParsed": lambda rows: [encoded(row, "jsonParsed")["result"] for row in rows],
    "a gateway's page": lambda rows: {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {"data": [row["result"] for row in rows], "paginationToken": None},
    },
    "a bare page": lambda rows: {"data": [row["result"] for row in rows]},
    "a page of answers": lambda rows: {
        "data": [{"jsonrpc": "2.0", "id": 1, "result": row["result"]} for row in rows]
    },
    "getBlock": lambda rows: [{"jsonrpc": "2.0", "id": 1, "result": block_of(row)} for row in rows],
    "blocks without a wrapping": lambda rows: [block_of(row) for row in rows],
    "getBlock with requests": lambda rows: [
        answered(block_of(row), row["result"]["slot"], {"encoding": "base64"}) for row in rows
    ],
    "notifications": lambda rows: [notified(row) for row in rows],
}


@pytest.mark.parametrize("as_lines", [False, True], ids=["document", "lines"])
@pytest.mark.parametrize("shape", SHAPES)
def test_transactions_in_a_tools_own_shape_are_read(
    shape: str, as_lines: bool, case: Copy, tmp_path: Path
) -> None:
    plain = open_case(CASES / CASE).diagnose()
    saved = SHAPES[shape]([row for row in case.rows(FILE) if row["result"]])
    case.drop(FILE)
    case.drop("manifest-sha256.txt")
    file = tmp_path / "saved.json"
    items = saved if isinstance(saved, list) and as_lines else [saved]
    file.write_text("".join(json.dumps(item) + "\n" for item in items))
    result = collect(
        Options(
            out=tmp_path / "case", name=plain.case, program_id=PROGRAM_ID, exports=(case.path, file)
        )
    )
    found = open_case(result.case).diagnose()
    assert (found.verdict, found.exit_code) == (plain.verdict, plain.exit_code)
    assert [g.as_json()["last_good"]["signature"] for g in found.grants] == [
        g.as_json()["last_good"]["signature"] for g in plain.grants
    ]
    assert [g.first_bad for g in found.grants] == [g.first_bad for g in plain.grants]


def test_a_block_whose_slot_nobody_tells_gives_nothing_and_says_why(
    case: Copy, tmp_path: Path
) -> None:
    saved = [block_of(row) for row in case.rows(FILE) if row["result"]]
    (tmp_path / "only").mkdir()
    (tmp_path / "only/blocks.json").write_text(json.dumps(saved))
    (tmp_path / "only/errors.jsonl").write_text("")
    exports = read_exports([tmp_path / "only"])
    assert exports.rows.get(FILE, []) == []
    [used] = [item for item in exports.used if item.path.endswith("blocks.json")]
    assert used.rows == 0
    assert " × a transaction of a block whose slot is not known" in used.note
    assert "another program's transaction of a block" in used.note
    assert f"{len(saved)} × a transaction of a block that cannot be read" in used.note


def test_a_page_with_more_behind_it_says_so(case: Copy, tmp_path: Path) -> None:
    page = {
        "data": [row["result"] for row in case.rows(FILE) if row["result"]],
        "paginationToken": "next",
    }
    (tmp_path / "page.json").write_text(json.dumps(page))
    [used] = read_exports([tmp_path / "page.json"]).used
    assert "save the pages that follow" in used.note


def sqlite_bytes() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table r2 (key text)")
    data: bytes = connection.serialize()
    return data


SIGNATURE = (
    "5Frv1pup2FvNeMnMLkt5TTh4sWCpAEgpW6uQmyC6MFRw5DG5nrnqq71t6YUQT3P7kgfe6JjbyUicfu9LuB6FVL3B"
)
HAR = {
    "log": {
        "version": "1.2",
        "creator": {"name": "Firefox"},
        "entries": [{"request": {"method": "POST"}, "response": {"status": 200}}],
    }
}
ENHANCED = [
    {
        "description": "",
        "type": "UNKNOWN",
        "signature": SIGNATURE,
        "slot": 5,
        "feePayer": "x",
        "nativeTransfers": [],
        "tokenTransfers": [],
    }
]
FORMATS: dict[str, tuple[str, bytes, str, str]] = {
    "HAR": ("a.har", json.dumps(HAR).encode(), "HAR", "Copy response"),
    "enhanced": ("enhanced.json", json.dumps(ENHANCED).encode(), "enhanced transactions", "getTransaction"),
    "CSV": ("export.csv", f'Signature,Block Time,Slot,"From, To"\n{SIGNATURE},1771830000,5,"a, b"\n'.encode(), "CSV", "getTransaction"),
    "history": ("history.txt", f"{SIGNATURE}\n\n1 transactions found\n".encode(), "solana transaction-history", "getSignaturesForAddress"),
    "history -v": ("v.txt", f"{SIGNATURE} [slot=5 status=Confirmed]\n".encode(), "solana transaction-history", "base64"),
    "confirm": ("confirm.txt", b"Transaction executed in slot 443489000:\n  Block Time: 2026\n", "solana confirm -v", "getTransaction"),
    "SQLite": ("do.sqlite", sqlite_bytes(), "SQLite", "export of the worker"),
    "wrangler": ("wrangler/.wrangler/state/v3/r2/db.sqlite", sqlite_bytes(), ".wrangler", "not the deployed worker"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_form_that_cannot_be_read_back_is_named(name: str, tmp_path: Path) -> None:
    file, content, what, instead = FORMATS[name]
    path = tmp_path / "in" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(UsageError) as error:
        read_exports([tmp_path / "in"])
    assert what in str(error.value)
    assert instead in str(error.value)


@pytest.mark.parametrize(
    "text",
    ["hello, world, signature of mine\n", "a,b,c\n1,2,3\n", '{"log": 5}', "Signature\n", "[]", "5"],
)
def test_what_only_looks_like_one_is_not_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(text)
    (tmp_path / "errors.jsonl").write_text("")
    [unused] = read_exports([tmp_path]).not_used
    assert "save" not in unused.why or text.startswith("hello"), unused.why


def test_claims_that_could_not_be_read_are_not_said_to_be_none(case: Copy) -> None:
    """Neither the terminal nor the answer may say that nothing was accepted where nothing could be
    read.
    """
    from popkit.pages.terminal import diagnosis_text

    case.change(
        FILE,
        lambda rows: [
            {**row, "result": {**row["result"], "transaction": ["AQID", "base64"]}}
            for row in rows
            if row["result"]
        ],
    )
    found = case.diagnose()
    text = diagnosis_text(found)
    assert "no claim of this grant was accepted" not in text
    assert "not known: the node did not give transactions, or they could not be read" in text
