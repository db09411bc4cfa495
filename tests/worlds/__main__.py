"""`python -m tests.worlds --worlds 5000 --seed 1`: ask popkit about many worlds, and tell every
kind of failure once.

--each N        questions of every world (the whole evidence, then evidence taken apart) --kind NAME
worlds of one kind alone (may be given several times); --property NAME likewise --smaller       make
the first failure of each kind as small as it gets --jobs N        processes Exits 1 when an answer
was wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import popkit
from tests.worlds.changes import PROPERTIES
from tests.worlds.plays import KINDS
from tests.worlds.run import Tally, run, smaller


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.worlds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--worlds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--property", action="append", choices=PROPERTIES)
    parser.add_argument("--smaller", action="store_true")
    args = parser.parse_args()
    kinds, properties = tuple(args.kind or KINDS), tuple(args.property or PROPERTIES)
    began, tally = time.monotonic(), Tally()
    batches = [
        (args.seed * 1000 + n, min(100, args.worlds - 100 * n))
        for n in range((args.worlds + 99) // 100)
    ]
    with ProcessPoolExecutor(args.jobs) as pool:
        for part in [
            pool.submit(run, seed, number, args.each, kinds, properties) for seed, number in batches
        ]:
            tally.add(part.result())
    took = time.monotonic() - began
    print(f"popkit of {popkit.__file__}")
    print(
        f"{tally.worlds} worlds, {tally.trials} questions in {took:.0f} s: "
        f"{dict(tally.verdicts.most_common())}"
    )
    for kind, counts in sorted(tally.met.items(), key=lambda item: -item[1].total()):
        properties_, worlds = Counter[str](), Counter[str]()
        for (property_, world), count in counts.items():
            properties_[property_] += count
            worlds[world] += count
        print(
            f"{counts.total():6} × {kind} {dict(properties_.most_common())} "
            f"{dict(worlds.most_common(6))}"
        )
        trial, problem = tally.simplest[kind]
        if args.smaller:
            trial, problem = smaller(trial, kind)
        print(f"    {trial.told()}\n    {problem.text}")
    for kind, counts in sorted(tally.weak.items(), key=lambda item: -item[1].total()):
        print(
            f"{counts.total():6} × weak: {kind} {dict(counts.most_common(8))}\n    "
            f"{tally.simplest[kind][0].told()}"
        )
    return 1 if tally.met else 0


if __name__ == "__main__":
    sys.exit(main())
