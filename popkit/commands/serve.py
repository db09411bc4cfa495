"""`popkit serve`: a case as the node and the worker that it was collected from, on loopback."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from popkit.command_line.grammar import Number, OneOf, Option, Place, Verb
from popkit.command_line.help import Example
from popkit.command_line.places import case_argument, case_directory
from popkit.errors import EXIT_FINE, UsageError
from popkit.evidence.outside import refuse_inside
from popkit.output import say, tell
from popkit.serving.faults import DEFAULT_RATE, KINDS, Faults
from popkit.serving.limits import MAX_BODY, MAX_CONNECTIONS, Limits
from popkit.texts import Language, Text

if TYPE_CHECKING:
    import ssl

DEFAULT_PORT = 8899

SUMMARY = Text(
    "replay a case as a Solana node and as the worker, on loopback",
    "ケースを Solana ノードと worker として、ループバックで再生",
)
ABOUT = Text(
    "The first line on standard output is the address. Ctrl-C ends it.",
    "標準出力の 1 行目がアドレスです。Ctrl-C で終了します。",
)
HOST = Text(
    "the address to listen on; by default only this machine reaches it",
    "待ち受けるアドレス。既定ではこのマシンからだけ接続できます",
)
PORT = Text(
    "the port to listen on ({default}); 0 takes a free one",
    "待ち受けるポート（{default}）。0 なら空いているポート",
)
STRICT = Text(
    "answer an error, not null, for what the case never collected",
    "ケースに収集されていないものには null でなくエラーを返します",
)
TOKEN = Text(
    "ask for the bearer token in this variable where the worker does",
    "worker が要求するところで、この環境変数のトークンを要求します",
)
BODY = Text("the longest request taken ({default})", "受け付けるリクエストの最大長（{default}）")
CONNECTIONS = Text("the most connections at once ({default})", "同時接続数の上限（{default}）")
CERTIFICATE = Text(
    "serve https with this certificate (PEM); needs --tls-key",
    "この証明書（PEM）で HTTPS を提供します。--tls-key も必要です",
)
KEY = Text("the certificate's key (PEM)", "証明書の鍵（PEM）")
TRACE = Text(
    "append a JSON line for each request there: when it came, what it asked",
    "リクエストごとに時刻と内容の JSON を 1 行ずつ追記するファイル",
)
FAULT = Text(
    "a fault to show (listed below); again for more", "起こす障害（下の一覧）。繰り返し指定できます"
)
FAULT_ON = Text("which of the two peers shows faults (all)", "障害を起こす側（`all`）")
SEED = Text(
    "the same seed and order of requests give the same faults (0)",
    "シードとリクエストの順序が同じなら、同じ障害になります（0）",
)
FAULTS = Text(
    "Faults; rate is the share of requests or of signatures that one takes ({rate}):",
    "障害の種類。`rate` は対象となるリクエストまたは署名の割合（{rate}）:",
)
TOO_SMALL = Text(
    "{option} {value}: expected a number from 1", "{option} {value}: 1 以上の数を指定してください"
)
NO_PORT = Text(
    "--port {value}: expected a number from 0 to 65535",
    "--port {value}: 0 から 65535 の数を指定してください",
)
NO_HOST = Text(
    "--host: expected an address; an empty one would let every machine in",
    "--host: アドレスを指定してください。空にすると、すべてのマシンから接続できてしまいます",
)
NO_TOKEN = Text(
    "--token-env {name}: no such variable is set; put the token there",
    "--token-env {name}: この環境変数は設定されていません。トークンを設定してください",
)
TOGETHER = Text(
    "--tls-cert and --tls-key go together", "--tls-cert と --tls-key は一緒に指定してください"
)
NO_CERTIFICATE = Text(
    "{files}: not a certificate and its key: {why}", "{files}: 証明書とその鍵ではありません: {why}"
)
EXAMPLES = (
    Example(
        "popkit serve data/cases/cutover --port 0",
        Text("on a free port", "空いているポートで再生します"),
    ),
    Example(
        "popkit serve CASE --fault 429 --fault cut:0.2 --seed 7",
        Text("a bad night", "調子の悪い相手を再現します"),
    ),
)


def run(
    case: str,
    host: str,
    port: int,
    strict: bool,
    token_env: str | None,
    max_body: int,
    max_connections: int,
    tls_cert: str | None,
    tls_key: str | None,
    trace: str | None,
    fault: tuple[str, ...],
    fault_on: str,
    seed: int,
) -> int:
    """Serve a case until SIGINT or SIGTERM; the first line on standard output is the address."""
    for name, value in (("--max-body", max_body), ("--max-connections", max_connections)):
        if value < 1:
            raise UsageError(TOO_SMALL(option=name, value=value))
    tls, token = _tls(tls_cert, tls_key), _token(token_env)
    if not host:
        raise UsageError(NO_HOST())
    if not 0 <= port <= 65535:
        raise UsageError(NO_PORT(value=port))
    faults, place = Faults(seed, fault), case_directory(case, "serve")
    if trace is not None:
        refuse_inside(Path(trace), place)
    from popkit.evidence.bundle import Evidence
    from popkit.serving.hindered import Hindered
    from popkit.serving.replay import Replay
    from popkit.serving.server import Server
    from popkit.serving.trace import Trace
    from popkit.serving.worker import WorkerReplay

    evidence = Evidence(place)
    replay = Replay(evidence, strict=strict, note=lambda what: _note(f"not in the case: {what}"))
    worker = WorkerReplay(evidence, token)
    for problem in (*evidence.problems, *replay.ledger.problems, *worker.problems):
        _note(f"{problem}")
    written = Trace(Path(trace) if trace else None)
    try:
        of_node, of_worker = (
            faults if fault_on in ("all", peer) else Faults() for peer in ("rpc", "worker")
        )
        limits = Limits(max_body, max_connections)
        server = Server(Hindered(replay, of_node), worker, of_worker, written, limits)
        asyncio.run(_until_stopped(server.listening(host, port, tls)))
    finally:
        written.close()
    if replay.not_collected:
        count = len(replay.not_collected)
        _note(
            f"{'1 thing was' if count == 1 else f'{count} things were'} asked for that the case "
            f"cannot tell"
        )
    return EXIT_FINE


async def _until_stopped(listening: AbstractAsyncContextManager[str]) -> None:
    """Say the address, and serve until a signal says stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with listening as url:
        say([f"popkit serve: {url}"])
        await stop.wait()


def _note(text: str) -> None:
    tell(f"popkit serve: {text}")


def _token(name: str | None) -> str | None:
    """The bearer token that the environment names; never an argument, as those are seen by every
    process.
    """
    if name is None:
        return None
    token = os.environ.get(name)
    if not token:
        raise UsageError(NO_TOKEN(name=name))
    return token


def _tls(certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    if (certificate is None) != (key is None):
        raise UsageError(TOGETHER())
    if certificate is None:
        return None
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(NO_CERTIFICATE(files=f"{certificate}, {key}", why=error)) from None
    return context


def _fault_list(language: Language) -> list[str]:
    """Every kind of fault with its values, a line each."""
    rows = [
        (":".join([kind.name, *filter(None, [kind.values])]), kind.effect)
        for kind in KINDS.values()
    ]
    return [
        "",
        FAULTS(rate=DEFAULT_RATE).in_language(language),
        *(f"  {words:<22}  {effect}" for words, effect in rows),
    ]


VERB = Verb(
    "serve",
    run,
    [
        case_argument(),
        Option("--host", words=HOST, default="127.0.0.1", metavar="ADDRESS"),
        Option(
            "--port",
            words=PORT(default=DEFAULT_PORT),
            type=Number(),
            default=DEFAULT_PORT,
            metavar="PORT",
        ),
        Option("--strict", words=STRICT, is_flag=True),
        Option("--token-env", words=TOKEN, metavar="NAME"),
        Option(
            "--max-body",
            words=BODY(default=MAX_BODY),
            type=Number(),
            default=MAX_BODY,
            metavar="BYTES",
        ),
        Option(
            "--max-connections",
            words=CONNECTIONS(default=MAX_CONNECTIONS),
            type=Number(),
            default=MAX_CONNECTIONS,
            metavar="N",
        ),
        Option("--tls-cert", words=CERTIFICATE, metavar="FILE", type=Place()),
        Option("--tls-key", words=KEY, metavar="FILE", type=Place()),
        Option("--trace", words=TRACE, metavar="FILE", type=Place()),
        Option("--fault", words=FAULT, multiple=True, metavar="KIND[:VALUE]"),
        Option(
            "--fault-on",
            words=FAULT_ON,
            type=OneOf(("all", "rpc", "worker")),
            default="all",
            metavar="all|rpc|worker",
        ),
        Option("--seed", words=SEED, type=Number(), default=0, metavar="N"),
    ],
    order=20,
    summary=SUMMARY,
    about=ABOUT,
    examples=EXAMPLES,
    epilogue=_fault_list,
    prints=False,
)
