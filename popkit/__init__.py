"""popkit: from the evidence of a PoP chain incident to an answer that can be defended.

import popkit case = popkit.open_case("data/cases/term") case.claims            # one row a claim
attempt, a pandas DataFrame case.chain(grant)      # the links of one grant case.diagnose()        #
verdict, causes, heads, impact, findings run = popkit.open_run("RUN")   # a cutover: run.status(),
run.step("2").show(), .dry(), .act(confirm="TOKEN:VALUE")

Importing popkit is cheap: pandas and matplotlib are loaded when they are first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from popkit.case import Case, open_case
    from popkit.cutover.run import Run, open_run
    from popkit.explain import explain

__version__ = "0.1.0"
__all__ = ["Case", "Run", "__version__", "explain", "open_case", "open_run"]

_HOMES = {
    "Case": "popkit.case",
    "open_case": "popkit.case",
    "explain": "popkit.explain",
    "Run": "popkit.cutover.run",
    "open_run": "popkit.cutover.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its room when it is first asked for."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'popkit' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
