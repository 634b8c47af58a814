"""An HTTP server on the loopback that speaks as much of Alertmanager's and Prometheus' APIs as the tool asks for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Monitoring:
    """What the server knows. `alerts` are label sets, `numbers` what queries return, `token` what it wants as authorization."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, str]] = [{"alertname": "Watchdog"}]
        self.numbers: dict[str, float] = {}
        self.silences: dict[str, dict[str, Any]] = {}
        self.said: list[str] = []
        self.token: str | None = None
        self.broken = False
        self.url = ""

    def standing(self) -> list[dict[str, Any]]:
        """The silences that have not been ended."""
        return [one for one in self.silences.values() if one["status"]["state"] == "active"]

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        """Status and document."""
        parts = urlsplit(target)
        asked = parse_qs(parts.query)
        if self.broken:
            return 503, "not now"
        if method == "GET" and parts.path == "/api/v2/alerts":
            return 200, self._alerts(asked)
        if method == "GET" and parts.path == "/api/v2/silences":
            return 200, list(self.silences.values())
        if method == "POST" and parts.path == "/api/v2/silences":
            return self._silence(json.loads(body))
        if method == "DELETE" and parts.path.startswith("/api/v2/silence/"):
            return self._end(parts.path.rpartition("/")[2])
        if method == "GET" and parts.path == "/api/v1/query":
            value = self.numbers.get(asked["query"][0])
            result = [] if value is None else [{"metric": {}, "value": [0, str(value)]}]
            return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}
        return 404, "no such page"

    def _alerts(self, asked: dict[str, list[str]]) -> list[dict[str, Any]]:
        wanted = [text.split("=", 1) for text in asked.get("filter", [])]
        found = [one for one in self.alerts if all(one.get(name) == value.strip('"') for name, value in wanted)]
        if asked["silenced"] == ["false"]:
            found = [one for one in found if not any(_hides(silence, one) for silence in self.standing())]
        return [{"labels": one, "status": {"state": "active"}} for one in found]

    def _silence(self, given: dict[str, Any]) -> tuple[int, Any]:
        known = given.pop("id", None)
        if known is not None and known not in self.silences:
            return 404, "no such silence"
        if not {"matchers", "startsAt", "endsAt", "createdBy", "comment"} <= given.keys():
            return 400, "bad silence"
        known = known or f"s{len(self.silences) + 1}"
        self.silences[known] = {"id": known, "status": {"state": "active"}, **given}
        return 200, {"silenceID": known}

    def _end(self, known: str) -> tuple[int, Any]:
        if known not in self.silences:
            return 404, "no such silence"
        self.silences[known]["status"]["state"] = "expired"
        return 200, ""


def _hides(silence: dict[str, Any], alert: dict[str, str]) -> bool:
    now = datetime.now(UTC)
    stands = datetime.fromisoformat(silence["startsAt"]) <= now < datetime.fromisoformat(silence["endsAt"])
    return stands and all(alert.get(one["name"]) == one["value"] for one in silence["matchers"])


@contextmanager
def serving() -> Iterator[Monitoring]:
    """The server, until the end of the block."""
    knows = Monitoring()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            knows.said.append(f"{self.command} {urlsplit(self.path).path}")
            status, document = knows.answer(self.command, self.path, body)
            if knows.token is not None and self.headers.get("Authorization") != knows.token:
                status, document = 401, "who are you"
            said = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - http.server finds them by these names

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    knows.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield knows
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
