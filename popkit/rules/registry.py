"""Every rule of the package: each subject has a folder below `popkit/rules/`, and whatever a module there defines is found."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import popkit.rules
from popkit.rules.codes import CODES, Code
from popkit.rules.model import Rule, Subject


def _found() -> Iterator[Rule]:
    """The rules of every module, in the order in which they stand there. Raises ValueError where two share a code."""
    seen: dict[str, str] = {}
    subjects = [module.name for module in pkgutil.iter_modules(popkit.rules.__path__, "popkit.rules.") if module.ispkg]
    packages = [importlib.import_module(name) for name in subjects]
    for module in (found for package in packages for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")):
        for rule in vars(importlib.import_module(module.name)).values():
            if isinstance(rule, Rule) and seen.setdefault(rule.code, module.name) == module.name:
                yield rule


_RULES = tuple(_found())
RULES: dict[str, Rule | Code] = {**CODES, **{rule.code: rule for rule in _RULES}}
"""Every rule by its code."""


def rules_of(subject: Subject) -> tuple[Rule, ...]:
    """The rules that are asked of one kind of thing."""
    return tuple(rule for rule in _RULES if rule.subject == subject)
