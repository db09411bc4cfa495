"""Every file of a case spoilt in every way, by chance, each answer held against five rules.

python -m tests.absurd.fuzz --seconds 600 --seed 1          at length; says each fault, and how to
see it again python -m tests.absurd.fuzz --seed 1 --only 4711 --keep DIR  one example again, with
its case kept in DIR

The rules, for `diagnose`, `verify` and `collect --from` on a case of which one file was spoilt:

1. It ends by itself with 0, 1, 2 or 3 inside the bounds of `tests.absurd.bounded`: no fault inside
   popkit, no traceback.
2. No output holds a character that is not drawn, but line ends.
3. A case that was not sealed again is not judged: exit code 3, and the answer names the spoilt
   file, or the manifest.
4. A file that is not what its name says (a line, or a document, that is no JSON; a packing that
   does not open) is named.
5. The answer is never better for the damage. A grant that was broken is broken or inconclusive,
   whatever one file says, and the exit code is not 0. After LOSS (see `mutations`) a grant that was
   sound is not broken. What case.json is made to *say* is the question that popkit is asked, and no
   evidence: rule 5 then holds of LOSS alone.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import sys
import time
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard

from popkit.collecting.address import read_address
from tests.absurd.bounded import Bounded, Ran, bounded
from tests.absurd.mutations import JSON_ALONE, LOSS, WAYS, WORDS, packed, spoilt_packing
from tests.collecting.collected import collected, exports_of
from tests.conftest import CASES, seal
from tests.serving.harness import served

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
MANIFEST, HEADER = "manifest-sha256.txt", "case.json"
COLLECTED, BUNDLED = "worker-head-reset", ("strict-v2-intact", "abandoned-proof")
"""A broken case of which every part is there, collected here so that it holds what a collector
writes; a sound one and another broken.
"""
SOUND = frozenset({"intact", "recovered", "in_flight", "unused"})


@dataclass(frozen=True, slots=True)
class Base:
    """A whole case: where it is, its exit code, the verdict of each grant."""

    path: Path
    exit_code: int
    verdicts: dict[str, str]

    @property
    def files(self) -> list[str]:
        return sorted(
            path.relative_to(self.path).as_posix()
            for path in self.path.rglob("*")
            if path.is_file()
        )


@dataclass(frozen=True, slots=True)
class Spoilt:
    """What was done: to which file (its name without packing), how, whether the case was sealed
    again, whether the file can be read.
    """

    file: str
    way: str
    kind: str
    sealed: bool
    readable: bool


@contextmanager
def bases() -> Iterator[tuple[list[Base], Bounded]]:
    """The whole cases, and the bounded process that answers for them and for spoilt ones."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with served(CASES / COLLECTED) as url:
            exports = exports_of(COLLECTED, folder / "exports")
            collected(COLLECTED, url, folder / COLLECTED, exports=exports, second=read_address(url))
        paths = [folder / COLLECTED, *(CASES / bundled for bundled in BUNDLED)]
        with bounded(paths[0]) as runner:
            yield [_base(runner, path) for path in paths], runner


def _base(runner: Bounded, path: Path) -> Base:
    ran = runner.run("diagnose", path, "--json", "-")
    return Base(
        path,
        ran.code,
        {grant["grant"]: grant["verdict"] for grant in json.loads(ran.out)["grants"]},
    )


def spoil(rng: random.Random, case: Path, file: str) -> Spoilt:
    """Spoil one file of a case in place; mostly the case is sealed again, as whoever keeps spoilt
    evidence would.
    """
    path, is_lines = case / file, ".jsonl" in file
    stem, content = file.removesuffix(".zst").removesuffix(".gz"), path.read_bytes()
    if file.endswith(".zst"):
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    readable, kind = True, LOSS
    choice = rng.random()
    if choice < 0.03:
        way = "gone"
        path.unlink()
    elif choice < 0.08:
        others = [
            other
            for other in case.rglob("*")
            if other.is_file() and other != path and other.name not in (MANIFEST, HEADER)
        ]
        other = rng.choice(sorted(others))
        way, readable = (
            f"swapped with {other.relative_to(case).as_posix()}",
            (other.suffix == path.suffix),
        )
        first, second = path.read_bytes(), other.read_bytes()
        path.write_bytes(second)
        other.write_bytes(first)
        kind = WORDS
    elif choice < 0.18 and is_lines:
        suffix, data = packed(rng, content)
        path.unlink()
        way, data = f"packed as {suffix}, and the packing spoilt", spoilt_packing(rng, data)
        Path(case, stem + suffix).write_bytes(data)
        readable = _unpacks(data, suffix)
    else:
        is_json = file != MANIFEST
        chosen = rng.choice([way for way in WAYS if is_json or way.name not in JSON_ALONE])
        way, kind, content = chosen.name, chosen.kind, chosen.spoil(rng, content, is_lines)
        suffix, data = packed(rng, content) if is_lines and rng.random() < 0.15 else ("", content)
        path.unlink()
        Path(case, stem + suffix).write_bytes(data)
        readable = file == MANIFEST or is_json_text(content, is_lines)
    sealed = file != MANIFEST and rng.random() < 0.9
    if sealed:
        seal(case)
    return Spoilt(stem, way, kind, sealed, readable)


def _unpacks(data: bytes, suffix: str) -> bool:
    """Whether packed bytes open to their end and hold lines of JSON."""
    try:
        if suffix == ".gz":
            return is_json_text(gzip.decompress(data), True)
        frame = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
        return is_json_text(frame.read(), True)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError):
        return False


def is_json_text(content: bytes, is_lines: bool) -> bool:
    """Whether a content is one JSON document, or lines of JSON, by a reader that is not popkit's."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        for line in content.split(b"\n") if is_lines else [content]:
            if line.strip() or not is_lines:
                json.loads(line.decode("utf-8"), parse_int=float, parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return True


def faults(
    base: Base, case: Path, done: Spoilt, runner: Bounded, folder: Path, thorough: bool = False
) -> list[str]:
    """How the answers to a spoilt case break the rules; [] when they do not. Outputs go into
    `folder`; `thorough`: `collect --from` too.
    """
    findings, checks = folder / "findings.json", folder / "checks.json"
    for left in (findings, checks):
        left.unlink(missing_ok=True)
    diagnosed = runner.run("diagnose", case, "--json", findings)
    verified = runner.run("verify", case, "--json", checks)
    ran = [diagnosed, verified]
    if thorough:
        out = folder / "again"
        shutil.rmtree(out, ignore_errors=True)
        ran.append(runner.run("collect", "--from", case, "--out", out, "--grant", *base.verdicts))
    broken = [fault for each in ran for fault in of_process(each)]
    written = {
        path: path.read_text("utf-8", "surrogateescape")
        for path in (findings, checks)
        if path.is_file()
    }
    broken += [
        f"{path.name} holds {found!r}"
        for path, text in written.items()
        if (found := hidden_in(text))
    ]
    if broken:
        return broken
    words = "".join([diagnosed.err, verified.err, verified.out, *written.values()])
    if not done.sealed:
        if (diagnosed.code, verified.code) != (3, 3) and _is_altered(base, case):
            broken.append(
                f"judged though its manifest does not fit: {diagnosed.code}, {verified.code}"
            )
    elif not done.readable and done.file not in words:
        broken.append(f"{done.file} cannot be read, and is not named")
    if findings in written and done.sealed:
        broken += _better(base, done, diagnosed, json.loads(written[findings]))
    return broken


def of_process(ran: Ran) -> list[str]:
    """Rules 1 and 2."""
    found = []
    if ran.code not in (0, 1, 2, 3):
        found.append(
            f"{ran.args[0]} ended with {ran.code} after {ran.cpu:.1f} s and {ran.peak >> 20} MB: "
            f"{ran.err[-600:]}"
        )
    if "Traceback" in ran.out + ran.err:
        found.append(f"{ran.args[0]} shows a traceback: {ran.err[-600:]}")
    hidden = hidden_in(ran.out + ran.err)
    return [*found, f"{ran.args[0]} shows {hidden!r}"] if hidden else found


def hidden_in(text: str) -> str:
    """The characters of a text that are not drawn, line ends left out."""
    return "".join(
        sorted(
            {
                c
                for c in text
                if c != "\n"
                and not c.isalnum()
                and c not in " ✓✗"
                and unicodedata.category(c) in HIDDEN
            }
        )
    )


def _is_altered(base: Base, case: Path) -> bool:
    """Whether the spoilt case differs from the whole one in more than what nobody seals, or lost
    its manifest.
    """
    if not (case / MANIFEST).is_file():
        return False
    names = sorted(path.relative_to(case).as_posix() for path in case.rglob("*") if path.is_file())
    return names != base.files or any(
        (case / name).read_bytes() != (base.path / name).read_bytes()
        for name in names
        if name != MANIFEST
    )


def _better(base: Base, done: Spoilt, ran: Ran, findings: dict[str, object]) -> list[str]:
    """Rule 5."""
    if done.file == HEADER and done.kind == WORDS:
        return []
    grants = findings["grants"]
    assert isinstance(grants, list)
    verdicts = {
        grant["grant"]: grant["verdict"] for grant in grants if grant["grant"] in base.verdicts
    }
    found = [
        f"{was} became {verdicts[g]}"
        for g, was in base.verdicts.items()
        if was == "broken" and verdicts.get(g) in SOUND
    ]
    if ran.code == 0 and base.exit_code != 0:
        found.append(f"exit code {base.exit_code} became 0")
    if done.kind == LOSS:
        found += [
            f"{was} became broken"
            for g, was in base.verdicts.items()
            if was in SOUND and verdicts.get(g) == "broken"
        ]
    return found


def example(
    seed: int, number: int, whole: list[Base], runner: Bounded, folder: Path
) -> tuple[Base, Spoilt, list[str]]:
    """Make and judge one example: what was spoilt of which case, and the faults."""
    rng = random.Random(f"{seed}/{number}")
    base = rng.choice(whole)
    case = folder / "case"
    shutil.rmtree(case, ignore_errors=True)
    shutil.copytree(base.path, case)
    done = spoil(rng, case, rng.choice(base.files))
    return base, done, faults(base, case, done, runner, folder, thorough=rng.random() < 0.1)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.absurd.fuzz",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one example")
    parser.add_argument("--keep", type=Path, help="where the case of --only is left")
    args = parser.parse_args()
    counts: Counter[str] = Counter()
    wrong, ended = 0, time.monotonic() + args.seconds
    with TemporaryDirectory() as name, bases() as (whole, runner):
        folder = args.keep or Path(name)
        numbers = iter([args.only]) if args.only is not None else iter(range(1 << 30))
        while time.monotonic() < ended and (number := next(numbers, None)) is not None:
            base, done, broken = example(args.seed, number, whole, runner, folder)
            counts[done.way.partition(" with ")[0]] += 1
            wrong += bool(broken)
            for fault in broken:
                print(
                    f"--seed {args.seed} --only {number}: {base.path.name}, {done}: {fault}",
                    flush=True,
                )
    print(f"{sum(counts.values())} examples, {wrong} with faults: {dict(counts.most_common())}")
    print(
        f"the greatest work of a command: {runner.most_cpu:.1f} s of processor time; the greatest "
        f"memory: {runner.most_memory >> 20} MB"
    )
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
