"""What always holds (design: section 7), on random fleets with random faults, cut and resumed anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from restart.engine import Engine
from restart.errors import Refused
from restart.model.check import Check, Verdict
from restart.model.event import Word
from restart.model.inventory import Amount, Dependency, Inventory, Limit, Policy, Service
from restart.model.plan import Plan
from restart.model.playbook import Playbook, Rung, Step
from restart.model.request import Request
from restart.planner import make_plan
from tests.engine.toy import Played, Toy, drive_on, fleet, play, resumed

ROOMY = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
GATE = (Check(kind="http", healthy_for_s=20.0, every_s=5.0, within_s=120.0),)
SHORT = (Check(kind="tcp", healthy_for_s=0.0, within_s=60.0), Check(kind="http", healthy_for_s=3.0, every_s=5.0))
BOOKS = {
    "plain": Playbook(name="reboot", restart=(Rung(kind="reboot"),)),
    "drained": Playbook(
        name="reboot",
        drain=(Step(run="one {host}", undo="undo-one {host}"), Step(run="two {host}", undo="undo-two {host}")),
        restart=(Rung(kind="reboot"),),
    ),
    "ladder": Playbook(
        name="reboot",
        drain=(Step(run="one {host}", undo="undo-one {host}"),),
        restart=(Rung(kind="service_restart", units=("a.service",)), Rung(kind="reboot"), Rung(kind="reboot")),
    ),
    "asked": Playbook(name="reboot", drain=(Step(approve="sure?"),), restart=(Rung(kind="reboot"),)),
}
FAULTS = ("", "", "", "", "", "never_returns", "ignores", "same_boot_id", "no_privilege")


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    """Up to 5 services of up to 5 hosts, some shared; edges only to earlier services, so no cycle."""
    count = draw(st.integers(1, 5))
    pool = [f"h{number}" for number in range(1, 13)]
    services: list[Service] = []
    for index in range(count):
        size = draw(st.integers(1, 5))
        first = draw(st.integers(0, len(pool) - size))
        edges = []
        for other in services:
            if draw(st.integers(0, 3)) == 0:
                kind = draw(st.sampled_from(["requires", "requires", "after"]))
                needs = draw(st.none() | st.integers(1, len(other.hosts))) if kind == "requires" else None
                edges.append(Dependency(provider=other.name, kind=kind, needs=needs))
        budget = draw(st.sampled_from(["none", "quorum", "number"]))
        services.append(
            Service(
                name=f"s{index}",
                hosts=tuple(pool[first : first + size]),
                depends_on=tuple(edges),
                min_available=Amount(quorum=True) if budget == "quorum" and size > 2 else None,
                max_unavailable=Amount(number=draw(st.integers(1, size))) if budget == "number" else None,
                settle_s=draw(st.sampled_from([0.0, 0.0, 30.0])),
                gate=draw(st.sampled_from([(), (), (Check(kind="http", healthy_for_s=0.0, every_s=5.0),), GATE])),
                ready=draw(st.sampled_from([(), (), SHORT])),
                path=draw(st.integers(0, 5)) == 0,
                admission=draw(st.sampled_from([None, None, 1, 2])),
            )
        )
    hosts = dict.fromkeys(host for service in services for host in service.hosts)
    labels = {
        host: {"rack": draw(st.sampled_from(["r1", "r2", "r3"])), "image": draw(st.sampled_from(["v6", "v7"]))}
        for host in hosts
    }
    limits = {}
    if draw(st.booleans()):
        until = draw(st.sampled_from(["booted", "ready", "gate"]))
        limits["rack"] = Limit(name="rack", per="rack", max_in_flight=draw(st.integers(1, 2)), held_until=until)
    policy = Policy(
        barrier=draw(st.sampled_from(["fleet", "service"])),
        pace=draw(st.sampled_from([None, "fixed"])),
        canaries=draw(st.sampled_from([None, 0])),
        max_failures=draw(st.sampled_from([None, 1, 3])),
        on_failure=draw(st.sampled_from(["halt", "contain"])),
    )
    return fleet(*services, hosts=labels, limits=limits, policy=policy)


def planned(inventory: Inventory) -> Plan | None:
    try:
        return make_plan(inventory, made_at="2026-11-22T00:00:00Z")
    except Refused as refused:
        event(f"refused: {refused.refusals[0].rule.split('.')[0]}")
        return None


def assert_safe(played: Played) -> None:
    assert played.toy.trouble == []
    assert all(host.reboots <= 1 for host in played.toy.hosts.values())


@given(inventories())
@ROOMY
def test_without_faults_every_host_is_restarted_exactly_once(inventory: Inventory) -> None:
    plan = planned(inventory)
    if plan is None:
        return
    played = play(plan, Toy(inventory))
    assert_safe(played)
    assert played.exit_code == 0, played.engine.outcome
    assert set(played.reboots().values()) == {1}


@given(inventories(), st.data())
@ROOMY
def test_whatever_goes_wrong_budgets_order_and_limits_hold_and_the_run_ends_with_a_reason(
    inventory: Inventory, data: st.DataObject
) -> None:
    plan = planned(inventory)
    if plan is None:
        return
    toy = Toy(inventory)
    for host in toy.hosts.values():
        host.fault = data.draw(st.sampled_from(FAULTS))
        host.boot_s = data.draw(st.sampled_from([5.0, 20.0, 200.0]))
        host.warm_s = data.draw(st.sampled_from([0.0, 0.0, 40.0]))
    for name in data.draw(st.lists(st.sampled_from(sorted(toy.hosts)), max_size=2, unique=True)):
        toy.script.append((data.draw(st.sampled_from([10.0, 60.0, 150.0])), lambda toy, name=name: toy.go_down(name)))  # type: ignore[misc]
    toy.script.sort(key=lambda entry: entry[0])
    played = play(plan, toy, events_max=5_000)
    assert_safe(played)
    event(f"exit {played.exit_code}")
    assert played.engine.outcome is not None
    assert played.engine.outcome.why


@given(inventories(), st.data())
@ROOMY
def test_cut_anywhere_and_resumed_every_host_is_restarted_exactly_once(
    inventory: Inventory, data: st.DataObject
) -> None:
    plan = planned(inventory)
    if plan is None:
        return
    whole = play(plan, Toy(inventory), events_max=5_000)
    die_after = data.draw(st.integers(1, len(whole.events)))
    played = play(plan, Toy(inventory), die_after=die_after)
    assert_safe(played)
    assert played.exit_code == 0, (die_after, played.engine.outcome)
    assert set(played.reboots().values()) == {1}


# --- everything at once -----------------------------------------------------------------------------------------------


class Bench:
    """Judges a run from what goes out and what is told; it restates the rules and knows nothing of the engine's."""

    def __init__(self, played: Played) -> None:
        self.played = played
        self.open: dict[tuple[object, ...], str] = {}
        self.stopped_s: float | None = None
        self.retried: dict[str, int] = {}
        self.trouble: list[str] = []

    def lose(self, request: Request) -> bool:
        """Sees each request on its way; loses none."""
        answered = {getattr(heard, "request", None) for heard in self.played.events[self.since :]}
        key = (type(request).__name__, getattr(request, "subject", ""), request.host, getattr(request, "service", ""))
        if self.open.get(key, None) not in (None, *answered) and key[0] != "Ask":
            self.trouble.append(f"{key} is asked again while in flight")
        self.open[key] = request.id
        return False

    since = 0

    def crashed(self) -> None:
        """No answer is on its way any more; a resume takes back the stop or halt."""
        self.open.clear()
        self.since = len(self.played.events)
        self.held_facts = len(self.played.facts)

    held_facts = 0

    def judge(self) -> None:
        """After each process: nothing started after a stop or a halt, and each start's gates really passed shortly before."""
        closed_s: float | None = None
        for fact in self.played.facts[self.held_facts :]:
            if fact.fact in ("stopping", "halted"):
                closed_s = fact.at_s
            elif fact.fact in ("move_started", "draining") and closed_s is not None:
                self.trouble.append(f"{fact.at_s}: {fact.host} {fact.fact} after the stop or halt at {closed_s}")
            elif fact.fact == "resolved" and fact.data.get("word") == "retry" and fact.host:
                self.retried[fact.host] = self.retried.get(fact.host, 0) + 1
            elif fact.fact == "move_started" and fact.host:
                self.judge_gates(fact.host, fact.at_s)

    def judge_gates(self, host: str, at_s: float) -> None:
        toy = self.played.toy
        for name, service in toy.inventory.services.items():
            if host in service.hosts and service.gate and not toy.gate_passed_within(name, at_s, 31.0):
                self.trouble.append(f"{at_s}: {host} started, the gate of {name} has not passed for 31 s")


@given(inventories(), st.data())
@ROOMY
def test_words_gates_watches_faults_and_crashes_at_any_time_break_nothing(
    inventory: Inventory, data: st.DataObject
) -> None:
    book = data.draw(st.sampled_from(sorted(BOOKS)))
    watch = (Check(kind="http", every_s=10.0, within_s=60.0),) if data.draw(st.booleans()) else ()
    inventory = replace(inventory, playbooks={"reboot": BOOKS[book]}, watch=watch)
    plan = planned(inventory)
    if plan is None:
        return
    toy = Toy(inventory)
    spoil(toy, data)
    speak(toy, data)
    played = Played(Engine(plan), toy, [], [])
    bench = Bench(played)
    toy.lose = bench.lose
    crashes = data.draw(st.lists(st.tuples(st.integers(1, 120), st.booleans()), max_size=3))
    drive_on(played, die_after=crashes[0][0] if crashes else None, events_max=3_000)
    bench.judge()
    for number, (_, carried_out) in enumerate(crashes):
        if played.engine.outcome is not None and played.engine.outcome.state == "done":
            break
        bench.crashed()
        more = len(played.events) + crashes[number + 1][0] if number + 1 < len(crashes) else None
        resumed(played, carried_out=always(carried_out), die_after=more, events_max=3_000)
        bench.judge()
    assert played.engine.outcome is not None
    event(f"exit {played.exit_code} {book}")
    assert toy.trouble + bench.trouble == []
    rungs = sum(rung.kind == "reboot" for rung in BOOKS[book].restart)
    for name, host in toy.hosts.items():
        assert host.reboots <= rungs * (1 + bench.retried.get(name, 0)), name
    if played.exit_code == 0:
        assert all(host.reboots or book == "ladder" or host.boots > 1 for host in toy.hosts.values())


def always(answer: bool) -> Callable[[Request], bool]:
    return lambda request: answer


def spoil(toy: Toy, data: st.DataObject) -> None:
    """Faults of hosts, deaths at some time, gates and watches that change their minds."""
    for host in toy.hosts.values():
        host.fault = data.draw(st.sampled_from(("", "", "", *FAULTS)))
        host.boot_s = data.draw(st.sampled_from([5.0, 20.0, 200.0]))
        host.sick = data.draw(st.integers(0, 9)) == 0
    times = st.sampled_from([3.0, 15.0, 40.0, 60.0, 150.0, 400.0])
    for name in data.draw(st.lists(st.sampled_from(sorted(toy.hosts)), max_size=2, unique=True)):
        toy.script.append((data.draw(times), lambda toy, name=name: toy.go_down(name)))  # type: ignore[misc]
    for verdict in data.draw(st.lists(st.sampled_from(list(Verdict)), max_size=3)):
        toy.script.append((data.draw(times), lambda toy, verdict=verdict: setattr(toy, "watch", verdict)))  # type: ignore[misc]
    for name in toy.inventory.services:
        for verdict in data.draw(st.lists(st.sampled_from(list(Verdict)), max_size=2)):
            toy.script.append(
                (data.draw(times), lambda toy, name=name, verdict=verdict: toy.turn_gate(name, verdict))  # type: ignore[misc]
            )
    toy.script.sort(key=lambda entry: entry[0])


def speak(toy: Toy, data: st.DataObject) -> None:
    """Words at any time; in the end whoever waits is let go on, and a run that goes on for long is stopped."""
    targets = st.sampled_from(sorted(toy.hosts))
    said = st.sampled_from(["pause", "go", "go", "stop", "approve", "retry", "done", "skip", "skip"])
    for number in range(data.draw(st.integers(0, 4))):
        word, target = data.draw(said), data.draw(targets)
        toy.words.append((data.draw(st.sampled_from([1.0, 30.0, 70.0, 300.0])) + number, said_word(word, target)))
    for round_s in range(100, 1500, 200):
        toy.words.extend((float(round_s), said_word("approve", host)) for host in toy.hosts)
        toy.words.append((float(round_s) + 150.0, said_word("go", None)))
    toy.words.extend((at_s, said_word("stop", None)) for at_s in (2_000.0, 4_000.0, 6_000.0, 8_000.0))
    toy.words.sort(key=lambda entry: entry[0])


def said_word(word: str, target: str | None) -> Word:
    return Word(at_s=0.0, word=word, by="ann", target=None if word in ("pause", "go", "stop") else target)
