"""Asking checks: each is turned into questions by its gate, carried out by a transport, and judged by the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from restart.model.answer import NoAnswer
from restart.model.check import Check, Finding, Verdict
from restart.model.inventory import Inventory
from restart.model.question import HttpGet, Question, Reply, Shell, ShellReply, TcpConnect
from restart.model.world import Gate
from restart.rules.fill import fill_known
from restart.transports import local, net

NOT_OPENED = frozenset({"unreachable", "refused", "connect", "banner", "host-key", "auth", "gateway"})
"""Reasons of a `NoAnswer` that mean: no connection was opened, so that the next question would wait for the same in vain."""


class Runs(Protocol):
    """What is needed of the SSH pool."""

    def run(self, shell: Shell) -> ShellReply | NoAnswer:
        """Run a command on a host."""


class Asking:
    """Asks checks of the inventory's hosts. Used from any number of threads; changes nothing."""

    def __init__(self, inventory: Inventory, *, gates: Mapping[str, Gate], ssh: Runs) -> None:
        self._inventory = inventory
        self._gates = gates
        self._ssh = ssh

    def finding(self, check: Check, host: str | None, service: str | None, silent: dict[str, NoAnswer]) -> Finding:
        """One check, asked and judged. `silent` are the hosts that could not be opened a connection to; it is added to."""
        gate = self._gates.get(check.kind)
        if gate is None:
            return Finding(verdict=Verdict.UNKNOWN, evidence=f"{check.kind}: no gate of this kind is installed")
        about = None if host is None else self._inventory.hosts[host]
        try:
            questions = gate.ask(check, about, service)
        except ValueError as error:
            return Finding(verdict=Verdict.UNKNOWN, evidence=f"{check.kind}: cannot be asked: {error}")
        finding = gate.judge(check, [self._look(question, silent) for question in questions])
        # A gate judges by the check as it is written; people want to read which host it was about.
        return replace(finding, evidence=fill_known(finding.evidence, about, service))

    def _look(self, question: Question, silent: dict[str, NoAnswer]) -> Reply:
        match question:
            case TcpConnect():
                return net.tcp(question)
            case HttpGet():
                return net.http(question)
            case Shell(host=None):
                return local.run(question)
        host = question.host or ""
        if host in silent:
            # It did not let us in a moment ago: the other checks would wait for the same thing in vain.
            return silent[host]
        reply = self._ssh.run(question)
        if isinstance(reply, NoAnswer) and reply.reason in NOT_OPENED:
            silent[host] = reply
        return reply
