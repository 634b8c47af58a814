from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from restart.engine import facts as names
from restart.model.check import Check
from restart.model.document import as_json
from restart.model.event import Fact
from restart.model.history import Sample
from restart.model.observation import HostSeen, Observation
from restart.model.plan import LeftAlone, Plan
from restart.reports.history import PastRun, history_json, history_text
from restart.reports.rows import fact_of
from restart.reports.summary import RunCard, summary, summary_json
from restart.reports.summary_text import status_text, summary_markdown, summary_text

Golden = Callable[[str, str], None]

CARD = RunCard(
    run="7f3a",
    state="halted",
    exit_code=5,
    why="the gate of postgres FAILs: 503, 200 wanted",
    reason="kernel 6.1.99",
    by="ada",
    controller="bastion-1",
    started_at="2026-11-22T00:10:00.000Z",
    ended_at="2026-11-22T00:22:30.000Z",
    cpu_s=1.2,
)
GOING = replace(CARD, state=None, exit_code=None, why="", ended_at=None, led=True, cpu_s=None)


def rows(facts: Sequence[Fact]) -> list[dict[str, Any]]:
    """As the runner gives them: numbered, with both times."""
    made = []
    for seq, fact in enumerate(facts, 1):
        body = as_json(fact)
        minutes, seconds = divmod(int(fact.at_s) + 600, 60)
        made.append(
            {"seq": seq, "at": f"2026-11-22T00:{minutes:02d}:{seconds:02d}.000Z", "at_s": fact.at_s, "event": fact.fact}
            | {key: value for key, value in body.items() if key not in ("fact", "at_s")}
        )
    return made


def test_rows_read_back_are_the_facts(facts: list[Fact]) -> None:
    assert [fact_of(row) for row in rows(facts)] == facts
    assert fact_of({"seq": 1, "at": "x", "at_s": 0.0, "event": "woke", "input": {}}) is None


def test_the_report_of_a_halted_run_reads_as_agreed(plan: Plan, facts: list[Fact], golden: Golden) -> None:
    told = summary(plan, rows(facts), CARD)
    golden("report-halted.txt", summary_text(told))
    golden("report-halted.md", summary_markdown(told))


def test_the_report_as_data_carries_every_row(plan: Plan, facts: list[Fact], golden: Golden) -> None:
    made = rows(facts)
    data = summary_json(summary(plan, made, CARD), made)
    assert data["journal"] == made
    golden("report-halted.json", json.dumps(data | {"journal": []}, indent=2) + "\n")


def test_the_status_of_a_run_reads_as_agreed(plan: Plan, facts: list[Fact], golden: Golden) -> None:
    cut = next(index for index, fact in enumerate(facts) if fact.fact == "rebooting" and fact.host == "db-2")
    golden("status-running.txt", status_text(summary(plan, rows(facts[: cut + 1]), GOING)))


def test_a_run_whose_leader_is_gone_is_interrupted_and_says_how_to_go_on(plan: Plan, facts: list[Fact]) -> None:
    told = summary(plan, rows(facts[:20]), replace(GOING, led=False))
    assert told.state == "interrupted"
    assert "restart resume 7f3a" in status_text(told)
    assert told.eta_s is None


def test_a_host_in_doubt_names_the_three_commands(plan: Plan) -> None:
    doubt = [
        Fact(at_s=1.0, fact="move_started", host="db-1", wave=1),
        Fact(at_s=2.0, fact="in_doubt", host="db-1", why="nobody can say whether postgresql.service restarted"),
        Fact(at_s=2.0, fact="run_ended", why="db-1 is in doubt", data={"state": "paused", "exit_code": 6}),
    ]
    text = summary_text(summary(plan, rows(doubt), replace(CARD, state="paused", exit_code=6, why="db-1 is in doubt")))
    for word in ("done", "retry", "skip"):
        assert f"restart resolve 7f3a db-1 --{word} --reason '...'" in text
    assert "db-1: in doubt: nobody can say whether postgresql.service restarted" in text


def test_an_approval_that_is_wanted_names_its_command(plan: Plan) -> None:
    wanted = Fact(at_s=1.0, fact="approval_wanted", service="chat", evidence="unseal", data={"target": "chat"})
    assert "restart approve 7f3a chat" in status_text(summary(plan, rows([wanted]), GOING))


def test_a_run_that_went_well_has_nothing_left_to_do(plan: Plan) -> None:
    done = [
        Fact(at_s=2.0, fact="move_done", host=move.host, wave=wave.number) for wave in plan.waves for move in wave.moves
    ]
    end = Fact(at_s=3.0, fact="run_ended", why="", data={"state": "done", "exit_code": 0})
    told = summary(plan, rows([*done, end]), replace(CARD, state="done", exit_code=0, why=""))
    assert told.next_steps == ()
    assert "What to do next" not in summary_text(told)


def test_the_history_reads_as_agreed(golden: Golden) -> None:
    runs = [
        PastRun(run="9b01", fleet="chat-prod", started_at="2026-11-22T00:10:00.123Z", state=None, exit_code=None,
                by="ada", reason="kernel 6.1.99", hosts=18),
        PastRun(run="7f3a", fleet="chat-prod", started_at="2026-11-01T00:10:00.123Z", state="done", exit_code=0,
                by="bo", reason="glibc", hosts=18),
    ]  # fmt: skip
    samples = {"db-1": [Sample(at="x", run="r1", took_s=float(took)) for took in (100, 120, 90)]}
    golden("history.txt", history_text(runs, samples))
    assert history_json(runs, samples)["runs"][0]["state"] is None
    assert history_text([], []) == "No run yet.\n"


def test_a_run_that_is_done_names_whom_nobody_knows_about(plan: Plan, facts: list[Fact]) -> None:
    seen = {"web-7": HostSeen(ready={}, why="auth: permission denied", state="unknown")}
    left = (LeftAlone(host="web-7", why="unknown, so not touched: auth: permission denied"),)
    observation = Observation(at="2026-11-22T00:10:00Z", hosts=seen, fleet=plan.fleet)
    recovery = replace(plan, mode="recover", observation=observation, left_alone=left)
    card = replace(CARD, state="done", exit_code=0, why="all 3 hosts are well")
    told = summary(recovery, rows(facts), card)
    for text in (summary_text(told), status_text(told), summary_markdown(told)):
        assert "UNKNOWN, so not touched, and not counted above: 1 host (web-7)" in " ".join(text.split())
    data = summary_json(told, rows(facts))
    assert data["left_unknown"] == [{"host": "web-7", "why": left[0].why}]
    assert any("restart survey INVENTORY" in step["commands"] for step in data["next"])
    assert "UNKNOWN, so" not in summary_text(summary(plan, rows(facts), card))


def test_each_host_that_could_not_be_compared_is_named_with_why(plan: Plan) -> None:
    compared = Check(kind="same_as_before")
    services = {name: replace(one, same_as_before=compared) for name, one in plan.inventory.services.items()}
    services["queue"] = replace(services["queue"], same_as_before=None)
    first, *others = plan.waves
    waves = (replace(first, moves=tuple(replace(move, act="start") for move in first.moves)), *others)
    seen = {name: HostSeen(ready={}, state="returned") for name in ("app-12", "queue-3")}
    recovery = replace(
        plan,
        mode="recover",
        waves=waves,
        inventory=replace(plan.inventory, services=services),
        observation=Observation(at="2026-11-22T00:10:00Z", hosts=seen, fleet=plan.fleet),
        left_alone=tuple(LeftAlone(host=host, why="returned by itself, healthy") for host in seen),
    )
    started, restarted = waves[0].moves[0].host, waves[1].moves[0].host
    why = "it came back by itself, and nobody had looked"
    told = [
        Fact(at_s=1.0, fact="move_done", host=started, wave=1),
        Fact(at_s=1.0, fact="not_compared", host=restarted, why=why),
        Fact(at_s=2.0, fact="move_done", host=restarted, wave=2, data={"by_itself": True}),
        Fact(at_s=3.0, fact="run_ended", why="", data={"state": "done", "exit_code": 0}),
    ]
    account = summary(recovery, rows(told), replace(CARD, state="done", exit_code=0, why=""))
    for text in (summary_text(account), summary_markdown(account)):
        flat = " ".join(text.split())
        assert "Not compared with" in flat
        assert f"{restarted}: {why}" in flat
        assert "app-12: it came back by itself before this plan was made, and was left alone" in flat
        assert "queue-3: it came back" not in flat
    assert {one["host"] for one in summary_json(account, rows(told))["not_compared"]} == {started, restarted, "app-12"}
    assert "Not compared" not in summary_text(summary(plan, rows(told[:1]), CARD))


def test_what_is_still_to_be_undone_of_a_drain_is_named_until_it_is(plan: Plan, facts: list[Fact]) -> None:
    host = plan.waves[0].moves[0].host
    owed = Fact(at_s=900.0, fact=names.OWED, host=host, evidence="enable it", why="later", data={"on": "lb-1"})
    told = summary(plan, rows([*facts, owed]), CARD)
    assert f"{host}: still drained on lb-1: `enable it`" in " ".join(summary_text(told).split())
    assert summary_json(told, [])["still_drained"] == [{"host": host, "on": "lb-1", "undo": "enable it"}]
    undone = Fact(at_s=901.0, fact=names.UNDRAINING, host=host, evidence="enable it")
    assert summary_json(summary(plan, rows([*facts, owed, undone]), CARD), [])["still_drained"] == []
