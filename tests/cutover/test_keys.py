"""Keys: read from safe places alone, every signature checked, and no secret where anybody looks:
repr, errors, locals, logs, processes.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import os
import pickle
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pybase64 import b64encode
from rich.console import Console
from rich.traceback import Traceback
from solders.keypair import Keypair

from popkit.cutover.errors import Stopped
from popkit.cutover.signing.keyfile import WHY_NOT, _parsed
from popkit.cutover.signing.keys import CommandSigner, FileSigner, KeyRefused, read_key
from popkit.protocol.keys import b58encode, verify_strict

SEED = bytes(range(101, 133))
PAIR = Keypair.from_seed(SEED)
RAW = bytes(PAIR)
OTHER = Keypair.from_seed(bytes(range(7, 39)))
PUBLIC = str(PAIR.pubkey())
MESSAGE = b"\x01\x00\x02 a message" * 20
VARIABLE = "POPKIT_TEST_KEY"
FORMS = [
    str(PAIR),
    RAW.hex(),
    SEED.hex(),
    b64encode(RAW).decode(),
    b58encode(SEED),
    repr(SEED)[2:-1],
]
"""What the secret looks like in what people and programs print."""
OWN = ("/popkit/cutover/signing/keys.py", "/popkit/cutover/signing/keyfile.py")
NUMBERS = [",".join(map(str, SEED[at : at + 4])) for at in range(0, 32, 4)]
"""Numbers of the secret in a row: pages cut long lists."""


def leaks(text: str) -> list[str]:
    """Which forms of the secret a text holds, numbers also where a page breaks or indents them; and
    a Keypair's own repr.
    """
    flat = re.sub(r"[\s│]+", "", text)
    forms = [form for form in FORMS if form in text or re.sub(r"\s+", "", form) in flat]
    return forms + [form for form in (*NUMBERS, "SigningKey", "secret_key:") if form in flat]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that no repository is above."""
    place = tmp_path / "keys"
    place.mkdir(mode=0o700)
    return place


@pytest.fixture
def key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good key file, which the variable names."""
    path = folder / "id.json"
    written(path)
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def written(path: Path, text: str | bytes = json.dumps(list(RAW)), mode: int = 0o600) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def refusal(reference: str = f"env:{VARIABLE}", run: Path | None = None) -> KeyRefused:
    """Why a reference is refused: it says so in both languages, with what to do and without what
    the file or the variable holds.
    """
    with pytest.raises(KeyRefused) as stopped:
        read_key(reference, "authority", run)
    error = stopped.value
    assert error.exit_code == 2
    shown = "".join(
        error.in_language(language) + "".join(error.lines_in(language)) for language in ("en", "ja")
    )
    path = os.environ.get(VARIABLE, "")
    assert not path or path not in shown
    for text in (shown, repr(error), str(error.args), *printed(error)):
        assert leaks(text) == []
    return error


def printed(error: BaseException) -> list[str]:
    """An error as Python, rich and IPython print it, with the locals of popkit's own frames, and of
    everything that it hides.
    """
    pages = ["".join(traceback.format_exception(error))]
    link: BaseException | None = error
    while link is not None:
        summary = traceback.TracebackException.from_exception(link, capture_locals=True)
        pages += [str(frame.locals) for frame in summary.stack if frame.filename.endswith(OWN)]
        link = link.__context__
    console = Console(file=io.StringIO(), width=300)
    # pytest's own frames hold what a test wrote down: only popkit's are shown with their locals.
    suppressed = [
        sys.modules[name]
        for name in ("_pytest", "pluggy", "tests.cutover.test_keys")
        if name in sys.modules
    ]
    console.print(
        Traceback.from_exception(
            type(error), error, error.__traceback__, show_locals=True, suppress=suppressed
        )
    )
    pages.append(console.file.getvalue())  # type: ignore[attr-defined]
    return pages


# --- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(list(RAW)),
        str(list(RAW)).replace(" ", ""),
        f"\n{json.dumps(list(RAW), indent=1)}\n",
    ],
)
def test_a_keygen_file_signs(key: Path, text: str) -> None:
    written(key, text)
    signer = read_key(f"env:{VARIABLE}", "authority", key.parent.parent / "run")
    assert (signer.public_key, signer.reference) == (PUBLIC, f"env:{VARIABLE}")
    signature = signer.sign(MESSAGE)
    assert len(signature) == 64
    assert verify_strict(bytes(PAIR.pubkey()), MESSAGE, signature)


def test_a_signer_shows_role_and_public_key_and_can_be_neither_copied_nor_pickled(
    key: Path,
) -> None:
    signer = read_key(f"env:{VARIABLE}", "authority", None)
    assert repr(signer) == str(signer) == f"{signer}" == f"<signer authority {PUBLIC}>"
    assert not hasattr(signer, "__dict__")
    for name in FileSigner.__slots__:
        assert leaks(repr(getattr(signer, name))) == []
    for act in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError) as refused:
            act(signer)
        assert leaks("".join(printed(refused.value))) == []


def short(path: Path) -> None:
    written(path, json.dumps(list(RAW[:63])))


def long(path: Path) -> None:
    written(path, json.dumps([*RAW, 1]))


def mixed(path: Path) -> None:
    written(path, json.dumps([*SEED, *bytes(OTHER.pubkey())]))


def linked(path: Path) -> None:
    path.rename(path.with_name("real.json"))
    path.symlink_to("real.json")


def linked_hard(path: Path) -> None:
    os.link(path, path.with_name("second.json"))


def group(path: Path) -> None:
    path.chmod(0o640)


def others(path: Path) -> None:
    path.chmod(0o604)


def others_write(path: Path) -> None:
    path.chmod(0o602)


def gone(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def of_another(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a file can be given to somebody else by root alone")
    os.chown(path, 12345, -1)


def in_git(path: Path) -> None:
    (path.parent.parent / ".git").write_text("gitdir: elsewhere\n")


def in_mercurial(path: Path) -> None:
    (path.parent / ".hg").mkdir()


def in_bare_git(path: Path) -> None:
    for name in ("objects", "refs"):
        (path.parent / name).mkdir()
    (path.parent / "HEAD").write_text("ref: refs/heads/main\n")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (short, "key_form"),
        (long, "key_form"),
        (mixed, "key_public_half"),
        (linked, "key_link"),
        (linked_hard, "key_link"),
        (group, "key_open_to_others"),
        (others, "key_open_to_others"),
        (others_write, "key_open_to_others"),
        (gone, "key_no_file"),
        (a_folder, "key_not_a_file"),
        (a_pipe, "key_not_a_file"),
        (of_another, "key_of_another"),
        (in_git, "key_in_repository"),
        (in_mercurial, "key_in_repository"),
        (in_bare_git, "key_in_repository"),
    ],
)
def test_an_unsafe_or_wrong_file_is_refused(
    key: Path, spoil: Callable[[Path], None], code: str
) -> None:
    spoil(key)
    assert refusal().code == code
    assert code in WHY_NOT


def test_a_file_in_the_run_is_refused_also_by_a_linked_folder(
    key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = key.parent
    assert refusal(run=run).code == "key_in_run"
    assert refusal(run=run.parent).code == "key_in_run"
    (tmp_path / "elsewhere").symlink_to(run)
    assert refusal(run=tmp_path / "elsewhere").code == "key_in_run"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "elsewhere" / key.name))
    assert refusal(run=run).code == "key_in_run"
    assert read_key(f"env:{VARIABLE}", "authority", tmp_path / "other").public_key == PUBLIC


def test_a_linked_folder_into_a_repository_is_seen_through(
    key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key.parent / ".git").mkdir()
    (tmp_path / "outside").symlink_to(key.parent)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "outside" / key.name))
    assert refusal().code == "key_in_repository"


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "[1", "null", str(PAIR), json.dumps({"key": list(RAW)}), json.dumps([list(RAW)]), json.dumps(list(RAW))[:-1] + ",]",
        json.dumps(list(RAW)) + "x", json.dumps(list(RAW)) + "[]", json.dumps([*RAW[:63], 256]), json.dumps([*RAW[:63], -1]),
        json.dumps([*RAW[:63], 1.0]), json.dumps([*RAW[:63], "1"]), json.dumps(list(RAW)).replace("101", "0101", 1),
        json.dumps(list(RAW)).replace(", ", " ", 1), json.dumps(list(RAW)).replace(", ", ",,", 1), " " * 5000 + json.dumps(list(RAW)),
        "\ufeff" + json.dumps(list(RAW)), json.dumps(list(RAW)).replace("101", "10 1", 1),
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_refused(key: Path, text: str) -> None:
    written(key, text)
    assert refusal().code == "key_form"


@settings(max_examples=60, deadline=None)
@given(
    st.binary(min_size=64, max_size=64),
    st.sampled_from([None, 0, 2]),
    st.text("[], 019x\n", max_size=3),
    st.integers(0, 300),
)
def test_the_hand_made_reader_agrees_with_json(
    raw: bytes, indent: int | None, junk: str, at: int
) -> None:
    text = json.dumps(list(raw), indent=indent)
    text = text[:at] + junk + text[at:]
    try:
        value = json.loads(text)
        expected = (
            bytes(value)
            if isinstance(value, list)
            and all(type(item) is int for item in value)
            and len(value) == 64
            else None
        )
    except (ValueError, TypeError):
        expected = None
    read = memoryview(bytearray(64))
    assert _parsed(memoryview(text.encode()), read) is (expected is not None)
    assert expected is None or bytes(read) == expected


def test_buffers_are_overwritten_whether_the_key_is_good_or_not(
    key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from popkit.cutover.signing import keyfile

    views: list[memoryview] = []

    def watched(text: memoryview, raw: memoryview) -> bool:
        views.extend((text, raw))
        return _parsed(text, raw)

    monkeypatch.setattr(keyfile, "_parsed", watched)
    read_key(f"env:{VARIABLE}", "authority", None)
    mixed(key)
    refusal()
    assert len(views) == 4
    assert not any(any(view) for view in views)


@pytest.mark.parametrize(
    "reference",
    [
        f"env:{VARIABLE}",
        "env:",
        "env:not a name",
        "",
        "file:/x",
        str(PAIR),
        f"env:{PAIR}",
        f"env:{b58encode(SEED)}",
        "cmd:sign",
        "cmd:",
    ],
)
def test_what_is_no_reference_is_refused_and_not_shown(
    reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(KeyRefused) as stopped:
        read_key(reference, "authority", None)
    error = stopped.value
    for text in printed(error):
        assert leaks(text) == []
    assert error.code == ("key_not_set" if reference == f"env:{VARIABLE}" else "key_reference")
    shown = str(error) + "".join(error.lines_in("en"))
    assert leaks(shown) == []
    assert "env:NAME" in shown


# --- programs ----------------------------------------------------------------------------------------------------------

SIGNING = """
import base64, sys
from solders.keypair import Keypair
message = base64.b64decode(sys.stdin.readline())
signature = Keypair.from_seed(bytes(range({first}, {first} + 32))).sign_message(message)
print({shown})
"""
BASE64 = "base64.b64encode(bytes(signature)).decode()"
PLANTED = "printed-3f9a7c1e5b2d"


def program(folder: Path, text: str, *words: str) -> str:
    """A reference to a Python program that signs."""
    path = folder / "sign it.py"
    path.write_text(text)
    return f"cmd:{PUBLIC}:'{sys.executable}' '{path}' {' '.join(words)}"


def stop_of(signer: Any) -> Stopped:
    with pytest.raises(Stopped) as stopped:
        signer.sign(MESSAGE)
    error = stopped.value
    assert error.exit_code == 1
    assert error.lines_in("en")
    assert error.lines_in("ja")
    shown = "".join([*printed(error), repr(error), error.in_language("ja"), *error.lines_in("ja")])
    assert PLANTED not in shown, "what a program prints is never shown"
    return error


@pytest.mark.parametrize("shown", [BASE64, "signature", "f'\\n  {signature}  '"])
def test_a_program_signs(folder: Path, shown: str) -> None:
    signer = read_key(program(folder, SIGNING.format(first=101, shown=shown)), "authority", None)
    assert (signer.public_key, signer.reference) == (PUBLIC, f"cmd:{PUBLIC}")
    assert repr(signer) == f"<signer authority {PUBLIC}>"
    assert verify_strict(bytes(PAIR.pubkey()), MESSAGE, signer.sign(MESSAGE))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (SIGNING.format(first=7, shown=BASE64), "signature_wrong"),
        (SIGNING.format(first=101, shown=f"'{PLANTED}', signature"), "signer_answer"),
        (SIGNING.format(first=101, shown=f"{BASE64}.rstrip('=')"), "signer_answer"),
        (SIGNING.format(first=101, shown="bytes(signature).hex()"), "signer_answer"),
        (SIGNING.format(first=101, shown="''"), "signer_answer"),
        (f"while True: print('{PLANTED}' * 999)", "signer_answer"),
        (
            f"import sys; sys.stdout.buffer.write(bytes(range(256))); print('{PLANTED}')",
            "signer_answer",
        ),
        (
            f"import sys; print('{PLANTED}'); print('{PLANTED}', file=sys.stderr); sys.exit(3)",
            "signer_failed",
        ),
        (f"raise SystemExit('{PLANTED}')", "signer_failed"),
        ("import os; os.kill(os.getpid(), 9)", "signer_failed"),
    ],
)
def test_an_answer_that_is_no_good_signature_is_refused(
    folder: Path, capfd: pytest.CaptureFixture[str], text: str, code: str
) -> None:
    assert stop_of(read_key(program(folder, text), "authority", None)).code == code
    assert PLANTED not in "".join(capfd.readouterr())


def test_a_program_that_hangs_is_ended_with_all_that_it_started(folder: Path) -> None:
    import psutil

    sleeping = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    text = (
        f"import subprocess, sys, time\nstarted = subprocess.Popen({sleeping})\n"
        f"print(started.pid, file=open({str(folder / 'pid')!r}, 'w'), "
        f"flush=True)\nprint('{PLANTED}')\ntime.sleep(60)"
    )
    assert (
        stop_of(read_key(program(folder, text), "authority", None, seconds=2.0)).code
        == "signer_too_late"
    )
    pid = int((folder / "pid").read_text())
    if psutil.pid_exists(pid):
        psutil.Process(pid).wait(10)  # it was killed a moment ago; TimeoutExpired where it was not


def test_a_program_that_is_not_there_is_said_without_its_path(folder: Path) -> None:
    error = stop_of(read_key(f"cmd:{PUBLIC}:{folder / PLANTED} --pin {PLANTED}", "authority", None))
    assert error.code == "signer_not_started"


@pytest.mark.parametrize("command", ["", "   ", "sign 'it"])
def test_a_command_that_is_none_is_refused(command: str) -> None:
    error = refusal(f"cmd:{PUBLIC}:{command}")
    assert error.code == "key_reference"
    assert not command.strip() or not any(command in text for text in printed(error))


def test_no_shell_reads_the_command(folder: Path) -> None:
    signer = read_key(
        f"cmd:{PUBLIC}:{sys.executable} -c pass ; touch {folder / 'made'} $(touch "
        f"{folder / 'made'})",
        "authority",
        None,
    )
    assert stop_of(signer).code == "signer_answer"
    assert not (folder / "made").exists()


def test_a_command_is_neither_shown_nor_pickled() -> None:
    signer = CommandSigner("authority", PUBLIC, ["sign", PLANTED])
    assert PLANTED not in f"{signer!r}{signer}{signer.reference}"
    with pytest.raises(TypeError):
        pickle.dumps(signer)


# --- where people look -------------------------------------------------------------------------------------------------


def test_nothing_is_logged_and_nothing_of_the_key_is_in_the_process_list(
    key: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    reading = "import os; print(open('/proc/self/cmdline').read(), open(f'/proc/{os.getppid()}/cmdline').read())"
    signer = read_key(f"env:{VARIABLE}", "authority", None)
    signer.sign(MESSAGE)
    logging.getLogger("popkit").debug("signed by %s, %r", signer, signer)
    shown = subprocess.run(
        [sys.executable, "-c", reading], capture_output=True, text=True, check=True
    ).stdout
    assert leaks(shown + caplog.text) == []


BREAKING = """
import sys
from pathlib import Path
from popkit.cutover.signing import keyfile
from popkit.cutover.signing import keys
from popkit.cutover.signing.keys import read_key
{setting}
def act():
    signer = read_key("env:{variable}", "authority", None)
    signer.sign(b"x")
    raise RuntimeError("after it signed")
act()
"""
SETTINGS = {
    "rich": "from rich.traceback import install; install(show_locals=True, width=400)",
    "ipython": "from IPython.core.ultratb import VerboseTB; sys.excepthook = "
    "VerboseTB(theme_name='nocolor')",
}
BREAKS = {
    "after": "",
    "parsing": (
        "parsed = keyfile._parsed\ndef broken(text, raw):\n    parsed(text, raw); raise "
        "MemoryError('no room')\nkeyfile._parsed = broken"
    ),
    "making": "class Broken:\n    from_seed = staticmethod(lambda seed: 1 / 0)\nkeys.Keypair = "
    "Broken",
    "checking": "keys.verify_strict = lambda *given: False",
}


def ended_with(folder: Path, text: str) -> str:
    """What a script prints that ends with an exception."""
    script = written(folder / "act.py", text)
    environment = {**os.environ, "POPKIT_TRACEBACK": "1"}
    ended = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment, check=False
    )
    assert ended.returncode == 1
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("hook", SETTINGS)
@pytest.mark.parametrize("broken", BREAKS)
def test_a_traceback_with_every_local_shows_no_secret(key: Path, hook: str, broken: str) -> None:
    shown = ended_with(
        key.parent,
        BREAKING.format(setting=f"{SETTINGS[hook]}\n{BREAKS[broken]}", variable=VARIABLE),
    )
    assert "read_key" in shown, "the frames are there"
    assert leaks(shown) == []


@pytest.mark.parametrize("hook", SETTINGS)
@pytest.mark.parametrize(
    "held",
    [
        "Keypair.from_seed(bytes(range(101, 133)))",
        "bytes(range(101, 133))",
        "list(range(101, 133))",
    ],
)
def test_such_a_traceback_does_show_what_a_careless_frame_holds(
    folder: Path, hook: str, held: str
) -> None:
    """What the test above is worth."""
    text = f"import sys\nfrom solders.keypair import Keypair\n{SETTINGS[hook]}\ndef act():\n    key = {held}\n    1 / (key and 0)\nact()\n"
    assert leaks(ended_with(folder, text)) != []
