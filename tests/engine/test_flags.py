"""Stop flags: what they hold, what they let end, and that the run goes on when they are lifted."""

from __future__ import annotations

import pytest

from restart.engine import facts
from restart.model.answer import Withheld
from restart.model.check import Check
from restart.model.event import Word
from restart.model.inventory import Inventory, Service
from restart.model.playbook import Playbook, Rung, Step
from restart.model.request import Reboot, Request, RunStep
from tests.engine.toy import Played, Toy, drive_on, fixed, fleet, plan_of, play, replayed, resumed

WEB = Service(name="web", hosts=("w1", "w2"), ready=(Check(kind="tcp", healthy_for_s=2.0),))
DB = Service(name="db", hosts=("d1",), ready=(Check(kind="tcp", healthy_for_s=2.0),))
DRAINED = Playbook(
    name="reboot",
    drain=(Step(run="drain {host}", undo="undrain {host}"),),
    restart=(Rung(kind="reboot"), Rung(kind="reboot", back_within_s=900.0)),
)


def said(at_s: float, word: str, target: str) -> tuple[float, Word]:
    return at_s, Word(at_s=0.0, word=word, by="ann@ops", reason="the storage is being moved", target=target)


def site(**given: object) -> Toy:
    return Toy(fleet(WEB, DB, policy=fixed(), **given))


@pytest.mark.parametrize("target", ["1 everything", "1 fleet"])
def test_nothing_begins_under_a_flag_and_all_of_it_when_it_is_lifted(target: str) -> None:
    toy = site()
    toy.words = [said(20.0, "flag", target), said(900.0, "unflag", target)]
    played = play(plan_of(toy.inventory, "w1", "w2", "d1"), toy)
    assert played.exit_code == 0
    begun = {fact.host: fact.at_s for fact in played.told(facts.MOVE_STARTED)}
    assert begun["w1"] < 20.0
    assert begun["w2"] >= 900.0
    assert begun["d1"] >= 900.0
    assert played.told(facts.MOVE_DONE)[0].at_s < 900.0, "what was in flight ended"
    held = next(fact for fact in played.told(facts.HELD) if fact.data["rule"] == "flag.1")
    assert "ann@ops" in (held.why or "")
    assert "the storage is being moved" in (held.why or "")
    assert held.data["way_out"] == "ask who set it, then restart go --flag 1 --reason TEXT"


def test_a_flag_on_a_service_holds_only_the_moves_that_touch_it() -> None:
    toy = site()
    toy.words = [said(0.0, "flag", "1 service web"), said(900.0, "unflag", "1 service web")]
    played = play(plan_of(toy.inventory, "w1 d1", "w2"), toy)
    assert played.exit_code == 0
    begun = {fact.host: fact.at_s for fact in played.told(facts.REBOOTING)}
    assert begun["d1"] < 60.0
    assert begun["w1"] >= 900.0
    assert begun["w2"] >= 900.0


def test_a_flag_on_the_service_that_carries_a_drain_holds_the_move() -> None:
    book = Playbook(name="reboot", drain=(Step(run="drain {host}", on="d1"),), restart=(Rung(kind="reboot"),))
    toy = site(playbooks={"reboot": book})
    toy.words = [said(0.0, "flag", "1 service db"), said(500.0, "unflag", "1 service db")]
    played = play(plan_of(toy.inventory, "w1"), toy)
    assert played.exit_code == 0
    assert toy.ran == ["drain w1"]
    assert played.told(facts.MOVE_STARTED)[0].at_s >= 500.0


def test_a_host_that_was_drained_is_undrained_under_the_flag_and_restarted_after_it() -> None:
    toy = site(playbooks={"reboot": DRAINED})
    toy.delay = lambda request: 50.0 if isinstance(request, RunStep) and not request.undo else 0.0
    toy.words = [said(20.0, "flag", "1 service web"), said(900.0, "unflag", "1 service web")]
    played = play(plan_of(toy.inventory, "w1"), toy)
    assert played.exit_code == 0
    assert toy.ran[:3] == ["drain w1", "undrain w1", "drain w1"]
    assert toy.hosts["w1"].reboots == 1


def test_a_later_rung_waits_for_the_flag_to_be_lifted() -> None:
    toy = site(playbooks={"reboot": DRAINED})
    toy.hosts["w1"].fault = "ignores"
    toy.words = [said(30.0, "flag", "1 service web"), said(900.0, "unflag", "1 service web")]
    toy.script = [(600.0, lambda toy: setattr(toy.hosts["w1"], "fault", ""))]
    played = play(plan_of(toy.inventory, "w1"), toy)
    assert played.exit_code == 0
    assert [fact.at_s >= 900.0 for fact in played.told(facts.REBOOTING)] == [False, True]
    assert any(fact.host == "w1" and fact.data["rule"] == "flag.1" for fact in played.told(facts.HELD))
    assert toy.ran == ["drain w1", "undrain w1"], "it stayed drained all the while"


class Refusing(Toy):
    """A world that has read the flag before the run has heard of it."""

    def carry_out(self, request: Request) -> tuple[float, object]:
        wanted = RunStep if self.inventory.playbooks["reboot"].drain else Reboot
        if isinstance(request, wanted) and self.now_s < 10.0:
            return self.latency_s, Withheld(why="a stop flag stands")
        return super().carry_out(request)


@pytest.mark.parametrize("book", [DRAINED, Playbook(name="reboot", restart=(Rung(kind="reboot"),))])
def test_an_act_that_the_world_has_not_begun_for_a_flag_is_no_failure(book: Playbook) -> None:
    inventory: Inventory = fleet(DB, policy=fixed(), playbooks={"reboot": book})
    toy = Refusing(inventory)
    toy.words = [said(9.0, "flag", "1 everything"), said(40.0, "unflag", "1 everything")]
    played = play(plan_of(inventory, "d1"), toy)
    assert played.exit_code == 0
    assert toy.hosts["d1"].reboots == 1
    assert not played.told(facts.RUNG_FAILED)
    assert toy.ran.count("drain d1") == bool(book.drain)


def test_flags_outlive_a_crash_and_a_second_word_changes_nothing() -> None:
    toy = site()
    toy.words = [said(20.0, "flag", "7 service web"), said(200.0, "flag", "7 service web")]
    played = Played(_engine(toy), toy, [], [])
    drive_on(played, until=lambda: not toy.words)
    assert len(played.told(facts.FLAGGED)) == 1
    toy.words = [said(1000.0, "unflag", "7 service web")]
    resumed(played)
    assert played.exit_code == 0
    assert max(fact.at_s for fact in played.told(facts.MOVE_STARTED)) >= 1000.0
    assert replayed(played.engine.plan, played.events).outcome == played.engine.outcome


def _engine(toy: Toy):  # type: ignore[no-untyped-def]
    from restart.engine import Engine

    return Engine(plan_of(toy.inventory, "w1", "w2"))
