"""Collect a served case again: what several tests start from."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from popkit.collecting.address import Address, read_address
from popkit.collecting.collect import Collected, collect
from popkit.collecting.limits import Rate
from popkit.collecting.options import Options
from popkit.collecting.peer import Conduct
from tests.conftest import CASES

QUICK = Conduct(requests=Rate(100_000), every_method=Rate(100_000), timeout=20.0)
"""No limits worth the name: what is tested is not the waiting."""
EXPORTED = (
    "worker/r2.jsonl",
    "worker/r2",
    "worker/storage.jsonl",
    "worker/ticket-receipts.jsonl",
    "client/errors.jsonl",
)


def header_of(name: str) -> dict[str, Any]:
    return json.loads((CASES / name / "case.json").read_text())


def exports_of(name: str, folder: Path) -> tuple[Path, ...]:
    """What no network gives: the case's bucket, storage, receipts and reports, copied to a folder
    of their own.
    """
    found = False
    for stem in EXPORTED:
        for suffix in ("", ".zst", ".gz"):
            source = CASES / name / f"{stem}{suffix}"
            target = folder / f"{stem}{suffix}"
            if source.exists():
                found = True
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return (folder,) if found else ()


def options_for(name: str, url: str, out: Path, **changes: Any) -> Options:
    """A whole collection of a served case, without limits."""
    header = header_of(name)
    address: Address = read_address(url)
    options = Options(
        out=out,
        name=header["case"],
        program_id=header["program_id"],
        rpc=address,
        worker=address if header["sources"].get("worker") else None,
        has_token=True,
        grants=tuple(header["grants"]),
        list_program=True,
        conduct=QUICK,
        worker_conduct=replace(QUICK, attempts=3),
    )
    return replace(options, **changes)


def collected(name: str, url: str, out: Path, **changes: Any) -> Collected:
    return collect(options_for(name, url, out, **changes))
