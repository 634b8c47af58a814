"""`prometheus`: a PromQL query whose every series must meet a condition (design: section 5).

An empty answer is UNKNOWN, unless `empty: pass` and the query in `alive` returns something: an alert query without
evidence that monitoring lives would open on a dead monitor. So are an answer that warns of missing parts, a value that is
not a number, and anything but a well-formed answer (https://prometheus.io/docs/prometheus/latest/querying/api/).

Series of `ALERTS` are alerts: those that stood before the run and those that it causes itself are told and do not count (see
`restart.gates.alerts`). `not_below` compares one number with what it was before the run.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from restart.gates.alerts import HOST_LABEL, Labels, named, sort_out
from restart.gates.before import NOT_BELOW, compared
from restart.gates.evidence import failed, passed, unanswered, unknown
from restart.gates.http import HEADERS, URL, filled, get
from restart.model.check import Check, Finding, Verdict
from restart.model.inventory import Host
from restart.model.question import HttpReply, Question, Reply
from restart.model.world import Gate
from restart.probes.output import one_line
from restart.rules.compare import is_alerts
from restart.rules.fill import fill, for_url

_QUERY: Mapping[str, Any] = {
    "type": "string",
    "minLength": 1,
    "description": "PromQL. Placeholders are filled, each quoted for a PromQL string",
}
_EXPECT = re.compile(r"^\s*(==|!=|<=|>=|<|>)\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*$")
_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Prometheus:
    """`prometheus: {url, query, expect: "== 0", empty: pass, alive: "up == 1"}`."""

    kind: str = "prometheus"
    schema: Mapping[str, Any] = {
        "description": "A PromQL query whose every series must meet a condition.",
        "type": "object",
        "properties": {
            "url": URL,
            "query": _QUERY,
            "expect": {
                "type": "string",
                "pattern": _EXPECT.pattern,
                "description": "one of == != < <= > >= and a number, held against every series returned",
            },
            "not_below": {
                **NOT_BELOW,
                "description": "such as 95% of before: not below this share of what the query, of one series, returned before the run",
            },
            "host_label": HOST_LABEL,
            "empty": {
                "type": "string",
                "enum": ["pass", "unknown"],
                "description": "what an answer without series means; default: unknown. pass needs alive",
            },
            "alive": {**_QUERY, "description": "a query that returns something as long as monitoring itself lives"},
            **HEADERS,
        },
        "required": ["url", "query"],
        "anyOf": [{"required": ["expect"]}, {"required": ["not_below"]}],
        "additionalProperties": False,
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """As written. `empty: pass` and `alive` need each other, and something must be expected."""
        if "expect" not in value and "not_below" not in value:
            raise ValueError('prometheus: nothing is expected; write expect: "< 5", or not_below: 95% of before')
        if "not_below" in value and value.get("empty") == "pass":
            raise ValueError("prometheus: not_below needs a number, and empty: pass needs none; take one of them out")
        if value.get("empty") == "pass" and "alive" not in value:
            raise ValueError("prometheus: empty: pass needs alive, a query that proves that monitoring lives")
        if "alive" in value and value.get("empty") != "pass":
            raise ValueError("prometheus: alive is asked only with empty: pass; write both or none")
        return dict(value)

    def ask(self, check: Check, host: Host | None, service: str | None) -> tuple[Question, ...]:
        """The query, and the one in `alive` where it is stated."""
        base = filled(check.params["url"], host, service).rstrip("/")
        queries = [check.params[key] for key in ("query", "alive") if check.params.get(key)]
        return tuple(
            get(f"{base}/api/v1/query?query={for_url(fill(query, host, service, _for_promql))}", check)
            for query in queries
        )

    def judge(self, check: Check, replies: Sequence[Reply]) -> Finding:
        """PASS when every series holds."""
        series = _series(replies[0] if replies else None)
        if isinstance(series, Finding):
            return series
        if not series:
            return _empty(check, replies[1] if len(replies) > 1 else None)
        finding = _expected(check, series) if "expect" in check.params else None
        if "not_below" in check.params and (finding is None or finding.verdict is Verdict.PASS):
            finding = _not_below(check, series)
        if finding is None:
            return unknown("prometheus: nothing is expected of the answer")
        return _unless_partial(replies[0], finding)


def _expected(check: Check, series: Sequence[Series]) -> Finding:
    """Every series holds, but for alerts that are excused."""
    match = _EXPECT.match(str(check.params.get("expect", "")))
    if match is None:
        return unknown(f"prometheus: cannot read expect {check.params.get('expect')!r}")
    holds, bound, expected = _HOLDS[match[1]], float(match[2]), f"expected {match[1]} {match[2]}"
    values = [value for _, value in series]
    failing = [(labels, value) for labels, value in series if not math.isnan(value) and not holds(value, bound)]
    alerts = sort_out(check, [labels for labels, _ in failing if "alertname" in labels])
    bad = [value for labels, value in failing if "alertname" not in labels or labels in alerts.new]
    excused = alerts.excused()
    besides = f", besides {excused}" if excused else ""
    if bad:
        worst = max(bad, key=lambda value: abs(value - bound))
        of = f"{len(bad)} of {len(values)} series, worst {worst:g}, {expected}{besides}"
        return failed(f"prometheus: {of}" + (f": {named(alerts.new)}" if alerts.new else ""))
    if any(math.isnan(value) for value in values):
        return unknown(f"prometheus: NaN among {len(values)} series, {expected}")
    evidence = f"prometheus: {len(values)} series, {min(values):g} to {max(values):g}, {expected}{besides}"
    return replace(passed(evidence), seen=alerts.seen if is_alerts(check) else {})


def _not_below(check: Check, series: Sequence[Series]) -> Finding:
    if len(series) != 1:
        return unknown(
            f"prometheus: {len(series)} series; not_below compares one: write sum(...) or avg(...) around the query"
        )
    return compared(check, "prometheus", series[0][1])


def _for_promql(value: str) -> str:
    return re.sub(r"""(["'`\\])""", r"\\\1", value).replace("\n", r"\n")


def _empty(check: Check, alive: Reply | None) -> Finding:
    if check.params.get("empty") != "pass" or not check.params.get("alive"):
        return unknown("prometheus: no series came back")
    series = _series(alive)
    if isinstance(series, Finding):
        return unknown(f"{series.evidence}; no series came back, and alive gave no answer")
    if not series:
        return unknown("prometheus: no series came back, and none for alive: is monitoring itself down?")
    living = passed(f"prometheus: no series, and monitoring lives ({len(series)} series for alive)")
    return _unless_partial(alive, replace(living, seen=sort_out(check, ()).seen if is_alerts(check) else {}))


def _unless_partial(reply: Reply | None, finding: Finding) -> Finding:
    """The finding, or UNKNOWN instead of PASS where the answer warns that parts of it are missing."""
    document = json.loads(reply.body) if isinstance(reply, HttpReply) else {}
    if finding.verdict is Verdict.PASS and document.get("warnings"):
        return unknown(f"{finding.evidence}, but it warns: {one_line(str(document['warnings']), 80)}")
    return finding


Series = tuple[Labels, float]
"""The labels of a series and its value."""


def _series(reply: Reply | None) -> list[Series] | Finding:
    """Every series, or UNKNOWN and why."""
    if not isinstance(reply, HttpReply):
        return unanswered("prometheus", reply)
    if reply.status != 200:
        said = one_line(reply.body[:400].decode(errors="replace"), 80)
        return unknown(f"prometheus: status {reply.status}: {said}")
    try:
        document = json.loads(reply.body)
        data = document["data"]
        if document["status"] != "success" or data["resultType"] not in ("vector", "scalar"):
            return unknown(f"prometheus: {document['status']}, a {data['resultType']}; a vector or scalar is needed")
        if data["resultType"] == "scalar":
            _, value = data["result"]
            return [({}, float(value))]
        found = []
        for one in data["result"]:
            _, value = one["value"]
            found.append((_labels(one), float(value)))
        return found
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        cut = ", it is longer than 256 KiB" if len(reply.body) >= 262144 else ""
        return unknown(f"prometheus: cannot read its answer of {len(reply.body)} bytes ({type(error).__name__}){cut}")


def _labels(one: Mapping[str, Any]) -> Labels:
    return {str(name): str(value) for name, value in one.get("metric", {}).items() if name != "__name__"}


gate: Gate = Prometheus()
