"""Faults of the transport: answers that never come, come late, come half, or are no JSON-RPC at
all.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from popkit.serving.faults import Fault, Faults
from popkit.serving.trace import Seen

_PAGE = "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
_RATE_LIMITED = b'{"jsonrpc":"2.0","error":{"code":429,"message":"Too many requests for a specific RPC call"},"id":null}'
_INSTEAD = ("drop", "429", "server-error", "html", "html-502", "redirect", "endless")
"""Faults that stand in place of an answer; of several that strike one request the first is shown.
"""
_ENDLESS_PIECE = b" " * 65536
_ENDLESS_SECONDS = 0.01


async def before_answer(
    request: web.Request, faults: Faults, seen: Seen
) -> web.StreamResponse | None:
    """What a fault gives in place of an answer, or None. Late answers are late here, whatever else
    befalls them.
    """
    late = faults.strikes("slow", seen.number)
    if late is not None:
        seen.faults.add("slow")
        await asyncio.sleep(float(late.value))
    for kind in _INSTEAD:
        fault = faults.strikes(kind, seen.number)
        if fault is not None:
            seen.faults.add(kind)
            return await _instead(request, fault)
    return None


async def after_answer(
    request: web.Request, response: web.Response, faults: Faults, seen: Seen
) -> web.StreamResponse:
    """An answer as a fault changes it on its way."""
    if faults.strikes("wrong-type", seen.number):
        seen.faults.add("wrong-type")
        response.content_type = "text/plain"
    if faults.strikes("cut", seen.number):
        seen.faults.add("cut")
        return await _cut(request, response)
    return response


async def _instead(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.kind == "drop":
        return _dropped(request)
    if fault.kind == "endless":
        return await _endless(request)
    if fault.kind == "429":
        headers = {"Retry-After": fault.value}
        return web.Response(
            status=429, body=_RATE_LIMITED, content_type="application/json", headers=headers
        )
    if fault.kind == "redirect":
        return web.Response(status=302, headers={"Location": fault.value})
    if fault.kind == "server-error":
        return web.Response(status=500, text="Internal Server Error\n")
    status, title = (
        (502, "502 Bad Gateway") if fault.kind == "html-502" else (200, "Just a moment...")
    )
    return web.Response(status=status, text=_PAGE.format(title=title), content_type="text/html")


def _dropped(request: web.Request) -> web.Response:
    """Close the connection; what is returned is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _cut(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Promise the whole body, send half of it and close."""
    body = response.body if isinstance(response.body, bytes) else b""
    cut = web.StreamResponse(
        status=response.status, headers={"Content-Type": response.headers["Content-Type"]}
    )
    cut.content_length = len(body)
    await cut.prepare(request)
    await cut.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()  # lets the half go out first
    return cut


async def _endless(request: web.Request) -> web.StreamResponse:
    """Begin a body of JSON and never end it; the client's leaving or the server's end ends it."""
    stream = web.StreamResponse(headers={"Content-Type": "application/json"})
    await stream.prepare(request)
    try:
        await stream.write(b'{"jsonrpc":"2.0","result":')
        while request.transport is not None and not request.transport.is_closing():
            await stream.write(_ENDLESS_PIECE)
            await asyncio.sleep(_ENDLESS_SECONDS)
    except ConnectionError:
        pass  # the client has had enough, which is what it should do
    return stream
