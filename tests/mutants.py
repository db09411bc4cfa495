"""Mutation testing: `make mutants` changes one thing at a time in a room of the package and asks whether a test notices.

Each room runs in a copy of the tree with the tests that are about it. Printed are how many mutants were killed, how many survivors change
nothing but the words of a message, and the other survivors by name. Needs mutmut (`pip install -e '.[mutants]'`).
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = tuple(f"tests/simulation/test_scenarios_{name}.py" for name in ("evidence", "heads", "issuers", "lost", "order", "sound"))
STRING = re.compile(r"""(["']).*?\1""")


@dataclass(frozen=True, slots=True)
class Room:
    """What to mutate, what to leave alone, and the tests that are about it."""

    mutate: tuple[str, ...]
    leave: tuple[str, ...]
    tests: tuple[str, ...]


ROOMS = {
    "protocol": Room(
        ("popkit/protocol/*.py",),
        ("popkit/protocol/error_table.py", "popkit/protocol/canonical.py"),  # data; recursion that the tool's own frames overflow
        ("tests/protocol",),
    ),
    "chain": Room(("popkit/chain.py", "popkit/eras.py"), (), ("tests/diagnosis/test_eras.py", *SCENARIOS)),
    "judge": Room(("popkit/diagnosis/judge.py",), (), SCENARIOS),
    "audit": Room(("popkit/audit/*.py",), (), ("tests/diagnosis/test_audit.py", *SCENARIOS)),
    "causes": Room(("popkit/diagnosis/causes.py", "popkit/diagnosis/impact.py", "popkit/diagnosis/proofs.py"), (), SCENARIOS),
}


def config(room: Room) -> str:
    """The tool's settings for a room, as a pyproject section."""
    deselect = ["--deselect", "tests/protocol/test_canonical.py::test_depth_is_bounded_and_says_so"]
    settings = {
        "source_paths": ["popkit"],
        "only_mutate": list(room.mutate),
        "do_not_mutate": list(room.leave),
        "also_copy": ["data", "README.md", "LICENSE", "notebooks"],
        "pytest_add_cli_args_test_selection": list(room.tests),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-W", "ignore", "-x", *deselect],
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    return "\n[tool.mutmut]\n" + "\n".join([*lines, "mutate_only_covered_lines = true"]) + "\n"


def is_prose(diff: str) -> bool:
    """Whether a mutant changes nothing but the inside of string literals."""
    removed = [line[1:] for line in diff.splitlines() if line.startswith("-") and not line.startswith("---")]
    added = [line[1:] for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")]
    return len(removed) == len(added) and all(
        STRING.sub("''", old) == STRING.sub("''", new) for old, new in zip(removed, added, strict=True)
    )


def run(name: str, folder: Path, workers: int) -> None:
    """Mutate one room in a copy of the tree and print what survived."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for file in tracked:
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, target)
    with (folder / "pyproject.toml").open("a") as settings:
        settings.write(config(ROOMS[name]))
    tool = [sys.executable, "-m", "mutmut"]
    with (folder / "mutmut.log").open("wb") as log:
        subprocess.run([*tool, "run", "--max-children", str(workers)], cwd=folder, stdout=log, stderr=log, check=False)
    subprocess.run([*tool, "export-cicd-stats"], cwd=folder, capture_output=True, check=True)
    counts = json.loads((folder / "mutants" / "mutmut-cicd-stats.json").read_text())
    results = subprocess.run([*tool, "results"], cwd=folder, capture_output=True, text=True, check=True).stdout
    survivors = [line.split(":")[0].strip() for line in results.splitlines() if line.strip().endswith("survived")]
    real = []
    for mutant in survivors:
        diff = subprocess.run([*tool, "show", mutant], cwd=folder, capture_output=True, text=True, check=True).stdout
        if not is_prose(diff):
            real.append(mutant)
    killed, total = counts["killed"] + counts.get("timeout", 0), counts["total"]
    prose = len(survivors) - len(real)
    share = f"{killed / total:.1%}; {killed / (total - prose):.1%} without the {prose} survivors that change words alone"
    print(f"{name}: {killed} of {total} killed ({share})")
    print("".join(f"  {mutant}\n" for mutant in real), end="", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", help=f"which of {', '.join(ROOMS)}; none: all")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    unknown = set(args.rooms) - set(ROOMS)
    if unknown:
        parser.error(f"no such room: {', '.join(sorted(unknown))}")
    for name in args.rooms or ROOMS:
        with tempfile.TemporaryDirectory() as folder:
            run(name, Path(folder), args.workers)


if __name__ == "__main__":
    main()
