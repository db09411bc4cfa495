"""Every rule of the package: each subject has a folder below `popkit/rules/`, and whatever a module
there defines is found.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import popkit.rules
from popkit.rules.model import Rule, Shown, Subject


def _found() -> Iterator[Rule | Shown]:
    """The rules of every module, in the order in which they stand there; what claims show too.

    Modules of a package come in its ORDER, where it has one, then by name. Of two rules of one
    code the first counts.
    """
    seen: dict[str, str] = {}
    for name in (
        found.name for found in pkgutil.iter_modules(popkit.rules.__path__) if found.ispkg
    ):
        package = importlib.import_module(f"popkit.rules.{name}")
        for module in _modules(package):
            for rule in vars(module).values():
                is_rule = isinstance(rule, Rule)
                if isinstance(rule, Shown) or (
                    is_rule and seen.setdefault(rule.code, module.__name__) == module.__name__
                ):
                    yield rule


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    order: tuple[str, ...] = getattr(package, "ORDER", ())
    names = [found.name for found in pkgutil.iter_modules(package.__path__)]
    for name in sorted(names, key=lambda name: order.index(name) if name in order else len(order)):
        yield importlib.import_module(f"{package.__name__}.{name}")


_FOUND = tuple(_found())
_RULES = tuple(rule for rule in _FOUND if isinstance(rule, Rule))
RULES: dict[str, Rule] = {rule.code: rule for rule in _RULES}
"""Every rule by its code."""


def rules_of(subject: Subject) -> tuple[Rule | Shown, ...]:
    """The rules that are asked of one kind of thing, in the order in which they are asked."""
    return tuple(rule for rule in _FOUND if rule.subject == subject)
