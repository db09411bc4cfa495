"""Faults that only a living node can show, chosen by a seed; the others are those of `popkit
serve`.

A fault of a transaction is decided by its signature, so that it stays what it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from popkit.errors import UsageError
from popkit.serving.faults import DEFAULT_RATE, Fault, Faults, Kind

LIVING = {
    kind.name: kind
    for kind in (
        Kind(
            "lost-answer",
            "rate",
            "a transaction is taken, and the connection is closed without an answer",
        ),
        Kind("late", "slots:rate", "a transaction lands later (40 slots)"),
        Kind("dropped", "rate", "a transaction is taken and never lands"),
        Kind(
            "dropped-first",
            "times:rate",
            "a transaction is dropped the first times (1) that it is sent",
        ),
        Kind(
            "held-answer",
            "seconds:rate",
            "a transaction is taken, and the answer comes late (by 30 seconds)",
        ),
        Kind(
            "never-seen",
            "rate",
            "a transaction that landed is never shown, nor its status; what it did is",
        ),
        Kind(
            "contradicts",
            "rate",
            "the status of a transaction says the opposite of what became of it",
        ),
        Kind(
            "stale-blockhash", "slots", "the blockhash that is given has few slots (5) left to live"
        ),
        Kind("forked", "", "the node's blocks have other hashes from when it began"),
        Kind("surfnet", "", "the node's version says that it is a local fork of a cluster"),
        Kind(
            "null-status",
            "rate",
            "the status of a transaction is null when it is first asked for, though it landed",
        ),
        Kind("other-genesis", "", "the node is of a cluster with another genesis"),
        Kind(
            "stands-still",
            "",
            "the node stays where it was when it began, while the other one goes on",
        ),
        Kind(
            "forgets", "", "the node knows nothing from before it began: a cluster that was reset"
        ),
        Kind("clock", "seconds", "the node's clock is wrong (by 3600 seconds)"),
    )
}
_DEFAULTS = {
    "late": 40.0,
    "clock": 3600.0,
    "dropped-first": 1.0,
    "held-answer": 30.0,
    "stale-blockhash": 5.0,
}
_SIGNED = ("clock",)


def split(specs: Iterable[str], seed: int) -> tuple[Faults, Faults]:
    """Faults as they are asked for: those of `popkit serve`, and the living ones. Raises UsageError
    for what is neither.
    """
    given = list(specs)
    ours = [spec for spec in given if spec.split(":")[0] in LIVING]
    living = Faults(seed)
    for spec in ours:
        fault = _parse(spec)
        living.faults[fault.kind] = fault
    return Faults(seed, [spec for spec in given if spec not in ours]), living


def _parse(spec: str) -> Fault:
    name, *values = spec.split(":")
    names = [part for part in LIVING[name].values.split(":") if part]
    if len(values) > len(names):
        raise UsageError(
            f"--fault {spec}: expected {':'.join([name, *(f'[{part}]' for part in names)])}"
        )
    rate, value = (DEFAULT_RATE if "rate" in names else 1.0), _DEFAULTS.get(name, 0.0)
    for part, text in zip(names, values, strict=False):
        try:
            number = float(text)
        except ValueError:
            raise UsageError(f"--fault {spec}: {part}: expected a number") from None
        if part == "rate" and not 0 < number <= 1:
            raise UsageError(f"--fault {spec}: rate: expected a share above 0 and up to 1")
        if number < 0 and name not in _SIGNED:
            raise UsageError(f"--fault {spec}: {part}: expected a number from 0")
        rate, value = (number, value) if part == "rate" else (rate, number)
    return Fault(name, rate, str(value))
