"""Rewrite the repository's notebooks with their outputs on the bundled case: `python -m
popkit.reporting.regenerate`.

The result is the same bytes wherever it is run; a test holds the committed notebooks against it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import popkit
from popkit.errors import PopkitError, UsageError
from popkit.output import say, tell
from popkit.reporting.sources import NAMES


def regenerated(repository: Path) -> dict[str, str]:
    """The text of every notebook, run as it stands, by its path in the repository."""
    from popkit.reporting.normal import dumps
    from popkit.reporting.run import read_source, run_all

    sources = {name: read_source(repository / "notebooks" / f"{name}.ipynb") for name in NAMES}
    made = run_all(sources, repository, {}, tell)
    return {f"notebooks/{name}.ipynb": dumps(notebook) for name, notebook in made.items()}


def main() -> int:
    """Rewrite the notebooks in place; says which changed."""
    repository = Path(popkit.__file__).resolve().parent.parent
    try:
        if not (repository / "pyproject.toml").is_file():
            raise UsageError(
                "the notebooks are regenerated in a clone of the repository; this popkit is "
                "installed elsewhere"
            )
        texts = regenerated(repository)
    except PopkitError as error:
        tell(f"popkit: {error}")
        return error.exit_code
    for name, text in texts.items():
        path = repository / name
        changed = path.read_bytes() != text.encode()
        path.write_bytes(text.encode())
        say([f"{name}: {'rewritten' if changed else 'unchanged'}"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
