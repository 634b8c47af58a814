"""From an inventory to a plan: the steps of planning, in their order."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from restart.errors import Refused, UsageMistake
from restart.model.inventory import Inventory
from restart.model.observation import Observation
from restart.model.plan import Duration, Override, Plan
from restart.planner import recover, refusals
from restart.planner.auto import choose_mode
from restart.planner.binding import tightest, without
from restart.planner.bound import critical_path, lower_bound
from restart.planner.cold import cold_plan
from restart.planner.document import sealed
from restart.planner.durations import expected_durations
from restart.planner.graph import Order
from restart.planner.impact import impact
from restart.planner.loads import unmeasured
from restart.planner.notes import notes
from restart.planner.overdrawn import overdrawn
from restart.planner.overridden import overridden
from restart.planner.packings import lay_out, lay_out_without
from restart.planner.powerless import powerless
from restart.planner.reasons import Reasons
from restart.planner.scope import Scope, chosen_hosts, draw_scope
from restart.planner.second_pass import with_second_pass
from restart.planner.shutdown import shutdown_plan
from restart.planner.spares import never_called_up, spare_notes, still_standing
from restart.planner.stop_start import stop_start_plan
from restart.planner.writing import Wanted, written_plan, written_waves
from restart.rules.waived import Waived

BARRIERS = ("fleet", "service")
MODES = ("rolling", "recover", "cold-start", "shutdown", "stop-start")
"""The modes that can be planned; `auto` chooses one of the first three."""


def make_plan(
    inventory: Inventory,
    *,
    selection: tuple[str, ...] | None = None,
    observation: Observation | None = None,
    made_at: str,
    mode: str = "rolling",
    durations: Mapping[str, Duration] | None = None,
    barrier: str | None = None,
    canaries: int | None = None,
    include_controller: bool = False,
    overrides: Sequence[Override] = (),
    within_s: float | None = None,
) -> Plan:
    """The plan for `inventory` in `mode` (one of `MODES`, or `auto`), in as few waves as possible: every selected host restarted once, or started.

    `selection` holds terms as `restart.rules.names.select` reads them (None: the whole fleet), `durations` what history
    says of hosts, `barrier` and `canaries` stand in for the policy's, `overrides` are rules to let go by name. Same arguments, same plan, `made_at` apart. Raises
    `Refused` with every refusal at once, and `UsageMistake` where the arguments cannot be meant.
    """
    with _no_garbage_collection():
        inventory = _with_options(inventory, barrier, canaries)
        chosen: str | None = None
        if mode == "auto":
            mode, chosen = choose_mode(chosen_hosts(inventory, selection), observation)
        history = durations or {}
        wanted = Wanted(
            selection=selection,
            observation=observation,
            overrides=tuple(overridden(inventory, overrides, mode)),
            include_controller=include_controller,
            made_at=made_at,
        )

        def cold(wanted: Wanted) -> Plan:
            both = with_second_pass(
                cold_plan(inventory, wanted, history), lambda hosts: _rolling(inventory, wanted, hosts, history)
            )
            return never_called_up(both)

        if mode == "cold-start":
            return _said(chosen, cold(wanted))
        if mode in ("shutdown", "stop-start"):
            stop = shutdown_plan(inventory, wanted, within_s=within_s)
            if mode == "shutdown":
                return stop
            return stop_start_plan(stop, lambda hosts: cold(replace(wanted, selection=hosts, observation=None)))
        if mode not in MODES:
            raise UsageMistake(f"no mode {mode!r}", remedy=f"one of {', '.join(MODES)}")
        if mode == "recover":
            if observation is None:
                way_out = "add --survey, or --observation FILE from restart survey --save"
                raise UsageMistake("mode recover plans on what was seen", remedy=way_out)
            inventory = recover.paced(inventory, observation)
        scope = _checked_scope(inventory, wanted, mode)
        plan = _planned(scope, wanted, history)
        if mode == "recover" and observation is not None:
            plan = recover.told(plan, observation, scope)
        return sealed(_said(chosen, plan))


def _said(chosen: str | None, plan: Plan) -> Plan:
    """`plan` with why its mode was chosen, where somebody else than the operator chose it."""
    return plan if chosen is None else sealed(replace(plan, notes=(chosen, *plan.notes)))


def _rolling(inventory: Inventory, wanted: Wanted, hosts: tuple[str, ...], history: Mapping[str, Duration]) -> Plan:
    """The rolling plan of just these hosts."""
    wanted = replace(wanted, selection=hosts, observation=None, include_controller=True, made_at="")
    return _planned(_checked_scope(inventory, wanted, "rolling", standing_by=False), wanted, history)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Planning makes no rings of objects, but so many that looking for rings takes a third of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _checked_scope(inventory: Inventory, wanted: Wanted, mode: str, *, standing_by: bool = True) -> Scope:
    """The scope of the plan. Raises `Refused` with all that speaks against it."""
    waived = Waived(override.rule for override in wanted.overrides)
    order, observation = Order(inventory, waived=waived), wanted.observation
    scope, wrong = draw_scope(
        inventory,
        selection=wanted.selection,
        observation=observation,
        include_controller=wanted.include_controller,
        order=order,
        waived=waived,
        recovering=mode == "recover",
        standing_by=standing_by,
    )
    if mode == "recover" and observation is not None:
        scope = recover.narrowed(scope, observation)
        order = scope.order
        wrong = (*wrong, *recover.refusals_of_outages(scope))
    wrong = (
        *wrong,
        *refusals.cycles(order),
        *refusals.budgets(scope),
        *refusals.providers(scope),
        *refusals.limits(scope),
        *overdrawn(scope),
        *powerless(scope),
        *unmeasured(scope),
    )
    wrong = tuple(refusal for refusal in wrong if refusal.rule not in waived)
    if wrong:
        raise Refused(wrong)
    return scope


def _planned(scope: Scope, wanted: Wanted, history: Mapping[str, Duration]) -> Plan:
    inventory = scope.inventory
    expected, booted_s = expected_durations(inventory, scope.services_of, scope.moving, history)
    laid = lay_out(scope, {host: held.value_s for host, held in expected.items()}, booted_s)
    fleet, packed, pieces, timeline = laid.fleet, laid.packed, laid.pieces, laid.timeline
    reasons = Reasons(fleet, packed.doors, pieces.waves, packed.kept_out)
    chain = critical_path(timeline)
    tight, told = tightest(
        pieces, timeline, chain, packed.kept_out,
        lambda rule: lay_out_without(laid, without(scope, rule)).timeline.makespan_ms,
    )  # fmt: skip
    bound = lower_bound(fleet, packed.doors, pieces)
    standing = still_standing(inventory, scope.standing, scope.moving)
    return written_plan(
        "rolling",
        scope,
        wanted,
        timeline,
        waves=written_waves(
            pieces,
            timeline,
            why_move=lambda host, number: reasons.of_move(host, host in timeline.canaries, number),
            why_wave=reasons.of_wave,
        ),
        impact=impact(scope, timeline),
        bound=bound,
        durations=expected,
        notes=(
            *notes(fleet, packed.doors, pieces, timeline, bound, told, surveyed=wanted.observation is not None),
            *spare_notes(inventory, standing),
        ),
        tight=tight,
        spares=standing,
    )


def compare_barriers(
    inventory: Inventory,
    *,
    selection: tuple[str, ...] | None = None,
    observation: Observation | None = None,
    durations: Mapping[str, Duration] | None = None,
    canaries: int | None = None,
    include_controller: bool = False,
) -> dict[str, float]:
    """The makespan in seconds under each barrier. Raises as `make_plan` does."""
    return {
        barrier: make_plan(
            inventory,
            selection=selection,
            observation=observation,
            made_at="",
            durations=durations,
            barrier=barrier,
            canaries=canaries,
            include_controller=include_controller,
        ).estimate.makespan_s
        for barrier in BARRIERS
    }


def _with_options(inventory: Inventory, barrier: str | None, canaries: int | None) -> Inventory:
    """`inventory` with the options of the command line written into it, so that the plan carries them to the engine."""
    if barrier is not None:
        if barrier not in BARRIERS:
            raise UsageMistake(f"no barrier {barrier!r}", remedy=f"one of {', '.join(BARRIERS)}")
        inventory = replace(inventory, policy=replace(inventory.policy, barrier=barrier))
    if canaries is not None:
        if canaries < 0:
            raise UsageMistake(f"{canaries} canaries cannot be", remedy="0 or more")
        services = {
            name: service if service.canaries is None else replace(service, canaries=None)
            for name, service in inventory.services.items()
        }
        inventory = replace(inventory, services=services, policy=replace(inventory.policy, canaries=canaries))
    return inventory
