"""The command line on machines that really reboot: what it says of them is what their kernels say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.tool import Run, Tool
from tests.machines.inventories import SHORT_S, power, reboot, well, write_inventory
from tests.machines.lab import Lab


@pytest.fixture
def three(request: pytest.FixtureRequest, tell: Callable[[str], None]) -> Iterator[Lab]:
    """Three machines, well, with the faults that the test's `planted` mark tells."""
    mark = request.node.get_closest_marker("planted")
    with Lab(["m1", "m2", "m3"], faults=mark.args[0] if mark else None) as lab:
        lab.await_well()
        yield lab
        tell(lab.table())


def _new_boots(run: Run) -> dict[str, list[str]]:
    """The boot ids that the run proved, by host."""
    found: dict[str, list[str]] = {}
    for row in run.of("booted"):
        found.setdefault(str(row["host"]), []).append(str(row["data"]["boot_id"]))
    return found


@pytest.mark.planted({"m2": ["late=10@2"], "m3": ["slow-down=12@1"]})
def test_a_rolling_restart_is_proved_by_boot_ids_and_not_fooled_by_a_slow_shutdown_or_a_late_service(
    three: Lab, tmp_path: Path
) -> None:
    inventory = write_inventory(three, tmp_path)
    before = {name: three.boots(name)[-1] for name in three.specs}
    with Tool(tmp_path / "laptop", inside=three.inside).run(inventory, hosts=3) as run:
        assert run.end() == 0, run.account()
    for name in three.specs:
        boots = three.boots(name)
        assert boots[0] == before[name]
        assert len(boots) == 2, run.account()
        assert _new_boots(run)[name] == [boots[1]]
    status = three.status()
    ended = {str(row["host"]): row["at_s"] for row in run.of("move_done")}
    assert set(ended) == set(three.specs)
    # One at a time: nobody went down before the one before was well again.
    order = sorted(three.specs, key=lambda name: status[name]["boots"][1]["at_s"])
    for first, then in pairwise(order):
        assert status[first]["boots"][1]["well_s"] < status[then]["boots"][1]["at_s"]


@pytest.mark.planted({"m2": ["hang@2"]})
def test_a_machine_that_hangs_at_boot_is_brought_back_by_a_power_cycle(three: Lab, tmp_path: Path) -> None:
    ladder = (reboot(three, SHORT_S), power(three))
    inventory = write_inventory(three, tmp_path, ladder=ladder)
    with Tool(tmp_path / "laptop", inside=three.inside).run(inventory, "--yes-force-off", "3", hosts=3) as run:
        assert run.end() == 0, run.account()
    assert [len(three.boots(name)) for name in three.specs] == [2, 3, 2]
    assert [row["data"]["rung"] for row in run.of("rung_failed", "m2")] == ["reboot"]


@pytest.mark.planted({"m1": ["off@2-"]})
def test_a_machine_that_never_returns_is_quarantined_and_nobody_follows_it(three: Lab, tmp_path: Path) -> None:
    ladder = (reboot(three, SHORT_S),)
    inventory = write_inventory(three, tmp_path, ladder=ladder)
    with Tool(tmp_path / "laptop", inside=three.inside).run(inventory, hosts=3) as run:
        assert run.end() == 5, run.account()
    assert [str(row["host"]) for row in run.of("quarantined")] == ["m1"]
    assert [len(three.boots(name)) for name in ("m2", "m3")] == [1, 1]


def test_a_changed_host_key_is_named_and_not_trusted(three: Lab, tmp_path: Path) -> None:
    three.say("new-key", "m1")
    ladder = (reboot(three, SHORT_S),)
    inventory = write_inventory(three, tmp_path, ladder=ladder)
    with Tool(tmp_path / "laptop", inside=three.inside).run(inventory, hosts=3) as run:
        assert run.end() == 5, run.account()
    (lost,) = run.of("quarantined")
    assert lost["host"] == "m1"
    assert "host-key" in lost["why"]
    assert [len(three.boots(name)) for name in three.specs] == [2, 1, 1]


@pytest.mark.planted({"m1": ["again=2@2"]})
def test_a_machine_that_reboots_twice_in_a_row_is_seen_to(three: Lab, tmp_path: Path) -> None:
    inventory = write_inventory(three, tmp_path, service={"ready": [well(three, healthy_for="8s")]})
    with Tool(tmp_path / "laptop", inside=three.inside).run(inventory, hosts=3) as run:
        assert run.end() == 0, run.account()
    assert [len(three.boots(name)) for name in three.specs] == [3, 2, 2]
    assert _new_boots(run)["m1"][-1] == three.boots("m1")[-1], run.account()


def test_a_tool_that_is_killed_in_the_middle_goes_on_and_nobody_reboots_twice(three: Lab, tmp_path: Path) -> None:
    inventory = write_inventory(three, tmp_path)
    tool = Tool(tmp_path / "laptop", inside=three.inside)
    with tool.run(inventory, hosts=3) as run:
        run.until("rebooting")
        run.kill()
    with tool.resume(run.name()) as resumed:
        assert resumed.end() == 0, resumed.account()
    assert [len(three.boots(name)) for name in three.specs] == [2, 2, 2]
