"""Silences made, renewed and ended, and alerts asked for, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from restart.gates.alertmanager import gate
from restart.model.answer import NoAnswer, StepRan
from restart.model.check import OF_RUN, Check, Verdict
from restart.model.hook import Silence
from restart.model.question import HttpGet
from restart.transports import net
from restart.transports.silences import end_silence, set_silence
from tests.monitoring import Monitoring, serving

BY = "staged-restart/r1/quiet"


@pytest.fixture
def monitoring() -> Iterator[Monitoring]:
    with serving() as found:
        yield found


def silence(monitoring: Monitoring, **given: object) -> Silence:
    return replace(
        Silence(alertmanager=monitoring.url, matchers=("team=db", 'env=~"prod|test"'), for_s=600.0),
        **given,  # type: ignore[arg-type]
    )


def test_a_silence_is_made_once_and_renewed_from_then_on(monitoring: Monitoring) -> None:
    first = set_silence(silence(monitoring), BY, 5.0)
    assert isinstance(first, StepRan)
    assert (first.exit_status, first.output.split()[:2]) == (0, ["silence", "s1"])
    (made,) = monitoring.standing()
    assert made["createdBy"] == BY
    assert made["matchers"] == [
        {"name": "team", "value": "db", "isRegex": False, "isEqual": True},
        {"name": "env", "value": "prod|test", "isRegex": True, "isEqual": True},
    ]
    length = datetime.fromisoformat(made["endsAt"]) - datetime.fromisoformat(made["startsAt"])
    assert length.total_seconds() == 600
    again = set_silence(silence(monitoring, for_s=1200.0), BY, 5.0)
    assert isinstance(again, StepRan)
    assert again.output.split()[1] == "s1"
    (renewed,) = monitoring.standing()
    assert renewed["startsAt"] == made["startsAt"]
    assert renewed["endsAt"] > made["endsAt"]


def test_only_ones_own_silences_are_ended_and_ending_twice_is_no_mistake(monitoring: Monitoring) -> None:
    set_silence(silence(monitoring), BY, 5.0)
    set_silence(silence(monitoring), "staged-restart/r0/quiet", 5.0)
    for said in ("1 silences ended", "0 silences ended"):
        ended = end_silence(silence(monitoring), BY, 5.0)
        assert ended == StepRan(exit_status=0, output=said)
    assert [one["createdBy"] for one in monitoring.standing()] == ["staged-restart/r0/quiet"]


def test_a_silence_that_is_refused_says_what_alertmanager_said(monitoring: Monitoring) -> None:
    monitoring.broken = True
    answer = set_silence(silence(monitoring), BY, 5.0)
    assert isinstance(answer, StepRan)
    assert (answer.exit_status, "503" in answer.output) == (1, True)


def test_nobody_there_is_no_answer() -> None:
    nobody = Silence(alertmanager="http://127.0.0.1:9", matchers=("a=b",))
    assert isinstance(set_silence(nobody, BY, 2.0), NoAnswer)
    assert isinstance(end_silence(nobody, BY, 2.0), NoAnswer)


def test_a_secret_comes_from_the_environment(monitoring: Monitoring, monkeypatch: pytest.MonkeyPatch) -> None:
    monitoring.token = "Bearer hunter2"
    with_token = silence(monitoring, headers_env={"Authorization": "AM_TOKEN"})
    missing = set_silence(with_token, BY, 5.0)
    assert isinstance(missing, NoAnswer)
    assert "AM_TOKEN" in missing.detail
    monkeypatch.setenv("AM_TOKEN", "Bearer hunter2")
    assert isinstance(made := set_silence(with_token, BY, 5.0), StepRan)
    assert made.exit_status == 0


def test_alerts_are_asked_for_and_silenced_ones_do_not_count(monitoring: Monitoring) -> None:
    params = {"url": monitoring.url, "alive": ["alertname=Watchdog"]}

    def verdict(**of_run: object) -> Verdict:
        check = Check(kind="alertmanager", params={**params, OF_RUN: of_run})
        questions = gate.ask(check, None, None)
        replies = [net.http(question) for question in questions if isinstance(question, HttpGet)]
        return gate.judge(check, replies).verdict

    assert verdict() is Verdict.PASS
    monitoring.alerts.append({"alertname": "Slow", "team": "db", "env": "prod|test"})
    assert verdict() is Verdict.FAIL
    assert verdict(first=True) is Verdict.PASS
    set_silence(silence(monitoring), BY, 5.0)
    assert verdict() is Verdict.PASS
    end_silence(silence(monitoring), BY, 5.0)
    assert verdict() is Verdict.FAIL
    monitoring.alerts.clear()
    assert verdict() is Verdict.UNKNOWN, "not even the watchdog"
