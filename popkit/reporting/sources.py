"""The notebooks as they are shipped: inside an installed package, or beside it in the repository."""

from __future__ import annotations

from pathlib import Path

import popkit
from popkit.errors import PopkitError

NAMES = ("00_overview", "10_locate_break", "20_forks", "30_impact", "40_audit", "90_write_up")
"""In reading order, which is the runbook's."""


def notebooks_folder() -> Path:
    """The folder of the notebooks: `_notebooks` in the package (a wheel has it), else the
    repository's `notebooks`.
    """
    package = Path(popkit.__file__).resolve().parent
    for folder in (package / "_notebooks", package.parent / "notebooks"):
        if all((folder / f"{name}.ipynb").is_file() for name in NAMES):
            return folder
    raise PopkitError(
        f"the notebooks are not where popkit is installed ({package}); install popkit again"
    )
