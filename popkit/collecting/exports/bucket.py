"""Objects of the immutable bucket: their keys, whatever a tool made of them on the way, and their
text, byte for byte.

A key is the path from `audit/immutable/` on. Tools that copy a bucket to disk change some names
(`%3A` arrives as `:`, or as a full-width colon); such a key is found again through the entry in the
object. Where name and content *contradict* each other, the name is the key: an object that was
exchanged must stay visible under the key where it lay.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from popkit.audit.copies import reading_of_text
from popkit.audit.reading import is_payload
from popkit.collecting.exports.found import Row, seconds
from popkit.collecting.exports.raw import NotJson, decode, load, quoted
from popkit.collecting.exports.result import NotUsed, Used
from popkit.evidence.layout import BUCKET_LINES
from popkit.evidence.leftovers import copied_from
from popkit.evidence.lines import MAX_LINE_BYTES
from popkit.evidence.worker import BUCKET_PREFIX
from popkit.protocol.canonical import CanonicalError, entry_hash, object_keys, payload

_KEY = re.compile(rf"(?:^|/)({BUCKET_PREFIX}(?:entry|stream)/.+)$")
_CASE_KEY = re.compile(r"(?:^|/)worker/r2/(.+)$")
_HASH_NAME = re.compile(r"^[0-9a-f]{64}\.json$")
_STREAM_NAME = re.compile(r"^\d{4}-\d\d-\d\dT[0-9-]+Z_[0-9a-f]{64}\.json$")
_OLD_KEY = re.compile(r"(?:^|/)audit/(?!immutable/)[^/]+/\d{4}-\d\d-\d\d\.jsonl$")
ENTRY, STREAM = f"{BUCKET_PREFIX}entry/", f"{BUCKET_PREFIX}stream/"


@dataclass(slots=True)
class Object:
    """A file that is an object of the bucket: `key` by its name, `entry_keys` those that the entry
    in it asks for.
    """

    path: str
    sha256: str
    content: bytes
    key: str | None
    entry_keys: tuple[str, str] | None
    entry: dict[str, Any] | None
    time: float | None
    note: str = ""


def is_old_object(name: str) -> bool:
    """Whether a path is that of an object from before 2026-02-21, when a bucket held one growing
    file a day and event.
    """
    return _OLD_KEY.search(name) is not None


def key_in_path(name: str) -> str | None:
    """The bucket key that a path ends with, or None."""
    found = _KEY.search(name) or _CASE_KEY.search(name)
    return found[1] if found else None


def is_object(value: Any) -> bool:
    """Whether a JSON value is what the worker stores of an entry: {version, source, entry}."""
    if not (
        isinstance(value, dict)
        and value.get("source") == "school-store"
        and isinstance(value.get("entry"), dict)
    ):
        return False
    entry = value["entry"]
    return all(
        isinstance(entry.get(name), str)
        for name in ("entry_hash", "prev_hash", "event", "eventId", "ts")
    )


def has_object_name(name: str) -> bool:
    """Whether a file is named as an object of the bucket is, without the folders."""
    return bool(_HASH_NAME.match(name) or _STREAM_NAME.match(name))


def read_object(path: str, name: str, sha256: str, content: bytes) -> Object:
    """A file as an object; content that is no entry is an object all the same, and one that a tool
    wrote around is read through that.
    """
    keys, entry, time = None, None, None
    try:
        value = load(decode(content))
    except NotJson:
        reading = reading_of_text(content.decode("utf-8", "surrogateescape"), is_payload)
        value = reading.value if reading is not None else None
    if is_object(value):
        entry = value["entry"]
        time = seconds(entry["ts"])
        try:
            keys = object_keys(entry)
        except CanonicalError:
            keys = None
    return Object(path, sha256, content, key_in_path(name), keys, entry, time)


def rows_of(objects: list[Object], accounts: list[Used], refused: list[NotUsed]) -> list[Row]:
    """The rows of a bucket's objects; how each file was used, or why not, is added to the two
    lists.
    """
    folders, streams = _learned_folders(objects), _stream_keys(objects)
    rows, keys = [], [_key_of(item, folders, streams) for item in objects]
    sound = {
        key
        for item, key in zip(objects, keys, strict=True)
        if copied_from(item.path) is None and _holds(item, key)
    }
    for item, key in zip(objects, keys, strict=True):
        if copied_from(item.path) is not None and key in sound and not _holds(item, key):
            refused.append(
                NotUsed(
                    item.path,
                    item.sha256,
                    f"is a second copy of {key} with another text; the first one holds",
                )
            )
            continue
        text = item.content.decode("utf-8", "surrogateescape")
        line = f'{{"key":{quoted(key)},"text":{quoted(text)}}}'.encode()
        if len(line) > MAX_LINE_BYTES:
            refused.append(
                NotUsed(
                    item.path,
                    item.sha256,
                    f"is larger than a row of a case may be ({MAX_LINE_BYTES} bytes)",
                )
            )
            continue
        rows.append(Row(BUCKET_LINES, (0, key), line))
        accounts.append(Used(item.path, item.sha256, "object of the bucket", 1, item.note))
    return rows


def _holds(item: Object, key: str) -> bool:
    """Whether an object's text is the payload of the entry under its key."""
    if item.entry is None or key not in (item.entry_keys or ()):
        return False
    return (
        entry_hash(item.entry) == item.entry.get("entry_hash")
        and payload(item.entry) == item.content
    )


def _key_of(item: Object, folders: dict[str, str], streams: dict[str, str]) -> str:
    if item.key is None:
        return _key_of_flat(item, streams)
    wanted = item.entry_keys or ()
    if item.key in wanted:
        return item.key
    for key in wanted:
        if _plain(item.key) == _plain(key):
            item.note = (
                f"key {key} recovered from the entry: the file's name was changed on the way"
            )
            return key
    folder, _, file = item.key.rpartition("/")
    if folder in folders:
        item.note = f"folder {folders[folder]} recovered from its other objects: its name was changed on the way"
        return f"{folders[folder]}/{file}"
    if wanted:
        item.note = f"the name is kept as key although the entry in it belongs to {wanted[0 if item.key.startswith(ENTRY) else 1]}"
    return item.key


def _learned_folders(objects: list[Object]) -> dict[str, str]:
    """What changed folder names stand for, where every entry below one of them says the same."""
    learned: dict[str, set[str]] = defaultdict(set)
    for item in objects:
        for key in item.entry_keys or ():
            if item.key is not None and _plain(item.key) == _plain(key):
                learned[item.key.rpartition("/")[0]].add(key.rpartition("/")[0])
    return {
        folder: true for folder, (true, *others) in learned.items() if not others and true != folder
    }


def _stream_keys(objects: list[Object]) -> dict[str, str]:
    """The keys that entries ask for in their streams' folders, by file name: a name holds a digest,
    so no two keys share one.
    """
    return {
        keys[1].rpartition("/")[2]: keys[1]
        for keys in sorted(item.entry_keys for item in objects if item.entry_keys is not None)
    }


def _key_of_flat(item: Object, streams: dict[str, str]) -> str:
    """The key of an object that was saved without its folders: by its name where that tells, else
    by the entry in it.
    """
    above, _, name = item.path.rpartition("/")
    name = name.removesuffix(".gz").removesuffix(".zst")
    name = copied_from(name) or name
    by_hash, by_stream = item.entry_keys or (None, None)
    if _HASH_NAME.match(name):
        if by_hash != ENTRY + name:
            item.note = (
                "the name is kept as key although the entry in it has another hash, or is none"
            )
        return ENTRY + name
    if not _STREAM_NAME.match(name):
        item.note = f"key {by_hash} taken from the entry: the file's name is not that of an object"
        return str(by_hash)
    folder = (
        above.rpartition("/")[2]
        if above.rpartition("/")[0].rpartition("/")[2] == "stream"
        else None
    )
    true = (
        by_stream if by_stream is not None and by_stream.endswith(f"/{name}") else streams.get(name)
    )
    if true is not None and (folder is None or _plain(true) == _plain(f"{STREAM}{folder}/{name}")):
        if true != by_stream:
            item.note = (
                "the name is kept as key although the entry in it belongs elsewhere, or is none"
            )
        return true
    item.note = "the name is kept as key although the entry in it belongs elsewhere, or is none"
    if folder is None:
        folder = (
            by_stream.removeprefix(STREAM).partition("/")[0] if by_stream is not None else "unknown"
        )
        item.note = f"the name is kept although the entry in it belongs elsewhere, or is none; the folder {folder} is a guess"
    return f"{STREAM}{folder}/{name}"


def _plain(key: str) -> str:
    """A key as every copying tool leaves it: percent signs decoded, full-width characters narrowed."""
    return unicodedata.normalize("NFKC", unquote(unicodedata.normalize("NFKC", key)))
