"""The demo's pages over HTTP: a health page on each host, and the board that stands for the site's monitoring."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from restart.demo.site import Health

HEAD_BYTES_MAX = 8192
HEAD_WITHIN_S = 5.0

Page = tuple[int, str, str]
"""Status, content type, body."""

MISSING: Page = (404, "text/plain", "no such page\n")


def well(health: Health) -> Page:
    """A health page: 200 when well, else 503; the evidence in one line."""
    return (200 if health.well else 503, "text/plain", f"{health.text}\n")


def document(value: Any) -> Page:
    """A JSON page."""
    return (200, "application/json", json.dumps(value) + "\n")


def serve(pages: Callable[[str], Page]) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    """A connection handler that answers one GET with `pages(path)` and closes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client may say nothing, too much, or go away: none of that concerns the others.
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(HEAD_WITHIN_S):
                head = await reader.readuntil(b"\r\n\r\n")
                words = head.split(b"\r\n", 1)[0].split()
                known = len(words) == 3 and words[0] in (b"GET", b"HEAD")
                status, kind, body = pages(words[1].decode("latin-1")) if known else (405, "text/plain", "only GET\n")
                payload = body.encode()
                writer.write(
                    f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}; charset=utf-8\r\n"
                    f"Content-Length: {len(payload)}\r\nConnection: close\r\n\r\n".encode("ascii")
                )
                writer.write(payload if words[:1] != [b"HEAD"] else b"")
                await writer.drain()
        writer.close()

    return answer


_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}
