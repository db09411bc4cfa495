"""What copying tools do to texts on the way, and the texts as they were: the hash decides, and
never the excuse.

A tool treats every text alike. Where all texts of a source differ in one reversible way, and every
hash holds without that difference, a tool did it. Where only some differ, somebody did. The
evidence keeps the bytes as they came.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from popkit.protocol.canonical import CanonicalError, dumps, parse
from popkit.texts import Listed, Sentence, Text

_BYTES = Text(
    "copy the bytes, without reading them as text",
    "テキストとして読み込まず、バイト列のままコピーしてください",
)
_JSON_BYTES = Text(
    "copy the bytes, without reading the JSON",
    "JSON として読み込まず、バイト列のままコピーしてください",
)
_PLAIN_BYTES = Text(
    "copy the bytes, without a tool that normalises text",
    "テキストを正規化するツールを使わず、バイト列のままコピーしてください",
)
_BY_CURL = Text(
    "save with Invoke-WebRequest -OutFile, or curl -o",
    "`Invoke-WebRequest -OutFile` または `curl -o` で保存してください",
)
WAYS: dict[str, tuple[Text, Text]] = {
    "utf-16": (
        Text("is UTF-16, as PowerShell's `>` writes it", "UTF-16 です（PowerShell の `>` による）"),
        Text("save it as UTF-8", "UTF-8 で保存してください"),
    ),
    "bom": (
        Text("begins with a byte order mark", "先頭に BOM が付いています"),
        Text("save it as UTF-8 without one", "BOM なしの UTF-8 で保存してください"),
    ),
    "encoding": (
        Text(
            "was read in another encoding than UTF-8", "UTF-8 以外の文字コードとして読まれています"
        ),
        _BYTES,
    ),
    "banner": (
        Text(
            "has a tool's own words around it, as wrangler's banner",
            "前後にツール自身の出力（`wrangler` のバナーなど）が付いています",
        ),
        Text(
            "save with the tool's own option for a file (wrangler: --file)",
            "ツールのファイル保存オプション（`wrangler --file`）で保存してください",
        ),
    ),
    "html": (
        Text("has HTML's escapes", "HTML のエスケープが含まれています"),
        Text(
            "save the answer itself, not a page that shows it",
            "表示用のページではなく、応答そのものを保存してください",
        ),
    ),
    "line end": (
        Text("has white space added at its ends", "末尾に空白が追加されています"),
        Text(
            "copy the bytes, without an editor or a shell's redirection",
            "エディタやシェルのリダイレクトを使わず、バイト列のままコピーしてください",
        ),
    ),
    "slashes": (
        Text("has every slash escaped", "すべてのスラッシュがエスケープされています"),
        _JSON_BYTES,
    ),
    "escapes": (
        Text("has characters written as \\u escapes", "文字が `\\u` エスケープで書かれています"),
        _JSON_BYTES,
    ),
    "layout": (
        Text(
            "is the same JSON written anew: its layout or the order of its keys",
            "同じ JSON が別の書式またはキー順で書き直されています",
        ),
        _JSON_BYTES,
    ),
    "dates": (
        Text(
            "has its dates written anew, as PowerShell's ConvertFrom-Json does",
            "日付が書き直されています（PowerShell の ConvertFrom-Json による）",
        ),
        _BY_CURL,
    ),
    "trimmed dates": (
        Text(
            "has the last zeros of its dates cut off, as PowerShell does",
            "日付の末尾のゼロが削られています（PowerShell による）",
        ),
        _BY_CURL,
    ),
    "NFC": (
        Text("has its letters composed (Unicode NFC)", "文字が合成形（Unicode NFC）になっています"),
        _PLAIN_BYTES,
    ),
    "NFD": (
        Text(
            "has its letters decomposed (Unicode NFD)", "文字が分解形（Unicode NFD）になっています"
        ),
        _PLAIN_BYTES,
    ),
}
"""What a tool did to a text, and how to export without it."""
_ONLY_WHERE_NEEDED = frozenset({"encoding", "slashes", "escapes", "trimmed dates", "NFC", "NFD"})
"""Ways that leave a text as it was in which there is nothing to change."""
AT_LEAST = 2
"""How many texts a tool must have changed to be known by it."""
_ENCODINGS = ("cp1252", "latin-1", "cp932")
_NORMALISED: dict[str, Callable[[str], str]] = {
    "NFC": partial(unicodedata.normalize, "NFD"),
    "NFD": partial(unicodedata.normalize, "NFC"),
}
_ISO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?$")
_OF_WORKER = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
_OF_POWERSHELL_5 = re.compile(r"^/Date\((\d{1,15})\)/$")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


@dataclass(frozen=True, slots=True)
class Reading:
    """A value as the worker wrote it, the `ways` in which what came differs from it, and the
    characters that those changed.
    """

    value: Any
    ways: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()

    def is_untouched_by(self, way: str, changed: frozenset[str]) -> bool:
        """Whether a way that leaves some texts as they were finds nothing to change in this one."""
        if way not in _ONLY_WHERE_NEEDED:
            return False
        return (
            not _has_trailing_zero(self.value)
            if way == "trimmed dates"
            else not changed & set(_text_of(self.value))
        )


@dataclass(frozen=True, slots=True, order=True)
class Alteration:
    """What a tool did to a source: the ways, and to how many of its texts."""

    ways: tuple[str, ...]
    texts: int

    @property
    def sentence(self) -> Sentence:
        """What the tool did and how to export without it, in either language."""
        return _ALTERED(
            texts=self.texts,
            done=Listed(tuple(WAYS[way][0] for way in self.ways), between="; "),
            again=Listed(tuple(dict.fromkeys(WAYS[way][1] for way in self.ways)), between="; "),
        )

    def __str__(self) -> str:
        return str(self.sentence)


_ALTERED = Text(
    "each of {texts} texts {done}. Every hash holds without that. To export again: {again}",
    "{texts} 件のテキストすべてに同じ変更があります: {done}。この変更を除けばすべてのハッシュが一致します。再エクスポートの方法: {again}",
)


def restored(readings: Iterable[Reading | None]) -> Alteration | None:
    """What one tool did to all texts of a source; None where nothing differs, or only some of what
    a tool would have changed.

    `readings` are those of its texts; None is one whose hash holds in no reading: it shows no tool,
    and excuses nobody.
    """
    known = [reading for reading in readings if reading is not None]
    ways = frozenset(way for reading in known for way in reading.ways)
    count = sum(bool(reading.ways) for reading in known)
    changed = frozenset(character for reading in known for character in reading.changed)
    if count < AT_LEAST or not all(
        reading.is_untouched_by(way, changed) for reading in known for way in ways - reading.ways
    ):
        return None
    return Alteration(tuple(way for way in WAYS if way in ways), count)


def reading_of_text(text: str, holds: Callable[[Any], bool]) -> Reading | None:
    """The first reading of a text, the one with the fewest ways, of which `holds` says that its
    hash does; None when there is none.
    """
    for stripped, ways in _texts(text):
        try:
            value = parse(stripped)
        except CanonicalError:
            continue
        reading = reading_of_row(value, holds)
        if reading is not None:
            more, characters = _layout(stripped, _text_of(value))
            if "encoding" in ways:
                characters |= _beyond_ascii(reading.value)
            return Reading(reading.value, ways | reading.ways | more, reading.changed | characters)
    return None


def reading_of_row(row: Any, holds: Callable[[Any], bool]) -> Reading | None:
    """The first reading of a parsed row of which `holds` says that its hash does; None when there
    is none.
    """
    return next((reading for reading in _values(row) if holds(reading.value)), None)


def _texts(text: str) -> Iterator[tuple[str, frozenset[str]]]:
    """The texts that a text may have been before anybody read it as JSON, with the ways to it;
    itself first.
    """
    ways: frozenset[str] = frozenset()
    yield text, ways
    if "\0" in text:
        try:
            text, ways = text.encode("utf-8", "surrogateescape").decode("utf-16"), ways | {"utf-16"}
        except UnicodeError:
            return
    if text.startswith("\ufeff"):
        text, ways = text[1:], ways | {"bom"}
    before, brace, rest = text.partition("{")
    inside, end, after = rest.rpartition("}")
    if brace and end and (before.strip() or after.strip()):
        text, ways = brace + inside + end, ways | {"banner"}
    yield text, ways
    if "&quot;" in text or "&#34;" in text:
        text, ways = html.unescape(text), ways | {"html"}
        yield text, ways
    if not text.isascii():
        for encoding in _ENCODINGS:
            reread = _reread(text, encoding)
            if reread != text:
                yield reread, ways | {"encoding"}


def _layout(text: str, canonical: str) -> tuple[frozenset[str], frozenset[str]]:
    """How a JSON text differs from the canonical one of its value, and the characters that it
    writes otherwise.
    """
    if text == canonical:
        return frozenset(), frozenset()
    ways: set[str] = set()
    changed: set[str] = set()
    if text.strip() != text:
        text = text.strip()
        ways.add("line end")
    if text != canonical and "\\/" in text:
        text = text.replace("\\/", "/")
        ways.add("slashes")
        changed.add("/")
    if text != canonical and _ESCAPE.search(text):
        bare = _ESCAPE.sub(
            lambda found: chr(int(found[1], 16)) if int(found[1], 16) >= 0x20 else found[0].lower(),
            text,
        )
        try:
            bare = bare.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeError:
            bare = text
        if bare == canonical:
            changed |= set(canonical) - set(text)
            text = bare
            ways.add("escapes")
    return (
        (frozenset(ways), frozenset(changed))
        if text == canonical
        else (frozenset(ways | {"layout"}), frozenset())
    )


def _values(value: Any) -> Iterator[Reading]:
    """The values that a value may have been before a tool read it, with the ways to it; itself
    first.
    """
    yield Reading(value)
    dated, ways = _with_dates(value)
    if ways:
        yield Reading(dated, ways)
    text = _text_of(value)
    for start, before in ((value, frozenset[str]()), (dated, ways)) if not text.isascii() else ():
        for way, undo in _NORMALISED.items():
            other = _mapped(start, undo)
            yield Reading(other, before | {way}, frozenset(_text_of(other)) - frozenset(text))
        for encoding in _ENCODINGS:
            other = _mapped(start, partial(_reread, encoding=encoding))
            yield Reading(other, before | {"encoding"}, _beyond_ascii(other))


def _beyond_ascii(value: Any) -> frozenset[str]:
    return frozenset(character for character in _text_of(value) if not character.isascii())


def _text_of(value: Any) -> str:
    try:
        return dumps(value)
    except CanonicalError:
        return ""


def _reread(text: str, encoding: str) -> str:
    try:
        return text.encode(encoding).decode("utf-8")
    except UnicodeError:
        return text


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """A value with every text in it, keys too, changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    if isinstance(value, dict):
        return {change(key): _mapped(item, change) for key, item in value.items()}
    return value


def _with_dates(value: Any) -> tuple[Any, frozenset[str]]:
    """A value with its dates as the worker writes them, and the ways in which they were not."""
    ways: set[str] = set()

    def change(text: str) -> str:
        way, date = _date(text)
        if way:
            ways.add(way)
        return date

    changed = _mapped(value, change)
    return changed, frozenset({"dates"} if "dates" in ways else ways)


def _date(text: str) -> tuple[str, str]:
    """How a date differs from the worker's `….123Z`, and the worker's; ("", the text itself) where
    it is none, or does not differ.
    """
    old = _OF_POWERSHELL_5.match(text)
    if old is not None:
        ms = int(old[1])
        return (
            "dates",
            f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z",
        )
    found = _ISO.match(text)
    if found is None or _OF_WORKER.match(text):
        return "", text
    fraction, zone = found[1] or "", found[2] or ""
    try:
        moment = datetime.fromisoformat(f"{text[:19]}{zone or 'Z'}").astimezone(UTC)
    except (ValueError, OverflowError):
        return "", text
    if fraction[3:].strip("0"):
        return "", text
    is_trimmed = zone == "Z" and len(fraction) < 3 and not fraction.endswith("0")
    return (
        "trimmed dates" if is_trimmed else "dates",
        f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction[:3].ljust(3, '0')}Z",
    )


def _has_trailing_zero(value: Any) -> bool:
    """Whether a value holds a date of the worker's whose last digit a tool would have cut off."""
    if isinstance(value, str):
        return bool(_OF_WORKER.match(value)) and value.endswith("0Z")
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_has_trailing_zero(item) for item in items)
