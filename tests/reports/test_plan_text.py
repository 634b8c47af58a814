from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from restart.model.check import Verdict
from restart.model.observation import HostSeen, Observation
from restart.model.plan import Impact, Plan
from restart.reports.plan_text import plan_text, scope_text, thin
from restart.reports.runbook import plan_markdown

Golden = Callable[[str, str], None]


def test_the_plan_reads_as_agreed(plan: Plan, golden: Golden) -> None:
    golden("plan.txt", plan_text(plan))


def test_the_runbook_reads_as_agreed(plan: Plan, golden: Golden) -> None:
    golden("runbook.md", plan_markdown(plan))


def test_the_scope_reads_as_agreed(plan: Plan, golden: Golden) -> None:
    golden("scope.txt", scope_text(plan) + "\n" + scope_text(plan, until_wave=2))


def test_no_line_of_the_plan_is_wider_than_80_columns_or_holds_an_escape(plan: Plan) -> None:
    text = plan_text(plan)
    assert max(len(line) for line in text.splitlines() if "sha256:" not in line) <= 80
    assert "\x1b" not in text


def test_a_thousand_hosts_are_one_range(many: Callable[[int], Plan]) -> None:
    text = plan_text(many(1000))
    assert "web-[0001-1000]" in text
    assert "web-0500" not in text


def test_members_that_were_seen_sick_make_the_service_thinner(plan: Plan) -> None:
    seen = HostSeen(ready={"postgres": Verdict.UNKNOWN})
    sick = replace(plan, observation=Observation(at="2026-11-22T00:09:00Z", hosts={"db-3": seen}))
    assert "postgres: 2 of 3 left, 2 needed" in thin(plan, plan.waves[0])
    assert "postgres: 1 of 3 left, 2 needed" in thin(sick, plan.waves[0])
    assert "As seen at 2026-11-22T00:09:00Z." in plan_text(sick)


def test_a_service_that_falls_below_its_budget_is_named_as_an_outage(plan: Plan) -> None:
    impact = (
        Impact(service="chat", hosts=12, budget=9, lowest_available=7, outage_s=90.0),
        Impact(service="queue", hosts=3, budget=None, lowest_available=0, outage_s=60.0),
    )
    text = scope_text(replace(plan, impact=impact))
    assert "chat falls to 7 of 12, 9 needed, about 1m30s" in text
    assert "queue has no host left for a while, about 1m" in text


def test_a_run_that_stops_early_names_only_the_outages_it_reaches(plan: Plan) -> None:
    later = replace(plan, waves=(plan.waves[1], plan.waves[0]))
    assert "OUTAGE" in scope_text(plan, until_wave=1)
    renumbered = tuple(replace(wave, number=index) for index, wave in enumerate(later.waves, 1))
    assert "OUTAGE" not in scope_text(replace(plan, waves=renumbered), until_wave=1)


def test_every_host_of_the_plan_is_in_the_runbook_with_its_commands(plan: Plan) -> None:
    text = plan_markdown(plan)
    for move in plan.moves():
        assert f"### {move.host} " in text
        assert f"ssh -F runbook-ssh.conf {move.host} 'sudo systemctl reboot'" in text
        assert f"Host {move.host}\n" in text
    assert "'sudo sh -c '\"'\"'haproxyctl enable app-10'\"'\"''" in text
