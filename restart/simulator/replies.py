"""R9: what the real questions of gates get for an answer from hosts that do not exist.

A reply is drawn from the truth about the place that was asked: a port and a unit say whether the process runs, a command and
a URL whether the member (or the group) functions, save those that its figures call shallow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from urllib.parse import parse_qs, unquote, urlsplit

from restart.model.answer import NoAnswer
from restart.model.check import OF_RUN, Check, Finding, Verdict
from restart.model.question import Connected, HttpGet, HttpReply, Question, Reply, Shell, ShellReply, TcpConnect
from restart.model.request import Ask
from restart.model.world import Gate
from restart.probes import probe, units
from restart.rules.comparing import KIND
from restart.simulator.alerts import Alerts
from restart.simulator.physics.fleet import Fleet
from restart.simulator.physics.members import Members
from restart.simulator.physics.ports import named_ports
from restart.simulator.standing import Standings

Measure = Callable[[str], float | None]
"""The value of a quantity such as `demand db`; None: nothing of that name is measured."""

_TELL_UPTIME = frozenset({"ssh", "boot"})
"""Checks whose replies are never the same twice."""
_EXPECT = re.compile(r"\s*(==|!=|<=|>=|<|>)\s*([-+.0-9eE]+)")
USUAL = 100.0
"""What a number is that nothing in the scenario measures, while its service is well; a tenth of it while it is not."""
_PROBE = probe.text()
_SYSTEM = units.system_state()
_UNITS = units.states(("",)).split(" -- ")[0]


class Replies:
    """Asks the gates' questions of a simulated fleet."""

    def __init__(
        self,
        fleet: Fleet,
        members: Members,
        gates: Mapping[str, Gate],
        *,
        uptime_s: Callable[[str], float],
        answers: Callable[[str], NoAnswer | None],
        measure: Measure,
        troubled: Callable[[Ask, Check], NoAnswer | None],
        alerts: Alerts,
        standings: Standings,
    ) -> None:
        """`answers(host)`: None where SSH lets us in, else what it says; `troubled`: a fault that swallows this check's answer."""
        self._fleet = fleet
        self._members = members
        self._gates = gates
        self._uptime_s = uptime_s
        self._answers = answers
        self._measure = measure
        self._troubled = troubled
        self._by_address = {host.address: name for name, host in fleet.inventory.hosts.items()}
        self._alerts = alerts
        self._standings = standings
        self._judged: dict[tuple[int, tuple[Reply, ...]], tuple[Check, Finding]] = {}
        self._owners: dict[tuple[tuple[str, ...], int, str | None], tuple[str, ...]] = {}
        self._questions: dict[tuple[int, str | None, str | None], tuple[Check, tuple[Question, ...]]] = {}

    def findings(self, request: Ask) -> tuple[Finding, ...]:
        """Every check of `request`, asked and judged by its real gate."""
        return tuple(self._finding(check, request) for check in request.checks)

    def _finding(self, check: Check, request: Ask) -> Finding:
        gate = self._gates.get(check.kind)
        if gate is None:
            return Finding(verdict=Verdict.UNKNOWN, evidence=f"{check.kind}: no gate of this kind is installed")
        trouble = self._troubled(request, check)
        if trouble is not None:
            return gate.judge(check, [trouble])
        if check.kind == KIND and request.host is not None:
            silent = self._answers(request.host)
            return self._standings.finding(gate, check, request.host) if silent is None else gate.judge(check, [silent])
        try:
            questions = self._ask(gate, check, request)
        except ValueError as error:
            return Finding(verdict=Verdict.UNKNOWN, evidence=f"{check.kind}: cannot be asked: {error}")
        replies = tuple([self._reply(question, check, request) for question in questions])
        if check.kind in _TELL_UPTIME:
            return gate.judge(check, replies)
        if OF_RUN in check.params:
            return gate.judge(check, replies)
        # Judging is pure, and the same few replies come again and again.
        key = (id(check), replies)
        found = self._judged.get(key)
        if found is None or found[0] is not check:
            found = self._judged[key] = (check, gate.judge(check, replies))
        return found[1]

    def _ask(self, gate: Gate, check: Check, request: Ask) -> Sequence[Question]:
        """The gate's questions; the same check asked of the same host makes the same ones."""
        if OF_RUN in check.params:
            # Made anew for each question, or nearly: nothing to remember it by.
            return gate.ask(check, None, request.service)
        key = (id(check), request.host, request.service)
        held = self._questions.get(key)
        if held is None or held[0] is not check:
            host = None if request.host is None else self._fleet.inventory.hosts[request.host]
            held = self._questions[key] = (check, gate.ask(check, host, request.service))
        return held[1]

    def _reply(self, question: Question, check: Check, request: Ask) -> Reply:
        match question:
            case TcpConnect():
                return self._tcp(question, request)
            case HttpGet():
                return self._http(question, check, request)
            case Shell():
                return self._shell(question, check, request)

    # --- ports -------------------------------------------------------------------------------------------------------

    def _tcp(self, question: TcpConnect, request: Ask) -> Reply:
        host = self._by_address.get(question.address)
        if host is None:
            return self._far(request, question.address) or Connected(took_s=0.001)
        if not self._fleet.truth[host].up:
            return NoAnswer(
                reason="timeout", detail=f"{question.address}:{question.port} after {question.timeout_s:g}s"
            )
        if self._open(host, question.port, request.service):
            return Connected(took_s=0.001)
        return NoAnswer(reason="refused")

    def _open(self, host: str, port: int, asked_for: str | None) -> bool:
        """Whether a process listens there: the member's whose checks name the port, else any member's on the host."""
        services = self._fleet.services_of[host]
        if port == 22 or not services:
            return True
        key = (services, port, asked_for)
        owners = self._owners.get(key)
        if owners is None:
            owners = tuple(service for service in services if port in self._ports(service))
            if not owners:
                owners = (asked_for,) if asked_for is not None and asked_for in services else services
            self._owners[key] = owners
        if f"tcp:{port}" in self._standings.lost(host):
            return False
        running = self._members.running
        return any(running(service, host) for service in owners)

    @cache  # noqa: B019 - one fleet, one run
    def _ports(self, service: str) -> frozenset[int]:
        return named_ports(self._fleet.inventory, service)

    # --- URLs --------------------------------------------------------------------------------------------------------

    def _http(self, question: HttpGet, check: Check, request: Ask) -> Reply:
        parts = urlsplit(question.url)
        host = self._by_address.get(parts.hostname or "")
        if check.kind == "alertmanager":
            return self._alerts.alertmanager(question.url)
        if check.kind == "prometheus":
            return self._series(parse_qs(parts.query).get("query", [""])[0], check, request)
        if host is not None and not self._fleet.truth[host].up:
            return NoAnswer(reason="timeout", detail=f"{parts.netloc} after {question.timeout_s:g}s")
        service = self._service_at(host, parts.port, request)
        if host is not None and service not in self._fleet.services_of[host]:
            # A page on another host, such as a status page, tells of the group.
            host = None
        if host is not None and service is not None and not self._members.running(service, host):
            return NoAnswer(reason="refused")
        if self._well(question.url, host, service, request):
            return _found(check)
        return HttpReply(status=503, body=b"not ready", took_s=0.001)

    def _service_at(self, host: str | None, port: int | None, request: Ask) -> str | None:
        if host is None:
            return request.service
        services = self._fleet.services_of[host]
        owners = [service for service in services if port in self._ports(service)]
        if owners:
            return owners[0]
        return request.service if request.service in services or not services else services[0]

    def _well(self, text: str, host: str | None, service: str | None, request: Ask) -> bool:
        """Whether what is looked at through `text` (a URL, a command, a query) is well."""
        if service is None:
            return True
        shallow = any(fnmatchcase(text, glob) for glob in self._fleet.groups[service].figures.shallow)
        if host is not None:
            look = self._members.running if shallow else self._members.functions
            return look(service, host)
        if shallow:
            return any(self._members.running(service, member) for member in self._fleet.groups[service].hosts)
        return self._fleet.enough(service, None)

    def _far(self, request: Ask, place: str) -> NoAnswer | None:
        """A place outside the fleet: for a service's gate it stands for the group."""
        if request.service is not None and not self._fleet.enough(request.service, None):
            return NoAnswer(reason="refused", detail=place)
        return None

    # --- measurements ------------------------------------------------------------------------------------------------

    def _series(self, query: str, check: Check, request: Ask) -> Reply:
        """An answer of Prometheus: what is measured where the scenario says so, else a value that is as well as the group."""
        if query == check.params.get("alive"):
            return _vector([1.0])
        globs = self._fleet.physics.metrics
        for glob in (glob for glob in globs if fnmatchcase(query, glob)):
            value = self._measure(globs[glob])
            if value is not None:
                return _vector([value])
        well = self._well(query, None, request.service, request)
        if query.startswith("ALERTS") and (firing := self._alerts.prometheus()):
            return _vector([1.0] * len(firing), firing)
        if "not_below" in check.params:
            return _vector([USUAL if well else USUAL / 10])
        if well and check.params.get("empty") == "pass":
            return _vector([])
        return _vector([_value(str(check.params.get("expect", "")), well=well)])

    # --- commands ----------------------------------------------------------------------------------------------------

    def _shell(self, question: Shell, check: Check, request: Ask) -> Reply:
        host = question.host
        if host is None:
            return self._said(self._well(unquote(question.command), None, request.service, request), check)
        silent = self._answers(host)
        if silent is not None:
            return silent
        command = question.command
        if command == _PROBE:
            truth = self._fleet.truth[host]
            uptime = f"{self._uptime_s(host):.2f}"
            return _reply(f"restart-probe 1 boot={truth.boot_id} uptime={uptime}\n")
        service = request.service or next(iter(self._fleet.services_of[host]), None)
        if command == _SYSTEM:
            return _reply("running\n" if self._running(host) else "degraded\n")
        if command.startswith(_UNITS):
            state = "active" if service is None or self._members.running(service, host) else "inactive"
            return _reply(f"{state}\n" * len(command.split(" -- ", 1)[1].split()))
        return self._said(self._well(command, host, service, request), check)

    def _running(self, host: str) -> bool:
        return all(self._members.running(service, host) for service in self._fleet.services_of[host])

    def _said(self, well: bool, check: Check) -> ShellReply:
        if "not_below" in check.params:
            return _reply(f"{USUAL if well else USUAL / 10:g}\n")
        if check.params.get("quiet"):
            return _reply("" if well else "not well\n")
        return _reply("ok\n") if well else ShellReply(exit_status=1, stdout="", stderr="not well\n")


def _reply(said: str) -> ShellReply:
    return ShellReply(exit_status=0, stdout=said, stderr="")


def _found(check: Check) -> HttpReply:
    status = check.params.get("status", [200])
    return HttpReply(
        status=status[0] if status else 200, body=str(check.params.get("contains", "ok")).encode(), took_s=0.001
    )


def _vector(values: Sequence[float], labels: Sequence[Mapping[str, str]] = ()) -> HttpReply:
    metrics = labels or [{}] * len(values)
    result = [
        {"metric": dict(metric), "value": [0, f"{value:g}"]} for metric, value in zip(metrics, values, strict=True)
    ]
    document = {"status": "success", "data": {"resultType": "vector", "result": result}}
    return HttpReply(status=200, body=json.dumps(document).encode(), took_s=0.001)


def _value(expect: str, *, well: bool) -> float:
    """A number that meets `expect` (such as `< 5`), or one that does not."""
    match = _EXPECT.match(expect)
    sign, bound = (match[1], float(match[2])) if match else ("==", 0.0)
    meets = {"==": bound, "!=": bound + 1, "<": bound - 1, "<=": bound, ">": bound + 1, ">=": bound}.get(sign, bound)
    fails = {"==": bound + 1, "!=": bound, "<": bound, "<=": bound + 1, ">": bound, ">=": bound - 1}.get(sign, bound)
    return meets if well else fails
