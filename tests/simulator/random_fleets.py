"""Random small fleets with random faults for the referee, each drawn from one number: the same number, the same play."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from restart.model.check import Check
from restart.model.hook import Hook
from restart.model.inventory import Amount, Dependency, Expect, Host, Inventory, Limit, Policy, Service, Shared, Spares
from restart.model.playbook import Playbook, PowerControl, Rung, Step
from restart.simulator.drawn import PHASES
from restart.simulator.faults import KINDS, Fault
from restart.simulator.physics.figures import HostFigures, Physics, ServiceFigures

REBOOT = Playbook(name="reboot", restart=(Rung(kind="reboot"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One fleet, how it behaves, and what befalls it."""

    inventory: Inventory
    physics: Physics
    faults: tuple[Fault, ...]


def fleet(*services: Service, labels: dict[str, dict[str, str]] | None = None, **given: object) -> Inventory:
    """An inventory of these services on hosts made as they are named."""
    names = dict.fromkeys([*(labels or {}), *(host for service in services for host in service.hosts)])
    given.setdefault("playbooks", {"reboot": REBOOT})
    return Inventory(
        fleet="toy",
        hosts={
            name: Host(
                name=name, address=f"10.0.{number // 250}.{number % 250 + 1}", labels=(labels or {}).get(name, {})
            )
            for number, name in enumerate(names)
        },
        services={service.name: service for service in services},
        **given,  # type: ignore[arg-type]
    )


def fixed(**given: object) -> Policy:
    """A policy without canaries and slow start."""
    return Policy(pace="fixed", canaries=0, **given)  # type: ignore[arg-type]


def ask(run: str = "true", on: str = "host", **given: object) -> Check:
    """A functional check; of a group with `on="controller"`."""
    return Check(kind="command", params={"run": run, "on": on}, **given)  # type: ignore[arg-type]


def draw(seed: int, *, faults: bool) -> Drawn:
    """The fleet of this number; `faults`: with what goes wrong in it."""
    chance = Random(seed)
    inventory = _inventory(chance)
    hosts = {
        name: HostFigures(boot_s=chance.choice([10.0, 30.0, 90.0, 250.0]), spread=chance.choice([0.0, 0.3]))
        for name in inventory.hosts
    }
    services = {
        name: ServiceFigures(warm_s=chance.choice([0.0, 0.0, 20.0]), restart_s=chance.choice([0.0, 3.0]))
        for name in inventory.services
    }
    physics = Physics(
        hosts=hosts,
        services=services,
        latency_s=chance.choice([0.02, 0.2, 1.0]),
        strikes_after_s=chance.choice([0.0, 1.0]),
    )
    drawn = Drawn(inventory=inventory, physics=physics, faults=_faults(chance, inventory) if faults else ())
    # By chances of their own, so that what a seed was before hosts were compared it still is.
    own = Random(f"host {seed}")
    return _compared(drawn, own, faults=faults) if own.random() < 0.6 else drawn


def led(seed: int) -> Drawn:
    """The fleet of this number with what `draw` draws rarely or never: the barrier `service`, canaries that are watched, spares, a hook, and a host that is lost."""
    drawn, chance = draw(seed, faults=True), Random(f"led {seed}")
    inventory = drawn.inventory
    hosts, figures, books = dict(inventory.hosts), dict(drawn.physics.hosts), dict(inventory.playbooks)
    ladder = books["reboot"].restart[-1:] if chance.random() < 0.5 else ()
    books["promote"] = Playbook(name="promote", drain=(Step(run="join {host}"),), restart=ladder)
    services, lost = dict(inventory.services), list(hosts)
    for name, service in services.items():
        given: dict[str, object] = {}
        if len(service.hosts) > 1 and not service.path and chance.random() < 0.6:
            first = service.hosts[0]
            standing = tuple(f"x{len(hosts) + number:02}" for number in range(chance.randint(1, 2)))
            for spare in standing:
                hosts[spare] = replace(hosts[first], name=spare, address=f"10.9.0.{len(hosts)}")
                figures[spare] = figures[first]
            given["spares"] = Spares(hosts=standing, playbook="promote")
            lost += service.hosts * 3
        if chance.random() < 0.4:
            given |= {"canaries": chance.randint(0, 2), "canary_for_s": chance.choice([0.0, 20.0, 60.0])}
        services[name] = replace(service, **given)  # type: ignore[arg-type]
    policy = replace(
        inventory.policy,
        barrier="service" if chance.random() < 0.8 else "fleet",
        canaries=chance.choice([None, 1, 2]),
        canary_for_s=chance.choice([0.0, 0.0, 30.0]),
        pace=chance.choice([None, "slow", "fixed"]),
        max_failures=chance.randint(1, 4),
        never_return=chance.choice([0.1, 0.5]),
    )
    hooks = (Hook(name="noout", run="set", undo="unset"),) if chance.random() < 0.3 else ()
    never = (Fault(kind="never_returns", hosts=(chance.choice(lost),)),) if chance.random() < 0.7 else ()
    return Drawn(
        inventory=replace(inventory, hosts=hosts, services=services, playbooks=books, policy=policy, hooks=hooks),
        physics=replace(drawn.physics, hosts=figures),
        faults=(*drawn.faults, *never),
    )


def _inventory(chance: Random) -> Inventory:
    pool = [f"h{number:02}" for number in range(1, 17)]
    services: list[Service] = []
    for index in range(chance.randint(1, 5)):
        hosts = _members(chance, pool)
        services.append(_service(chance, f"s{index}", hosts, services))
    labels = {
        host: {"rack": chance.choice(["r1", "r2", "r3"]), "image": chance.choice(["v6", "v7"])}
        for service in services
        for host in service.hosts
    }
    limits: dict[str, Limit] = {}
    if chance.random() < 0.4:
        until, held_s = chance.choice([("ready", None), ("booted", None), ("gate", None), ("ready", 40.0)])
        limits["rack"] = Limit(
            name="rack", per="rack", max_in_flight=chance.randint(1, 2), held_until=until, held_s=held_s
        )
    if chance.random() < 0.3:
        limits["fleet"] = Limit(name="fleet", max_in_flight=chance.randint(1, 6))
    if chance.random() < 0.2:
        limits["image"] = Limit(name="image", per="image", max_domains=1)
    if chance.random() < 0.5:
        limits["more"] = _more(chance)
    drain = (Step(run="drain {host}", undo="undrain {host}"),) if chance.random() < 0.4 else ()
    ladder = chance.choice(
        [
            (Rung(kind="reboot"),),
            (Rung(kind="reboot", down_within_s=20.0, back_within_s=300.0),),
            (Rung(kind="service_restart", units=("a.service",)), Rung(kind="reboot")),
            (Rung(kind="reboot"), Rung(kind="reboot")),
            (Rung(kind="reboot", back_within_s=200.0), Rung(kind="power", reset="cycle", back_within_s=400.0)),
        ]
    )
    found = fleet(
        *services,
        labels=labels,
        limits=limits,
        policy=Policy(
            barrier=chance.choice(["fleet", "service"]),
            pace=chance.choice([None, "fixed"]),
            canaries=chance.choice([None, 0]),
            max_failures=chance.choice([None, 1, 3]),
            on_failure=chance.choice(["halt", "contain"]),
        ),
        playbooks={"reboot": Playbook(name="reboot", drain=drain, restart=ladder)},
        watch=(Check(kind="prometheus", params=_QUERY, within_s=120.0),) if chance.random() < 0.2 else (),
        expect=Expect(boot_s=60.0),
    )
    if ladder[-1].kind != "power":
        return found
    control = PowerControl(method="ipmi")
    return replace(found, hosts={name: replace(host, power=control) for name, host in found.hosts.items()})


def _more(chance: Random) -> Limit:
    """A limit that counts something else than moves in flight, or from another moment on."""
    per = chance.choice([None, "rack"])
    match chance.choice(["shared", "rate", "capacity", "booted"]):
        case "shared":
            shared = Shared(work_s=20.0, at_once=chance.randint(1, 3), timeout_s=400.0)
            return Limit(name="more", per=per, shared=shared, held_until=chance.choice(["ready", "booted"]))
        case "rate":
            return Limit(name="more", per=per, max_rate=chance.randint(1, 3), max_rate_per_s=60.0)
        case "capacity":
            starting_for_s = chance.choice([None, 15.0, 60.0])
            return Limit(
                name="more",
                capacity=80.0,
                starting=chance.choice([8.0, 16.0]),
                starting_for_s=starting_for_s,
                running=3.0,
            )
    held_s = chance.choice([None, 30.0])
    return Limit(name="more", per=per, max_in_flight=chance.randint(1, 3), held_from="booted", held_s=held_s)


_QUERY = {"url": "http://prom:9090", "query": "errors", "expect": "< 5", "alive": None, "empty": "unknown"}


def _members(chance: Random, pool: list[str]) -> tuple[str, ...]:
    size, first = chance.randint(1, 6), chance.randrange(len(pool))
    return tuple(sorted({pool[(first + step) % len(pool)] for step in range(size)}))


def _service(chance: Random, name: str, hosts: tuple[str, ...], before: list[Service]) -> Service:
    edges = []
    for other in before:
        if chance.random() < 0.3:
            kind = chance.choice(["requires", "requires", "after"])
            needs = chance.choice([None, None, chance.randint(1, len(other.hosts))]) if kind == "requires" else None
            edges.append(Dependency(provider=other.name, kind=kind, needs=needs, at=chance.choice(["both", "run"])))
    budget = chance.choice(["none", "quorum", "number", "percent"])
    healthy_for_s = chance.choice([0.0, 10.0, 25.0])
    return Service(
        name=name,
        hosts=hosts,
        depends_on=tuple(edges),
        min_available=Amount(quorum=True) if budget == "quorum" and len(hosts) > 2 else None,
        max_unavailable=(
            Amount(number=chance.randint(1, len(hosts)))
            if budget == "number"
            else Amount(percent=chance.choice([34.0, 50.0, 75.0]))
            if budget == "percent" and len(hosts) > 2
            else None
        ),
        ready=(ask(healthy_for_s=healthy_for_s),) if chance.random() < 0.7 else (),
        gate=(ask("group", "controller", healthy_for_s=chance.choice([0.0, 12.0])),) if chance.random() < 0.4 else (),
        settle_s=chance.choice([0.0, 0.0, 30.0]),
        admission=chance.choice([None, None, 1, 2]),
        admission_held_until=chance.choice(["gate", "gate", "ready", "booted"]),
        path=chance.random() < 0.08,
    )


def _faults(chance: Random, inventory: Inventory) -> tuple[Fault, ...]:
    hosts = list(inventory.hosts)
    found = []
    for _ in range(chance.randint(1, 4)):
        at_s, whom = chance.choice([0.0, 5.0, 60.0, 200.0, 400.0]) + chance.random() * 60, (chance.choice(hosts),)
        kind = chance.choice(_KINDS)
        for_s = chance.choice([20.0, 90.0, 400.0])
        if kind == "controller_dies":
            moment = chance.choice(["appending", "appended", "begun"])
            found.append(Fault(kind=kind, event=chance.randint(1, 400), moment=moment))
        elif kind == "says":
            found.append(Fault(kind=kind, word=chance.choice(["pause", "stop"]), at_s=at_s))
            found.append(Fault(kind=kind, word="go", at_s=at_s + 300.0))
        elif kind == "unknown":
            services = (chance.choice(list(inventory.services)),) if chance.random() < 0.5 else ()
            hosts_too = whom if not services and chance.random() < 0.7 else ()
            found.append(Fault(kind=kind, hosts=hosts_too, services=services, at_s=at_s, for_s=for_s))
        elif kind == "ssh_hangs":
            found.append(Fault(kind=kind, hosts=whom, at_s=at_s, for_s=for_s, phase=chance.choice(PHASES)))
        elif kind == "alert":
            found.append(Fault(kind=kind, hosts=whom, at_s=at_s, for_s=for_s, target="DiskSlow"))
        elif kind == "returns_late":
            found.append(Fault(kind=kind, hosts=whom, by_s=chance.choice([100.0, 900.0])))
        elif kind == "never_returns":
            found.append(Fault(kind=kind, hosts=whom, times=chance.choice([None, None, 1])))
        elif kind == "same_boot_id":
            found.append(Fault(kind=kind, hosts=whom))
        elif kind == "answers_lost":
            found.append(Fault(kind=kind, hosts=whom, at_s=at_s, for_s=for_s, chance=chance.choice([0.3, 1.0])))
        else:
            found.append(Fault(kind=kind, hosts=whom, at_s=at_s, for_s=for_s, by_s=chance.choice([3.0, 15.0])))
    return tuple(found)


def _compared(drawn: Drawn, chance: Random, *, faults: bool) -> Drawn:
    """The same fleet, most of whose hosts are held against what they were, and some lose what nobody made to last."""
    inventory = drawn.inventory
    check = Check(
        kind="same_as_before",
        params=chance.choice([{}, {}, {"allow": ["tcp:2000*"]}]),
        healthy_for_s=chance.choice([0.0, 10.0]),
        within_s=chance.choice([60.0, 300.0]),
    )
    services = {
        name: replace(service, same_as_before=check if chance.random() < 0.8 else None)
        for name, service in inventory.services.items()
    }
    lost = chance.choice(["route:default", "tcp:20000", "tcp:443", "unit:s0.service", "mount:/srv"])
    loses = Fault(kind="loses_at_boot", hosts=(chance.choice(list(inventory.hosts)),), target=lost)
    more = (loses,) if faults and chance.random() < 0.3 else ()
    return replace(
        drawn, inventory=replace(inventory, services=services, same_as_before=check), faults=(*drawn.faults, *more)
    )


_KINDS = (*(kind for kind in KINDS if kind != "loses_at_boot"), "goes_down", "controller_dies")
"""Every kind that there is, also one that comes to be; what tears most is drawn more often. What a boot loses is drawn by itself."""
