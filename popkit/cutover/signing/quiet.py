"""Libraries that log where they connect to: what they log can hold a URL with its key, or a body,
so none of it is written.

At DEBUG, and some at INFO, the HTTP libraries below solana-py log whole URLs and headers; asyncio
logs exceptions that quote them. Their records are caught where every logger hands them on
(`logging.Logger.handle`), before any filter or handler: so it matters neither which handlers stand
on which logger, nor when they were put there, nor what `logging.config` did since, and loggers that
a library makes later are caught as well. A record below WARNING is dropped. From WARNING on a fixed
sentence takes its place, so that it shows that there was something.
"""

from __future__ import annotations

import logging

from popkit.texts import Text

FAMILIES = (
    "aiohttp",
    "asyncio",
    "h11",
    "h2",
    "hpack",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "solana",
    "urllib3",
    "websockets",
)
"""Loggers, each with all below it."""
WITHHELD = Text(
    "(popkit does not write what this library logs: it can hold an address with its key)",
    "（このライブラリのログは、鍵を含むアドレスが入り得るため、popkit は書き出しません）",
)
_IS_QUIET = "_popkit_is_quiet"


def silence() -> None:
    """Keep what these libraries log out of every log of this process, from now on; asking twice
    changes nothing.

    A handler that is called directly, and not through a logger, is not reached, nor is a library
    that prints.
    """
    handle = logging.Logger.handle
    if getattr(handle, _IS_QUIET, False):
        return

    def handle_quietly(self: logging.Logger, record: logging.LogRecord) -> None:
        if not _is_of_family(record.name):
            handle(self, record)
        elif record.levelno >= logging.WARNING:
            handle(self, _withheld(record))

    setattr(handle_quietly, _IS_QUIET, True)
    logging.Logger.handle = handle_quietly  # type: ignore[method-assign]


def _is_of_family(name: str) -> bool:
    return name.partition(".")[0] in FAMILIES


def _withheld(record: logging.LogRecord) -> logging.LogRecord:
    """A record that shows which library logged at which level, and nothing of what: what `extra`
    added is gone as well.
    """
    kept = {
        name: record.__dict__[name]
        for name in ("name", "levelno", "levelname", "created", "msecs", "relativeCreated")
    }
    return logging.makeLogRecord({**kept, "msg": str(WITHHELD)})
