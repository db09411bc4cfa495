"""Which grant of a case is meant by its public key, or by the beginning of it."""

from __future__ import annotations

from collections.abc import Sequence

from popkit.errors import UsageError
from popkit.text import shown
from popkit.texts import Listed, Sentence, Text

LISTED = 12
"""How many candidates an error names."""

NONE = Text(
    "no grant of the case is {name}, or begins so; it has {candidates}",
    "このケースに {name}、またはそれで始まる grant はありません。ケースにあるのは {candidates} です",
)
SEVERAL = Text(
    "{name} begins {count} of the case's grants; give more of the key of the one that is meant: "
    "{candidates}",
    "{name} で始まる grant がこのケースに {count} 件あります。目的の grant の公開鍵を、もう少し長く指定してください: {candidates}",
)
NO_GRANTS = Text("no grants", "grant が 1 件もない状態")
AND_MORE = Text("{count} more", "ほか {count} 件")


class UnknownGrant(UsageError, KeyError):
    """A name that is no grant of the case, or that several grants begin with; the message lists the
    candidates alone.
    """


def grant_named(name: str, grants: Sequence[str]) -> str:
    """The grant whose public key is `name`, or the only one that begins so. Raises UnknownGrant,
    which lists the candidates.
    """
    if name in grants:
        return name
    found = [grant for grant in grants if name and grant.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownGrant(SEVERAL(name=shown(name), count=len(found), candidates=_listed(found)))
    raise UnknownGrant(NONE(name=repr(shown(name)), candidates=_listed(grants)))


def _listed(grants: Sequence[str]) -> Listed | Sentence:
    if not grants:
        return NO_GRANTS()
    more = len(grants) - LISTED
    return Listed((*sorted(grants)[:LISTED], *([AND_MORE(count=more)] if more > 0 else [])))
