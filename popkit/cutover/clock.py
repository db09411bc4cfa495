"""This machine's clock. A rehearsal's cluster has a time of its own: `source DRILL/env` names the
file that says by how much it is apart.

A real cluster would be seen to be months away from such a clock, and refused: the variable can
spoil a cutover, never misdirect one.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from popkit.errors import UsageError
from popkit.texts import Text

VARIABLE = "POPKIT_CLOCK_FILE"
UNREADABLE = Text(
    "{variable} names a file that holds no number of seconds; unset it, unless this is a rehearsal",
    "{variable} のファイルに秒数がありません。演習でなければ、この変数を解除してください",
)


def wall() -> float:
    """Unix seconds by this machine's clock, or by that of the rehearsal that is named. Raises
    UsageError where its file is unreadable.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return time.time()
    try:
        return time.time() + float(Path(named).read_text())
    except (OSError, ValueError):
        raise UsageError(UNREADABLE(variable=VARIABLE)) from None
