"""`prometheus`: a PromQL query whose every series must meet a condition (design: section 5).

An empty answer is UNKNOWN, unless `empty: pass` and the query in `alive` returns something: an alert query without
evidence that monitoring lives would open on a dead monitor. So are an answer that warns of missing parts, a value that is
not a number, and anything but a well-formed answer (https://prometheus.io/docs/prometheus/latest/querying/api/).
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from restart.gates.evidence import failed, passed, unanswered, unknown
from restart.gates.http import HEADERS, URL, filled, get
from restart.model.check import Check, Finding
from restart.model.inventory import Host
from restart.model.question import HttpReply, Question, Reply
from restart.model.world import Gate
from restart.probes.output import one_line
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
            "empty": {
                "type": "string",
                "enum": ["pass", "unknown"],
                "description": "what an answer without series means; default: unknown. pass needs alive",
            },
            "alive": {**_QUERY, "description": "a query that returns something as long as monitoring itself lives"},
            **HEADERS,
        },
        "required": ["url", "query", "expect"],
        "additionalProperties": False,
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """As written. `empty: pass` and `alive` need each other."""
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
        match = _EXPECT.match(str(check.params.get("expect", "")))
        if match is None:
            return unknown(f"prometheus: cannot read expect {check.params.get('expect')!r}")
        values = _values(replies[0] if replies else None)
        if isinstance(values, Finding):
            return values
        if not values:
            return _empty(check, replies[1] if len(replies) > 1 else None)
        holds, bound = _HOLDS[match[1]], float(match[2])
        bad = [value for value in values if not math.isnan(value) and not holds(value, bound)]
        expected = f"expected {match[1]} {match[2]}"
        if bad:
            worst = max(bad, key=lambda value: abs(value - bound))
            return failed(f"prometheus: {len(bad)} of {len(values)} series, worst {worst:g}, {expected}")
        if any(math.isnan(value) for value in values):
            return unknown(f"prometheus: NaN among {len(values)} series, {expected}")
        return _unless_partial(
            replies[0], f"prometheus: {len(values)} series, {min(values):g} to {max(values):g}, {expected}"
        )


def _for_promql(value: str) -> str:
    return re.sub(r"""(["'`\\])""", r"\\\1", value).replace("\n", r"\n")


def _empty(check: Check, alive: Reply | None) -> Finding:
    if check.params.get("empty") != "pass" or not check.params.get("alive"):
        return unknown("prometheus: no series came back")
    values = _values(alive)
    if isinstance(values, Finding):
        return unknown(f"{values.evidence}; no series came back, and alive gave no answer")
    if not values:
        return unknown("prometheus: no series came back, and none for alive: is monitoring itself down?")
    return _unless_partial(alive, f"prometheus: no series, and monitoring lives ({len(values)} series for alive)")


def _unless_partial(reply: Reply | None, evidence: str) -> Finding:
    """PASS, or UNKNOWN where the answer warns that parts of it are missing."""
    document = json.loads(reply.body) if isinstance(reply, HttpReply) else {}
    if document.get("warnings"):
        return unknown(f"{evidence}, but it warns: {one_line(str(document['warnings']), 80)}")
    return passed(evidence)


def _values(reply: Reply | None) -> list[float] | Finding:
    """The value of every series, or UNKNOWN and why."""
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
        samples = [data["result"]] if data["resultType"] == "scalar" else [one["value"] for one in data["result"]]
        return [float(value) for _, value in samples]
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        cut = ", it is longer than 256 KiB" if len(reply.body) >= 262144 else ""
        return unknown(f"prometheus: cannot read its answer of {len(reply.body)} bytes ({type(error).__name__}){cut}")


gate: Gate = Prometheus()
