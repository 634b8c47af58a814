"""What a plan may state and this engine cannot do yet. `run` refuses it by name; nothing is ever silently ignored."""

from __future__ import annotations

from collections.abc import Iterator

from restart.errors import Refusal
from restart.model.inventory import Service
from restart.model.plan import Plan
from restart.model.playbook import Playbook

RUNGS = frozenset({"reboot", "service_restart", "power", "approve"})
MODES = frozenset({"rolling", "cold-start", "recover", "shutdown", "stop-start"})
CHECKS = frozenset({"ssh", "tcp", "http", "command", "systemd", "boot", "prometheus", "alertmanager", "approve"})


def not_yet(plan: Plan) -> tuple[Refusal, ...]:
    """Every such statement of the plan, each with the way out."""
    inventory = plan.inventory
    modes = dict.fromkeys((plan.mode, *(wave.mode for wave in plan.waves if wave.mode is not None)))
    found = [_refusal(f"mode {mode}", "plan with --mode rolling") for mode in modes if mode not in MODES]
    # What a host goes through when it comes back means nothing to one that is switched off.
    for service in inventory.services.values() if plan.mode != "shutdown" else ():
        found += _of_service(service)
    restarting = [move.playbook for move in plan.moves() if move.act != "stop"]
    for name in dict.fromkeys((*restarting, *(spare.playbook for spare in plan.spares))):
        found += _of_playbook(inventory.playbooks[name])
    return tuple(found)


def _of_service(service: Service) -> Iterator[Refusal]:
    for check in (*service.ready, *service.gate):
        if check.kind not in CHECKS:
            yield _refusal(f"services.{service.name}: check {check.kind}", "use one of the checks the README lists")


def _of_playbook(playbook: Playbook) -> Iterator[Refusal]:
    for number, rung in enumerate(playbook.restart, 1):
        if rung.kind not in RUNGS:
            yield _refusal(
                f"playbook {playbook.name}: rung {number}, {rung.kind}", "use reboot, service_restart, power or approve"
            )


def _refusal(what: str, way_out: str) -> Refusal:
    return Refusal(rule="not-yet", what=f"{what}: not yet carried out by this version", way_out=way_out)
