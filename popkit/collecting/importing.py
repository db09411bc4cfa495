"""What exports and an earlier case bring into a collection."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from popkit.collecting.exports import Exports, read_exports
from popkit.collecting.listing import Listing, Row
from popkit.collecting.worker import Said
from popkit.collecting.workspace import Workspace
from popkit.evidence.layout import ASKED, MANIFEST, SIGNATURES, STORAGE
from popkit.evidence.manifest import sha256_of

_MOMENTARY = frozenset(
    {STORAGE}
)  # states of one moment: an older one beside a newer would contradict it


class _Document(msgspec.Struct):
    status: int
    body: msgspec.Raw


@dataclass(slots=True)
class Imported:
    """What was taken over: the worker's answers by name, what is said of it in case.json, and lists
    that are complete by address.
    """

    said: dict[str, Said] = field(default_factory=dict)
    statement: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, Listing] = field(default_factory=dict)
    newest: int | None = None
    exports: Exports = field(default_factory=Exports)


def import_exports(paths: tuple[Path, ...], work: Workspace, program: str) -> Imported:
    """Rows and answers of exports, into the case. Raises UsageError when nothing in them is
    evidence.
    """
    exports = read_exports(list(paths), program=program)
    found = Imported(exports=exports, newest=exports.newest)
    _keep(exports, work, "exports", frozenset(), found)
    found.statement = {
        "used": [
            {
                "path": u.path,
                "sha256": u.sha256,
                "as": u.what,
                "rows": u.rows,
                **({"note": u.note} if u.note else {}),
            }
            for u in exports.used
        ],
        "not_used": [{"path": n.path, "sha256": n.sha256, "why": n.why} for n in exports.not_used],
        "withheld": dict(sorted(exports.withheld.items())),
    }
    return found


def take_over(case: Path, work: Workspace, replaced: bool, program: str) -> Imported:
    """Everything that an earlier case holds, named by the digest of its manifest. `replaced`: a
    newer storage export is given.
    """
    exports = read_exports([case], program=program)
    found = Imported(exports=exports, newest=exports.newest)
    manifest = case / MANIFEST
    header = exports.headers[0] if exports.headers else None
    found.statement = {
        "case": header.case if header is not None else case.name,
        "manifest_sha256": sha256_of(manifest) if manifest.is_file() else None,
        "collected_at": header.collected_at if header is not None else None,
    }
    _keep(
        exports, work, "extends", _MOMENTARY if replaced else frozenset(), found, **found.statement
    )
    if header is not None:
        found.lists = _complete_lists(exports, header.sources)
    return found


def _keep(
    exports: Exports,
    work: Workspace,
    step: str,
    without: frozenset[str],
    found: Imported,
    **what: Any,
) -> None:
    """Append the rows once; the answers become lines of `worker/answers.jsonl`, older ones first."""
    lines = []
    for earlier in exports.earlier_answers:
        lines.append(_said(earlier.name, earlier.path, earlier.at or 0.0, earlier.document))
    for name, document in sorted(exports.answers.items()):
        found.said[name] = _said(name, step, float(exports.newest or 0), document)
        lines.append(found.said[name])
    rows = {name: rows for name, rows in exports.rows.items() if name not in without}
    if lines:
        rows[ASKED] = [msgspec.json.encode(said) for said in lines]
    for name in rows:
        work.touch(name)
    if work.remembered(step) is None:
        work.keeps(rows, kind=step, step=step, **what)


def _said(name: str, path: str, at: float, document: bytes) -> Said:
    value = msgspec.json.decode(document, type=_Document)
    return Said(name, path, at, value.status, msgspec.Raw(bytes(value.body).replace(b"\n", b" ")))


def _complete_lists(exports: Exports, sources: dict[str, Any]) -> dict[str, Listing]:
    """The lists that the earlier case states to be complete: only what is newer has to be asked
    for.
    """
    stated = sources.get("completeness")
    complete = (
        {
            row.get("address")
            for row in stated
            if isinstance(row, dict) and row.get("complete") is True
        }
        if isinstance(stated, list)
        else set()
    )
    found: dict[str, Listing] = {}
    for line in exports.rows.get(SIGNATURES, []):
        address = json.loads(line).get("address")
        if address in complete:
            found.setdefault(address, Listing(address, ended=True)).rows.append(
                msgspec.json.decode(line, type=Row)
            )
    for listing in found.values():
        listing.rows.sort(key=lambda row: -row.slot)
    return found
