"""The best plan of a small fleet, by OR-Tools CP-SAT: least waves first, then the least makespan with that many (barrier `service`).

The rules are those of `tests.planner.small_fleets.restated`. A host that rests on another's earlier waves starts when that one has
ended; a slot is held for the whole move; hosts of different zones are never in flight together.

Waves are asked for by numbers of hosts that no rule tells apart (`_counted`), not host by host: alike hosts in another order are the same plan,
and to try them all took hours where this takes seconds. Times need the hosts themselves (`_waves`, `_times`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ortools.sat.python import cp_model

from tests.planner.small_fleets import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The least waves, and of all plans with so many as were found the least makespan in seconds.

    What is `at_least` is proved: no plan has less. What was `found` was reached; the two differ where the solver's time was over first.
    """

    waves_at_least: int
    waves_found: int
    at_least_s: float
    found_s: float


def best(rules: Rules, durations_s: list[float], hint: list[tuple[int, float]], *, solve_s: float = 20.0) -> Best:
    """`hint`: the wave and the start of each host in a plan to begin from; `solve_s`: most (deterministic) seconds for each question.

    Whether one wave less would do is asked again and again: that is settled far sooner than the least number itself.
    """
    most = max(wave for wave, _ in hint)
    found = most
    while found > 1 and (wave_less := waves_will_do(rules, found - 1, solve_s)):
        found -= 1
    at_least = found
    # Time was over: that is no proof. Far fewer waves are shown to be too few far sooner.
    while at_least > 1 and wave_less is None:
        at_least -= 1
        wave_less = waves_will_do(rules, at_least - 1, solve_s) if at_least > 1 else False
    model, wave = _waves(rules, found)
    ends = _times(model, rules, wave, durations_s)
    makespan = model.new_int_var(0, round(sum(durations_s)), "makespan")
    model.add_max_equality(makespan, ends)
    model.minimize(makespan)
    if found == most:
        for at, (number, start_s) in enumerate(hint):
            model.add_hint(wave[at], number)
            model.add_hint(ends[at], round(start_s + durations_s[at]))
    status, solver = _solved(model, solve_s)
    assert status in FOUND, "there is a plan with so many waves"
    return Best(
        waves_at_least=at_least,
        waves_found=found,
        at_least_s=solver.best_objective_bound,
        found_s=solver.objective_value,
    )


FOUND = (cp_model.OPTIMAL, cp_model.FEASIBLE)


def waves_will_do(rules: Rules, most: int, solve_s: float = 20.0) -> bool | None:
    """Whether a plan with at most so many waves exists; None: the solver's time was over first."""
    status, _ = _solved(_counted(rules, most), solve_s)
    return True if status in FOUND else False if status == cp_model.INFEASIBLE else None


def _solved(model: cp_model.CpModel, solve_s: float) -> tuple[int, cp_model.CpSolver]:
    """How it ended, one of CP-SAT's words (INFEASIBLE is a proof, UNKNOWN is none), and the solver with what it found."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    # Looking for symmetries ends the solver (9.15) with an error on one fleet in two hundred.
    solver.parameters.symmetry_level = 0
    solver.parameters.max_deterministic_time = solve_s
    return solver.solve(model), solver


def _alike(rules: Rules) -> list[list[int]]:
    """The hosts that no rule of waves tells apart, together."""
    found: dict[tuple[object, ...], list[int]] = {}
    for at in range(len(rules.hosts)):
        likeness = (
            tuple(at in members for members, _ in rules.budgets),
            rules.before[at],
            tuple(at in members for waits in rules.before for members, _ in waits),
            tuple((at in consumers, at in members) for consumers, members, _ in rules.ready),
            rules.zones[at],
        )
        found.setdefault(likeness, []).append(at)
    return list(found.values())


def _counted(rules: Rules, most: int) -> cp_model.CpModel:
    """How many hosts of each kind go in each of so many waves."""
    model = cp_model.CpModel()
    kinds, waves = _alike(rules), range(most)
    kind_of = {at: number for number, hosts in enumerate(kinds) for at in hosts}
    count = [[model.new_int_var(0, len(hosts), f"{hosts[0]} in {wave}") for wave in waves] for hosts in kinds]
    goes = [[model.new_bool_var(f"{hosts[0]} goes in {wave}") for wave in waves] for hosts in kinds]
    zones = [
        {zone: model.new_bool_var(f"{zone} in {wave}") for zone in dict.fromkeys(rules.zones) if zone is not None}
        for wave in waves
    ]

    def total(members: frozenset[int], among: Iterable[int]) -> cp_model.LinearExprT:
        numbers = sorted({kind_of[at] for at in members})
        return sum(count[number][wave] for wave in among for number in numbers)

    for wave in waves:
        model.add(sum(zones[wave].values()) <= 1)
        for members, allowed in rules.budgets:
            model.add(total(members, [wave]) <= allowed)
    for number, hosts in enumerate(kinds):
        model.add(sum(count[number]) == len(hosts))
        for wave in waves:
            going = goes[number][wave]
            model.add(count[number][wave] >= 1).only_enforce_if(going)
            model.add(count[number][wave] == 0).only_enforce_if(going.negated())
            if (zone := rules.zones[hosts[0]]) is not None:
                model.add_implication(going, zones[wave][zone])
            for members, needed in rules.before[hosts[0]]:
                model.add(total(members, range(wave)) >= min(needed, len(members))).only_enforce_if(going)
            for consumers, members, allowed in rules.ready:
                if hosts[0] in consumers:
                    model.add(total(members, [wave]) <= allowed).only_enforce_if(going)
    return model


def _waves(rules: Rules, most: int) -> tuple[cp_model.CpModel, list[cp_model.IntVar]]:
    """The wave of each host, as the rules of waves have it."""
    model = cp_model.CpModel()
    hosts, numbers = range(len(rules.hosts)), range(1, most + 1)
    wave = [model.new_int_var(1, most, f"wave {at}") for at in hosts]
    is_in = [[model.new_bool_var(f"{at} in {number}") for number in numbers] for at in hosts]
    moved = [[model.new_bool_var(f"{at} before {number}") for number in numbers] for at in hosts]
    for at in hosts:
        model.add_exactly_one(is_in[at])
        model.add(wave[at] == sum(number * is_in[at][number - 1] for number in numbers))
        for index in range(most):
            model.add(moved[at][index] == sum(is_in[at][:index]))
    for members, allowed in rules.budgets:
        for index in range(most):
            model.add(sum(is_in[at][index] for at in members) <= allowed)
    for at in hosts:
        for members, count in rules.before[at]:
            needed = min(count, len(members))
            if needed == len(members):
                for one in members:
                    model.add(wave[at] >= wave[one] + 1)
            for index in range(most):
                done = sum(moved[one][index] for one in members)
                model.add(done >= needed).only_enforce_if(is_in[at][index])
    for consumers, members, allowed in rules.ready:
        for at in consumers:
            for index in range(most):
                model.add(sum(is_in[one][index] for one in members) <= allowed).only_enforce_if(is_in[at][index])
    for at in hosts:
        for other in range(at):
            if None not in (rules.zones[at], rules.zones[other]) and rules.zones[at] != rules.zones[other]:
                model.add(wave[at] != wave[other])
    return model, wave


def _times(
    model: cp_model.CpModel, rules: Rules, wave: list[cp_model.IntVar], durations_s: list[float]
) -> list[cp_model.IntVar]:
    """The end of each move, as barriers, limits and zones have it."""
    hosts, lasts = range(len(rules.hosts)), [round(each) for each in durations_s]
    horizon = sum(lasts)
    starts = [model.new_int_var(0, horizon, f"start {at}") for at in hosts]
    ends = [model.new_int_var(0, horizon, f"end {at}") for at in hosts]
    spans = [model.new_interval_var(starts[at], lasts[at], ends[at], f"span {at}") for at in hosts]
    for first, later in rules.near:
        earlier = model.new_bool_var(f"{first} earlier than {later}")
        model.add(wave[first] < wave[later]).only_enforce_if(earlier)
        model.add(wave[first] >= wave[later]).only_enforce_if(earlier.negated())
        model.add(starts[later] >= ends[first]).only_enforce_if(earlier)
    # What follows from waves and barriers is said once more in time: that proves in seconds what takes minutes without.
    for at in hosts:
        for members, count in rules.before[at]:
            if count >= len(members):
                for one in members:
                    model.add(starts[at] >= ends[one])
    for members, most in (*rules.caps, *rules.budgets):
        if most < len(members):
            model.add_cumulative([spans[at] for at in members], [1] * len(members), most)
    for at in hosts:
        for other in range(at):
            if None not in (rules.zones[at], rules.zones[other]) and rules.zones[at] != rules.zones[other]:
                model.add_no_overlap([spans[at], spans[other]])
    return ends
