"""Small worlds of a program whose id is given: `python -m tests.diagnosis.another_program FOLDER
PROGRAM`.

The drill runs the program that `popkit.protocol.keys` names when the drill is loaded. So a world of
another program is made by a process of its own, which names that one first.
"""

from __future__ import annotations

import sys
from pathlib import Path


def broken(folder: Path) -> None:
    """A quiet wallet's proof is lost: refusals land, wallets report them, and the worker keeps its
    records.
    """
    from popkit.drill.case import write_case
    from popkit.drill.world import sound

    world, handle, _ = sound("strict_v2", "B")
    world.worker.issue(handle.address, world.address("quiet"))
    world.tick(30)
    world.ticket(handle, "dan")
    proof = world.worker.issue(handle.address, world.address("eve"))
    world.simulate(handle, proof, "eve")
    world.tick(900)
    write_case(folder, world.collect(storage=True, reports=True, receipts=True))


def relaxed(folder: Path) -> None:
    """Two grants under relaxed rules, one of them paused; a claim is refused for that, and no
    records were collected.
    """
    from popkit.drill.case import write_case
    from popkit.drill.world import sound

    world, handle, _ = sound("relaxed", "D")
    world.grant(2)
    world.switch(handle, "set_paused", {"paused": True})
    world.ticket(handle, "dan")
    world.tick(900)
    write_case(folder, world.collect(worker=False, reports=True))


WORLDS = {"broken": broken, "relaxed": relaxed}


def main(folder: Path, program: str) -> None:
    from popkit.protocol import keys

    keys.PROGRAM_ID = program
    for name, make in WORLDS.items():
        make(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
