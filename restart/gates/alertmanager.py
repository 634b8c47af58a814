"""`alertmanager`: does no alert fire that matches? Asked of Alertmanager's API, version 2.

Alerts that are silenced or inhibited do not count. In a gate or a watch, alerts that stood before the run and alerts that it causes itself
are told and do not count either (see `restart.gates.alerts`); under `ready` every one counts. That nothing fires proves nothing
where monitoring is dead: an alert that always fires (`alive`) must be there, or the verdict is UNKNOWN
(https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from restart.gates.alerts import HOST_LABEL, Labels, key, named, sort_out
from restart.gates.evidence import failed, passed, unanswered, unknown
from restart.gates.http import HEADERS, URL, filled, get
from restart.model.check import Check, Finding
from restart.model.inventory import Host
from restart.model.question import HttpGet, HttpReply, Question, Reply
from restart.model.world import Gate
from restart.probes.output import one_line
from restart.rules.fill import fill, for_url
from restart.rules.matchers import MATCHER, parted

_MATCHER: Mapping[str, Any] = {
    "type": "string",
    "pattern": MATCHER,
    "x-expects": "a matcher such as severity=page or team=~db|infra",
}
BODY_BYTES_MAX = 262144


class Alertmanager:
    """`alertmanager: {url, matchers: [severity=page], alive: [alertname=Watchdog]}`."""

    kind: str = "alertmanager"
    schema: Mapping[str, Any] = {
        "description": "No alert fires that matches, but those from before the run and of its own doing.",
        "type": "object",
        "properties": {
            "url": {**URL, "description": "http or https URL of Alertmanager, without /api"},
            "matchers": {
                "type": "array",
                "items": _MATCHER,
                "minItems": 1,
                "description": "alerts that count, by their labels: all of these hold; default: every alert",
            },
            "alive": {
                "type": "array",
                "items": _MATCHER,
                "minItems": 1,
                "description": "an alert that always fires while monitoring lives, such as [alertname=Watchdog]",
            },
            "host_label": HOST_LABEL,
            **HEADERS,
        },
        "required": ["url", "alive"],
        "additionalProperties": False,
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """As written."""
        return dict(value)

    def ask(self, check: Check, host: Host | None, service: str | None) -> tuple[Question, ...]:
        """The alerts that match, and the one that always fires."""
        alive = _alerts(check, check.params["alive"], host, service, hidden=True)
        return (_alerts(check, check.params.get("matchers", ()), host, service, hidden=False), alive)

    def judge(self, check: Check, replies: Sequence[Reply]) -> Finding:
        """PASS when no new alert fires and monitoring lives."""
        firing = _read(replies[0] if replies else None)
        if isinstance(firing, Finding):
            return firing
        alive = _read(replies[1] if len(replies) > 1 else None)
        living = {key(labels) for labels in alive} if not isinstance(alive, Finding) else set()
        found = sort_out(check, [labels for labels in firing if key(labels) not in living])
        excused = found.excused()
        besides = f" besides {excused}" if excused else ""
        if found.new:
            return failed(
                f"alertmanager: {len(found.new)} new alerts fire{besides and ','}{besides}: {named(found.new)}"
            )
        if isinstance(alive, Finding):
            return unknown(f"{alive.evidence}; no new alert fires, but that monitoring lives was not answered")
        if not alive:
            return unknown(
                f"alertmanager: not even {', '.join(check.params['alive'])} fires: is monitoring itself down?"
            )
        return replace(passed(f"alertmanager: no new alert fires{besides}"), seen=found.seen)


def _alerts(check: Check, matchers: Sequence[str], host: Host | None, service: str | None, *, hidden: bool) -> HttpGet:
    """The question for alerts by `matchers`; `hidden`: silenced and inhibited ones too."""
    base = filled(check.params["url"], host, service).rstrip("/")
    wanted = "true" if hidden else "false"
    query = f"active=true&unprocessed=true&silenced={wanted}&inhibited={wanted}"
    texts = (_quoted(fill(matcher, host, service, _for_matcher)) for matcher in matchers)
    filters = "".join(f"&filter={for_url(text)}" for text in texts)
    return get(f"{base}/api/v2/alerts?{query}{filters}", check)


def _quoted(matcher: str) -> str:
    """The matcher with its value in quotes, as every version of Alertmanager reads it."""
    name, sign, value = parted(matcher)
    return f'{name}{sign}"{value}"'


def _for_matcher(value: str) -> str:
    return re.sub(r'["\\]', "", value)


def _read(reply: Reply | None) -> list[Labels] | Finding:
    """The labels of every alert that is not suppressed, or UNKNOWN and why."""
    if not isinstance(reply, HttpReply):
        return unanswered("alertmanager", reply)
    if reply.status != 200:
        said = one_line(reply.body[:400].decode(errors="replace"), 80)
        return unknown(f"alertmanager: status {reply.status}: {said}")
    try:
        document = json.loads(reply.body)
        if not isinstance(document, list):
            return unknown(f"alertmanager: a {type(document).__name__}; a list of alerts is needed")
        return [{str(name): str(value) for name, value in alert["labels"].items()} for alert in document]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        cut = ", it is longer than 256 KiB: state matchers" if len(reply.body) >= BODY_BYTES_MAX else ""
        return unknown(f"alertmanager: cannot read its answer of {len(reply.body)} bytes ({type(error).__name__}){cut}")


gate: Gate = Alertmanager()
