"""What HTTP libraries log of a URL with its key reaches no log, at no level, whichever handler was
there before or came after.
"""

from __future__ import annotations

import asyncio
import io
import logging
import logging.config
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import pytest
from solana.exceptions import SolanaRpcException
from solana.rpc.async_api import AsyncClient

from popkit.cutover.signing.quiet import FAMILIES, WITHHELD, silence

KEY, TOKEN = "querykey-1b2c3d4e5f", "tokenkey-9e8d7c6b5a"


@pytest.fixture
def node() -> Iterator[str]:
    """The URL, with a key in it, of a node on loopback that knows one answer."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = b'{"jsonrpc":"2.0","id":0,"result":417}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v2/{KEY}/?api-key={KEY}"
        server.shutdown()
        thread.join()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """All that is logged anywhere, with everything that a record holds; loggers are as they were
    afterwards.
    """
    monkeypatch.setattr(logging.Logger, "handle", logging.Logger.handle)
    written = io.StringIO()
    root, manager = logging.root, logging.root.manager
    levels = {
        logger: (logger.level, list(logger.handlers), logger.propagate, logger.disabled)
        for logger in [root, *_loggers(manager)]
    }
    root.setLevel(logging.DEBUG)
    root.addHandler(_everything(written))
    yield written
    for logger in [root, *_loggers(manager)]:
        logger.level, logger.handlers, logger.propagate, logger.disabled = levels.get(
            logger, (logging.NOTSET, [], True, False)
        )
    manager._clear_cache()


def _loud(self: logging.Logger, record: logging.LogRecord) -> None:
    """How a logger hands a record on by itself."""
    if not self.disabled and self.filter(record):
        self.callHandlers(record)


def _loggers(manager: logging.Manager) -> list[logging.Logger]:
    return [logger for logger in manager.loggerDict.values() if isinstance(logger, logging.Logger)]


def _everything(stream: io.StringIO) -> logging.Handler:
    class Everything(logging.StreamHandler[io.StringIO]):
        def format(self, record: logging.LogRecord) -> str:
            return f"{super().format(record)} {vars(record)}"

    return Everything(stream)


async def use(url: str) -> None:
    """A client of solana-py that asks, one that asks nobody, and a session of aiohttp with a token."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with AsyncClient(url, extra_headers=headers) as client:
        assert (await client.get_slot()).value == 417
    async with AsyncClient(f"http://127.0.0.1:1/{KEY}", extra_headers=headers) as nobody:
        with pytest.raises(SolanaRpcException):
            await nobody.get_slot()
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url, data=TOKEN) as answer,
    ):
        assert answer.status == 200


def test_the_library_does_log_the_key_where_it_is_not_silenced(
    node: str, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the other tests are worth: without `silence`, which this process may have called before,
    the key is found.
    """
    monkeypatch.setattr(logging.Logger, "handle", _loud)
    asyncio.run(use(node))
    assert KEY in log.getvalue()


def test_nothing_of_url_header_or_body_is_logged_at_debug(node: str, log: io.StringIO) -> None:
    for name in FAMILIES:
        logging.getLogger(name).addHandler(_everything(log))
    silence()
    for name in (
        *FAMILIES,
        "httpcore2.connection",
        "solana.rpc.async_http_provider",
        "httpx2.made_later",
    ):
        logger = logging.getLogger(name)
        logger.addHandler(_everything(log))
        logger.setLevel(1)
    asyncio.run(use(node), debug=True)
    assert KEY not in log.getvalue()
    assert TOKEN not in log.getvalue()


def test_configuring_the_logging_afterwards_brings_nothing_back(
    node: str, log: io.StringIO
) -> None:
    silence()
    names = ("httpx2", "httpcore2", "solana", "solana.rpc.async_http_provider")
    loggers = {name: {"level": "DEBUG", "propagate": True} for name in names}
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "loggers": loggers})
    asyncio.run(use(node))
    assert KEY not in log.getvalue()


@pytest.mark.parametrize("name", ["asyncio", "httpx2", "aiohttp.client"])
def test_a_warning_shows_that_there_was_one_and_nothing_of_it(log: io.StringIO, name: str) -> None:
    silence()
    filtered: list[str] = []
    logger = logging.getLogger(name)
    logger.addFilter(watching := lambda record: bool(filtered.append(str(vars(record))) or True))
    try:
        raise OSError(f"cannot reach http://host/?api-key={KEY}")
    except OSError:
        logger.exception("%s failed", KEY, extra={"url": KEY}, stack_info=True)
    logger.removeFilter(watching)
    assert KEY not in log.getvalue() + "".join(filtered)
    assert str(WITHHELD) in log.getvalue()
    assert name in log.getvalue()


def test_other_loggers_write_as_before_and_asking_twice_changes_nothing(log: io.StringIO) -> None:
    silence()
    handle = logging.Logger.handle
    silence()
    assert logging.Logger.handle is handle
    for name in ("popkit", "httpx2like", "my.solana", "root"):
        logging.getLogger(name).debug("from %s", name)
        assert f"from {name}" in log.getvalue()
