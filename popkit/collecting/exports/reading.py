"""From folders, archives and files to the rows of a case: a file is known by what it holds, by its
name where that decides.

Nothing found is changed, and nothing is dropped in silence: a file is either in `used` or in
`not_used`, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import cast

from popkit.collecting.exports import bucket, records, rpc, storage, worker
from popkit.collecting.exports.formats import named
from popkit.collecting.exports.found import Document, Found, Row
from popkit.collecting.exports.harvest import Harvest, is_below
from popkit.collecting.exports.raw import NotJson, Part, decode, elements, load, parts, quoted
from popkit.collecting.exports.result import Exports, Limits, NotUsed
from popkit.collecting.exports.walk import Archive, Member, walk
from popkit.errors import CaseUnreadable, ManifestMismatch, UsageError
from popkit.evidence.documents import CaseHeader, read_header
from popkit.evidence.layout import (
    BUCKET_LINES,
    CUSTODY,
    HEADER,
    LINE_FILES,
    MANIFEST,
    REPORTS,
    STORAGE,
)
from popkit.evidence.leftovers import backed_up_from, copied_from, is_leftover, is_of_system
from popkit.evidence.manifest import read_manifest

_RESEAL = (
    "collect the case again, or find out who changed it; popkit does not take over an altered case"
)
_UNKNOWN_AT_MOST = 100_000
_UNKNOWN = "is nothing that a case is made of (bucket objects, storage, answers of the worker or a node, receipts, reports)"


def read_exports(paths: Sequence[Path], limits: Limits | None = None, *, program: str) -> Exports:
    """Read everything that lies below `paths`: folders, archives and single files. `program` is the
    grant program.

    Raises UsageError for a path that is not there or when nothing at all is recognised,
    ManifestMismatch or CaseUnreadable for a case that is not as it was sealed, ExportTooLarge when
    a limit is passed.
    """
    harvest, undecided, copies = Harvest(program), list[Member](), list[Member]()
    for item in walk([Path(path) for path in paths], limits or Limits()):
        if isinstance(item, Member):
            harvest.digests[item.path] = item.sha256
            if copied_from(item.path) is not None:
                copies.append(item)
            else:
                _read_member(item, harvest, undecided)
        elif isinstance(item, Archive):
            harvest.digests[item.path] = item.sha256
            harvest.used(item.path, item.sha256, f"{item.kind} of {item.members} files")
        else:
            if item.sha256:
                harvest.digests[item.path] = item.sha256
            harvest.not_used(item.path, item.sha256, named(item.path, b"") or item.why)
    for member in copies:
        _read_copy(member, harvest, undecided)
    _settle_undecided(harvest, undecided)
    _settle_cases(harvest)
    exports = harvest.finish()
    if not exports.rows and not exports.answers and not exports.headers and exports.record is None:
        raise UsageError(_nothing(paths, exports.not_used))
    return exports


def _nothing(paths: Sequence[Path], not_used: list[NotUsed]) -> str:
    given = ", ".join(str(path) for path in paths) or "nothing"
    reasons = "; ".join(f"{item.path} {item.why}" for item in not_used[:3])
    return (
        f"{given}: expected exports (a case, a copy of the bucket, an export of the worker's "
        f"storage, saved answers, receipts or reports), "
        f"found {len(not_used)} files that are none"
        + (f": {reasons}" if reasons else "; give the folder that operators exported into")
    )


def _read_member(member: Member, harvest: Harvest, undecided: list[Member]) -> None:
    """One file: objects and a case's own files by their path, everything else by content."""
    name = PurePosixPath(member.path).name
    if is_of_system(member.path):
        harvest.not_used(
            member.path,
            member.sha256,
            "was made by an operating system, and is nothing of the evidence",
        )
    elif backed_up_from(member.path) is not None:
        harvest.not_used(
            member.path, member.sha256, "is an editor's backup or lock; the file itself counts"
        )
    elif bucket.key_in_path(member.name) is not None:
        harvest.objects.append(
            bucket.read_object(member.path, member.name, member.sha256, member.content)
        )
    elif bucket.is_old_object(member.name):
        harvest.not_used(
            member.path,
            member.sha256,
            "is an audit file of before 2026-02-21; popkit reads audit/immutable/ alone",
        )
    elif name in (CUSTODY, MANIFEST, HEADER):
        _keep_of_case(member, name, harvest, undecided)
    elif not member.content.strip():
        _read_empty(member, name, harvest, undecided)
    else:
        _read_content(member, harvest, undecided)


def _read_copy(member: Member, harvest: Harvest, undecided: list[Member]) -> None:
    """A second download: read as the file it is of, but not where a sealed case holds the file and
    does not list the copy.
    """
    for folder in harvest.cases:
        if folder in harvest.manifests and is_below(member.path, folder):
            inside = folder + "/" if folder else ""
            listed = _manifest_of(harvest, folder, inside)
            if member.path[len(inside) :] not in listed and is_leftover(
                member.path[len(inside) :], listed
            ):
                harvest.not_used(
                    member.path,
                    member.sha256,
                    "is a second copy beside a sealed case, whose manifest does not list it",
                )
                return
    _read_member(member, harvest, undecided)


def _keep_of_case(member: Member, name: str, harvest: Harvest, undecided: list[Member]) -> None:
    folder = member.path.rpartition("/")[0]
    if name == HEADER and _is_header(member.content):
        harvest.cases[folder] = member.content
    elif name == MANIFEST:
        harvest.manifests[folder] = member
        return
    else:
        undecided.append(member)
        return
    harvest.used(member.path, member.sha256, "header of a case")


def _is_header(content: bytes) -> bool:
    try:
        value = load(decode(content))
    except NotJson:
        return False
    return isinstance(value, dict) and {"case", "grants", "collected_at"} <= set(value)


def _line_file(name: str) -> str | None:
    """The line file of a case that a path ends with, or None."""
    return next((file for file in LINE_FILES if name == file or name.endswith(f"/{file}")), None)


def _read_empty(member: Member, name: str, harvest: Harvest, undecided: list[Member]) -> None:
    file = REPORTS if name == "errors.jsonl" else _line_file(member.name)
    if file is None and bucket.has_object_name(PurePosixPath(member.name).name):
        undecided.append(member)
        return
    if file is None:
        harvest.not_used(member.path, member.sha256, "is empty")
        return
    harvest.take(member.path, Found("", files=(file,)))
    harvest.used(member.path, member.sha256, f"{file}, empty: asked for, and nothing there")


def _read_content(member: Member, harvest: Harvest, undecided: list[Member]) -> None:
    if records.is_record_of_cutover(member.content):
        harvest.records.append(member)
        return
    file = _line_file(member.name)
    try:
        found = _found_in(member, decode(member.content), file)
    except NotJson as error:
        if not bucket.has_object_name(PurePosixPath(member.name).name):
            harvest.not_used(
                member.path, member.sha256, named(member.path, member.content) or str(error)
            )
            return
        item = bucket.read_object(member.path, member.name, member.sha256, member.content)
        if item.entry_keys is not None:
            harvest.objects.append(item)
        else:
            undecided.append(member)
        return
    if found is None and bucket.has_object_name(PurePosixPath(member.name).name):
        undecided.append(member)
    elif found is None or (found.is_empty and not found.what):
        left = "; ".join(_counted(found.left)) if found is not None else ""
        why = named(member.path, member.content) or left or _UNKNOWN
        harvest.not_used(member.path, member.sha256, why)
    elif found.what == "object":
        harvest.objects.append(
            bucket.read_object(member.path, member.name, member.sha256, member.content)
        )
    elif found.is_empty:
        harvest.not_used(
            member.path,
            member.sha256,
            f"{found.what}: " + ("; ".join(_counted(found.left)) or "none that a case keeps"),
        )
    else:
        harvest.take(member.path, found)
        harvest.used(
            member.path,
            member.sha256,
            found.what,
            len(found.rows) + len(found.answers),
            "; ".join(_counted(found.left)),
        )


def _counted(reasons: list[str]) -> list[str]:
    """Reasons, each once, with how often it holds."""
    return [
        reason if count == 1 else f"{count} × {reason}"
        for reason, count in Counter(reasons).items()
    ]


def _found_in(member: Member, text: str, file: str | None) -> Found | None:
    """What the values of a file give together, or None when it holds nothing known. Raises NotJson
    when none of it is JSON.
    """
    values = parts(text, patient=file is not None)
    some = list(islice(values, 2))
    if len(some) > 1 or some[0].problem is not None:
        return _found_in_lines(member.name, chain(some, values), file)
    document = Document(member.name, some[0].raw, some[0].value)
    if bucket.is_object(document.value):
        return Found("object")
    whole = storage.read_pairs(document) or _recognised(document)
    if whole is None and isinstance(document.value, list):
        some = [Part(some[0].line, raw, load(raw)) for raw in elements(document.raw)]
    return whole or _found_in_lines(member.name, some, file)


def _found_in_lines(path: str, values: Iterable[Part], file: str | None) -> Found | None:
    """What the lines of a file give, each by itself but for storage rows, which are judged
    together.
    """
    whole, names, pairs, unknown, count, others = (
        Found(file or ""),
        set[str](),
        list[Part](),
        list[Part](),
        0,
        0,
    )
    for part in values:
        count += 1
        if file is None and others == count - 1 == _UNKNOWN_AT_MOST:
            break  # nothing known among so many: it is another kind of file
        one = None if part.problem else _recognised(Document(path, part.raw, part.value))
        if one is not None:
            names.add(one.what)
            whole.add(one)
        elif part.problem is None and storage.is_row(part.value):
            pairs.append(part)
        else:
            others += 1
            if (
                file is not None or not unknown
            ):  # of what no case keeps, the first is enough to speak of
                unknown.append(part)
    if pairs and (
        file == STORAGE
        or storage.is_storage({part.value["key"]: part.value["value"] for part in pairs})
    ):
        rows = storage.found_in(storage.raw_row(part.raw) for part in pairs)
        names.add(rows.what)
        whole.add(rows)
    else:
        unknown, others = [*unknown, *pairs], others + len(pairs)
    if file is not None:
        whole.add(_as_they_stand(file, unknown))
    elif count and others == count and unknown[0].problem is not None:
        raise NotJson(unknown[0].problem)
    elif names and unknown:
        whole.left.append(
            f"{others} of {count} values are not known, the first in line {unknown[0].line}"
        )
    whole.what = file or ", ".join(sorted(names - {""}))
    return whole if names or file is not None else None


def _as_they_stand(file: str, unknown: list[Part]) -> Found:
    """Lines of a case's file that are not what its name says: kept for its reader to report. Those
    of storage may hold secrets.
    """
    if file == STORAGE:
        left = (
            [
                f"{len(unknown)} lines are no rows {{key, value}}, the first in line "
                f"{unknown[0].line}"
            ]
            if unknown
            else []
        )
        return Found("", left=left, files=(file,))
    rows = [Row(file, (1, part.raw), " ".join(part.raw.split("\n")).encode()) for part in unknown]
    return Found("", rows, files=(file,))


def _recognised(document: Document) -> Found | None:
    """What one value is, by its members."""
    value = document.value
    if (
        isinstance(value, dict)
        and set(value) == {"key", "text"}
        and isinstance(value["key"], str)
        and isinstance(value["text"], str)
    ):
        return _bucket_line(document)
    readers: tuple[Callable[[Document], Found | None], ...] = (rpc.read, worker.read)
    for reader in readers:
        found = reader(document)
        if found is not None:
            return found
    return None


def _bucket_line(document: Document) -> Found | None:
    key, text = document.value["key"], document.value["text"]
    if bucket.key_in_path(key) is None and _line_file(document.path) != BUCKET_LINES:
        return None
    time = bucket.read_object("", "", "", text.encode("utf-8", "surrogatepass")).time
    line = f'{{"key":{quoted(key)},"text":{quoted(text)}}}'.encode()
    return Found("objects of the bucket, packed", [Row(BUCKET_LINES, (0, key), line, time)])


def _settle_undecided(harvest: Harvest, undecided: list[Member]) -> None:
    """Files named as objects that hold no entry are objects where their neighbours are: tampering
    must stay visible.
    """
    folders = {item.path.rpartition("/")[0] for item in harvest.objects if item.key is None}
    for member in undecided:
        folder, _, name = member.path.rpartition("/")
        if bucket.has_object_name(PurePosixPath(member.name).name) and folder in folders:
            harvest.objects.append(
                bucket.read_object(member.path, member.name, member.sha256, member.content)
            )
        elif name == CUSTODY and folder in harvest.cases:
            harvest.exports.custody.append((member.path, member.content))
            harvest.used(member.path, member.sha256, "custody record of a case")
        else:
            harvest.not_used(member.path, member.sha256, _UNKNOWN)


def _settle_cases(harvest: Harvest) -> None:
    """Hold every case that was given against its manifest, and read its header."""
    for folder in sorted(harvest.cases):
        inside = folder + "/" if folder else ""
        header = _header(harvest.cases[folder], inside)
        harvest.exports.headers.append(header)
        harvest.collected_at[folder] = header.collected_at
        if folder in harvest.manifests:
            _hold_manifest(harvest, folder, inside)
    for folder, manifest in harvest.manifests.items():
        if folder in harvest.cases:
            harvest.used(
                manifest.path, manifest.sha256, "manifest of a case: every file is as it was sealed"
            )
        else:
            harvest.not_used(manifest.path, manifest.sha256, "is a manifest beside no case.json")
    harvest.exports.headers.sort(
        key=lambda header: (header.case, header.collected_at, repr(header))
    )


class _InMemory:
    """Bytes that are read as a file is: what reads a case's files can read those of an archive,
    too.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_bytes(self) -> bytes:
        return self._data


def _header(data: bytes, inside: str) -> CaseHeader:
    try:
        return read_header(cast("Path", _InMemory(data)), None)
    except CaseUnreadable as error:
        raise CaseUnreadable(error.problem, file=f"{inside}{HEADER}", advice=error.advice) from None


def _manifest_of(harvest: Harvest, folder: str, inside: str) -> dict[str, str]:
    """The manifest of a case that was given, digests by path inside it. Raises CaseUnreadable."""
    try:
        return read_manifest(cast("Path", _InMemory(harvest.manifests[folder].content)))
    except CaseUnreadable as error:
        raise CaseUnreadable(
            error.problem, file=f"{inside}{MANIFEST}", line=error.line, advice=error.advice
        ) from None


def _hold_manifest(harvest: Harvest, folder: str, inside: str) -> None:
    """Raises ManifestMismatch at the first file (ascending) that is missing, altered or not listed."""
    wanted = _manifest_of(harvest, folder, inside)
    seen = {
        path[len(inside) :]: digest
        for path, digest in harvest.digests.items()
        if is_below(path, folder)
    }
    seen = {path: digest for path, digest in seen.items() if "!/" not in path}
    for name in sorted({*wanted, *seen} - {MANIFEST}):
        if name not in wanted and (_is_hidden(name) or is_leftover(name, wanted)):
            continue
        if name not in seen:
            raise ManifestMismatch(
                "is in the manifest but not in the case", file=inside + name, advice=_RESEAL
            )
        if name not in wanted:
            raise ManifestMismatch(
                "is in the case but not in the manifest", file=inside + name, advice=_RESEAL
            )
        if seen[name] != wanted[name]:
            raise ManifestMismatch(
                f"does not match the manifest: expected sha256 {wanted[name]}, found {seen[name]}",
                file=inside + name,
                advice=_RESEAL,
            )


def _is_hidden(path: str) -> bool:
    return any(step.startswith(".") for step in path.split("/"))
