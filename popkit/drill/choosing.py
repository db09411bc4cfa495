"""Which incident a drill plays: the one that is named, or one that a seed chooses."""

from __future__ import annotations

import random

from popkit.drill.incidents import INCIDENTS, Incident
from popkit.errors import UsageError
from popkit.texts import Listed, Text

UNKNOWN = Text(
    "{name}: no such incident; 'popkit drill list' shows them",
    "{name}: その名前の演習はありません。`popkit drill list` で一覧を表示します",
)
NEVER = Text(
    "{name} cannot happen in {era}; it can in {eras}",
    "{name} は {era} では起こりません。可能な版: {eras}",
)


def incident_of(name: str, era: str | None) -> tuple[Incident, str]:
    """An incident by name and an era that it can happen in. Raises UsageError."""
    incident = INCIDENTS.get(name)
    if incident is None:
        raise UsageError(UNKNOWN(name=name))
    chosen = era or ("strict" if "strict" in incident.eras else incident.eras[0])
    if chosen not in incident.eras:
        raise UsageError(NEVER(name=name, era=chosen, eras=Listed(incident.eras)))
    return incident, chosen


def surprise(era: str | None, seed: int) -> tuple[Incident, str]:
    """An incident that a seed chooses, look-alikes among them."""
    chance = random.Random(seed)
    held = [one for one in INCIDENTS.values() if era is None or era in one.eras]
    incident = chance.choice(held)
    return incident, era or chance.choice(incident.eras)
