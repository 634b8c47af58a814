from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restart.model.answer import Booted, Checked, HeldBy, NoAnswer, Units
from restart.model.check import Check, Finding, Verdict
from restart.model.document import as_json, canonical, digest, digest_of, from_json, from_tagged, tagged
from restart.model.event import Answered, Event, LeaseLost, Resumed, Started, Woke, Word
from restart.model.inventory import Amount, Dependency, Expect, Host, Inventory, Limit, Service, Ssh
from restart.model.observation import HostSeen, Observation
from restart.model.plan import Move, Wave
from restart.model.playbook import Playbook, Rung, Step

texts = st.text(max_size=8)
seconds = st.floats(0, 1e6, allow_nan=False)
answers = st.one_of(
    st.builds(NoAnswer, reason=st.sampled_from(["timeout", "auth"]), detail=texts),
    st.builds(Booted, boot_id=texts, uptime_s=seconds, took_s=seconds),
    st.builds(HeldBy, controller=texts, user=texts, run=texts, since=texts, for_s=seconds),
    st.builds(Units, invocations=st.dictionaries(texts, texts, max_size=3)),
    st.builds(
        Checked,
        findings=st.lists(st.builds(Finding, verdict=st.sampled_from(Verdict), evidence=texts), max_size=3).map(tuple),
    ),
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Started, at_s=seconds, engine=st.integers(), run=texts, plan_digest=texts, until_wave=st.none() | st.integers()
    ),
    st.builds(Resumed, at_s=seconds, engine=st.integers()),
    st.builds(Woke, at_s=seconds),
    st.builds(Answered, at_s=seconds, request=texts, answer=answers, host=st.none() | texts),
    st.builds(Word, at_s=seconds, word=st.sampled_from(["pause", "go"]), target=st.none() | texts),
    st.builds(LeaseLost, at_s=seconds, why=texts),
)


def through_text(value: Any) -> Any:
    return json.loads(json.dumps(value))


@settings(deadline=None)
@given(events)
def test_every_event_reads_back_as_it_was(event: Event) -> None:
    assert from_tagged(Event, through_text(tagged(event))) == event


def fleet() -> Inventory:
    return Inventory(
        fleet="toy",
        hosts={
            "a": Host(
                name="a", address="10.0.0.1", labels={"rack": "r1"}, ssh=Ssh(user="ops"), expect=Expect(boot_s=30.0)
            ),
            "b": Host(name="b", address="10.0.0.2", uses={"power": 2.5}),
        },
        services={
            "s": Service(
                name="s",
                hosts=("a", "b"),
                depends_on=(Dependency(provider="t", needs=2),),
                min_available=Amount(quorum=True),
                ready=(Check(kind="tcp", params={"port": 5432, "deep": [1, {"x": None}]}),),
            )
        },
        limits={"rack": Limit(name="rack", per="rack", max_in_flight=2)},
        playbooks={"reboot": Playbook(name="reboot", drain=(Step(run="true"),), restart=(Rung(kind="reboot"),))},
    )


def test_an_inventory_reads_back_as_it_was() -> None:
    assert from_json(Inventory, through_text(as_json(fleet()))) == fleet()


def test_an_observation_reads_back_as_it_was() -> None:
    seen = Observation(at="2026-11-22T00:10:00Z", hosts={"a": HostSeen(ready={"s": Verdict.UNKNOWN}, uptime_s=3.0)})
    assert from_json(Observation, through_text(as_json(seen))) == seen


def test_fields_that_hold_their_default_are_left_out() -> None:
    assert as_json(Move(host="a", services=("s",), playbook="reboot")) == {
        "host": "a",
        "services": ["s"],
        "playbook": "reboot",
    }


def test_zero_and_false_are_written_where_they_are_not_the_default() -> None:
    assert as_json(Check(kind="tcp", healthy_for_s=0.0)) == {"kind": "tcp", "healthy_for_s": 0.0}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"host": "a", "services": "s", "playbook": "r"}, "Move.services: list expected, not str"),
        ({"host": 1, "services": [], "playbook": "r"}, "Move.host: str expected, not int"),
        ({"host": "a", "services": [], "playbook": "r", "odd": 1}, "Move: unknown key 'odd'"),
        ({"host": "a", "services": [], "playbook": "r", "start_s": "now"}, "Move.start_s: number expected, not str"),
        ({"host": "a", "services": [], "playbook": "r", "canary": 1}, "Move.canary: bool expected, not int"),
        ({"host": "a", "services": [2], "playbook": "r"}, r"Move.services\[0\]: str expected, not int"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(value: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match=place):
        from_json(Move, value)


def test_a_missing_field_is_an_error() -> None:
    with pytest.raises(ValueError, match="why"):
        from_json(Wave, {"number": 1, "moves": []})


def test_a_truth_value_is_no_number() -> None:
    with pytest.raises(ValueError, match="int expected"):
        from_json(Wave, {"number": True, "why": "", "moves": []})


@pytest.mark.parametrize("value", [None, {}, {"at_s": 1.0}, {"type": "Sleep", "at_s": 1.0}])
def test_a_union_needs_a_known_type(value: Any) -> None:
    with pytest.raises(ValueError, match="type"):
        from_tagged(Event, value)


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="set"):
        as_json({"a": {1, 2}})


def test_canonical_json_is_sorted_tight_and_utf_8() -> None:
    assert canonical({"b": 1, "a": ["ä", None, 1.5]}) == '{"a":["ä",null,1.5],"b":1}'.encode()


def test_canonical_json_has_no_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical(float("nan"))


def test_a_digest_names_its_method_and_ignores_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) == digest_of(b'{"a":1,"b":2}')
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
