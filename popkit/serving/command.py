"""`popkit serve`: its arguments, and running it until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import ssl
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from popkit.errors import EXIT_FINE, MissingLibrary, UsageError
from popkit.output import say, tell
from popkit.serving.faults import DEFAULT_RATE, KINDS, Faults
from popkit.serving.limits import MAX_BODY, MAX_CONNECTIONS, Limits

DEFAULT_PORT = 8899


def add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `popkit serve` takes to a parser, and the list of faults to its help."""
    parser.formatter_class, parser.epilog = argparse.RawDescriptionHelpFormatter, _fault_list()
    parser.add_argument("case", help="a case directory")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on; by default only this machine reaches it")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"the port to listen on ({DEFAULT_PORT}); 0 takes a free one")
    parser.add_argument("--strict", action="store_true", help="answer an error, not null, for what the case never collected")
    parser.add_argument("--token-env", metavar="NAME", help="ask for the bearer token in this variable where the worker does")
    parser.add_argument("--max-body", type=int, default=MAX_BODY, metavar="BYTES", help=f"the longest request taken ({MAX_BODY})")
    parser.add_argument(
        "--max-connections", type=int, default=MAX_CONNECTIONS, metavar="N", help=f"the most connections at once ({MAX_CONNECTIONS})"
    )
    parser.add_argument("--tls-cert", metavar="FILE", help="serve https with this certificate (PEM); needs --tls-key")
    parser.add_argument("--tls-key", metavar="FILE", help="the certificate's key (PEM)")
    parser.add_argument("--trace", metavar="FILE", help="append a JSON line for each request there: when it came, what it asked")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="KIND[:VALUE]", help="a fault to show (listed below); again for more"
    )
    parser.add_argument("--fault-on", choices=("all", "rpc", "worker"), default="all", help="which of the two peers shows faults (all)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed and order of requests give the same faults (0)")


def _fault_list() -> str:
    """Every kind of fault with its values, a line each."""
    rows = [(":".join([kind.name, *filter(None, [kind.values])]), kind.effect) for kind in KINDS.values()]
    lines = [f"  {words:<22} {effect}" for words, effect in rows]
    return "\n".join([f"faults; rate is the share of requests or of signatures that one takes ({DEFAULT_RATE}):", *lines])


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; the first line on standard output is the address. Raises PopkitError."""
    from popkit.evidence.bundle import Evidence
    from popkit.serving.hindered import Hindered
    from popkit.serving.replay import Replay
    from popkit.serving.trace import Trace
    from popkit.serving.worker import WorkerReplay

    try:
        from popkit.serving.server import Server
    except ModuleNotFoundError as error:
        raise MissingLibrary("popkit serve", error) from error
    tls, token, limits = _tls(args), _token(args), Limits(_at_least_one(args, "max_body"), _at_least_one(args, "max_connections"))
    if not args.host:
        raise UsageError("--host: expected an address; an empty one would let every machine in")
    if not 0 <= args.port <= 65535:
        raise UsageError(f"--port {args.port}: expected a number from 0 to 65535")
    faults = Faults(args.seed, args.fault)
    evidence = Evidence(args.case)
    if args.trace and Path(os.path.realpath(args.trace)).is_relative_to(os.path.realpath(args.case)):
        raise UsageError(f"{args.trace}: lies inside the case, which is read-only evidence; choose a place outside it")
    replay = Replay(evidence, strict=args.strict, note=lambda what: _note(f"not in the case: {what}"))
    worker = WorkerReplay(evidence, token)
    for problem in (*evidence.problems, *replay.ledger.problems, *worker.problems):
        _note(f"{problem}")
    trace = Trace(Path(args.trace) if args.trace else None)
    try:
        of_node, of_worker = (faults if args.fault_on in ("all", peer) else Faults() for peer in ("rpc", "worker"))
        server = Server(Hindered(replay, of_node), worker, of_worker, trace, limits)
        asyncio.run(_serve(server.listening(args.host, args.port, tls)))
    finally:
        trace.close()
    if replay.not_collected:
        count = len(replay.not_collected)
        _note(f"{'1 thing was' if count == 1 else f'{count} things were'} asked for that the case cannot tell")
    return EXIT_FINE


async def _serve(listening: AbstractAsyncContextManager[str]) -> None:
    """Listen until a signal says stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with listening as url:
        say([f"popkit serve: {url}"])
        await stop.wait()


def _note(text: str) -> None:
    tell(f"popkit serve: {text}")


def _at_least_one(args: argparse.Namespace, name: str) -> int:
    value = int(getattr(args, name))
    if value < 1:
        raise UsageError(f"--{name.replace('_', '-')} {value}: expected a number from 1")
    return value


def _token(args: argparse.Namespace) -> str | None:
    """The bearer token that the environment names; never an argument, as those are seen by every process."""
    if args.token_env is None:
        return None
    token = os.environ.get(args.token_env)
    if not token:
        raise UsageError(f"--token-env {args.token_env}: no such variable is set; put the token there")
    return token


def _tls(args: argparse.Namespace) -> ssl.SSLContext | None:
    if (args.tls_cert is None) != (args.tls_key is None):
        raise UsageError("--tls-cert and --tls-key go together")
    if args.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(args.tls_cert, args.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{args.tls_cert}, {args.tls_key}: not a certificate and its key: {error}") from None
    return context
