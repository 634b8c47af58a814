"""Seeds: when all members are off, the one that knows most starts first; where that is not clear a person says."""

from __future__ import annotations

import pytest

from restart.engine import facts
from restart.errors import Exit, Refused
from restart.model.answer import Answer, NoAnswer, StepRan
from restart.model.event import Word
from restart.model.inventory import Amount, Seed, Service
from restart.planner import make_plan
from tests.engine.test_cold_start import cold, start
from tests.engine.toy import Toy, fixed, fleet

PAIR = Service(
    name="pair", hosts=("p1", "p2"), ready_when=Amount(number=1), seed=Seed(run="last", start="begin {host}")
)


def saying(toy: Toy, **said: str | None) -> None:
    """Each member prints this; None: it does not answer."""

    def answer(_: Toy, host: str) -> Answer:
        text = said[host]
        return NoAnswer(reason="timeout") if text is None else StepRan(exit_status=0, output=text)

    toy.roles = answer


def test_the_member_with_the_largest_number_starts_first_once_all_are_booted() -> None:
    inventory, toy = cold(PAIR)
    saying(toy, p1="1045", p2="1102")
    played = start(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert toy.ran == ["begin p2", "begin p1"]
    assert [(fact.host, fact.why) for fact in played.told(facts.SEED_CHOSEN)] == [("p2", "1102 is the largest")]
    assert max(fact.at_s for fact in played.told(facts.BOOTED)) <= played.told(facts.SEED)[0].at_s


@pytest.mark.parametrize(
    ("p1", "said"), [("1102", "p1: 1102, p2: 1102"), ("garbage", "p1: garbage"), (None, "p1: timeout")]
)
def test_a_tie_or_a_missing_answer_stops_and_asks_and_a_person_picks(p1: str | None, said: str) -> None:
    inventory, toy = cold(PAIR)
    saying(toy, p1=p1, p2="1102")
    toy.words = [(4000.0, Word(at_s=0.0, word="approve", by="ops", target="p1"))]
    played = start(inventory, toy)
    wanted = played.told(facts.APPROVAL_WANTED)
    assert {fact.host for fact in wanted} == {"p1", "p2"}
    assert said in (wanted[0].evidence or "")
    assert played.exit_code == Exit.DONE
    assert toy.ran == ["begin p1", "begin p2"]
    assert [fact.host for fact in played.told(facts.SEED_CHOSEN)] == ["p1"]


def test_a_member_that_never_booted_may_have_known_most_so_a_person_is_asked() -> None:
    inventory, toy = cold(PAIR, policy=fixed(max_failures=1))
    saying(toy, p1="1045", p2="1102")
    toy.hosts["p2"].fault = "dead"
    toy.words = [(4000.0, Word(at_s=0.0, word="approve", by="ops", target="p1"))]
    played = start(inventory, toy)
    assert "p1: 1045, p2: quarantined" in (played.told(facts.APPROVAL_WANTED)[0].evidence or "")
    assert toy.ran == ["begin p1"]


def test_beside_a_member_that_is_up_nothing_is_chosen() -> None:
    inventory, toy = cold(PAIR, up="p2")
    saying(toy, p1="1045", p2="1102")
    played = start(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert toy.ran == ["begin p1"]
    assert played.told(facts.SEED_CHOSEN) == []


def test_a_winner_that_cannot_be_started_leaves_the_choice_to_a_person() -> None:
    inventory, toy = cold(PAIR, policy=fixed(max_failures=1))
    saying(toy, p1="1045", p2="1102")
    toy.steps["begin p2"] = 1
    toy.words = [(4000.0, Word(at_s=0.0, word="approve", by="ops", target="p1"))]
    played = start(inventory, toy)
    assert toy.ran == ["begin p2", "begin p1"]
    assert [fact.why for fact in played.told(facts.QUARANTINED)] == ["could not be started: exit 1"]


@pytest.mark.parametrize("die_after", range(1, 60, 2))
def test_a_run_that_dies_anywhere_still_starts_the_winner_first(die_after: int) -> None:
    inventory, toy = cold(PAIR)
    saying(toy, p1="1045", p2="1102")
    played = start(inventory, toy, die_after=die_after)
    assert played.exit_code == Exit.DONE
    assert toy.ran[0] == "begin p2"
    assert set(toy.ran) == {"begin p1", "begin p2"}


def test_two_services_that_choose_a_seed_on_the_same_hosts_are_refused_by_name() -> None:
    one = Service(name="one", hosts=("p1", "p2"), ready_when=Amount(number=1), seed=Seed(run="last"))
    two = Service(name="two", hosts=("p2", "p3"), ready_when=Amount(number=1), seed=Seed(run="last"))
    with pytest.raises(Refused) as refused:
        make_plan(fleet(one, two), mode="cold-start", made_at="")
    (found,) = [refusal for refusal in refused.value.refusals if refusal.rule == "seed"]
    assert found.what == "p2: one, two each choose by `seed` who starts first, and they share this host"
