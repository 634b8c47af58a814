"""The ground that a plan stands on, looked up once: who moves, in which services, what must have finished before, what may be asked."""

from __future__ import annotations

import re
from collections.abc import Iterable

from restart.model.check import SSH_CHECK, Check
from restart.model.inventory import Dependency, Inventory, Service
from restart.model.plan import Plan
from restart.model.playbook import Rung
from restart.model.request import Ask, Read, RunHook, RunStep, SwitchPower
from restart.simulator.referee.cold import before_the_path, edges_at_boot, opens_at
from restart.simulator.referee.compared import plain
from restart.simulator.referee.outages import dark_services, edges_out_of_the_dark
from restart.simulator.referee.restated import (
    down_max,
    edges_of,
    filled,
    ladder_of,
    let_go,
    near,
    on_the_path,
    ready_min,
    rings,
    steps_of,
)
from restart.simulator.referee.standing import KIND

REBOOTING_RUNGS = frozenset({"reboot", "power", "poweroff"})


class Grounds:
    """Read-only, but for `unfinished` and for spares that are called up, which the referee keeps."""

    def __init__(self, plan: Plan, stated: Inventory | None = None) -> None:
        """`stated`: the inventory as the whole plan states it, where `plan` is one stage of it."""
        inventory = plan.inventory
        self._stand_ins = _stand_ins(inventory if stated is None else stated)
        self.inventory = inventory
        self._overridden = tuple(override.rule for override in plan.overrides)
        self.moves = {move.host: move for move in plan.moves()}
        self.wave_of = {move.host: wave.number for wave in plan.waves for move in wave.moves}
        carried: dict[str, list[str]] = {host: [] for host in inventory.hosts}
        for service in inventory.services.values():
            for host in service.hosts:
                carried[host].append(service.name)
        self.services_of = {host: tuple(names) for host, names in carried.items()}
        self.members = {name: frozenset(service.hosts) for name, service in inventory.services.items()}
        self.sized: dict[str, Service] = {}
        """Services whose members are no longer those of the inventory, because a spare has come."""
        self.down_max = {name: down_max(service) for name, service in inventory.services.items()}
        self.mode = plan.mode
        self.cold = plan.mode == "cold-start"
        self.stops = plan.mode == "shutdown"
        self.edges = {name: edges_of(service) for name, service in inventory.services.items()}
        self.near = near(inventory)
        self.path = on_the_path(inventory)
        self.early = frozenset[str]()
        """Hosts of a cold start that do not wait for the path's; of a shutdown, those that the path does not wait for."""
        if self.cold:
            self.edges = edges_at_boot(inventory, self.moves)
            self.near = {
                name: frozenset((name, *(edge.provider for edge in edges))) for name, edges in self.edges.items()
            }
            self.early = before_the_path(inventory, self.path, self.edges)
        self.dark = dark_services(plan, self.moves)
        """Services that this recovery finds down as a whole."""
        if self.dark:
            self.edges = edges_out_of_the_dark(inventory, self.dark)
        if self.stops:
            self.early = before_the_path(inventory, self.path, self.edges)
        self.ring = rings(inventory, self.moves, self.services_of, self.edges)
        self.unfinished: dict[str, dict[str, None]] = {name: {} for name in inventory.services}
        for host in self.moves:
            self.not_finished(host)
        self.ladder = {
            move.host: ladder_of(inventory.playbooks[move.playbook], move.act, inventory.hosts[move.host])
            for move in plan.moves()
        }
        self.rungs = {host: tuple(rung.kind for rung in ladder) for host, ladder in self.ladder.items()}
        self._steps: dict[str, list[tuple[str | None, re.Pattern[str]]]] = {
            playbook.name: [(on, filled(text)) for on, text in steps_of(playbook)]
            for playbook in inventory.playbooks.values()
        }
        self._checks = _by_likeness(inventory.watch)
        for service in inventory.services.values():
            self._checks |= _by_likeness((*service.ready, *service.gate, SSH_CHECK))

    def power_rungs(self, host: str) -> tuple[Rung, ...]:
        """The rungs of the host's ladder that switch power."""
        return tuple(rung for rung in self.ladder.get(host, ()) if rung.kind == "power")

    def let_go(self, rule: str) -> bool:
        """Whether the plan overrides `rule` by its name."""
        return let_go(self._overridden, rule) if self._overridden else False

    def needed(self, edge: Dependency) -> int:
        """Ready members of the provider that `edge` asks for."""
        provider = self.sized.get(edge.provider) or self.inventory.services[edge.provider]
        return opens_at(provider, edge.needs) if self.cold else ready_min(provider, edge.needs)

    def is_waited_for(self, host: str, first_boot: str) -> bool:
        """Whether `host` was off at first, and is among those that this run starts."""
        return host in self.moves and not first_boot

    def is_unfinished(self, host: str) -> bool:
        """Whether the move of `host` is still to end; of a host in no service nobody waits for it."""
        return any(host in self.unfinished[service] for service in self.services_of[host])

    def finished(self, host: str) -> None:
        """The move of `host` has finished, well or not."""
        for service in self.services_of.get(host, ()):
            self.unfinished[service].pop(host, None)

    def not_finished(self, host: str) -> None:
        """The move of `host` is to come, or (an operator's `retry`) to come again."""
        for service in self.services_of[host]:
            self.unfinished[service][host] = None

    def waits_for(self, host: str, edge: Dependency) -> list[str]:
        """The provider's moves that should have finished before `host` restarts and have not (rules 3 b and 10)."""
        left = [
            other
            for other in self.unfinished[edge.provider]
            if other != host and other not in self.path and self.ring[other] != self.ring.get(host)
        ]
        if not left or edge.needs is None:
            return left
        members = self.members[edge.provider]
        # Members on the path go last, and nobody waits for them: they count as finished.
        unfinished = sum(other not in self.path for other in self.unfinished[edge.provider])
        outside = sum(self.ring.get(other) != self.ring.get(host) or other not in self.moves for other in members)
        enough = len(members) - unfinished >= edge.needs or outside - len(left) >= min(edge.needs, outside)
        return [] if enough else left

    def stand_ins_of(self, host: str) -> list[tuple[str, str]]:
        """The declared breaks of the services of `host`: the provider, and each of the words `with` and `undo`."""
        return [(edge, word) for service, edge, word in self._stand_ins if service in self.services_of.get(host, ())]

    def is_command(self, request: RunStep, provider: str, word: str) -> bool:
        """Whether `request` is that command of a declared break, where the break says."""
        return any(
            (on or request.host) == request.on and text.fullmatch(request.command)
            for (service, edge, said), (on, text) in self._stand_ins.items()
            if service in self.services_of[request.host] and edge == provider and said == word
        )

    def seeds(self, request: RunStep) -> str | None:
        """The service whose seed's `start` this command is, on the member itself; None: it is none."""
        for name in self.services_of[request.host]:
            seed = self.inventory.services[name].seed
            here = seed is not None and seed.start is not None and request.on == request.host
            if here and seed is not None and filled(seed.start or "").fullmatch(request.command):
                return name
        return None

    def is_stand_in(self, request: RunStep) -> bool:
        """Whether `request` puts up a stand-in, as only a cold start does, or takes one out, as only another stage does."""
        word = "with" if self.cold else "undo"
        return any(
            said == word and self.is_command(request, provider, said)
            for provider, said in self.stand_ins_of(request.host)
        )

    def named_step(self, request: RunStep) -> bool:
        """Whether the plan names this command, on that host."""
        if self.is_stand_in(request) or (self.cold and self.seeds(request)):
            return True
        playbook = self.moves[request.host].playbook
        return any(
            request.on == (on or request.host) and text.fullmatch(request.command)
            for on, text in self._steps.get(playbook, ())
        )

    def named_hook(self, request: RunHook) -> bool:
        """Whether the plan names this hook, with that command or silence, on that host."""
        for hook in self.inventory.hooks:
            stated = "" if hook.silence is not None else (hook.undo or "") if request.undo else hook.run
            same = (hook.name, hook.on, hook.silence) == (request.hook, request.host, request.silence)
            if same and filled(stated).fullmatch(request.command):
                return True
        return False

    def named_read(self, request: Read) -> bool:
        """Whether the plan names this question, and the host is a member of the service (also where it is not in the plan: it may lead)."""
        service = self.inventory.services.get(request.service)
        if service is None or request.host not in (self.sized.get(request.service) or service).hosts:
            return False
        stated = {"role": service.role, "seed": service.seed}.get(request.about)
        return stated is not None and filled(stated.run).fullmatch(request.command) is not None

    def named_reset(self, request: SwitchPower) -> bool:
        """Whether the ladder has a rung that switches power this way, or any: power that is found off is switched on."""
        rungs = self.power_rungs(request.host)
        return bool(rungs) and (request.reset == "on" or any(rung.reset == request.reset for rung in rungs))

    def named_checks(self, ask: Ask) -> bool:
        """Whether the plan names every check of `ask`; what a check is compared with, and the boot id of the proof of a reboot, the plan cannot hold."""
        return all(
            id(check) in self._checks or check.kind == "boot" or any(check == own for own in self._checks.values())
            for check in (plain(check) for check in ask.checks if check.kind != KIND)
        )


def _stand_ins(inventory: Inventory) -> dict[tuple[str, str, str], tuple[str | None, re.Pattern[str]]]:
    """By consumer, provider and word: where a command of a declared break runs (None: on the consumer's host), and what it looks like."""
    return {
        (service.name, edge.provider, word): (edge.stand_in.on, filled(text))
        for service in inventory.services.values()
        for edge in service.depends_on
        if edge.stand_in is not None
        for word, text in (("with", edge.stand_in.with_run), ("undo", edge.stand_in.undo))
    }


def _by_likeness(checks: Iterable[Check]) -> dict[int, Check]:
    # By identity first: the plan's own objects come back in every request, and comparing params costs.
    return {id(check): check for check in checks}
