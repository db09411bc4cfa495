"""A solana-keygen file, read only where its place and its mode keep it to its owner. No exception
of this module holds a byte of it.

What is judged is the file that was opened, and never a name a second time: a name can be pointed
elsewhere between two looks.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from solders.keypair import Keypair

from popkit.texts import Text

KEYPAIR = 64
"""Bytes of a keypair: 32 of the seed, 32 of the public key."""
_MOST = 4096
"""Bytes of a file that may be a keypair: 64 numbers with white space."""
_REPOSITORIES = (".git", ".hg", ".svn", ".jj", ".bzr")
_SPACE = b" \t\r\n"

_CHANGE_MODE = Text(
    "keep it to yourself: `chmod 600`, in a folder of your own; if others could have read it, make "
    "a new key",
    "`chmod 600` で自分専用にし、自分のフォルダーに置いてください。他人が読めた可能性があれば、新しい鍵を作ってください",
)
_ELSEWHERE = Text(
    "move it to a folder that is neither copied, shared nor committed, and if that may have "
    "happened already, make a new key",
    "複製、共有、コミットされないフォルダーに移し、すでにされた可能性があれば、新しい鍵を作ってください",
)
_NAME_IT = Text(
    "name the file itself, by its own path", "ファイル自体を、実際のパスで指定してください"
)
_LOOK = Text(
    "look whether the variable holds the path of the file that you mean",
    "変数に目的のファイルのパスが入っているか確認してください",
)
_KEYGEN = Text(
    "name a file as `solana-keygen new` writes it: a JSON list of 64 numbers",
    "`solana-keygen new` が作る形式（64 個の数の JSON 配列）のファイルを指定してください",
)
WHY_NOT: MappingProxyType[str, tuple[Text, Text]] = MappingProxyType(
    {
        "key_no_file": (
            Text("there is no such file, or it cannot be read", "ファイルがないか、読めません"),
            _LOOK,
        ),
        "key_link": (
            Text(
                "the file is a link, or has a second name",
                "ファイルがリンクであるか、別名を持っています",
            ),
            _NAME_IT,
        ),
        "key_not_a_file": (
            Text("the file is not a plain one", "通常のファイルではありません"),
            _NAME_IT,
        ),
        "key_open_to_others": (
            Text(
                "others than its owner may read or change the file",
                "所有者以外がファイルを読むか変更できます",
            ),
            _CHANGE_MODE,
        ),
        "key_of_another": (
            Text("the file belongs to another user", "ファイルの所有者が別のユーザーです"),
            _CHANGE_MODE,
        ),
        "key_in_run": (
            Text(
                "the file lies in the run's folder, which is handed on",
                "ファイルが、人に渡す RUN のフォルダーの中にあります",
            ),
            _ELSEWHERE,
        ),
        "key_in_repository": (
            Text("the file lies in a repository", "ファイルがリポジトリの中にあります"),
            _ELSEWHERE,
        ),
        "key_form": (
            Text(
                "the file is not a keypair of 64 numbers", "64 個の数から成る鍵ペアではありません"
            ),
            _KEYGEN,
        ),
        "key_public_half": (
            Text(
                "the public half of the keypair is not that of its private half",
                "公開鍵の部分が秘密鍵の部分と合いません",
            ),
            _KEYGEN,
        ),
    }
)
"""Why a file is refused, by code, and what to do."""


@contextmanager
def wiped(raw: memoryview) -> Iterator[None]:
    """Overwrite a buffer with zeros when the block ends, however it ends."""
    try:
        yield
    finally:
        raw[:] = bytes(len(raw))


def read_keypair(path: Path, run: Path | None, raw: memoryview) -> str | None:
    """Read a keypair of 64 bytes into `raw`; returns None, or the code of WHY_NOT for which it was
    refused.
    """
    try:
        # Not through a link, and without waiting for whoever would open the other end of a pipe.
        file = os.open(
            path.expanduser(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except (OSError, ValueError, RuntimeError) as error:
        return (
            "key_link"
            if isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.EMLINK)
            else "key_no_file"
        )
    try:
        return _unsafe(file, path.expanduser(), run) or _read(file, raw)
    except OSError:
        return "key_no_file"
    finally:
        os.close(file)


def _unsafe(file: int, path: Path, run: Path | None) -> str | None:
    """Why an open file is not safe to take a key from."""
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        return "key_not_a_file"
    if found.st_nlink != 1:
        return "key_link"  # its other name may lie in a repository, or in the run
    if found.st_mode & 0o077:
        return "key_open_to_others"
    if found.st_uid not in (os.geteuid(), 0):
        return "key_of_another"
    real = Path(os.path.realpath(path))
    if not os.path.samestat(found, real.stat(follow_symlinks=False)):
        return "key_link"  # a folder on the way was pointed elsewhere meanwhile
    if run is not None and _lies_in(real, run):
        return "key_in_run"
    if any(_is_repository(folder) for folder in real.parents):
        return "key_in_repository"
    return None


def _lies_in(path: Path, folder: Path) -> bool:
    """Whether a folder is above a path, by what folders are and not by their names: one can be
    mounted under two.
    """
    try:
        wanted = folder.stat()
    except FileNotFoundError:
        return False
    return any(os.path.samestat(wanted, above.stat()) for above in path.parents)


def _is_repository(folder: Path) -> bool:
    if any((folder / name).exists() for name in _REPOSITORIES):
        return True
    return (
        (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()
    )


def _read(file: int, raw: memoryview) -> str | None:
    text = memoryview(bytearray(_MOST + 1))
    with wiped(text):
        size = 0
        while size < len(text) and (more := os.readv(file, [text[size:]])):
            size += more
        if size > _MOST or not _parsed(text[:size], raw):
            return "key_form"
        public = bytes(raw[32:])
        return None if bytes(Keypair.from_seed(raw[:32]).pubkey()) == public else "key_public_half"


def _parsed(text: memoryview, raw: memoryview) -> bool:
    """Whether a text is a JSON list of 64 bytes, which then stand in `raw`.

    Read by hand, digit by digit: a JSON library would leave the text and the numbers in memory that
    nobody can overwrite.
    """
    count = number = digits = 0
    expects = "["
    for byte in text:
        if byte in _SPACE:
            if digits:
                expects = ",]"
        elif 0x30 <= byte <= 0x39 and "0" in expects and (not digits or number):
            number, digits = number * 10 + byte - 0x30, digits + 1
            expects = "0,]"
            if number > 255:
                return False
        elif byte == 0x5B and "[" in expects:
            expects = "0"
        elif byte in b",]" and "," in expects and count < len(raw):
            raw[count] = number
            count, number, digits = count + 1, 0, 0
            expects = "0" if byte == 0x2C else "end"
        else:
            return False
    return expects == "end" and count == len(raw)
