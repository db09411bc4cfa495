"""Keys and tokens turn up nowhere: not in a case, not in what is said, not in an exception,
whatever the peers do.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from popkit.cli import main
from popkit.collecting.address import Address, bearer, read_address
from popkit.collecting.node import Node
from popkit.collecting.peer import Conduct, Peer
from popkit.collecting.progress import Progress
from popkit.collecting.state import State
from popkit.collecting.workspace import Workspace
from popkit.errors import UsageError
from popkit.evidence.custody import check_custody, read_custody
from popkit.evidence.layout import CUSTODY
from tests.collecting.collected import header_of
from tests.collecting.scripted import Request, http, scripted
from tests.conftest import CASES
from tests.interrupts import started
from tests.serving.certificate import write_certificate
from tests.serving.harness import served

CASE = "unused"
SECRETS = {
    "path": "pathkey-7f3a9c1e5b",
    "query": "querykey-1b2c3d4e5f",
    "user": "userkey-aa11bb22cc",
    "password": "passkey-dd33ee44ff",
    "header": "headerkey-0a9b8c7d6e",
    "token": "tokenkey-9e8d7c6b5a",
}
VARIABLES = {"POPKIT_TEST_HEADER": SECRETS["header"], "POPKIT_TEST_TOKEN": SECRETS["token"]}


def with_secrets(url: str) -> str:
    """The URL with a key in every place where providers put them."""
    scheme, _, host = url.partition("://")
    return f"{scheme}://{SECRETS['user']}:{SECRETS['password']}@{host}/v2/{SECRETS['path']}/?api-key={SECRETS['query']}"


def run(
    *args: str | Path, env: dict[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[bytes]:
    """Run the command line as a user would, with variables of its own, tracebacks shown."""
    known = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environment = {**known, "POPKIT_TRACEBACK": "1", **(VARIABLES if env is None else env)}
    command = [sys.executable, "-m", "popkit.cli", *map(str, args)]
    return subprocess.run(
        command, capture_output=True, timeout=timeout, check=False, env=environment
    )


def collect(
    out: Path, *args: str | Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    quick = ("--rate", "9999", "--limit", "every=9999", "--attempts", "1", "--timeout", "5")
    return run(
        "collect", "--grant", header_of(CASE)["grants"][0], "--out", out, *quick, *args, env=env
    )


def refused(capfd: pytest.CaptureFixture[str], out: Path, *args: str) -> tuple[int, bytes]:
    """The exit code and all that is said of a command that is refused before anything is asked; in
    this process, as that is quick.
    """
    try:
        code = main(["collect", "--grant", header_of(CASE)["grants"][0], "--out", str(out), *args])
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert list(out.parent.iterdir()) == [], "nothing was begun"
    return code, "".join(capfd.readouterr()).encode()


def all_to(url: str) -> list[str]:
    return [
        *("--rpc", with_secrets(url), "--rpc-header", "X-Api-Key=POPKIT_TEST_HEADER"),
        *("--worker", url, "--worker-token-env", "POPKIT_TEST_TOKEN"),
    ]


def forms(secret: str) -> list[bytes]:
    pair = base64.b64encode(f"{SECRETS['user']}:{SECRETS['password']}".encode())
    return [secret.encode(), base64.b64encode(secret.encode()).rstrip(b"="), pair]


def leaks(folder: Path, *said: bytes) -> list[str]:
    """Where a secret stands: in any byte below a folder, names included, or in anything that was
    said.
    """
    texts = {f"said {number}": text for number, text in enumerate(said)}
    for path in folder.rglob("*"):
        texts[f"the name of {path.name}"] = path.name.encode()
        if path.is_file():
            texts[str(path.relative_to(folder))] = path.read_bytes()
    return [
        f"{kind} in {where}"
        for where, text in texts.items()
        for kind, secret in SECRETS.items()
        if any(f in text for f in forms(secret))
    ]


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "made"
    folder.mkdir()
    yield folder / "case"
    assert leaks(folder) == []


def test_a_whole_collection_keeps_its_keys_to_itself(out: Path) -> None:
    with served(
        CASES / CASE, "--token-env", "TOKEN", env={**os.environ, "TOKEN": SECRETS["token"]}
    ) as url:
        done = collect(out, *all_to(url), "--second-rpc", with_secrets(url))
        assert (done.returncode, done.stderr.decode()) == (0, done.stderr.decode())
        assert leaks(out, done.stdout, done.stderr) == []
        assert (out / "worker/audit-logs.json").is_file(), "the token was sent where it was needed"
        assert url.encode() in (out / "case.json").read_bytes(), "who was asked is said"
        dry = collect(out.with_name("other"), *all_to(url), "--dry-run")
        assert (dry.returncode, leaks(out, dry.stdout, dry.stderr)) == (0, [])
        assert url.encode() in dry.stdout


@pytest.mark.parametrize(
    "fault",
    [
        "redirect:1:http://elsewhere.invalid/{path}?k={query}",
        "html:1",
        "drop:1",
        "server-error:1",
        "cut:1",
        "wrong-type:1",
        "wrong-ids:1",
    ],
    ids=lambda fault: fault.partition(":")[0],
)
def test_no_failure_says_a_key(fault: str, out: Path) -> None:
    with served(CASES / CASE, "--fault", fault.format(**SECRETS)) as url:
        done = collect(out, *all_to(url))
    assert done.returncode == 3
    assert b"the same command goes on" in done.stderr
    assert b"Traceback" not in done.stderr
    assert out.with_name("case.collecting").is_dir()
    assert leaks(out.parent, done.stdout, done.stderr) == []


def test_neither_tls_nor_a_closed_port_says_a_key(out: Path, tmp_path: Path) -> None:
    cert, key = write_certificate(tmp_path)
    with served(CASES / CASE, "--tls-cert", cert, "--tls-key", key) as url:
        done = collect(out, *all_to(url))
    assert done.returncode == 3
    assert b"tls_failed" in done.stderr
    assert leaks(out.parent, done.stdout, done.stderr) == []
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    done = collect(out.with_name("second"), *all_to(f"http://127.0.0.1:{port}"))
    assert done.returncode == 3
    assert b"no_connection" in done.stderr
    assert leaks(out.parent, done.stdout, done.stderr) == []


def test_an_interrupted_run_says_no_key(out: Path) -> None:
    with served(CASES / CASE, "--fault", "slow:2") as url:
        command = [
            "collect",
            "--grant",
            header_of(CASE)["grants"][0],
            "--out",
            str(out),
            *all_to(url),
        ]
        environment = {**os.environ, **VARIABLES, "POPKIT_TRACEBACK": "1"}
        with started(*command, env=environment) as process:
            record = out.with_name("case.collecting") / "custody.jsonl"
            for _ in range(600):
                if record.is_file() and b'"ask"' in record.read_bytes():
                    break
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"the same command goes on" in said[1]
    assert leaks(out.parent, *said) == []


MALFORMED = [
    "{path}",
    "{host}/v2/{path}?k={query}",
    "//{user}:{password}@{host}/{path}",
    "ftp://{user}:{password}@{host}/{path}",
    "{query}://{host}/",
    "https//{host}/{path}",
    "https:///{path}",
    "http://[{path}",
    "https://{host}:{query}/{path}",
    "https://{user}:{password}@/{path}?{query}",
    "http://rpc.example/{path} {query}\n",
]


@pytest.mark.parametrize("flag", ["--rpc", "--second-rpc", "--worker"])
def test_a_url_that_is_none_is_not_quoted(
    flag: str, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for text in MALFORMED[:-1]:
        url = text.format(host="rpc.example", **SECRETS)
        code, said = refused(
            capfd, out, *([] if flag == "--rpc" else ["--rpc", "http://127.0.0.1:1"]), flag, url
        )
        assert (code, leaks(out.parent, said)) == (2, [])


@pytest.mark.parametrize("text", MALFORMED)
def test_nor_is_any_part_of_it_in_the_exception(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = text.format(host="rpc.example", **SECRETS)
    monkeypatch.setenv("POPKIT_TEST_URL", url)
    for given in (url, "env:POPKIT_TEST_URL"):
        try:
            address = read_address(given)
        except UsageError as error:
            said = str(error) + repr(error)
            whole = "".join(traceback.format_exception(error))
        else:
            said = whole = f"{address} {address!r} {address.shown} {[address]}"
        for secret in SECRETS.values():
            assert secret[:8] not in said, "not even the beginning of it"
            assert secret not in whole
        if given.startswith("env:") and "not an http" in said:
            assert "env:POPKIT_TEST_URL" in said


@pytest.mark.parametrize(
    ("args", "name"),
    [
        (["--rpc", "env:POPKIT_NOT_SET"], b"POPKIT_NOT_SET"),
        (
            ["--rpc", "https://rpc.example", "--rpc-header", "X-Key=POPKIT_NOT_SET"],
            b"POPKIT_NOT_SET",
        ),
        (
            ["--worker", "https://worker.example", "--worker-token-env", "POPKIT_NOT_SET"],
            b"POPKIT_NOT_SET",
        ),
        (
            ["--worker", "https://worker.example", "--worker-token-env", "POPKIT_EMPTY"],
            b"POPKIT_EMPTY",
        ),
        (
            ["--worker", "https://worker.example", "--worker-token-env", "POPKIT_LINES"],
            b"POPKIT_LINES",
        ),
    ],
)
def test_a_variable_that_is_not_there_is_named(
    args: list[str],
    name: bytes,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("POPKIT_EMPTY", " ")
    monkeypatch.setenv("POPKIT_LINES", f"{SECRETS['token']}\nX: y")
    code, said = refused(capfd, out, *args)
    assert code == 2
    assert name in said
    assert leaks(out.parent, said) == []


@pytest.mark.parametrize(
    "args",
    [
        ["--rpc", "https://rpc.example", "--rpc-header", f"X-Key={SECRETS['header']}"],
        ["--rpc", "https://rpc.example", "--rpc-header", f"X-Key: {SECRETS['header']}"],
        ["--rpc", "https://rpc.example", "--rpc-header", f"{SECRETS['header']} "],
        ["--rpc", "https://rpc.example", "--rpc-header", f"Bearer {SECRETS['header']}=x"],
        ["--worker", "https://worker.example", "--worker-token-env", SECRETS["token"]],
        ["--rpc", f"env:{SECRETS['path']}"],
    ],
)
def test_a_secret_given_where_its_name_belongs_is_not_quoted(
    args: list[str], out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, said = refused(capfd, out, *args)
    assert (code, leaks(out.parent, said)) == (2, [])


@pytest.mark.parametrize(
    "args",
    [
        ["--worker", "http://worker.example", "--worker-token-env", "POPKIT_TEST_TOKEN"],
        ["--rpc", "http://rpc.example", "--rpc-header", "X-Key=POPKIT_TEST_HEADER"],
        ["--rpc", "http://{user}:{password}@rpc.example"],
        ["--rpc", "http://{user}@rpc.example"],
        ["--rpc", "http://127.0.0.1.rpc.example", "--rpc-header", "X-Key=POPKIT_TEST_HEADER"],
    ],
)
def test_no_secret_travels_unencrypted(
    args: list[str], out: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    code, said = refused(capfd, out, *[text.format(**SECRETS) for text in args])
    assert code == 2
    assert b"would travel unencrypted; use https" in said
    assert leaks(out.parent, said) == []


def test_a_missing_variable_ends_the_command_itself_with_two(out: Path) -> None:
    done = collect(out, *all_to("https://rpc.example"), env={})
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"POPKIT_TEST_TOKEN" in done.stderr
    assert leaks(out.parent, done.stderr) == []


# Echoes


def test_a_peer_that_echoes_what_it_was_sent_gets_no_key_into_the_case(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In raw answers, which are kept as they came otherwise; the custody record says how often, and
    digests the body as it came.
    """
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    sent: list[bytes] = []

    async def echo(request: Request, writer: asyncio.StreamWriter) -> None:
        headers = dict(line.partition(": ")[::2] for line in request.head.splitlines()[1:] if line)
        said = {
            "path": request.head.split(" ")[1],
            "headers": headers,
            "status": "finalized mainnet",
        }
        body = json.dumps({"jsonrpc": "2.0", "id": 0, "result": said}).encode()
        sent.append(body)
        writer.write(http(body))

    async def asked() -> None:
        async with scripted(echo) as peer, aiohttp.ClientSession() as session:
            by_url = read_address(
                f"{with_secrets(peer.url)}&commitment=finalized", {"X-Key": "POPKIT_TEST_HEADER"}
            )
            by_token = bearer(read_address(peer.url), "POPKIT_TEST_TOKEN")
            for step, address in (("one", by_url), ("two", by_token)):
                node = Node(Peer("rpc", address, session, work, Conduct()), 1)
                assert (
                    await State(node, work, Progress(None), "").one(step, "getGenesisHash", [])
                ).ok

    work = Workspace(out, {"grants": []})
    try:
        asyncio.run(asked())
    finally:
        work.close()
    assert leaks(work.root) == []
    kept = (work.root / "rpc/node.jsonl").read_text()
    assert "…" in kept
    assert "finalized mainnet" in kept, "a word of the address that is no key stays"
    answers = [
        record
        for _, _, record in read_custody(work.root / CUSTODY)
        if record.get("kind") == "answer"
    ]
    assert all(answer["secrets_replaced"] >= 1 for answer in answers)
    assert [answer["response"]["sha256"] for answer in answers] == [
        hashlib.sha256(body).hexdigest() for body in sent
    ]
    assert [answer["response"]["bytes"] for answer in answers] == [len(body) for body in sent]
    assert check_custody(work.root) == []


def test_an_answer_without_a_secret_is_kept_to_the_byte() -> None:
    address = Address(with_secrets("https://rpc.example"), (("X-Key", "short"),))
    for body in (b"", b'{"status":"short finalized"}', "…".encode()):
        assert address.replaced_in(body) == (body, 0)


# Addresses


def test_an_address_shows_its_host_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POPKIT_TEST_HEADER", SECRETS["header"])
    monkeypatch.setenv("POPKIT_TEST_TOKEN", SECRETS["token"])
    address = bearer(
        read_address(with_secrets("https://rpc.example:8443"), {"X-Key": "POPKIT_TEST_HEADER"}),
        "POPKIT_TEST_TOKEN",
    )
    assert str(address) == address.shown == "https://rpc.example:8443"
    assert repr(address) == "Address()"
    assert set(SECRETS.values()) <= set(address.secrets())
    said = address.without_secrets(
        f"no such key: {with_secrets('https://rpc.example')} {dict(address.headers)}"
    )
    assert not any(secret in said for secret in SECRETS.values())
    assert dict(address.headers) == {
        "X-Key": SECRETS["header"],
        "Authorization": f"Bearer {SECRETS['token']}",
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://rpc.example", "https://rpc.example"),
        ("http://[::1]:8899/x", "http://[::1]:8899"),
        (
            "https://0123456789abcdef0123.solana-mainnet.example/key/",
            "https://….solana-mainnet.example",
        ),
        ("https://docs-demo.solana-mainnet.example", "https://docs-demo.solana-mainnet.example"),
    ],
)
def test_a_key_in_a_host_name_is_left_out(url: str, shown: str) -> None:
    assert read_address(url).shown == shown


def test_a_path_below_an_address_keeps_the_query_that_lets_one_in() -> None:
    for url, path, whole in (
        ("https://w.example", "/v1/x", "https://w.example/v1/x"),
        ("https://w.example/", "/v1/x?limit=2", "https://w.example/v1/x?limit=2"),
        (
            "https://w.example/base/?key=k",
            "/v1/x?limit=2",
            "https://w.example/base/v1/x?key=k&limit=2",
        ),
        ("https://w.example/?key=k", "/v1/x", "https://w.example/v1/x?key=k"),
        ("https://u:p@w.example/v2/k/?a=b", "", "https://u:p@w.example/v2/k/?a=b"),
    ):
        assert Address(url).below(path) == whole
