"""The way out of whatever holds or halts a run, by the kind of its rule: what lifts it by itself, what an operator says, what can be let go by name.

A hold without a way out makes an operator at midnight guess, and guessing is how a rule gets overridden that should have stood. So every hold,
every halt and every line of `explain` ends with one, all of them from here. `--override` is named only for what can be overridden.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from restart.rules.named import stated_at

NEVER = {
    "claim": ("two runs would restart one host", "wait for the other run, or stop it"),
    "compare-and-reboot": ("a repeated or late command would restart a host twice", "nothing: it holds nobody up for long"),
    "confirm_above": ("it asks whether the scope is meant", "say so with --yes-hosts"),
    "contain": ("the provider has failed, its consumers would start without it", "decide on the failed host: restart resolve"),
    "controller": ("the run would take itself down", "say --include-controller"),
    "cycle": ("no order keeps it", "make one edge `after`, or declare a stand-in for it with `break`"),
    "first-look": ("a gate would compare with what the run has changed already", "nothing: each gate is asked once, before anything is touched"),
    "hooks": ("rivals would act beside the run", "mend the hook, or take it out of the inventory"),
    "flag": ("somebody set a stop flag, and says why", "lift it: restart go"),
    "drain": ("the drain would fail, or worse its undo", "nothing: the hosts go one after the other"),
    "lease": ("two controllers would act at once", "wait until the lease is over"),
    "max_failures": ("it is a number, and a run without it never stops", "raise policy.max_failures"),
    "canaries": ("two canaries failed for what they share", "mend what they share"),
    "cluster": ("the next hosts like it would fail too", "mend what they share, or name other labels in policy.cluster_by"),
    "meltdown": ("the fleet is failing", "mend what fails, then resume"),
    "path": ("the run would not see or reach what is in flight", "leave the path out with --limit"),
    "paused": ("somebody said pause", "say go: restart go"),
    "ready_when": ("alone no member of the group would ever be ready", "raise the limits that it names, or state another ready_when"),
    "ready_fresh": ("old readiness is no readiness", "raise policy.ready_fresh"),
    "returning": ("what comes back by itself needs no restart", "nothing: it has its time, twice its expected boot"),
    "silent": ("the host does not answer", "mend the host, or leave it out with --limit"),
    "scope": ("nothing would move", "select other hosts with --limit"),
    "stop": ("somebody said stop", "lift the stop that was set"),
    "store": ("a slot that nobody counted is no slot", "mend the store, or take across_runs off the limit"),
    "unknown": ("UNKNOWN never opens anything; what it holds can be overridden one by one", "name the gate or the watch: gate.SERVICE, watch.1"),
    "waves": ("they are the plan itself", "plan again with --barrier service, or with another budget"),
}  # fmt: skip
"""Rules that nobody can let go: why, and the way out."""

DECIDE = "mend the hosts that it names, then restart resolve RUN HOST --done, --retry or --skip"
"""What lifts a hold for hosts that only an operator can let go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a kind of hold ends. `itself`: by itself, when; empty: never. `lasting`: what an operator does where it does not end by itself.

    `halted`: what is done where a run was halted for it. `state`: what the inventory may state instead, `{at}` filled with where.
    """

    itself: str = ""
    lasting: str = DECIDE
    halted: str = "mend it, then restart resume RUN"
    state: str = ""


WAYS = {
    "admission": Way(itself="when one of those has ended", state="raise {at}"),
    "budget": Way(itself="when they are ready", state="state a wider budget in services.{about}"),
    "canaries": Way(halted="mend what they share, then restart resolve RUN HOST for each and restart resume RUN"),
    "canary": Way(itself="when they have held", state="fewer canaries in services.{first}"),
    "cluster": Way(halted="mend what they share, then restart resolve RUN HOST for each and restart resume RUN"),
    "contain": Way(),
    "drain": Way(itself="when those moves have ended"),
    "first-look": Way(itself="when each has answered"),
    "flag": Way(lasting="ask who set it, then restart go --flag {about} --reason TEXT"),
    "gate": Way(itself="when it has passed for so long", halted="mend {about}, then restart resume RUN"),
    "hooks": Way(itself="when they are set", halted="mend the hook, then restart resume RUN"),
    "limit": Way(itself="when one of those has ended", state="raise {at}"),
    "max_failures": Way(halted="mend those hosts, then restart resolve RUN HOST for each and restart resume RUN"),
    "meltdown": Way(halted="find what fails them all, then restart resolve RUN HOST for each and restart resume RUN"),
    "order": Way(itself="when those moves have ended", state="change that edge"),
    "pace": Way(itself="as its moves end well and gates open", state="pace: fixed in services.{first}"),
    "path": Way(itself="when those moves have ended"),
    "paused": Way(lasting="restart go RUN"),
    "ready_fresh": Way(itself="when they have answered"),
    "ready_when": Way(
        itself="when the limits have room for them together",
        lasting="raise the limits on its hosts, or state another ready_when, in a new plan; or restart resolve RUN HOST what is lost",
    ),
    "requires": Way(itself="when so many are ready", state="state `needs` on that edge"),
    "returning": Way(itself="when it is ready, or its time is over"),
    "role": Way(itself="when one member says that it leads and nobody is left to go before it", halted="mend the role command or the member, then restart resume RUN"),
    "settle": Way(itself="when that time is over", state="a shorter settle in services.{about}"),
    "silent": Way(itself="when it answers; after the last try it is given up", halted="mend the host, then restart resume RUN"),
    "store": Way(itself="when the store answers"),
    "watch": Way(itself="when it has passed", halted="mend what it watches, then restart resume RUN"),
    "waves": Way(itself="when those moves have ended"),
    "window": Way(itself="when the next one opens", lasting="restart resume RUN in a window"),
}  # fmt: skip
"""By the first word of the rule's name."""


RATE = replace(WAYS["limit"], itself="when the first of those starts is so long ago")
"""Of a limit that counts starts, not what is held."""


def can_be_overridden(rule: str) -> bool:
    """Whether naming `rule` (one that holds or halts) lets it go."""
    family = rule.partition(".")[0]
    return family in WAYS and family not in NEVER


@cache
def way_out(rule: str, *, lasting: bool = False) -> str:
    """How a hold by `rule` ends in a run; `lasting`: it does not end by itself."""
    way = _way(rule)
    by_itself = way.itself and not lasting
    said = f"by itself {way.itself}" if by_itself else _filled(way.lasting, rule)
    # A plan does what was reviewed and takes no override once it runs, so what is left of it is planned anew.
    return f"{said}; or restart stop RUN, then plan --from RUN --override {rule}" if can_be_overridden(rule) else said


@cache
def way_out_of_halt(rule: str) -> str:
    """What to do about a run that `rule` has halted."""
    said = _filled(_way(rule).halted, rule)
    return f"{said}; or plan --from RUN --override {rule}" if can_be_overridden(rule) else said


@cache
def way_out_in_plan(rule: str) -> str:
    """What would have a plan do without what `rule` asks of it."""
    family = rule.partition(".")[0]
    if family in NEVER:
        return NEVER[family][1]
    state = _filled(_way(rule).state, rule)
    return f"{state}, or --override {rule}" if state else f"--override {rule}"


def _way(rule: str) -> Way:
    family = rule.partition(".")[0]
    return RATE if family == "limit" and rule.endswith(".max_rate") else WAYS.get(family, Way())


def _filled(text: str, rule: str) -> str:
    _, _, about = rule.partition(".")
    return text.format(at=stated_at(rule), about=about, first=about.partition("/")[0])
