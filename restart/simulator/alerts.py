"""The alerts of a simulated fleet: those that faults let fire, and, always, the one that proves that monitoring lives."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from restart.model.question import HttpReply

Labels = Mapping[str, str]

WATCHDOG: Labels = {"alertname": "Watchdog", "severity": "none"}
_MATCHER = re.compile(r'^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*$')


class Alerts:
    """What fires, and the silences that stand."""

    def __init__(self) -> None:
        self._firing: dict[tuple[tuple[str, str], ...], Labels] = {}
        self._silences: dict[str, Sequence[str]] = {}

    def silence(self, hook: str, matchers: Sequence[str]) -> None:
        """The silence of `hook` stands for alerts that match; without matchers it is ended."""
        self._silences.pop(hook, None)
        if matchers:
            self._silences[hook] = matchers

    def fire(self, name: str, hosts: Sequence[str]) -> None:
        """An alert begins to fire: of each host, or of the fleet where none is named."""
        for labels in _labels(name, hosts):
            self._firing[tuple(sorted(labels.items()))] = labels

    def cease(self, name: str, hosts: Sequence[str]) -> None:
        """It does no longer."""
        for labels in _labels(name, hosts):
            self._firing.pop(tuple(sorted(labels.items())), None)

    def alertmanager(self, url: str) -> HttpReply:
        """Alertmanager's answer to a question for alerts."""
        asked = parse_qs(urlsplit(url).query)
        found = [WATCHDOG, *self._firing.values()]
        if asked.get("silenced") == ["false"]:
            found = [labels for labels in found if not any(_match(labels, one) for one in self._silences.values())]
        found = [labels for labels in found if _match(labels, asked.get("filter", ()))]
        body = [{"labels": dict(labels), "status": {"state": "active"}} for labels in found]
        return HttpReply(status=200, body=json.dumps(body).encode(), took_s=0.001)

    def prometheus(self) -> list[Labels]:
        """The series `ALERTS`: silences are none of Prometheus' business."""
        return [{"__name__": "ALERTS", "alertstate": "firing", **labels} for labels in self._firing.values()]


def _labels(name: str, hosts: Sequence[str]) -> list[Labels]:
    told = {"alertname": name, "severity": "page"}
    return [{**told, "instance": host} for host in hosts] or [told]


def _match(labels: Labels, matchers: Sequence[str]) -> bool:
    """Whether all of `matchers` hold."""
    for matcher in matchers:
        match = _MATCHER.match(matcher)
        if match is None:
            return False
        value = labels.get(match[1], "")
        found = re.fullmatch(match[3], value) is not None if "~" in match[2] else value == match[3]
        if found == match[2].startswith("!"):
            return False
    return True
