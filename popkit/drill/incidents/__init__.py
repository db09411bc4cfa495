"""Incidents to rehearse: each says what is done, in a few lines; what is true follows from what was
done (`stage`).
"""

from __future__ import annotations

from popkit.drill.incidents import burnt, heads, issuers, lost, order, sound, upgraded
from popkit.drill.incidents.act import Act, Incident, mixtures

ACTS: dict[str, Act] = {
    act.name: act
    for room in (lost, burnt, heads, issuers, order, upgraded, sound)
    for act in room.ACTS
}
"""Every single thing that can happen, by name."""
INCIDENTS: dict[str, Incident] = {
    incident.name: incident
    for incident in (*map(Incident.of, ACTS.values()), *mixtures(ACTS.values()))
}
"""Every incident by name: one act, or two one after the other."""

__all__ = ["ACTS", "INCIDENTS", "Act", "Incident"]
