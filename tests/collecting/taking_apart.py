"""A recorded case taken apart as operators would have exported it, and put together again from what
popkit read.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import zstandard

import popkit
from popkit.collecting.exports import Exports
from tests.conftest import CASES, seal

DATA = Path(__file__).parent / "data"


def text_of(case: str | Path, name: str) -> str | None:
    """A file of a recorded case, decompressed, or None."""
    path = (CASES / case if isinstance(case, str) else case) / name
    if path.is_file():
        return path.read_text(errors="surrogateescape")
    packed = path.with_name(f"{path.name}.zst")
    if not packed.is_file():
        return None
    with packed.open("rb") as raw:
        return zstandard.ZstdDecompressor().stream_reader(raw).read().decode()


def rows_of(case: str | Path, name: str) -> list[Any]:
    """The rows of a line file of a case."""
    return [json.loads(line) for line in (text_of(case, name) or "").splitlines()]


def bucket_of(case: str) -> dict[str, str]:
    """The bucket of a case by key, however the case holds it."""
    found = {row["key"]: row["text"] for row in rows_of(case, "worker/r2.jsonl")}
    below = CASES / case / "worker" / "r2"
    for path in below.rglob("*") if below.is_dir() else ():
        if path.is_file():
            found[path.relative_to(below).as_posix()] = path.read_text(errors="surrogateescape")
    return found


def write(path: Path, text: str | bytes) -> Path:
    """Write a file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
    return path


def copy_bucket(case: str, folder: Path, rename: Callable[[str], str] = str) -> None:
    """The bucket as rclone, wrangler or aws s3 sync leave it: a file an object."""
    for key, text in bucket_of(case).items():
        write(folder / rename(key), text)


def rpc_calls(case: str) -> Iterable[tuple[dict[str, Any], Any]]:
    """The calls that a case's `rpc/` files are the answers to, as (request, result)."""
    for row in rows_of(case, "rpc/transactions.jsonl"):
        yield _call("getTransaction", [row["signature"], {"encoding": "base64"}]), row["result"]
    addresses: dict[str, list[Any]] = {}
    for row in rows_of(case, "rpc/signatures.jsonl"):
        addresses.setdefault(row.pop("address"), []).append(row)
    for address, rows in addresses.items():
        yield _call("getSignaturesForAddress", [address, {"limit": 1000}]), rows
    for row in rows_of(case, "rpc/accounts.jsonl"):
        yield (
            _call("getAccountInfo", [row["pubkey"], {"encoding": "base64"}]),
            {"context": {"slot": row["slot"]}, "value": row["account"]},
        )


def _call(method: str, params: list[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": method + str(params[0])[:8], "method": method, "params": params}


def response(call: dict[str, Any], result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call["id"], "result": result}


def other_files(case: str, folder: Path) -> None:
    """The answers, receipts and reports of a case under plain names, compactly."""
    for path in (CASES / case / "worker").glob("*.json"):
        write(
            folder / path.name, json.dumps(json.loads(path.read_text())["body"], ensure_ascii=False)
        )
    for name in ("worker/ticket-receipts.jsonl", "client/errors.jsonl"):
        text = text_of(case, name)
        if text is not None:
            write(folder / Path(name).name, text)


def put_together(exports: Exports, header: Path, out: Path) -> Path:
    """The exports as a sealed case, with the header of the case that they were made from."""
    for name, lines in exports.rows.items():
        write(out / name, b"".join(line + b"\n" for line in lines))
    for name, document in exports.answers.items():
        write(out / "worker" / f"{name}.json", document)
    write(out / "case.json", header.read_bytes())
    seal(out)
    return out


def diagnosis(case: Path) -> str:
    """The findings of a case."""
    return popkit.open_case(case).diagnose().dumps()


def diagnosed_again(exports: Exports, case: str, out: Path) -> str:
    """The findings of the exports put together under a recorded case's header."""
    return diagnosis(put_together(exports, CASES / case / "case.json", out))


def shuffled(folder: Path, seed: int = 7) -> None:
    """Shuffle and repeat the lines of every .jsonl file below a folder."""
    order = random.Random(seed)
    for path in folder.rglob("*.jsonl"):
        lines = path.read_bytes().splitlines()
        lines += order.sample(lines, len(lines) // 2)
        order.shuffle(lines)
        path.write_bytes(b"".join(line + b"\n" for line in lines))


def reasons(exports: Exports) -> dict[str, str]:
    """Why files were not used, by path."""
    return {item.path: item.why for item in exports.not_used}
