"""Silences in Alertmanager: made, renewed and ended through its API, version 2.

A silence is known again by who made it: one hook of one run makes one silence, however often it is asked to, so that a lost answer leaves
none behind (https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from restart.model.answer import NoAnswer, StepRan
from restart.model.hook import Silence
from restart.model.question import HttpGet, HttpReply
from restart.rules.fill import for_url
from restart.rules.matchers import parted
from restart.transports import net

ANSWER_BYTES_MAX = 16 * 1024 * 1024
"""Alertmanager lists silences that have ended for days."""
_STANDING = frozenset({"active", "pending"})


def set_silence(silence: Silence, by: str, timeout_s: float) -> StepRan | NoAnswer:
    """Make the silence of `by`, or renew it: `silence ID until TIME`."""
    standing = _standing(silence, by, timeout_s)
    if not isinstance(standing, list):
        return standing
    now = datetime.now(UTC)
    ends = now + timedelta(seconds=silence.for_s)
    body: dict[str, Any] = {
        "matchers": [_matcher(matcher) for matcher in silence.matchers],
        "startsAt": _time(now),
        "endsAt": _time(ends),
        "createdBy": by,
        "comment": silence.comment or "a staged restart is under way",
    }
    if standing:
        body |= {"id": standing[0]["id"], "startsAt": standing[0]["startsAt"]}
    reply = _say(silence, "POST", "/api/v2/silences", timeout_s, json.dumps(body).encode())
    if isinstance(reply, NoAnswer):
        return reply
    known = _document(reply)
    if reply.status != 200 or not isinstance(known, dict) or not isinstance(known.get("silenceID"), str):
        return _refused("making the silence", reply)
    return StepRan(exit_status=0, output=f"silence {known['silenceID']} until {_time(ends)}")


def end_silence(silence: Silence, by: str, timeout_s: float) -> StepRan | NoAnswer:
    """End whatever silences of `by` stand."""
    standing = _standing(silence, by, timeout_s)
    if not isinstance(standing, list):
        return standing
    for found in standing:
        reply = _say(silence, "DELETE", f"/api/v2/silence/{for_url(found['id'])}", timeout_s)
        if isinstance(reply, NoAnswer):
            return reply
        if reply.status != 200:
            return _refused(f"ending the silence {found['id']}", reply)
    return StepRan(exit_status=0, output=f"{len(standing)} silences ended")


def _standing(silence: Silence, by: str, timeout_s: float) -> list[dict[str, str]] | StepRan | NoAnswer:
    """Id and beginning of every silence of `by` that has not ended."""
    reply = _say(silence, "GET", "/api/v2/silences", timeout_s)
    if isinstance(reply, NoAnswer):
        return reply
    known = _document(reply)
    if reply.status != 200 or not isinstance(known, list):
        return _refused("looking for the silence", reply)
    try:
        return [
            {"id": str(found["id"]), "startsAt": str(found["startsAt"])}
            for found in known
            if found["createdBy"] == by and found["status"]["state"] in _STANDING
        ]
    except (LookupError, TypeError):
        return _refused("looking for the silence", reply)


def _say(silence: Silence, method: str, path: str, timeout_s: float, body: bytes = b"") -> HttpReply | NoAnswer:
    question = HttpGet(
        url=f"{silence.alertmanager.rstrip('/')}{path}",
        timeout_s=timeout_s,
        headers={**silence.headers, "Content-Type": "application/json"},
        headers_env=silence.headers_env,
        ca_file=silence.ca_file,
    )
    return net.http(question, method=method, body=body, bytes_max=ANSWER_BYTES_MAX)


def _document(reply: HttpReply) -> Any:
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None


def _refused(what: str, reply: HttpReply) -> StepRan:
    said = reply.body[:200].decode(errors="replace").replace("\n", " ")
    return StepRan(exit_status=1, output=f"{what}: Alertmanager says {reply.status}: {said}")


def _matcher(written: str) -> Mapping[str, Any]:
    name, sign, value = parted(written)
    return {"name": name, "value": value, "isRegex": "~" in sign, "isEqual": not sign.startswith("!")}


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
