"""The names of rules: as every hold and refusal tells them, and as `--override` takes them (design: section 9, a too strict gate)."""

from __future__ import annotations


def limit_rule(name: str, part: str = "") -> str:
    """`limit.rack`, `limit.power.capacity`: a limit, or the `part` of it that caps something beside moves in flight."""
    return f"limit.{name}.{part}" if part else f"limit.{name}"


def stated_at(rule: str) -> str:
    """Where the inventory states what caps a slot: `limit.power.capacity` -> `limits.power.capacity`, `admission.db` -> `services.db.admission`."""
    family, _, about = rule.partition(".")
    return f"services.{about}.admission" if family == "admission" else f"limits.{about}"


def admission_rule(provider: str) -> str:
    """`admission.postgres`: how many of the consumers of `provider` may come back at once."""
    return f"admission.{provider}"


def budget_rule(service: str) -> str:
    """`budget.postgres`: how many members must stay available."""
    return f"budget.{service}"


def gate_rule(service: str) -> str:
    """`gate.postgres`: the checks on the group that guard each start near it."""
    return f"gate.{service}"


def settle_rule(service: str) -> str:
    """`settle.postgres`: how long the service is left in peace after a wave."""
    return f"settle.{service}"


def order_rule(consumer: str, provider: str) -> str:
    """`order.chat.postgres`: the provider's moves in scope have finished (design: rule 3 b)."""
    return f"order.{consumer}.{provider}"


def requires_rule(consumer: str, provider: str) -> str:
    """`requires.chat.postgres`: enough members of the provider are ready now (design: rule 3 a)."""
    return f"requires.{consumer}.{provider}"


def canary_rule(stratum: str) -> str:
    """`canary.chat/v7`: the stratum's canaries go first (design: rule 8)."""
    return f"canary.{stratum.rstrip('/')}"


def pace_rule(stratum: str) -> str:
    """`pace.chat/v7`: the stratum's slow start (design: rule 8)."""
    return f"pace.{stratum.rstrip('/')}"


def watch_rule(number: int) -> str:
    """`watch.1`: the first watch of the inventory."""
    return f"watch.{number}"


def role_rule(service: str) -> str:
    """`role.postgres`: the leader goes last, asked live (design: rule 19)."""
    return f"role.{service}"


def warm_up_rule(service: str) -> str:
    """`warm_up.cache`: what carries load needs a warm-up gate (design: rule 19)."""
    return f"warm_up.{service}"


def flag_rule(target: str) -> str:
    """`flag.3`: the stop flag of that number, by the target of the word that set it (`3 service web`)."""
    return f"flag.{target.partition(' ')[0]}"


def hook_rule(name: str) -> str:
    """`hooks.noout`: what is set before anything is touched."""
    return f"hooks.{name}"


def covers(override: str, rule: str) -> bool:
    """Whether naming `override` lets `rule` go: it is that rule, `pace` is the pace of all strata, `canary.chat` that of all of chat's."""
    if rule == override or (override == "pace" and rule.startswith("pace.")):
        return True
    return override.startswith(("canary.", "pace.")) and rule.startswith(f"{override}/")
