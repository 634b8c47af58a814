"""The plan as JSON and back, with its digests (design: section 6 and rule 13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from restart.errors import Drift, UsageMistake
from restart.model.document import as_json, canonical, digest_of, from_json
from restart.model.plan import Move, Plan, Tightest, Wave

VERSION = 1

_OUTSIDE = ("digest", "inventory_digest", "observation_digest", "made_at")


def plan_json(plan: Plan) -> dict[str, Any]:
    """The whole document; every key but the optional ones is there, also where its value is empty."""
    return {
        "version": plan.version,
        "fleet": plan.fleet,
        "mode": plan.mode,
        "digest": plan.digest,
        "inventory_digest": plan.inventory_digest,
        "observation_digest": plan.observation_digest,
        "made_at": plan.made_at,
        "waves": [
            {
                "number": wave.number,
                "why": wave.why,
                "moves": [_move(move) for move in wave.moves],
                "gates": list(wave.gates),
                **_stage(wave),
            }
            for wave in plan.waves
        ],
        "impact": [
            {
                "service": row.service,
                "hosts": row.hosts,
                "budget": row.budget,
                "lowest_available": row.lowest_available,
                "outage_s": row.outage_s,
            }
            for row in plan.impact
        ],
        "left_alone": [{"host": alone.host, "why": alone.why} for alone in plan.left_alone],
        **({"spares": as_json(plan.spares)} if plan.spares else {}),
        "estimate": {
            "makespan_s": plan.estimate.makespan_s,
            "lower_bound_s": plan.estimate.lower_bound_s,
            "critical_path": list(plan.estimate.critical_path),
            "tightest": _tightest(plan.estimate.tightest),
        },
        "notes": list(plan.notes),
        "selection": list(plan.selection),
        "overrides": [{"rule": held.rule, "reason": held.reason} for held in plan.overrides],
        "include_controller": plan.include_controller,
        **({} if plan.within_s is None else {"within_s": plan.within_s}),
        "durations": {
            host: {"value_s": duration.value_s, "samples": duration.samples, "source": duration.source}
            for host, duration in plan.durations.items()
        },
        "observation": None if plan.observation is None else as_json(plan.observation),
        "inventory": as_json(plan.inventory),
        **({"windows": as_json(plan.windows)} if plan.windows else {}),
    }


def _tightest(found: Tightest | None) -> dict[str, Any] | None:
    return None if found is None else {field.name: getattr(found, field.name) for field in fields(found)}


def _move(move: Move) -> dict[str, Any]:
    return {
        "host": move.host,
        "services": list(move.services),
        "playbook": move.playbook,
        "canary": move.canary,
        "start_s": move.start_s,
        "finish_s": move.finish_s,
        "why": list(move.why),
        **_unlike(move, "act", "conditional", "returning_until_s", "undrain"),
    }


def _stage(wave: Wave) -> dict[str, Any]:
    """What only plans of several stages say."""
    return _unlike(wave, "stage", "mode", "approve")


def _unlike(held: Move | Wave, *names: str) -> dict[str, Any]:
    """Those of the named fields that are not what they are where nothing is said."""
    usual = _USUAL[type(held)]
    return {name: value for name in names if (value := getattr(held, name)) != usual[name]}


_USUAL: dict[type, dict[str, Any]] = {
    kind: {found.name: found.default for found in fields(kind)} for kind in (Move, Wave)
}  # fmt: skip
"""Each field's default."""


def sealed(plan: Plan) -> Plan:
    """`plan` with its three digests: over the inventory, the observation, and the whole without its own and `made_at`."""
    encoded = _encoded(plan_json(plan))
    inventory, observation, whole = _digests(encoded)
    return replace(plan, inventory_digest=inventory, observation_digest=observation, digest=whole)


def _encoded(document: Mapping[str, Any]) -> dict[str, bytes]:
    """The canonical JSON of each value of a plan's document, the three digests and `made_at` left out."""
    return {key: canonical(value) for key, value in document.items() if key not in _OUTSIDE}


def _digests(encoded: Mapping[str, bytes]) -> tuple[str, str | None, str]:
    """The digests of inventory, observation and plan. The plan's is over its canonical JSON, put together from the parts."""
    inventory = digest_of(encoded["inventory"])
    observation = None if encoded["observation"] == b"null" else digest_of(encoded["observation"])
    parts = {**encoded, "inventory_digest": canonical(inventory), "observation_digest": canonical(observation)}
    whole = b"{" + b",".join(b'"%s":%s' % (key.encode(), parts[key]) for key in sorted(parts)) + b"}"
    return inventory, observation, digest_of(whole)


def plan_from_json(document: object) -> Plan:
    """The plan that `document` holds.

    Raises `UsageMistake` when it is no plan, `Drift` when a digest does not match what it stands for: then somebody or
    something changed the plan after it was made.
    """
    remedy = "make one with `restart plan INVENTORY --format json`"
    if not isinstance(document, Mapping) or "waves" not in document or "inventory" not in document:
        raise UsageMistake("this is no plan", remedy=remedy)
    if document.get("version") != VERSION:
        raise UsageMistake(f"the plan's version is {document.get('version')!r}, only {VERSION} is known", remedy=remedy)
    try:
        plan = _read(document)
        _compare(document)
    except ValueError as error:
        raise UsageMistake(f"this is no plan: {error}", remedy=remedy) from None
    return plan


def _compare(document: Mapping[str, Any]) -> None:
    inventory, observation, whole = _digests(_encoded(document))
    for what, stated, found in (
        ("inventory", document["inventory_digest"], inventory),
        ("observation", document["observation_digest"], observation),
        ("plan", document["digest"], whole),
    ):
        if stated != found:
            raise Drift(
                f"the {what} in this plan is not the one it was made with: {stated} is written, {found} was found",
                remedy="make the plan anew; a plan is never edited",
            )


_OPTIONAL = frozenset({"within_s", "windows", "spares"})
_KEYS = frozenset(
    [
        "version",
        "fleet",
        "mode",
        "digest",
        "inventory_digest",
        "observation_digest",
        "made_at",
        "waves",
        "impact",
        "left_alone",
        "estimate",
        "notes",
        "selection",
        "overrides",
        "include_controller",
        "durations",
        "observation",
        "inventory",
    ]
)


def _read(document: Mapping[str, Any]) -> Plan:
    odd = sorted(_KEYS.symmetric_difference(document.keys() - _OPTIONAL))
    if odd:
        raise ValueError(f"{', '.join(map(str, odd))}: {'missing' if odd[0] in _KEYS else 'unknown'}")
    return from_json(Plan, dict(document))
