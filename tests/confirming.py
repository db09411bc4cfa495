"""What a person types to confirm a step: the token that the dry run printed, and the value looked
up on the plan page.

python tests/confirming.py RUN STEP
"""

from __future__ import annotations

import sys

import popkit


def typed(run: str, step: str) -> str:
    """TOKEN:VALUE for a step of a run whose dry run was made."""
    with popkit.open_run(run) as opened:
        chosen = opened.step(step)
        return f"{chosen.token()}:{chosen.plan.value}"


if __name__ == "__main__":
    sys.stdout.write(typed(*sys.argv[1:]))
