"""What stands between the controller and its hosts, and every trouble that faults make there."""

from __future__ import annotations

from dataclasses import dataclass

from restart.model.answer import HeldBy, NoAnswer
from restart.model.check import Check
from restart.model.request import Ask, Request
from restart.simulator.clock import micros
from restart.simulator.physics.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Another run's claim on a host, until `until_us` of the run's clock."""

    run: str
    until_us: int


class Network:
    """Which hosts can be reached, and whose answers are lost."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._agenda = site.agenda
        self._gateway = {name: _gateway(site, name) for name in site.inventory.hosts}
        self.unknown_hosts: dict[str, int] = {}
        """Hosts whose checks cannot be learnt -> until when, in microseconds."""
        self.unknown_gates: dict[str, int] = {}
        self.unknown_watches_us = 0
        self.lossy: dict[str, tuple[int, float]] = {}
        """Hosts whose answers are lost -> until when, and with which chance."""
        self.claims: dict[str, Foreign] = {}
        self.no_reboot: set[str] = set()
        self.steps_fail: set[str] = set()
        self.hooks_fail: set[str] = set()
        """Names of hooks that fail; an empty one: all."""
        self._asked = 0

    def answers(self, host: str) -> NoAnswer | None:
        """None where a log-in would succeed now; else what stands in the way."""
        gateway = self._gateway[host]
        if gateway is not None and not self._site.fleet.truth[gateway].up:
            return NoAnswer(reason="gateway", detail=f"{gateway} does not answer")
        if not self._site.fleet.truth[host].up:
            return NoAnswer(reason="timeout", detail="no answer")
        cut_off = self._site.machines.all[host].cut_off
        return NoAnswer(reason=cut_off, detail="hangs") if cut_off else None

    def patience_s(self, request: Ask) -> float:
        """How long the answer to `request` takes beyond the way: the time-out of its checks where the host is silent."""
        if request.host is None or self.answers(request.host) is None:
            return 0.0
        return min([check.timeout_s for check in request.checks], default=0.0)

    def troubled(self, request: Ask, check: Check) -> NoAnswer | None:
        """A fault that keeps this check from being learnt."""
        now_us = self._agenda.now_us
        until_us = self.unknown_watches_us if request.subject == "watch" else 0
        if request.host is not None:
            until_us = self.unknown_hosts.get(request.host, 0)
        elif request.service is not None:
            until_us = self.unknown_gates.get(request.service, 0)
        return NoAnswer(reason="timeout", detail="nothing could be learnt") if now_us < until_us else None

    def loses(self, request: Request) -> bool:
        """Whether the answer to `request` is lost on its way."""
        until_us, chance = self.lossy.get(request.host or "", (0, 0.0))
        if self._agenda.now_us >= until_us:
            return False
        self._asked += 1
        return chance >= 1.0 or self._site.fleet.chance("lost", request.host, self._asked).random() < chance

    def foreign(self, host: str) -> HeldBy | None:
        """The claim of another run that stands on the host; it is gone with the next boot."""
        claim = self.claims.get(host)
        if claim is None or self._site.fleet.truth[host].claimed_by != claim.run:
            return None
        left_us = claim.until_us - self._agenda.now_us
        if left_us <= 0:
            return None
        return HeldBy(controller="elsewhere", user="someone", run=claim.run, since="", for_s=left_us / 1_000_000)

    def claim(self, host: str, run: str, for_s: float) -> bool:
        """Another controller claims the host; False where a claim stands."""
        truth = self._site.fleet.truth[host]
        if truth.claimed_by is not None or not truth.up:
            return False
        truth.claimed_by = run
        self.claims[host] = Foreign(run=run, until_us=self._agenda.now_us + micros(for_s))
        self._site.fleet.changed.add(host)
        return True

    def step_fails(self, host: str) -> bool:
        """Whether the playbook's steps for this host fail."""
        return host in self.steps_fail

    def hook_fails(self, hook: str) -> bool:
        """Whether this hook's commands fail."""
        return not self.hooks_fail.isdisjoint((hook, ""))

    def ignores_reboot(self, host: str) -> bool:
        """Whether a reboot that the host has taken comes to nothing."""
        return host in self.no_reboot


def _gateway(site: Site, host: str) -> str | None:
    gateway = site.inventory.ssh_of(host).gateway
    return gateway if gateway in site.inventory.hosts and gateway != host else None
