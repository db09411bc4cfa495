"""How much of this machine's time a transaction costs: popkit's collector beside solana-py, against
the same served case.

python tests/bench_collect.py [TRANSACTIONS]

CPU time of the client process alone (user and system), the best of three runs each; the server is
another process. popkit's figure holds everything that it does with a transaction: the request,
reading the answers, both digests, writing lines and custody record to disk. solana-py's holds the
request and its typed answer, and nothing is written.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.collecting.collected import QUICK
from tests.conftest import CASES
from tests.serving.harness import served

SOURCE = "term"


def spread(count: int, folder: Path) -> tuple[Path, list[str]]:
    """A case whose transactions are those of a recorded one over and over, under signatures of
    their own; gives the signatures.
    """
    import msgspec
    import pybase64
    from solders.signature import Signature

    from popkit.case import open_case

    case = folder / "case"
    shutil.copytree(CASES / SOURCE, case)
    for name in ("manifest-sha256.txt", "rpc/transactions.jsonl.zst", "rpc/signatures.jsonl.zst"):
        (case / name).unlink()
    lines = open_case(CASES / SOURCE).evidence.lines_of("rpc/transactions.jsonl")
    assert lines is not None
    rows = [msgspec.json.decode(line) for _, line in lines]
    rows = [
        row for row in rows if len(row["result"]["transaction"][0]) > 1000
    ]  # claims: what there are thousands of
    made = []
    with (case / "rpc/transactions.jsonl").open("wb") as file:
        for number in range(count):
            row = rows[number % len(rows)]
            wire = bytearray(pybase64.b64decode(row["result"]["transaction"][0]))
            wire[1:9] = number.to_bytes(8, "big")
            row["result"]["transaction"][0] = pybase64.b64encode(bytes(wire)).decode()
            made.append(str(Signature(bytes(wire[1:65]))))
            file.write(
                msgspec.json.encode({"signature": made[-1], "result": row["result"]}) + b"\n"
            )
    (case / "rpc/signatures.jsonl").write_bytes(b"")
    return case, made


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def in_child(work: Callable[[], None]) -> float:
    """CPU seconds that some work takes in a process of its own, start-up left out."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        before = cpu()
        work()
        os.write(writer, json.dumps(cpu() - before).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return float(text)


def ours(url: str, signatures: list[str], batch: int) -> None:
    import aiohttp

    from popkit.collecting.address import read_address
    from popkit.collecting.fetching import Fetcher
    from popkit.collecting.node import Node
    from popkit.collecting.peer import Peer
    from popkit.collecting.progress import Progress
    from popkit.collecting.workspace import Workspace

    async def run(out: Path) -> None:
        work = Workspace(out, {})
        async with aiohttp.ClientSession() as session:
            node = Node(
                Peer("rpc", read_address(url), session, work, replace(QUICK, timeout=60.0)), batch
            )
            found = await Fetcher(node, work, Progress(None)).fetch(signatures)
        assert len(found.kept) == len(signatures)
        work.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder, "case")))


def theirs(url: str, signatures: list[str]) -> None:
    from solana.rpc.async_api import AsyncClient
    from solders.signature import Signature

    async def run() -> None:
        client = AsyncClient(url, timeout=60)
        for text in signatures:
            answer = await client.get_transaction(
                Signature.from_string(text), "base64", max_supported_transaction_version=0
            )
            assert answer.value is not None
        await client.close()

    asyncio.run(run())


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    import solana.rpc.async_api  # noqa: F401  (both are loaded before the clock runs)

    import popkit.collecting.fetching  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        case, signatures = spread(count, Path(folder))
        few = signatures[: max(200, count // 20)]
        size = sum(len(line) for line in (case / "rpc/transactions.jsonl").open("rb")) // count
        with served(case, "--max-body", "10000000") as url:
            print(f"{count} transactions of {size} bytes each")
            figures = {}
            for batch in (1, 40, 200):
                some = signatures if batch > 1 else few
                figures[batch] = min(
                    in_child(lambda some=some, batch=batch: ours(url, some, batch))
                    for _ in range(3)
                ) / len(some)
                print(f"popkit, {batch:>3} a request: {figures[batch] * 1e6:8.1f} µs a transaction")
            other = min(in_child(lambda: theirs(url, few)) for _ in range(3)) / len(few)
            print(f"solana-py           : {other * 1e6:8.1f} µs a transaction")
            print(
                f"solana-py takes {other / figures[200]:.0f} times popkit's time at 200 a request, "
                f"{other / figures[40]:.0f} times at 40"
            )


if __name__ == "__main__":
    main()
