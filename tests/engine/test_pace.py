"""Slow start, move by move: how many may be under way (design: rule 8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.engine import facts
from restart.engine.pace import Pace
from restart.model.inventory import Amount, Limit, Policy, Service
from tests.engine.toy import Toy, fleet, plan_of, play

HOSTS = tuple(f"w{n:02}" for n in range(1, 65))
WEB = Service(name="web", hosts=HOSTS, max_unavailable=Amount(number=64))


def pace(canaries: int = 1) -> Pace:
    plan = plan_of(fleet(replace(WEB, canaries=canaries)), " ".join(HOSTS), canaries=" ".join(HOSTS[:canaries]))
    return Pace(plan.inventory, plan.moves(), dict.fromkeys(HOSTS, 1), lambda stratum: None)


def begin(paced: Pace, hosts: list[str]) -> list[str]:
    """Begin all that may, in order; those that did."""
    begun = []
    while hosts and paced.closed(hosts[0]) is None:
        begun.append(hosts.pop(0))
        paced.begin(begun[-1])
    return begun


def end(paced: Pace, begun: list[str], *, good: bool) -> None:
    while begun:
        paced.end(begun.pop(0), good=good)


@pytest.mark.parametrize(("canaries", "steps", "then"), [(1, 1, 1), (1, 2, 2), (1, 3, 4), (2, 1, 2), (3, 2, 6)])
def test_trouble_halves_what_may_be_under_way_and_it_doubles_again_from_there(
    canaries: int, steps: int, then: int
) -> None:
    paced, hosts = pace(canaries), list(HOSTS)
    for _ in range(steps):
        begun = begin(paced, hosts)
        end(paced, begun, good=True)
    begun = begin(paced, hosts)
    assert len(begun) == canaries * 2**steps
    failed, others = begun[:1], begun[1:]
    end(paced, failed, good=False)
    for host in others:  # they end as if nobody had asked for them: neither good nor bad
        paced.end(host, good=None)
    begun = begin(paced, hosts)
    assert len(begun) == then
    rule, why = paced.closed(hosts[0]) or ("", "")
    assert rule == "pace.web"
    assert "and trouble, which has set it back to" in why
    end(paced, begun, good=True)
    assert len(begin(paced, hosts)) == 2 * then


def test_after_a_host_of_two_has_failed_nobody_begins_beside_the_other() -> None:
    inventory = fleet(WEB, policy=Policy(max_failures=5), limits={"fleet": Limit(name="fleet", max_in_flight=64)})
    toy = Toy(inventory)
    toy.hosts["w02"].fault = "no_privilege"  # it declines at once; w03 goes on
    played = play(plan_of(inventory, " ".join(HOSTS), canaries="w01"), toy)
    assert sum(played.reboots().values()) == 63
    told = [(fact.fact, fact.host) for fact in played.facts if fact.fact in (facts.MOVE_STARTED, facts.MOVE_DONE)]
    begun = told.index((facts.MOVE_STARTED, "w03"))
    assert told[begun + 1] == (facts.MOVE_DONE, "w03")
