"""A case is evidence: nothing is written into it."""

from __future__ import annotations

import os
from pathlib import Path

from popkit.errors import UsageError
from popkit.texts import Text

INSIDE = Text(
    "{path}: lies inside the case, which is read-only evidence; choose a place outside it",
    "{path}: ケースの中です。ケースは読み取り専用の証拠なので、外の場所を指定してください",
)


def refuse_inside(target: Path, case: Path) -> None:
    """Raise UsageError for a place that is the case, or inside it, wherever links lead."""
    if Path(os.path.realpath(target)).is_relative_to(os.path.realpath(case)):
        raise UsageError(INSIDE(path=target))
