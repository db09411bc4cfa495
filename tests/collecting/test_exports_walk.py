"""Folders and archives that are damaged, hostile or full of other things: bounded, not followed,
and every file accounted for.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from popkit.collecting.exports import Exports, ExportTooLarge, Limits
from popkit.errors import EXIT_CANNOT_TELL, PopkitError
from tests.collecting.taking_apart import (
    bucket_of,
    copy_bucket,
    reasons,
    response,
    rows_of,
    rpc_calls,
    text_of,
    write,
)
from tests.conftest import CASES
from tests.exported import read_exports

STATUS = json.dumps({"enforceOnchainPop": True, "signerConfigured": True})


def _tar_of(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def _zip_of(members: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def _link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


SMALL = Limits(members=20, member_bytes=1 << 20, total_bytes=3 << 20)
ZEROS = b"\0" * (2 << 20)
BOMBS = {
    "a gzip": lambda: gzip.compress(ZEROS),
    "a zstd": lambda: zstandard.compress(ZEROS),
    "gzip in gzip": lambda: gzip.compress(gzip.compress(ZEROS)),
    "a tar member": lambda: gzip.compress(_tar_of({"a.json": ZEROS})),
    "a zip member": lambda: _zip_of({"a.json": ZEROS}),
    "many tar members": lambda: _tar_of({f"{number}.json": b"{}" for number in range(30)}),
    "many zip members": lambda: _zip_of({f"{number}.json": b"{}" for number in range(30)}),
    "members that are large together": lambda: _zip_of(
        {f"{number}.json": ZEROS[: 1 << 20] for number in range(5)}
    ),
    "a long tar header": lambda: gzip.compress(_tar_of({"a" * (3 << 20): b"{}"})),
    "a gzip in a tar": lambda: _tar_of({"a.json.gz": gzip.compress(ZEROS)}),
    "a zip in a zip": lambda: _zip_of({"a.zip": _zip_of({"a.json": ZEROS})}),
    "layers without content": lambda: gzip.compress(gzip.compress(b"") * 500_000),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_ends_with_a_named_error(bomb: str, tmp_path: Path) -> None:
    write(tmp_path / "pop-status.json", STATUS)
    write(tmp_path / "export.bin", BOMBS[bomb]())
    with pytest.raises(ExportTooLarge, match=r"^export\.bin") as raised:
        read_exports([tmp_path], SMALL)
    assert raised.value.code == "export_too_large"
    assert raised.value.exit_code == EXIT_CANNOT_TELL


def test_a_zip_that_lies_about_its_sizes_is_bounded_all_the_same(tmp_path: Path) -> None:
    data = bytearray(_zip_of({"a.json": ZEROS}))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    write(tmp_path / "pop-status.json", STATUS)
    write(tmp_path / "export.zip", bytes(data))
    assert "is damaged" in reasons(read_exports([tmp_path], SMALL))["export.zip"]


def test_a_folder_with_too_many_files_is_an_error(tmp_path: Path) -> None:
    for number in range(30):
        write(tmp_path / f"{number}.json", "{}")
    with pytest.raises(ExportTooLarge, match="more than 20 files; give popkit a smaller part"):
        read_exports([tmp_path], SMALL)


def test_a_large_file_of_something_else_is_left_with_its_digest(tmp_path: Path) -> None:
    write(tmp_path / "pop-status.json", STATUS)
    write(tmp_path / "film.mp4", ZEROS)
    exports = read_exports([tmp_path], SMALL)
    assert [(item.path, item.sha256, item.why) for item in exports.not_used] == [
        (
            "film.mp4",
            hashlib.sha256(ZEROS).hexdigest(),
            "is larger than 1048576 bytes and was not read",
        )
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../pop-status.json",
        "/etc/pop-status.json",
        "a/../../pop-status.json",
        "C:\\pop-status.json",
        "..\\x.json",
    ],
)
@pytest.mark.parametrize("pack", [_tar_of, _zip_of])
def test_paths_that_lead_out_of_an_archive_are_refused(
    pack: Any, name: str, tmp_path: Path
) -> None:
    write(tmp_path / "export", pack({name: STATUS.encode(), "ok/pop-status.json": STATUS.encode()}))
    exports = read_exports([tmp_path])
    assert [item.path for item in exports.used] == ["export", "export!/ok/pop-status.json"]
    assert [item.why.partition(";")[0] for item in exports.not_used] == [
        "has a path that leads out of its archive"
    ]


def test_links_and_devices_in_archives_are_refused(tmp_path: Path) -> None:
    members: dict[str, bytes | tarfile.TarInfo] = {
        "pop-status.json": STATUS.encode(),
        "soft": _link("soft", "/etc/passwd"),
        "hard": _link("hard", "pop-status.json", tarfile.LNKTYPE),
        "pipe": _link("pipe", "", tarfile.FIFOTYPE),
    }
    write(tmp_path / "export.tar", _tar_of(members))
    assert reasons(read_exports([tmp_path])) == {
        "export.tar!/hard": "is a link; links in archives are not followed",
        "export.tar!/pipe": "is neither a file nor a folder",
        "export.tar!/soft": "is a link; links in archives are not followed",
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        info = zipfile.ZipInfo("soft")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("pop-status.json", STATUS)
    write(tmp_path / "export.tar", data.getvalue())
    assert reasons(read_exports([tmp_path])) == {
        "export.tar!/soft": "is a link; links in archives are not followed"
    }


def test_links_pipes_and_tools_folders_are_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "pop-status.json", STATUS)
    folder = tmp_path / "from"
    write(
        folder / "audit-status.json",
        json.dumps({"mode": "off", "operationalReady": True, "sinks": {}}),
    )
    (folder / "file").symlink_to(outside)
    (folder / "folder").symlink_to(outside.parent)
    (folder / "broken").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")
    for name in ("node_modules", ".git", "a/b/node_modules"):
        write(folder / name / "pop-status.json", STATUS)
    exports = read_exports([folder])
    assert list(exports.answers) == ["audit-status"]
    said = reasons(exports)
    assert sorted(said) == [
        ".git/",
        "a/b/node_modules/",
        "broken",
        "file",
        "folder",
        "node_modules/",
        "pipe",
    ]
    assert (
        said["file"]
        == said["folder"]
        == said["broken"]
        == "is a link; links are not followed: give popkit what it points to"
    )
    assert said[".git/"] == said["node_modules/"]
    assert "name it with --from" in said[".git/"]
    assert list(read_exports([folder / ".git"]).answers) == ["pop-status"]


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "pop-status.json", STATUS)
    write(tmp_path / "secret.json", "{}")
    write(tmp_path / "closed" / "x.json", "{}")
    opened, scandir = Path.open, os.scandir

    def refuse(path: Path, *args: Any, **more: Any) -> Any:
        if path.name == "secret.json":
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **more)

    def refuse_folder(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(os, "scandir", refuse_folder)
    assert reasons(read_exports([tmp_path])) == {
        "closed/": "cannot be listed: Permission denied; make it readable and collect again",
        "secret.json": "cannot be read: Permission denied; make it readable and collect again",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            STATUS.encode("utf-16"),
            "is UTF-16, as PowerShell's `>` writes it; expected UTF-8: save it again as UTF-8",
        ),
        (b'{"title":"\x93\xfa\x96{"}', "is not UTF-8 text: byte 10 is 0x93"),
        (b"\x89PNG\r\n\x1a\n", "is not UTF-8 text: byte 0 is 0x89"),
        (b"hello", "is not JSON: Expecting value"),
        (b'{"signerConfigured":NaN}', "is not JSON: NaN is no JSON number"),
        (b"[" * 100_000, "is nested deeper than 200 levels"),
        (b"1" * 10_000, "is not JSON"),
        (b" \n", "is empty"),
        (gzip.compress(STATUS.encode(), mtime=0)[:-4], "is damaged, and not read beyond that"),
        (
            zstandard.compress(STATUS.encode() * 99)[:-4],
            "is damaged, and not read beyond that: the compressed stream ends inside a frame",
        ),
        (b"PK\x03\x04 no zip", "is damaged, and not read beyond that: File is not a zip file"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_unreadable_is_named_with_the_reason(
    content: bytes, said: str, tmp_path: Path
) -> None:
    write(tmp_path / "pop-status.json", STATUS)
    write(tmp_path / "other.json", content)
    exports = read_exports([tmp_path])
    assert reasons(exports)["other.json"].startswith(said)
    assert exports.not_used[0].sha256 == hashlib.sha256(content).hexdigest()


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    write(tmp_path / "saved.json", b"\xef\xbb\xbf" + STATUS.encode())
    assert list(read_exports([tmp_path]).answers) == ["pop-status"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("cut", ["inside a member", "between members", "at the end mark"])
def test_a_cut_archive_gives_what_it_holds_and_says_so(
    cut: str, packed: bool, tmp_path: Path
) -> None:
    objects = sorted(bucket_of("cutover").items())[:40]
    whole = _tar_of({key: text.encode() for key, text in objects})
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        starts = [info.offset for info in archive]
    at = {
        "inside a member": starts[20] + 700,
        "between members": starts[20],
        "at the end mark": starts[-1] + 512 + 1,
    }[cut]
    if cut == "at the end mark":
        at = len(whole.rstrip(b"\0")) + 512 - len(whole.rstrip(b"\0")) % 512
    data = whole[:at]
    write(tmp_path / "export.tar", gzip.compress(data) if packed else data)
    exports = read_exports([tmp_path])
    assert len(exports.rows["worker/r2.jsonl"]) == (40 if cut == "at the end mark" else 20)
    assert reasons(exports)["export.tar"].startswith("is damaged, and not read beyond that")


def test_a_damaged_header_inside_an_archive_is_noticed(tmp_path: Path) -> None:
    data = bytearray(_tar_of({f"{number}/pop-status.json": STATUS.encode() for number in range(4)}))
    data[2 * 1024 + 148] ^= 0x55
    write(tmp_path / "export.tar", bytes(data))
    assert reasons(read_exports([tmp_path])) == {
        "export.tar": "is damaged, and not read beyond that: the archive ends before its end mark; "
        "its members up to there were read; "
        "export it again"
    }


def test_an_encrypted_zip_says_so(tmp_path: Path) -> None:
    data = bytearray(_zip_of({"pop-status.json": STATUS.encode()}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    write(tmp_path / "export.zip", bytes(data))
    write(tmp_path / "errors.jsonl", "")
    assert "is encrypted" in reasons(read_exports([tmp_path]))["export.zip!/pop-status.json"]


def test_archives_in_archives_end_somewhere(tmp_path: Path) -> None:
    data = STATUS.encode()
    for _ in range(6):
        data = _zip_of({"pop-status.json": data})
    write(tmp_path / "export.zip", data)
    write(tmp_path / "errors.jsonl", "")
    assert [why for why in reasons(read_exports([tmp_path])).values() if "archives deep" in why]


def test_a_path_that_is_no_utf8_can_be_printed(tmp_path: Path) -> None:
    name = os.fsencode(str(tmp_path)) + b"/\xff.json"
    Path(os.fsdecode(name)).write_text(STATUS)
    assert [item.path for item in read_exports([tmp_path]).used] == ["\\xff.json"]


def _accounted(folder: Path, exports: Exports) -> None:
    """Every regular file is in used or in not_used, with its digest."""
    said = {item.path: item.sha256 for item in (*exports.used, *exports.not_used)}
    for path in folder.rglob("*"):
        if path.is_file():
            assert (
                said[path.relative_to(folder).as_posix()]
                == hashlib.sha256(path.read_bytes()).hexdigest()
            )


@pytest.mark.parametrize("case", ["cutover", "storage-only"])
def test_every_file_is_accounted_for(case: str, tmp_path: Path) -> None:
    copy_bucket(case, tmp_path / "r2")
    for name in (
        "README.md",
        "package.json",
        "a/b/c.txt",
        "manifest-sha256.txt",
        "case.json",
        "custody.jsonl",
    ):
        write(tmp_path / name, "hello")
    write(
        tmp_path / "export.tar.gz",
        gzip.compress(_tar_of({"x/pop-status.json": STATUS.encode(), "y": b"?"})),
    )
    exports = read_exports([tmp_path])
    _accounted(tmp_path, exports)
    assert {"export.tar.gz!/x/pop-status.json", "export.tar.gz!/y"} <= {
        item.path for item in (*exports.used, *exports.not_used)
    }


def _samples() -> list[Any]:
    """One of everything that is recognised."""
    calls = [
        {"request": call, "response": response(call, result)}
        for call, result in rpc_calls("unused")
    ]
    some = [
        rows_of("cutover", name)[0]
        for name in ("rpc/transactions.jsonl", "rpc/signatures.jsonl", "rpc/accounts.jsonl")
    ]
    some += [
        rows_of("cutover", name)[0]
        for name in ("worker/r2.jsonl", "worker/ticket-receipts.jsonl", "client/errors.jsonl")
    ]
    answers = [
        json.loads(path.read_text())
        for path in sorted((CASES / "cutover" / "worker").glob("*.json"))
    ]
    exchange = {
        "at": 1_771_700_000,
        "request": {"method": "GET", "path": "/v1/school/events"},
        "response": {"status": 200, "body": {"items": []}},
    }
    storage = [
        json.loads(line)
        for line in (text_of("storage-only", "worker/storage.jsonl") or "").splitlines()[:5]
    ]
    entry = json.loads(next(iter(bucket_of("cutover").values())))
    accounts = {
        "jsonrpc": "2.0",
        "result": [{"pubkey": some[2]["pubkey"], "account": some[2]["account"]}],
    }
    several = {
        "request": {"method": "getMultipleAccounts", "params": [[some[2]["pubkey"]]]},
        "response": {"jsonrpc": "2.0", "result": {"value": [None]}},
    }
    header = json.loads((CASES / "cutover" / "case.json").read_text())
    return [
        *calls[:6],
        *some,
        *answers,
        *(a["body"] for a in answers),
        exchange,
        storage,
        *storage,
        entry,
        accounts,
        several,
        header,
        [some[1]],
    ]


_SAMPLES = _samples()
_ABSENT = "absent"
_ODD = st.sampled_from(
    [
        _ABSENT,
        None,
        True,
        -1,
        1 << 70,
        1.5,
        "",
        "x",
        "\ud800",
        [],
        {},
        [[]],
        {"a": 1},
        [None],
        {"": ""},
        "getTransaction",
        "http://[",
    ]
)


def _spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(spot for name, item in inner for spot in _spots(item, (*path, name)))]


def _changed(value: Any, spot: tuple[Any, ...], new: Any) -> Any:
    if not spot:
        return new
    copy = value.copy()
    if new == _ABSENT and len(spot) == 1:
        del copy[spot[0]]
    else:
        copy[spot[0]] = _changed(value[spot[0]], spot[1:], new)
    return copy


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_no_document_however_odd_is_a_fault_of_popkit(tmp_path: Path, data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(_SAMPLES))
    value = _changed(sample, data.draw(st.sampled_from(_spots(sample)[:60])), data.draw(_ODD))
    name = data.draw(
        st.sampled_from(
            [
                "saved.json",
                "events.json",
                "rpc/transactions.jsonl",
                "worker/storage.jsonl",
                "a" * 64 + ".json",
            ]
        )
    )
    write(tmp_path / "errors.jsonl", "")
    path = write(tmp_path / name, json.dumps(value))
    try:
        exports = read_exports([tmp_path])
        _accounted(tmp_path, exports)
    finally:
        path.unlink()


@pytest.mark.parametrize("seed", range(30))
def test_damaged_archives_are_errors_that_people_can_act_on(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    objects = {key: text.encode() for key, text in sorted(bucket_of("unused").items())}
    data = bytearray(
        [
            _tar_of,
            _zip_of,
            lambda m: gzip.compress(_tar_of(m)),
            lambda m: zstandard.compress(_tar_of(m)),
        ][seed % 4](objects)
    )
    for _ in range(chance.randrange(1, 6)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    write(tmp_path / "export.bin", bytes(data[: chance.randrange(len(data) // 2, len(data) + 1)]))
    write(tmp_path / "errors.jsonl", "")
    try:
        exports = read_exports([tmp_path])
    except PopkitError as error:
        said = str(error)
    else:
        said = next(
            item.path for item in (*exports.used, *exports.not_used) if item.path == "export.bin"
        )
    assert said.startswith("export.bin")
