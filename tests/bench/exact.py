"""The best plan of a small fleet, by OR-Tools CP-SAT: least waves first, then the least makespan with that many (barrier `service`).

The rules are those of `tests.planner.small_fleets.restated`. A host that rests on another's earlier waves starts when that one has
ended; a slot is held for the whole move; hosts of different zones are never in flight together.
"""

from __future__ import annotations

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
    while found > 1 and (wave_less := _solved(_waves(rules, found - 1)[0], solve_s)[0]) in FOUND:
        found -= 1
    at_least = found
    # Time was over: that is no proof. Far fewer waves are shown to be too few far sooner.
    while at_least > 1 and wave_less != cp_model.INFEASIBLE:
        at_least -= 1
        wave_less = _solved(_waves(rules, at_least - 1)[0], solve_s)[0] if at_least > 1 else cp_model.INFEASIBLE
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


def _solved(model: cp_model.CpModel, solve_s: float) -> tuple[int, cp_model.CpSolver]:
    """How it ended, one of CP-SAT's words (INFEASIBLE is a proof, UNKNOWN is none), and the solver with what it found."""
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    # Looking for symmetries ends the solver (9.15) with an error on one fleet in two hundred.
    solver.parameters.symmetry_level = 0
    solver.parameters.max_deterministic_time = solve_s
    return solver.solve(model), solver


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
