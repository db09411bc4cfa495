"""What is found does not depend on how a case is packed: mutants with lines shuffled and repeated,
compressed, the bucket loose.
"""

from __future__ import annotations

import gzip
import json
import random
from hashlib import sha256
from pathlib import Path

import pytest
import zstandard

import popkit
from popkit.evidence.layout import MANIFEST
from popkit.verification.attacks import ATTACKS, UNREADABLE
from tests.attacks.build import write_mutant

READABLE = [attack.name for attack in ATTACKS if attack.verdict != UNREADABLE]
LISTS = ("worker/audit-logs.json", "worker/transfers.json")
PACKERS = {".zst": zstandard.ZstdCompressor().compress, ".gz": gzip.compress}


def files_of(case: Path, without: tuple[str, ...]) -> dict[str, bytes]:
    """The files of a case but for some."""
    found = {
        file.relative_to(case).as_posix(): file.read_bytes()
        for file in sorted(case.rglob("*"))
        if file.is_file()
    }
    return {name: data for name, data in found.items() if name not in (MANIFEST, *without)}


def written(target: Path, files: dict[str, bytes]) -> Path:
    """A case of these files, sealed."""
    seal = "".join(f"{sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    for name, data in {**files, MANIFEST: seal.encode()}.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(data)
    return target


def repacked(
    files: dict[str, bytes], suffix: str, loose: bool, chance: random.Random
) -> dict[str, bytes]:
    """The same case otherwise: line files shuffled, some lines twice, compressed; the bucket's
    objects as files where `loose`.
    """
    found: dict[str, bytes] = {}
    for name, data in files.items():
        if not name.endswith(".jsonl"):
            found[name] = data
        elif name == "worker/r2.jsonl" and loose:
            found |= {
                f"worker/r2/{row['key']}": row["text"].encode()
                for row in map(json.loads, data.splitlines())
            }
        else:
            rows = data.splitlines(keepends=True)
            rows += rows[:3]
            chance.shuffle(rows)
            found[name + suffix] = PACKERS[suffix](b"".join(rows))
    return found


@pytest.mark.parametrize("name", READABLE)
def test_a_mutant_packed_otherwise_says_the_same_to_the_byte(name: str, tmp_path: Path) -> None:
    mutant, chance = write_mutant(name, tmp_path / "mutant"), random.Random(name)
    for without in ((), LISTS):
        files = files_of(mutant, without)
        said = (
            popkit.open_case(written(tmp_path / f"without {len(without)}", files))
            .diagnose()
            .dumps()
        )
        for suffix, loose in ((".zst", False), (".gz", True)):
            packed = written(
                tmp_path / f"without {len(without)}, {suffix}",
                repacked(files, suffix, loose, chance),
            )
            assert popkit.open_case(packed).diagnose().dumps() == said, (without, suffix)
