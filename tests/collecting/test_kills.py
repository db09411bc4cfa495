"""A collector killed at any point goes on where it was: the same case, and nothing fetched twice
but what was in the air.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

from popkit.evidence.custody import check_custody, read_custody
from tests.collecting.collected import collected, options_for
from tests.conftest import CASES, popkit
from tests.interrupts import started
from tests.serving.harness import requests_of, served

KILLS = 50
CASE = "term"
SIZES = {"page": 25, "batch": 3, "parallel": 2, "fresh": 600.0}


def _collect(url: str, out: Path) -> None:
    """In a process of its own, whose faults are the parent's to find."""
    import asyncio

    from popkit.collecting.collect import Collection

    asyncio.run(Collection(options_for(CASE, url, out, **SIZES)).run())


def _killed(url: str, out: Path, chance: random.Random) -> bool:
    """Start a collector, let it write some more lines and a moment pass, then kill it; False when
    it was done before.
    """
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=_collect, args=(url, out))
    custody = out.with_name(f"{out.name}.collecting") / "custody.jsonl"
    before = custody.stat().st_size if custody.is_file() else 0
    process.start()
    more = chance.randrange(1, 4000)
    while process.is_alive() and (not custody.is_file() or custody.stat().st_size < before + more):
        time.sleep(0.0005)
    time.sleep(chance.random() * 0.004)
    assert process.pid is not None
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return process.exitcode == -signal.SIGKILL


def _evidence(case: Path) -> dict[str, bytes]:
    """Every file but those that hold times: custody.jsonl, the answers' times, case.json and the
    manifest over them.
    """
    skipped = ("custody.jsonl", "case.json", "manifest-sha256.txt", "worker/answers.jsonl")
    found = {
        path.relative_to(case).as_posix(): path.read_bytes()
        for path in case.rglob("*")
        if path.is_file()
    }
    return {name: data for name, data in found.items() if name not in skipped}


def test_a_collector_killed_fifty_times_ends_with_the_same_case(tmp_path: Path) -> None:
    multiprocessing.get_context("forkserver").set_forkserver_preload(
        ["popkit.collecting.collect", "tests.collecting.collected"]
    )
    chance, kills, out, trace = (
        random.Random(20260222),
        0,
        tmp_path / "killed",
        tmp_path / "trace.jsonl",
    )
    with served(CASES / CASE) as url:
        whole = collected(CASE, url, tmp_path / "whole", **SIZES).case
    with served(CASES / CASE, "--trace", trace, "--fault", "slow:0.002") as url:
        while kills < KILLS:
            if not _killed(str(url), out, chance):
                assert out.is_dir(), "the collector ended by itself without a case"
                break
            kills += 1
        if not out.is_dir():
            collected(CASE, url, out, **SIZES)
    assert kills >= KILLS, f"only {kills} kills were in time"
    assert _evidence(out) == _evidence(whole)
    assert check_custody(out) == []
    records = [record for _, _, record in read_custody(out / "custody.jsonl")]
    assert Counter(record["kind"] for record in records)["resume"] >= 1
    asked = sum(row["calls"].get("getTransaction", 0) for row in requests_of(trace))
    kept = len((out / "rpc/transactions.jsonl").read_bytes().splitlines())
    in_the_air = kills * SIZES["batch"] * (SIZES["parallel"] + 1)
    print(
        f"{kills} kills, {kept} transactions kept, {asked - kept} asked for again (at most "
        f"{in_the_air} were in the air)"
    )
    assert asked - kept <= in_the_air
    pages = sum(row["calls"].get("getSignaturesForAddress", 0) for row in requests_of(trace))
    kept_pages = sum("page" in record for record in records)
    assert pages - kept_pages <= kills


def test_an_interrupted_command_says_that_it_can_go_on(tmp_path: Path) -> None:
    out, grant = tmp_path / "case", options_for("intact", "http://127.0.0.1:1", tmp_path).grants[0]
    with served(CASES / "intact", "--fault", "slow:0.3") as url:
        command = [
            "collect",
            "--rpc",
            url,
            "--grant",
            grant,
            "--out",
            str(out),
            "--rate",
            "9999",
            "--limit",
            "every=9999",
        ]
        with started(*command) as process:
            custody = tmp_path / "case.collecting/custody.jsonl"
            while process.poll() is None and (
                not custody.is_file() or custody.stat().st_size < 3000
            ):
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
        assert process.returncode == 130
        assert b"the same command goes on" in said
        assert not out.exists()
        assert popkit(*command).returncode == 0
    assert check_custody(out) == []
