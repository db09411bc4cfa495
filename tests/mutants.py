"""Mutation testing: `make mutants` changes one thing at a time in a room of the package and asks
whether a test notices.

Each room runs in a copy of the tree with the tests that are about it. Printed are how many mutants
were killed, how many survivors change nothing but the words of a message, and the other survivors
with what they change. Needs mutmut (`pip install -e '.[mutants]'`).

The tool leaves decorated functions alone. In the copy a property is therefore spelled as a plain
method and its binding, so that what it computes is mutated like everything else.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCENARIOS = tuple(
    f"tests/simulation/test_scenarios_{name}.py"
    for name in ("evidence", "heads", "issuers", "lost", "order", "partial", "sound")
)
TOOL = (sys.executable, "-m", "mutmut")
DIFFS = """
import json, sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
print(json.dumps({name: get_diff_for_mutant(name) for name in sys.stdin.read().split()}))
"""
STRING = re.compile(r"""(["'])(.*?)\1""")


@dataclass(frozen=True, slots=True)
class Room:
    """What to mutate, what to leave alone, and the tests that are about it."""

    mutate: tuple[str, ...]
    leave: tuple[str, ...]
    tests: tuple[str, ...]


ROOMS = {
    "protocol": Room(
        ("popkit/protocol/*.py",),
        # data; recursion that the tool's own frames overflow; names of clusters, held by the tests of those who ask for them
        (
            "popkit/protocol/error_table.py",
            "popkit/protocol/canonical.py",
            "popkit/protocol/genesis.py",
        ),
        ("tests/protocol",),
    ),
    "chain": Room(
        ("popkit/chain/links.py", "popkit/chain/eras.py", "popkit/chain/clock.py"),
        (),
        (*(f"tests/diagnosis/test_{name}.py" for name in ("chain", "eras", "moments")), *SCENARIOS),
    ),
    "judge": Room(("popkit/verdict/*.py", "popkit/worker/fate.py"), (), ("tests/diagnosis",)),
    "audit": Room(
        ("popkit/audit/*.py",),
        (),
        (
            *(
                f"tests/diagnosis/test_audit_{name}.py"
                for name in ("rows", "chain", "removed", "anchors", "receipts")
            ),
            "tests/diagnosis/test_tickets.py",
            "tests/verification/test_server_integrity.py",
            "tests/diagnosis/test_audit.py",
            "tests/diagnosis/test_records.py",
        ),
    ),
    "causes": Room(
        (
            *("popkit/causes/*.py", "popkit/diagnosis/began.py", "popkit/diagnosis/impact.py"),
            *("popkit/worker/line.py", "popkit/worker/tickets.py"),
        ),
        (),
        (
            *(
                f"tests/diagnosis/test_{name}.py"
                for name in ("advice", "began", "causes", "cutovers", "judge")
            ),
            *(f"tests/diagnosis/test_{name}.py" for name in ("proofs", "tickets", "records")),
            "tests/verification/test_false_evidence.py",
            *SCENARIOS,
        ),
    ),
    "attempts": Room(
        (
            "popkit/chain/attempts.py",
            "popkit/chain/history.py",
            "popkit/facts.py",
            "popkit/worker/claim_records.py",
        ),
        (),
        ("tests/diagnosis",),
    ),
    "findings": Room(
        ("popkit/rules/*.py", "popkit/rules/grants/*.py", "popkit/diagnosis/*.py"),
        # what causes rest on is asked with them
        ("popkit/diagnosis/began.py", "popkit/diagnosis/impact.py"),
        ("tests/diagnosis", "tests/rules"),
    ),
}


def config(room: Room) -> str:
    """The tool's settings for a room, as a pyproject section."""
    deselect = [
        *("--deselect", "tests/protocol/test_canonical.py::test_depth_is_bounded_and_says_so"),
        *(
            "--deselect",
            "tests/diagnosis/test_records.py::test_nothing_that_others_write_ends_in_a_fault",
        ),  # long, and about faults
    ]
    settings = {
        "source_paths": ["popkit"],
        "only_mutate": list(room.mutate),
        "do_not_mutate": list(room.leave),
        "also_copy": ["data", "README.md", "LICENSE", "notebooks"],
        "pytest_add_cli_args_test_selection": list(room.tests),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-W", "ignore", "-x", *deselect],
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    return "\n[tool.mutmut]\n" + "\n".join(lines) + "\n"


def opened(text: str) -> str:
    """A module with every property spelled as a method and its binding: `def x__read` and `x =
    property(x__read)`.
    """
    lines = text.splitlines()
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    for node in sorted(functions, key=lambda node: -node.lineno):
        names = [
            decorator.id for decorator in node.decorator_list if isinstance(decorator, ast.Name)
        ]
        if len(node.decorator_list) != 1 or names not in (["property"], ["cached_property"]):
            continue
        margin = " " * node.col_offset
        lines.insert(
            node.end_lineno or node.lineno, f"{margin}{node.name} = {names[0]}({node.name}__read)"
        )
        lines[node.lineno - 1] = lines[node.lineno - 1].replace(
            f"def {node.name}(", f"def {node.name}__read(", 1
        )
        del lines[node.decorator_list[0].lineno - 1]
    return "\n".join(lines) + "\n"


def is_prose(diff: str) -> bool:
    """Whether a mutant changes nothing but the inside of sentences: string literals of several
    words.
    """
    removed = [
        line[1:]
        for line in diff.splitlines()
        if line.startswith("-") and not line.startswith("---")
    ]
    added = [
        line[1:]
        for line in diff.splitlines()
        if line.startswith("+") and not line.startswith("+++")
    ]
    if len(removed) != len(added):
        return False
    for old, new in zip(removed, added, strict=True):
        words = [
            (a[1], b[1]) for a, b in zip(STRING.findall(old), STRING.findall(new), strict=False)
        ]
        if STRING.sub("''", old) != STRING.sub("''", new) or any(
            a != b and " " not in a for a, b in words
        ):
            return False
    return True


def copy_tree(room: Room, folder: Path) -> None:
    """The tree as it stands, with a room's modules opened and the tool's settings for it."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(
        listing, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for file in filter(lambda name: (ROOT / name).is_file(), files):
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, target)
    for pattern in room.mutate:
        for module in folder.glob(pattern):
            module.write_text(opened(module.read_text()))
    with (folder / "pyproject.toml").open("a") as settings:
        settings.write(config(room))


def run(name: str, folder: Path, workers: int, sample: str = "") -> None:
    """Mutate one room in a copy of the tree and print what survived; `sample` are the last digits
    of the mutants to ask of, or all.
    """
    copy_tree(ROOMS[name], folder)
    command = [
        *TOOL,
        "run",
        "--max-children",
        str(workers),
        *([f"*mutmut_*[{sample}]"] if sample else []),
    ]
    with (folder / "mutmut.log").open("wb") as log:
        subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=False)
    report(name, folder)


def report(name: str, folder: Path) -> None:
    """Print what a room's mutation came to."""
    subprocess.run([*TOOL, "export-cicd-stats"], cwd=folder, capture_output=True, check=True)
    counts = json.loads((folder / "mutants" / "mutmut-cicd-stats.json").read_text())
    results = subprocess.run(
        [*TOOL, "results"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    survivors = [
        line.split(":")[0].strip()
        for line in results.splitlines()
        if line.strip().endswith(("survived", "no tests"))
    ]
    listing = [sys.executable, "-c", DIFFS]
    shown = subprocess.run(
        listing, cwd=folder, input="\n".join(survivors), capture_output=True, text=True, check=True
    ).stdout
    real = []
    for mutant, diff in json.loads(shown).items():
        if not is_prose(diff):
            real.append(
                "\n".join(
                    [
                        mutant,
                        *(line for line in diff.splitlines() if re.match(r"[-+](?![-+])", line)),
                    ]
                )
            )
    killed = counts["killed"] + counts["timeout"]
    asked = killed + counts["survived"] + counts["no_tests"] + counts["suspicious"]
    prose = len(survivors) - len(real)
    if killed == 0:
        sys.exit(f"{name}: nothing was killed: see whether its tests pass without any mutant")
    share = f"{killed / asked:.1%}; {killed / (asked - prose):.1%} without the {prose} survivors that change words alone"
    print(f"{name}: {killed} of {asked} killed ({share}); the room has {counts['total']}")
    print("".join(textwrap.indent(mutant, "  ") + "\n" for mutant in real), end="", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", help=f"which of {', '.join(ROOMS)}; none: all")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--sample",
        default="",
        metavar="DIGITS",
        help="ask of those alone whose number within their function ends in one",
    )
    args = parser.parse_args()
    if not set(args.sample) <= set("0123456789"):
        parser.error(f"expected digits to sample by, found {args.sample!r}")
    unknown = set(args.rooms) - set(ROOMS)
    if unknown:
        parser.error(f"no such room: {', '.join(sorted(unknown))}")
    for name in args.rooms or ROOMS:
        with tempfile.TemporaryDirectory() as folder:
            run(name, Path(folder), args.workers, args.sample)


if __name__ == "__main__":
    main()
