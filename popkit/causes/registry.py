"""Every cause that a module of `popkit/causes/` defines; and which of them an incident shows."""

from __future__ import annotations

import importlib
import pkgutil

import popkit.causes
from popkit.causes.model import Cause, CauseKind
from popkit.causes.unexplained import unexplained
from popkit.verdict.incident import Incident


def every_cause() -> dict[str, CauseKind]:
    """Every cause by its name, by rank. Raises ValueError where two share a name."""
    found: dict[str, CauseKind] = {}
    for module in pkgutil.iter_modules(popkit.causes.__path__, "popkit.causes."):
        if module.name == __name__:
            continue
        for kind in vars(importlib.import_module(module.name)).values():
            if isinstance(kind, CauseKind) and found.setdefault(kind.name, kind) is not kind:
                raise ValueError(
                    f"two causes are called {kind.name!r}; the second stands in {module.name}"
                )
    return {
        kind.name: kind for kind in sorted(found.values(), key=lambda kind: (kind.rank, kind.name))
    }


CAUSES = every_cause()
"""Every cause by its name, in the order in which lists show them; 'unexplained' comes last."""


def causes_of(incident: Incident) -> list[Cause]:
    """Every cause that the evidence shows, by name; a broken grant without one is 'unexplained'."""
    in_flight = incident.judgement.verdict == "in_flight"
    asked = [kind for kind in CAUSES.values() if kind.shows_in_flight or not in_flight]
    found = [cause for kind in asked if (cause := kind.look(incident)) is not None]
    if incident.broken and not any(CAUSES[cause.name].explains_a_break for cause in found):
        found.append(
            unexplained(kind.name for kind in CAUSES.values() if kind.question is not None)
        )
    return sorted(found, key=lambda cause: cause.name)
