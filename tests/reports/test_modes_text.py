"""A cold start, a shutdown and a stop-start as operators read them: the plan, the runbook to do it by hand, and why each host is where it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from restart.inventory import read
from restart.model.plan import Plan
from restart.planner import explain, make_plan
from restart.reports.plan_text import plan_text
from restart.reports.runbook import plan_markdown
from restart.reports.summary import RunCard, summary, summary_json
from restart.reports.summary_text import summary_markdown, summary_text
from tests.inventory.reading import GATES, ROOT

Golden = Callable[[str, str], None]
MODES = ("cold-start", "shutdown", "stop-start")


def planned(mode: str) -> Plan:
    return make_plan(read([ROOT / "inventories" / "small-site.yml"], GATES), mode=mode, made_at="2026-11-22T00:00:00Z")


@pytest.mark.parametrize("mode", MODES)
def test_the_plan_the_runbook_and_the_reasons_read_as_agreed(mode: str, golden: Golden) -> None:
    made = planned(mode)
    golden(f"{mode}.txt", plan_text(made))
    golden(f"{mode}.md", plan_markdown(made))
    golden(f"{mode}-explain.txt", "\n\n".join("\n".join(explain(made, name)) for name in made.inventory.hosts) + "\n")


@pytest.mark.parametrize("mode", MODES)
def test_no_runbook_of_these_reboots_a_host(mode: str) -> None:
    text = plan_markdown(planned(mode))
    assert "reboot" not in text
    assert ("systemctl poweroff" in text) is (mode != "cold-start")
    assert ("chassis power on" in text) is (mode != "shutdown")


def test_a_shutdown_by_hand_undrains_nothing_and_a_cold_start_by_hand_undrains_what_it_left() -> None:
    # A host that is off has nothing to undrain; one that is started has nothing to drain.
    assert "- [ ] undrain" not in plan_markdown(planned("shutdown"))
    assert "- [ ] drain" not in plan_markdown(planned("cold-start"))
    assert plan_markdown(planned("cold-start")).count("- [ ] undrain") == 7


# --- stand-ins ----------------------------------------------------------------------------------------------------------


def put_up(host: str) -> dict[str, object]:
    data = {"provider": "dns", "undo": "dynamic", "on": host}
    return {
        "seq": 1,
        "at_s": 1.0,
        "event": "stand_in",
        "host": host,
        "service": "ldap",
        "evidence": "static",
        "data": data,
    }


def test_a_report_says_which_stand_ins_are_removed_and_which_are_left_with_the_way_out() -> None:
    rows = [
        put_up("l1"),
        put_up("l2"),
        {"seq": 2, "at_s": 2.0, "event": "stand_in_removed", "host": "l1", "service": "ldap", "evidence": "dynamic",
         "data": {"provider": "dns"}},
        {**put_up("l2"), "seq": 3, "at_s": 3.0, "event": "stand_in_left"},
    ]  # fmt: skip
    told = summary(planned("cold-start"), rows, RunCard(run="r1"))
    assert [(found["host"], found["state"], found["undo"]) for found in summary_json(told, rows)["stand_ins"]] == [
        ("l1", "removed", "dynamic"),
        ("l2", "left", "dynamic"),
    ]
    left = "l2: for dns, which ldap requires: LEFT IN PLACE: on l2 take it out with `dynamic`, then restart l2"
    assert left in " ".join(summary_text(told).split())
    assert f"- {left}" in summary_markdown(told)
    assert "l1: for dns, which ldap requires: removed" in summary_text(told)


def test_a_report_without_stand_ins_has_no_such_block() -> None:
    assert "Stand-ins" not in summary_text(summary(planned("cold-start"), [], RunCard(run="r1")))
