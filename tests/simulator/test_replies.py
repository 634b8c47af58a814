"""R9: a port and a unit see the process, a command and a URL whether the member functions; silence is UNKNOWN."""

from __future__ import annotations

import pytest

from restart.model.check import Check, Verdict
from restart.model.inventory import Inventory, Service
from restart.model.request import Ask
from restart.simulator.faults import Fault, Faults
from restart.simulator.journal import MemoryJournal
from restart.simulator.physics.figures import Physics, ServiceFigures
from restart.simulator.world import SimulatedWorld
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import fleet

KINDS = {
    "tcp": {"port": 5672},
    "systemd": {"units": ["queue.service"]},
    "command": {"run": "publish-and-consume", "on": "host"},
    "http": {"url": "http://{address}:15672/health", "status": [200]},
    "ssh": {},
}


def site() -> Inventory:
    return fleet(Service(name="queue", hosts=("queue-1", "queue-2")))


def verdict(kind: str, *faults: Fault, shallow: tuple[str, ...] = (), off: frozenset[str] = frozenset()) -> Verdict:
    inventory = site()
    physics = Physics(services={"queue": ServiceFigures(shallow=shallow)}, off=off)
    world = SimulatedWorld(inventory, physics, gates=GATES)
    Faults(world, MemoryJournal(), faults, 0)
    check = Check(kind=kind, params=KINDS[kind])
    ask = Ask(id="1", subject="ready", checks=(check,), host="queue-1", service="queue")
    return world.replies.findings(ask)[0].verdict


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_that_functions_passes_every_check(kind: str) -> None:
    assert verdict(kind) is Verdict.PASS


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("tcp", "PASS"), ("systemd", "PASS"), ("ssh", "PASS"), ("command", "FAIL"), ("http", "FAIL")],
)
def test_a_lying_member_is_caught_by_the_functional_probe_only(kind: str, expected: str) -> None:
    assert verdict(kind, Fault(kind="lies", hosts=("queue-1",))).value == expected


def test_a_shallow_command_sees_the_process_only() -> None:
    lie = Fault(kind="lies", hosts=("queue-1",))
    assert verdict("command", lie, shallow=("publish*",)) is Verdict.PASS


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_that_is_off_is_unknown_never_passed(kind: str) -> None:
    assert verdict(kind, off=frozenset({"queue-1"})) is Verdict.UNKNOWN


@pytest.mark.parametrize("kind", KINDS)
def test_lost_evidence_is_unknown(kind: str) -> None:
    assert verdict(kind, Fault(kind="unknown", hosts=("queue-1",), for_s=10.0)) is Verdict.UNKNOWN
