"""`http`: does a URL answer with the status, and the text, that it should? Asked from the controller.

Another status, a missing text and a refused connection are FAIL; silence, a broken certificate or a name that does not
resolve are UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from restart.gates.evidence import failed, milliseconds, passed, unanswered
from restart.model.answer import NoAnswer
from restart.model.check import Check, Finding
from restart.model.inventory import Host
from restart.model.question import HttpGet, HttpReply, Question, Reply
from restart.model.world import Gate
from restart.probes.output import one_line, url_for_people
from restart.rules.fill import fill, for_url, plain

URL: Mapping[str, Any] = {
    "type": "string",
    "pattern": "^https?://[^ ]+$",
    "description": "http or https URL. Placeholders are filled, each quoted for a URL",
}
HEADERS: Mapping[str, Any] = {
    "headers": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": "headers to send; no secrets here, a plan holds them in the clear",
    },
    "headers_env": {
        "type": "object",
        "additionalProperties": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "description": "headers whose value is in this environment variable of the controller",
    },
    "ca_file": {"type": "string", "minLength": 1, "description": "certificate authorities to trust, as a PEM file"},
}
_STATUS: Mapping[str, Any] = {"type": "integer", "minimum": 100, "maximum": 599}


def get(url: str, check: Check) -> HttpGet:
    """The question for `url` with the check's headers, certificate file and time-out."""
    return HttpGet(
        url=url,
        timeout_s=check.timeout_s,
        headers=check.params.get("headers", {}),
        headers_env=check.params.get("headers_env", {}),
        ca_file=check.params.get("ca_file"),
    )


def filled(url: str, host: Host | None, service: str | None) -> str:
    """`url` with its placeholders filled for a URL; an IPv6 address in the authority's place gets its brackets."""
    if host is not None and ":" in host.address and not host.address.startswith("["):
        url = url.replace("://{address}", f"://[{host.address}]")
    return fill(url, host, service, for_url)


class Http:
    """`http: "http://{address}:8080/health"`, or an object with url, status, contains, headers, headers_env, ca_file."""

    kind: str = "http"
    schema: Mapping[str, Any] = {
        "description": "A URL that must answer: the URL, or an object with url and what to expect of the answer.",
        "oneOf": [
            URL,
            {
                "type": "object",
                "properties": {
                    "url": URL,
                    "status": {
                        "description": "the status, or the list of statuses, that pass; default: 200",
                        "oneOf": [_STATUS, {"type": "array", "items": _STATUS, "minItems": 1}],
                    },
                    "contains": {
                        "type": "string",
                        "minLength": 1,
                        "description": "text that the first 256 KiB of the answer must contain",
                    },
                    **HEADERS,
                },
                "required": ["url"],
                "additionalProperties": False,
            },
        ],
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """`{"url": .., "status": [..], ...}`."""
        written = dict(value) if isinstance(value, Mapping) else {"url": value}
        status = written.get("status", 200)
        return {**written, "status": list(status) if isinstance(status, list | tuple) else [status]}

    def ask(self, check: Check, host: Host | None, service: str | None) -> tuple[Question, ...]:
        """One GET."""
        return (get(filled(check.params["url"], host, service), check),)

    def judge(self, check: Check, replies: Sequence[Reply]) -> Finding:
        """PASS when status and text are as they should be."""
        reply = replies[0] if replies else None
        subject = f"http {url_for_people(str(check.params.get('url', '')))}"
        if isinstance(reply, NoAnswer) and reply.reason == "refused":
            return failed(f"{subject}: refused")
        if not isinstance(reply, HttpReply):
            return unanswered(subject, reply)
        evidence = f"{subject}: {reply.status} in {milliseconds(reply.took_s)}"
        wanted = check.params.get("status", [200])
        if reply.status not in wanted:
            return failed(f"{evidence}, expected {' or '.join(str(status) for status in wanted)}")
        contains = check.params.get("contains")
        if contains is not None and contains.encode() not in reply.body:
            seen = one_line(reply.body[:400].decode(errors="replace"), 60)
            return failed(f"{evidence}, without {plain(contains)[:40]!r}: {seen}")
        return passed(evidence)


gate: Gate = Http()
