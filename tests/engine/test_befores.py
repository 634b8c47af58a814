"""A restarted host is held against what stood on it right before its move: a look that is taken once, and never after the act."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from restart.engine import begin, facts
from restart.engine.silent import AGAIN_S, TRIES_MAX
from restart.model.answer import Answer, Checked
from restart.model.check import OF_RUN, Check, Finding, Verdict
from restart.model.event import Word
from restart.model.inventory import Amount, Service
from restart.model.playbook import Playbook, Rung, Step
from restart.model.request import Ask
from tests.engine.toy import Played, Toy, drive_on, fixed, fleet, plan_of, play, resumed

COMPARED = Check(kind="same_as_before", within_s=60.0)
WEB = Service(name="web", hosts=("w1", "w2", "w3"), max_unavailable=Amount(number=2), same_as_before=COMPARED)


@dataclass
class Site(Toy):
    """A toy fleet that also knows what stands on its hosts: `loses` at a boot, `blind` while the look gives no answer."""

    stands: dict[str, set[str]] = field(default_factory=dict)
    loses: dict[str, set[str]] = field(default_factory=dict)
    blind: dict[str, float] = field(default_factory=dict)
    """Hosts that cannot be looked at until then."""
    seen: list[tuple[float, str, str]] = field(default_factory=list)
    """When which host was asked, and whether it was a `first` look."""
    boots_seen: dict[str, int] = field(default_factory=dict)

    def late(self, request: object) -> Answer:
        answer = super().late(request)
        if not isinstance(request, Ask) or request.subject in ("gate", "watch") or not isinstance(answer, Checked):
            return answer
        findings = [
            self.compared(request.host or "", check) if check.kind == "same_as_before" else finding
            for check, finding in zip(request.checks, answer.findings, strict=True)
        ]
        return Checked(findings=tuple(findings))

    def compared(self, name: str, check: Check) -> Finding:
        host = self.hosts[name]
        if self.boots_seen.setdefault(name, 1) < host.boots + host.unit_starts - 1:
            self.boots_seen[name] = host.boots + host.unit_starts - 1
            self.stands[name] = self.stands.get(name, set()) - self.loses.get(name, set())
        known: Any = check.params[OF_RUN]
        self.seen.append((self.now_s, name, "first" if known.get("first") else "again"))
        if self.now_s < self.blind.get(name, 0.0):
            return Finding(verdict=Verdict.UNKNOWN, evidence="same_as_before: timeout")
        there = self.stands.get(name, set())
        if known.get("first"):
            seen = {"told": ["listening"], "there": dict.fromkeys(sorted(there), "any")}
            return Finding(verdict=Verdict.PASS, evidence=f"before: {len(there)}", seen=seen)
        missing = sorted(set(known["before"]["there"]) - there)
        verdict = Verdict.FAIL if missing else Verdict.PASS
        return Finding(verdict=verdict, evidence=f"{', '.join(missing)} was there, is not" if missing else "all there")


def site(*services: Service, **given: object) -> Site:
    inventory = fleet(*services, policy=fixed(max_failures=1), **given)
    return Site(inventory, stands={host: {"tcp:443"} for host in inventory.hosts})


def firsts(toy: Site, host: str) -> list[float]:
    return [at_s for at_s, name, kind in toy.seen if (name, kind) == (host, "first")]


def test_a_host_that_comes_back_without_its_listener_is_quarantined_though_no_checks_are_written() -> None:
    toy = site(WEB)
    toy.loses["w2"] = {"tcp:443"}
    played = play(plan_of(toy.inventory, "w1", "w2", "w3"), toy)
    assert played.exit_code == 5
    (given_up,) = played.told(facts.QUARANTINED)
    assert given_up.host == "w2"
    assert "not ready within 60s: web: tcp:443 was there, is not" in (given_up.why or "")
    failed = [fact for fact in played.told(facts.READY) if fact.host == "w2" and fact.verdict is Verdict.FAIL]
    assert failed, "what is missing is a FAIL, not UNKNOWN"
    assert played.reboots() == {"w1": 1, "w2": 1, "w3": 1}


def given_up_s(played: Any) -> float:
    """How long after the boot the host was given up, in seconds."""
    (booted,), (given_up,) = played.told(facts.BOOTED), played.told(facts.QUARANTINED)
    return float(given_up.at_s - booted.at_s)


@pytest.mark.parametrize(("compared_s", "own_s"), [(60.0, 300.0), (300.0, 60.0), (60.0, 60.0)])
def test_what_is_missing_fails_after_its_own_time_however_long_the_other_checks_have(
    compared_s: float, own_s: float
) -> None:
    ready = (Check(kind="ssh", within_s=own_s),)
    toy = site(replace(WEB, ready=ready, same_as_before=replace(COMPARED, within_s=compared_s)))
    toy.loses["w1"] = {"tcp:443"}
    played = play(plan_of(toy.inventory, "w1"), toy)
    assert compared_s - 0.1 < given_up_s(played) < compared_s + 5
    failed = [fact for fact in played.told(facts.READY) if fact.host == "w1"]
    assert failed[-1].verdict is Verdict.FAIL
    why = played.told(facts.QUARANTINED)[0].why or ""
    assert f"not ready within {compared_s:g}s: web: tcp:443 was there, is not" in why


def test_the_patience_of_the_comparison_is_not_that_of_the_other_checks() -> None:
    ready = (Check(kind="ssh", within_s=60.0),)
    toy = site(replace(WEB, ready=ready, same_as_before=replace(COMPARED, within_s=600.0)))
    toy.hosts["w1"].warm_s = 1e9
    played = play(plan_of(toy.inventory, "w1"), toy)
    assert 59.9 < given_up_s(played) < 65.0
    assert "not ready within 60s: web: " in (played.told(facts.QUARANTINED)[0].why or "")


def test_what_comes_within_its_own_time_is_well_though_the_other_checks_have_less() -> None:
    toy = site(replace(WEB, same_as_before=replace(COMPARED, within_s=900.0)))
    toy.loses["w1"] = {"tcp:443"}
    toy.script = [(600.0, lambda toy: toy.stands.update(w1={"tcp:443"}))]  # type: ignore[attr-defined]
    played = play(plan_of(toy.inventory, "w1"), toy)
    assert played.exit_code == 0


def test_what_passed_in_its_time_and_falters_later_has_until_the_end() -> None:
    ready = (Check(kind="ssh", within_s=300.0, healthy_for_s=120.0),)
    toy = site(replace(WEB, ready=ready))
    back_s = toy.hosts["w1"].boot_s
    toy.script = [
        (back_s + 100.0, lambda toy: toy.stands.update(w1=set())),  # type: ignore[attr-defined]
        (back_s + 110.0, lambda toy: toy.stands.update(w1={"tcp:443"})),  # type: ignore[attr-defined]
    ]
    played = play(plan_of(toy.inventory, "w1"), toy)
    assert any(fact.verdict is Verdict.FAIL for fact in played.told(facts.READY) if fact.host == "w1")
    assert played.exit_code == 0


def test_after_a_crash_it_has_its_time_anew() -> None:
    toy = site(WEB)
    toy.loses["w1"] = {"tcp:443"}
    plan = plan_of(toy.inventory, "w1")
    for die_after in range(2, 60, 4):
        toy = site(WEB)
        toy.loses["w1"] = {"tcp:443"}
        played = play(plan, toy, die_after=die_after)
        assert played.exit_code == 5
        assert "not ready within 60s" in (played.told(facts.QUARANTINED)[0].why or "")


def test_a_host_that_comes_back_the_same_passes() -> None:
    toy = site(WEB)
    played = play(plan_of(toy.inventory, "w1 w2 w3"), toy)
    assert played.exit_code == 0
    assert {fact.host for fact in played.told(facts.BASELINE)} == {"w1", "w2", "w3"}


def test_the_look_is_taken_once_after_the_claim_and_before_the_drain() -> None:
    book = Playbook(name="reboot", drain=(Step(run="drain", undo="undrain"),), restart=(Rung(kind="reboot"),))
    toy = site(WEB, playbooks={"reboot": book})
    played = play(plan_of(toy.inventory, "w1"), toy)
    told = [fact.fact for fact in played.facts if fact.host == "w1"]
    assert told.index(facts.CLAIMED) < told.index(facts.BASELINE) < told.index(facts.DRAINING)
    assert len(firsts(toy, "w1")) == 1


def test_two_services_of_one_host_are_compared_once_and_by_the_wider_of_their_ways() -> None:
    strict = replace(COMPARED, params={"allow": ["tcp:1"]}, healthy_for_s=30.0)
    lax = replace(COMPARED, params={"allow": ["tcp:2"]}, within_s=400.0)
    toy = site(
        Service(name="a", hosts=("h",), same_as_before=strict),
        Service(name="b", hosts=("h",), same_as_before=lax),
        Service(name="c", hosts=("h",), ready=(Check(kind="ssh", within_s=350.0),)),
    )
    asked: list[Check] = []
    compare = toy.compared
    toy.compared = lambda name, check: (asked.append(check), compare(name, check))[1]  # type: ignore[method-assign]
    played = play(plan_of(toy.inventory, "h"), toy)
    assert played.exit_code == 0
    assert {(tuple(check.params["allow"]), check.healthy_for_s, check.within_s) for check in asked} == {
        (("tcp:1", "tcp:2"), 30.0, 400.0)
    }
    done = played.told(facts.MOVE_DONE)[0]
    assert done.data["ready_s"] >= 30.0


def test_a_service_that_is_not_compared_has_the_time_of_its_own_checks_for_what_it_has_on_the_host() -> None:
    toy = site(
        Service(name="app", hosts=("h",), same_as_before=COMPARED, ready=(Check(kind="ssh", within_s=60.0),)),
        Service(name="db", hosts=("h",), ready=(Check(kind="ssh", within_s=900.0),)),
    )
    toy.loses["h"] = {"tcp:443"}
    toy.script = [(600.0, lambda toy: toy.stands.update(h={"tcp:443"}))]  # type: ignore[attr-defined]
    assert play(plan_of(toy.inventory, "h"), toy).exit_code == 0


def test_a_host_of_no_service_is_compared_too() -> None:
    inventory = replace(fleet(hosts={"h": {}}, policy=fixed()), same_as_before=COMPARED)
    toy = Site(inventory, stands={"h": {"tcp:443"}}, loses={"h": {"tcp:443"}})
    assert play(plan_of(inventory, "h"), toy).exit_code == 5


def test_a_host_that_is_up_and_cannot_be_looked_at_does_not_start_and_is_tried_again() -> None:
    toy = site(WEB)
    toy.blind["w1"] = 100.0
    played = play(plan_of(toy.inventory, "w1 w2 w3"), toy)
    assert played.exit_code == 0
    begun = [fact.at_s for fact in played.told(facts.REBOOTING) if fact.host == "w1"]
    assert begun[0] > 100.0
    assert any(fact.host == "w1" and "same_as_before: timeout" in (fact.why or "") for fact in played.told(facts.HELD))


def test_a_host_that_can_never_be_looked_at_is_left_untouched_and_counts() -> None:
    toy = site(WEB)
    toy.blind["w1"] = 1e9
    played = play(plan_of(toy.inventory, "w1 w2 w3"), toy)
    assert played.exit_code == 5
    assert played.reboots() == {"w1": 0, "w2": 1, "w3": 1}
    (left,) = played.told(facts.UNTOUCHED)
    assert left.host == "w1"
    assert "could not be learnt before its restart" in (left.why or "")
    assert left.at_s >= (TRIES_MAX - 1) * AGAIN_S
    assert len(firsts(toy, "w1")) == TRIES_MAX


def test_what_cannot_be_told_after_the_restart_holds_the_host_and_never_passes() -> None:
    toy = site(WEB)
    toy.script = [(5.0, lambda toy: toy.blind.update(w1=1e9))]  # type: ignore[attr-defined]
    played = play(plan_of(toy.inventory, "w1"), toy)
    assert played.exit_code == 5
    assert [fact.host for fact in played.told(facts.QUARANTINED)] == ["w1"]


def test_a_host_proved_sick_before_its_restart_is_not_compared_and_that_is_said() -> None:
    toy = site(WEB)
    toy.hosts["w1"].sick, toy.loses["w1"] = True, {"tcp:443"}
    toy.script = [(25.0, lambda toy: setattr(toy.hosts["w1"], "sick", False))]
    played = play(plan_of(toy.inventory, "w1", "w2"), toy)
    assert played.exit_code == 0
    (without,) = played.told(facts.NOT_COMPARED)
    assert (without.host, without.why) == ("w1", "not ready before its restart (web)")
    assert not firsts(toy, "w1")


@pytest.mark.parametrize("fact", [facts.NOT_COMPARED, facts.DRAINING, facts.REBOOTING])
@pytest.mark.parametrize("drain", [(), (Step(run="drain", undo="undrain"),)])
def test_that_it_was_sick_is_not_believed_by_a_controller_that_goes_on_before_the_act(
    fact: str, drain: tuple[Step, ...]
) -> None:
    toy = site(WEB, playbooks={"reboot": Playbook(name="reboot", drain=drain, restart=(Rung(kind="reboot"),))})
    toy.hosts["w1"].sick = True
    played = Played(begin(plan_of(toy.inventory, "w1")), toy, [], [])
    drive_on(played, until=lambda: bool(played.told(fact) or played.told(facts.REBOOTING)))
    toy.hosts["w1"].sick = False
    # What was asked for has not arrived.
    resumed(played, carried_out=lambda request: False)
    assert played.exit_code == 0
    assert firsts(toy, "w1")


def test_after_a_restart_the_look_is_never_taken_anew_for_a_retry_either() -> None:
    toy = site(WEB)
    toy.loses["w1"] = {"tcp:443"}
    toy.words = [(500.0, Word(at_s=0.0, word="retry", by="ops", target="w1"))]
    inventory = replace(toy.inventory, policy=fixed(max_failures=3))
    toy.inventory = inventory
    toy.hosts["w2"].boot_s = 700.0  # keeps the run going until the word
    played = play(plan_of(inventory, "w1 w2 w3"), toy)
    assert len(firsts(toy, "w1")) == 1
    assert toy.hosts["w1"].reboots == 2
    assert played.exit_code == 5, "it lacks what it had before the first restart"


def test_a_move_that_was_called_off_before_its_act_is_looked_at_again() -> None:
    book = Playbook(
        name="reboot", drain=(Step(run="drain", undo="undrain", timeout_s=900),), restart=(Rung(kind="reboot"),)
    )
    toy = site(WEB, playbooks={"reboot": book})
    toy.words = [
        (0.5, Word(at_s=0.0, word="flag", by="ops", target=None)),
        (120.0, Word(at_s=0.0, word="unflag", by="ops", target=None)),
    ]
    toy.delay = lambda request: 10.0 if getattr(request, "command", "") == "drain" else 0.0
    played = play(plan_of(toy.inventory, "w1"), toy)
    assert played.exit_code == 0
    assert len(firsts(toy, "w1")) == 2
    assert firsts(toy, "w1")[-1] > 100.0


def test_a_service_restart_is_compared_too() -> None:
    book = Playbook(name="reboot", restart=(Rung(kind="service_restart", units=("web.service",)),))
    toy = site(WEB, playbooks={"reboot": book})
    toy.loses["w1"] = {"tcp:443"}
    played = play(plan_of(toy.inventory, "w1"), toy)
    assert played.exit_code == 5
    assert not toy.hosts["w1"].reboots


def test_a_rung_after_the_first_is_held_against_the_same_look() -> None:
    book = Playbook(name="reboot", restart=(Rung(kind="service_restart", units=("web.service",)), Rung(kind="reboot")))
    toy = site(WEB, playbooks={"reboot": book})
    toy.loses["w1"] = {"tcp:443"}
    played = play(plan_of(toy.inventory, "w1"), toy)
    assert played.exit_code == 5
    assert toy.hosts["w1"].reboots == 1
    assert len(firsts(toy, "w1")) == 1


def test_a_host_that_never_went_down_is_held_against_it_too() -> None:
    toy = site(WEB)
    toy.hosts["w1"].fault = "ignores"
    toy.script = [(30.0, lambda toy: toy.stands.update(w1=set()))]  # type: ignore[attr-defined]
    played = play(plan_of(toy.inventory, "w1"), toy)
    assert [fact.host for fact in played.told(facts.QUARANTINED)] == ["w1"]


@pytest.mark.parametrize("die_after", range(2, 40))
def test_a_crash_at_any_event_neither_loses_the_look_nor_takes_it_after_the_act(die_after: int) -> None:
    toy = site(WEB)
    toy.loses["w1"] = {"tcp:443"}
    plan = plan_of(toy.inventory, "w1")
    played = play(plan, toy, die_after=die_after)
    assert played.exit_code == 5
    rebooted = toy.hosts["w1"].lost_s
    assert all(at_s <= rebooted for at_s in firsts(toy, "w1"))
    assert [fact.host for fact in played.told(facts.QUARANTINED)] == ["w1"]


def test_the_look_travels_in_the_check_and_the_engine_asks_it_of_nobody_who_was_not_restarted() -> None:
    toy = site(WEB)
    played = play(plan_of(toy.inventory, "w1"), toy)
    assert {name for _, name, _ in toy.seen} == {"w1"}
    assert played.exit_code == 0
