"""A worker that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "the-operators-token-0123456789"


@dataclass
class Reply:
    """One answer. `body` None closes the connection without one; `length` lies about the body's
    length, `seconds` pass first.
    """

    status: int = 200
    body: bytes | None = b"{}"
    type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    seconds: float = 0.0


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def scripted(replies: Sequence[Reply]) -> Iterator[tuple[str, list[Asked]]]:
    """A server that gives the replies in order, the last one again and again; its URL and what it
    was asked.
    """
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = replies[min(len(asked), len(replies) - 1)]
            asked.append(Asked(self.command, self.path, dict(self.headers), body))
            time.sleep(reply.seconds)
            if reply.body is None:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in {"Content-Type": reply.type, **reply.headers}.items():
                self.send_header(name, value)
            self.send_header(
                "Content-Length", str(len(reply.body) if reply.length is None else reply.length)
            )
            self.end_headers()
            with suppress(BrokenPipeError):  # whoever asked did not wait for it
                self.wfile.write(reply.body)
            self.close_connection = reply.length is not None

        do_GET = do_POST = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
