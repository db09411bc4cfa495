"""Files that nobody meant to be evidence: what operating systems, browsers and editors leave beside
the files of people.

They are nobody's tampering in an export, in a case or in a report folder. This is the one list of
them; the stand-alone checker shares no code, and a test holds its own pattern to this one.
"""

from __future__ import annotations

import re
from collections.abc import Container

_SYSTEM_NAMES = frozenset(
    {
        *(".ds_store", ".localized", ".apdisk", ".volumeicon.icns", "icon\r"),  # macOS
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),  # Windows
        ".directory",  # KDE
    }
)
_SYSTEM_PREFIXES = ("._", ".nfs", ".fuse_hidden")
_SYSTEM_SUFFIX = ":zone.identifier"
_SYSTEM_FOLDERS = frozenset(
    {
        *(
            "__macosx",
            ".appledouble",
            ".spotlight-v100",
            ".trashes",
            ".fseventsd",
            ".temporaryitems",
            ".documentrevisions-v100",
        ),
        *("$recycle.bin", "system volume information", "@eadir"),
    }
)
_BUCKET_STREAMS = "audit/immutable/stream/"
_ENDINGS = r"(?P<end>(?:\.[A-Za-z0-9]{1,6}){0,3})"
_COPIES = (
    re.compile(rf"^(?P<name>.+?) - (?:Copy|コピー)(?: \(\d{{1,3}}\))?{_ENDINGS}$"),
    re.compile(rf"^(?P<name>.+?)(?: copy| のコピー)(?: \d{{1,3}})?{_ENDINGS}$"),
    re.compile(
        rf"^(?P<name>.+?) ?\(\d{{1,3}}\){_ENDINGS}$"
    ),  # a browser's second download, Explorer's and Finder's numbered copies
    re.compile(r"^Copy of (?P<name>.+?)(?P<end>)$"),
)
_BACKUPS = (
    re.compile(r"^(?P<name>.+?)(?:\.~\d+)?~$"),  # emacs, gedit, kate
    re.compile(r"^\.(?P<name>.+)\.sw[a-z]$"),  # vim
    re.compile(r"^(?:\.?#)(?P<name>.+?)#?$"),  # emacs: what is not saved yet, and its lock
    re.compile(r"^(?:~\$|\.~lock\.)(?P<name>.+?)#?$"),  # office programs' locks
)


def is_of_system(path: str) -> bool:
    """Whether a file, by its path ('/' separated), was made by an operating system: `.DS_Store`,
    `._name`, `__MACOSX/`, `Thumbs.db`…

    Folders below the bucket's streams are named by event ids, which anybody may choose: there the
    file's own name alone decides.
    """
    above, streams, below = path.rpartition(_BUCKET_STREAMS)
    folders = (above if streams else path).lower().split("/")[:-1]
    name = (below if streams else path).rpartition("/")[2].lower()
    return (
        name in _SYSTEM_NAMES
        or name.startswith(_SYSTEM_PREFIXES)
        or name.endswith(_SYSTEM_SUFFIX)
        or any(step in _SYSTEM_FOLDERS for step in folders)
    )


def copied_from(path: str) -> str | None:
    """The path that a second download or a copy stands for (`name (1).json` is `name.json`'s), or
    None for any other file.
    """
    return _original(path, _COPIES, "end")


def backed_up_from(path: str) -> str | None:
    """The path of which a file is an editor's backup, unsaved state or lock (`name~`, `.name.swp`),
    or None for any other file.
    """
    return _original(path, _BACKUPS, None)


def is_leftover(path: str, listed: Container[str]) -> bool:
    """Whether a file is nobody's: the operating system's, or an editor's backup or a second copy of
    one of the `listed` paths.
    """
    return is_of_system(path) or copied_from(path) in listed or backed_up_from(path) in listed


def _original(path: str, patterns: tuple[re.Pattern[str], ...], end: str | None) -> str | None:
    folder, slash, name = path.rpartition("/")
    found = next((match for pattern in patterns if (match := pattern.match(name))), None)
    if found is None:
        return None
    return f"{folder}{slash}{found['name']}{found[end] if end else ''}"
