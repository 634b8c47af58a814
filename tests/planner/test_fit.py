"""A plan in its maintenance windows: what its reader is told, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.errors import Refused
from restart.model.check import Check
from restart.model.inventory import Expect, Host, Inventory, Policy, Service, Window
from restart.model.plan import Override, Plan, Span
from restart.model.playbook import Playbook, Rung
from restart.planner import in_windows, make_plan, plan_from_json, plan_json

NIGHT = Window(opens="23:00", closes="00:00", zone="UTC")
BOOK = Playbook(name="reboot", restart=(Rung(kind="reboot", back_within_s=600.0),))


def span(from_hour: int, minutes: int, day: int = 22) -> Span:
    closes = f"{from_hour + minutes // 60:02}:{minutes % 60:02}"
    return Span(opens=f"2026-11-{day}T{from_hour:02}:00:00Z", closes=f"2026-11-{day}T{closes}:00Z")


def plan(hosts: int = 4, *, made_at: str = "2026-11-22T12:00:00Z", **given: object) -> Plan:
    names = tuple(f"w{number}" for number in range(1, hosts + 1))
    inventory = Inventory(
        fleet="toy",
        hosts={name: Host(name=name, address="127.0.0.1") for name in names},
        services={"web": Service(name="web", hosts=names, ready=(Check(kind="tcp"),))},
        playbooks={"reboot": BOOK},
        expect=Expect(boot_s=290.0),
        policy=Policy(canaries=0, pace="fixed", windows=(NIGHT,)),
    )
    return replace(make_plan(inventory, made_at=made_at), **given)  # type: ignore[arg-type]


def test_a_plan_that_fits_says_so_and_carries_its_windows() -> None:
    made = in_windows(plan(), (span(22, 60), span(22, 60, day=23)))
    assert made.notes[0] == (
        "the maintenance window opens at 2026-11-22T22:00:00Z and closes at 2026-11-22T23:00:00Z, 1h00m for about 20m: it fits"
    )
    assert plan_from_json(plan_json(made)) == made


def test_the_moves_that_do_not_fit_are_named_and_when_they_can_go() -> None:
    made = in_windows(plan(), (span(22, 30), span(22, 30, day=23)))
    assert made.notes[0].endswith(
        "1 of 4 moves do not fit and wait until the next, 2026-11-23T22:00:00Z: w4 (no move begins whose whole ladder might "
        "not end inside; that of w4 may take 15m15s from 15m on)"
    )


def test_what_is_left_of_a_window_that_is_open_counts() -> None:
    made = in_windows(plan(made_at="2026-11-22T22:10:00Z"), (span(22, 30),))
    assert "is open and closes at 2026-11-22T22:30:00Z, 20m for about 20m: 3 of 4 moves do not fit" in made.notes[0]
    assert "for a window that is not in this plan" in made.notes[0]


def test_a_ladder_that_is_longer_than_every_window_is_refused_with_its_numbers() -> None:
    with pytest.raises(Refused) as refused:
        in_windows(plan(), (span(22, 10), span(22, 15, day=23)))
    (refusal,) = refused.value.refusals
    assert refusal.rule == "window"
    assert "w1, w2, w3, w4: with every deadline used up the ladder takes 15m15s" in refusal.what
    assert "the longest maintenance window is 15m" in refusal.what
    assert "--override window" in refusal.way_out


def test_the_overridden_rule_refuses_nothing() -> None:
    made = in_windows(plan(overrides=(Override(rule="window", reason="agreed"),)), (span(22, 10),))
    assert made.notes[0] == "maintenance windows do not hold this run: the rule is overridden"


def test_a_plan_whose_windows_have_all_passed_says_that_it_begins_nothing() -> None:
    assert "begins nothing" in in_windows(plan(), ()).notes[0]


def test_without_windows_a_plan_stays_as_it_is() -> None:
    made = plan()
    plain = replace(made, inventory=replace(made.inventory, policy=Policy()))
    assert in_windows(plain, (span(22, 10),)) is plain
