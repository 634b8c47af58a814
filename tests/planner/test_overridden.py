"""Which rules can be let go by name, and what is said of the names that cannot."""

from __future__ import annotations

import pytest

from restart.errors import Exit, Refused
from restart.model.inventory import Amount, Dependency, Limit, Service
from restart.model.plan import Override
from restart.planner import make_plan, plan_from_json, plan_json
from restart.planner.overridden import NEVER
from tests.planner.fleets import AT, fleet, host

DB = Service(name="db", hosts=("a", "b", "c"), min_available=Amount(number=2), admission=1)
WEB = Service(name="web", hosts=("d", "e"), depends_on=(Dependency(provider="db"),))
LIMITS = {
    "zone": Limit(name="zone", per="zone", max_domains=1),
    "rack": Limit(name="rack", per="rack", max_in_flight=1, max_rate=2, max_rate_per_s=60.0),
}
FLEET = fleet([host(name) for name in "abcde"], [DB, WEB], limits=LIMITS)


def over(*rules: str, reason: str = "midnight") -> list[Override]:
    return [Override(rule=rule, reason=reason) for rule in rules]


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("limits.rack", "did you mean limit.rack?"),
        ("limit.rak", "did you mean limit.rack?"),
        ("services.db.budget", "did you mean budget.db?"),
        ("budget.dbb", "did you mean budget.db?"),
        ("order.web.bd", "did you mean order.web.db?"),
        ("gate.db", "restart explain HOST"),
        ("nonsense", "restart explain HOST"),
    ],
)
def test_a_name_that_no_rule_has_is_refused_with_what_it_may_have_meant(name: str, way_out: str) -> None:
    with pytest.raises(Refused) as refused:
        make_plan(FLEET, overrides=over(name), made_at=AT)
    assert refused.value.exit_code == Exit.REFUSED
    assert f"{name} is no rule of this inventory" in str(refused.value)
    assert way_out in str(refused.value) or (name == "gate.db" and "did you mean" in str(refused.value))


@pytest.mark.parametrize("name", [*NEVER, "claims", "UNKNOWN", "boot-id", "path.db"])
def test_a_rule_that_nobody_may_let_go_is_refused_with_why_and_a_way_out(name: str) -> None:
    with pytest.raises(Refused, match=f"{name} cannot be overridden: ") as refused:
        make_plan(FLEET, overrides=over(name), made_at=AT)
    assert all(refusal.way_out for refusal in refused.value.refusals)


def test_every_wrong_name_is_told_at_once() -> None:
    with pytest.raises(Refused) as refused:
        make_plan(FLEET, overrides=over("nonsense", "claim", "budget.db"), made_at=AT)
    assert [refusal.rule for refusal in refused.value.refusals] == ["nonsense", "claim"]


def test_an_override_without_a_reason_is_refused() -> None:
    with pytest.raises(Refused, match="wants a reason"):
        make_plan(FLEET, overrides=over("budget.db", reason=" "), made_at=AT)


def test_the_plan_holds_its_overrides_with_the_reason_and_its_digest_covers_them() -> None:
    plain = make_plan(FLEET, made_at=AT)
    plan = make_plan(FLEET, overrides=over("limit.zone"), made_at=AT)
    assert plan.overrides == (Override(rule="limit.zone.max_domains", reason="midnight"),)
    other = make_plan(FLEET, overrides=over("limit.zone", reason="another"), made_at=AT)
    assert len({plain.digest, plan.digest, other.digest}) == 3
    assert plan_from_json(plan_json(plan)) == plan


def test_a_refusal_goes_with_the_rule_that_it_names_and_no_other_does() -> None:
    tight = Service(name="db", hosts=("a", "b", "c"), min_available=Amount(percent=100.0))
    shut = {"none": Limit(name="none", max_in_flight=0)}
    inventory = fleet([host(name) for name in "abc"], [tight], limits=shut)
    with pytest.raises(Refused) as refused:
        make_plan(inventory, made_at=AT)
    assert [refusal.rule for refusal in refused.value.refusals] == ["budget.db", "limit.none"]
    with pytest.raises(Refused) as refused:
        make_plan(inventory, overrides=over("budget.db"), made_at=AT)
    assert [refusal.rule for refusal in refused.value.refusals] == ["limit.none"]
    plan = make_plan(inventory, overrides=over("budget.db", "limit.none"), made_at=AT)
    assert [len(wave.moves) for wave in plan.waves] == [3]
    assert plan.impact[0].budget == 3
    assert plan.impact[0].lowest_available < 3


def test_an_overridden_budget_is_still_the_one_that_consumers_need() -> None:
    plan = make_plan(
        fleet([host(name) for name in "abcde"], [DB, WEB]), overrides=over("budget.db", "order.web.db"), made_at=AT
    )
    first = {move.host for move in plan.waves[0].moves}
    # Two of the three members are needed by web, so no more than one of them goes with a host of web.
    assert len(first & {"a", "b", "c"}) <= 1 or not first & {"d", "e"}


def test_a_warm_up_gate_that_is_let_go_lets_no_other_go() -> None:
    cache = Service(name="cache", hosts=("a", "b"), carries_load=True)
    found = fleet([host(name) for name in "abc"], [cache, Service(name="proxy", hosts=("c",), carries_load=True)])
    with pytest.raises(Refused) as refused:
        make_plan(found, overrides=over("warm_up.cache"), made_at=AT)
    assert [refusal.rule for refusal in refused.value.refusals] == ["warm_up.proxy"]
    both = make_plan(found, overrides=over("warm_up.cache", "warm_up.proxy"), made_at=AT)
    assert len(list(both.moves())) == 3
