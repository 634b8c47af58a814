"""One line for people about each fact and each operator's word. Used by plain output, the live view and the report."""

from __future__ import annotations

from collections.abc import Callable

from restart.engine import facts as names
from restart.model.event import Fact
from restart.reports.prose import count, printable
from restart.rules.durations import spoken

QUIET = frozenset({names.CLAIMED, names.AVAILABLE, names.BASELINE})
"""Facts that views show as state rather than as a line."""


def sentence(fact: Fact) -> str:
    """What happened, in one printable line without the time. A fact without its own wording is told by its name."""
    told = _TOLD.get(fact.fact)
    text = told(fact) if told else _plain(fact)
    subject = fact.host or (fact.service if fact.fact not in _NAMES_ITSELF else None)
    return printable(f"{subject}: {text}" if subject else text)


def weight(fact: Fact) -> str:
    """`bad`, `good`, `wait` or `plain`: how a view may colour the line. Colour never says what the words do not."""
    if fact.fact in _BAD or (fact.verdict is not None and fact.verdict != "PASS"):
        return "bad"
    if fact.fact in _GOOD:
        return "good"
    return "wait" if fact.fact in _WAITS else "plain"


_BAD = frozenset(
    {
        names.QUARANTINED,
        names.UNTOUCHED,
        names.NOT_REBOOTED,
        names.IN_DOUBT,
        names.HALTED,
        names.RUNG_FAILED,
        names.CONTAINED,
        names.HOOK_FAILED,
        names.NO_SPARE,
        names.DRIFT,
    }
)
_GOOD = frozenset({names.MOVE_DONE, names.WAVE_DONE})
_WAITS = frozenset(
    {
        names.HELD,
        names.FLAGGED,
        names.HOOK_LEFT,
        names.PAUSED,
        names.STOPPING,
        names.APPROVAL_WANTED,
        names.SKIPPED,
        names.OVERRIDDEN,
        names.PROMOTED,
    }
)
_NAMES_ITSELF = frozenset(
    {names.NO_SPARE, names.FLAGGED, names.UNFLAGGED, names.GATE, names.AVAILABLE, names.CONTAINED}
)


def _why(fact: Fact, before: str = ": ") -> str:
    return f"{before}{fact.why}" if fact.why else ""


def _evidence(fact: Fact, before: str = ": ") -> str:
    return f"{before}{fact.evidence}" if fact.evidence else ""


def _stage(fact: Fact) -> str:
    of = f" of {fact.data['stages']}" if "stages" in fact.data else ""
    return f"stage {fact.data['stage']}{of}" if "stage" in fact.data else "a stage"


def _for(fact: Fact) -> str:
    return f" for {fact.data['provider']}" if "provider" in fact.data else ""


def _done(fact: Fact) -> str:
    """What else is worth knowing of a host that is done: that nobody touched it, and a kernel that is another than before."""
    told = ", by itself" if fact.data.get("by_itself") else ""
    was, now = fact.data.get("was_kernel"), fact.data.get("kernel")
    return f"{told}, kernel {was} > {now}" if was and now and was != now else told


def _mode(fact: Fact) -> str:
    return f": {fact.data['mode']}" if "mode" in fact.data else ""


def _plain(fact: Fact) -> str:
    return fact.fact.replace("_", " ") + _evidence(fact) + _why(fact)


def _took(fact: Fact, key: str) -> str:
    value = fact.data.get(key)
    return f" after {spoken(value)}" if isinstance(value, int | float) else ""


def _run_started(fact: Fact) -> str:
    hosts, waves = fact.data.get("hosts"), fact.data.get("waves")
    size = (
        f", {count(hosts, 'host')} in {count(waves, 'wave')}"
        if isinstance(hosts, int) and isinstance(waves, int)
        else ""
    )
    return f"the run starts{size}{_why(fact)}"


def _wave_started(fact: Fact) -> str:
    moves = fact.data.get("moves")
    number = moves if isinstance(moves, int) else len(moves) if isinstance(moves, list | tuple) else None
    size = f" ({count(number, 'host')})" if number is not None else ""
    return f"wave {fact.wave} starts{size}{_why(fact)}"


def _move_started(fact: Fact) -> str:
    services = fact.data.get("services") or ()
    about = f", {', '.join(services)}" if services else ""
    return f"its restart begins (wave {fact.wave}{about}{', canary' if fact.data.get('canary') else ''})"


def _rebooting(fact: Fact) -> str:
    number = fact.data.get("number", 1)
    rung = fact.data.get("rung", "restart")
    known = {"reboot": "rebooting", "service_restart": "restarting its services", "poweroff": "switching off"}
    what = known.get(rung, f"restarting by {rung}")
    if rung == "power":
        what = f"switching its power: {fact.data.get('reset', 'cycle')}"
    return what if number == 1 else f"{what} (way {number} of its playbook)"


def _booted(fact: Fact) -> str:
    return f"up again{_took(fact, 'took_s')}: {fact.evidence or 'with a new boot id'}"


def _ready(fact: Fact) -> str:
    verdict = {"PASS": "ready", "FAIL": "not ready", "UNKNOWN": "readiness unknown"}[fact.verdict or "UNKNOWN"]
    service = f" as {fact.service}" if fact.service and fact.host else ""
    return f"{verdict}{service}{_evidence(fact)}"


def _soaking(fact: Fact) -> str:
    for_s = fact.data.get("for_s")
    must = f", which must hold for {spoken(for_s)}" if isinstance(for_s, int | float) else ""
    return f"every check passes{must}"


def _gate(fact: Fact) -> str:
    said = {"PASS": "open", "FAIL": "closed", "UNKNOWN": "not opened: nobody could say"}[fact.verdict or "UNKNOWN"]
    return f"gate of {fact.service} is {said}{_evidence(fact)}"


def _watch(fact: Fact) -> str:
    said = {"PASS": "is well", "FAIL": "FAILS", "UNKNOWN": "has no answer"}[fact.verdict or "UNKNOWN"]
    return f"the watch {said}{_evidence(fact)}"


def _available(fact: Fact) -> str:
    available, of, budget = (fact.data.get(key, "?") for key in ("available", "of", "budget"))
    return f"{fact.service} has {available} of {of}" + (f", {budget} needed" if budget is not None else "")


def _held(fact: Fact) -> str:
    subject = "" if fact.host else f"wave {fact.wave} " if fact.wave is not None else "the run "
    rule = fact.data.get("rule")
    if subject == "the run " and rule == "":
        return fact.why or "nothing holds the run"
    way_out = fact.data.get("way_out")
    why = (fact.why or "").removesuffix(f" ({way_out})")
    return (
        f"{subject}waits{f': {why}' if why else ''}{f' [{rule}]' if rule else ''}{f' ({way_out})' if way_out else ''}"
    )


def _overridden(fact: Fact) -> str:
    rule, reason = fact.data.get("rule", "a rule"), fact.data.get("reason", "")
    return f"{rule} would hold it{_why(fact)}; OVERRIDDEN by name{f' ({reason})' if reason else ''}"


def _approval(fact: Fact) -> str:
    target = fact.data.get("target")
    return f"waits for a person{_evidence(fact)}" + (f" (restart approve RUN {target})" if target else "")


def _run_ended(fact: Fact) -> str:
    state = {
        "done": "done",
        "halted": "halted, can be resumed",
        "stopped": "stopped, can be resumed",
        "paused": "paused, waits for an operator",
        "waiting": "over for now, waits for an operator",
        "ended": "at its end, not every host is well",
        "held": "ended, held by another",
        "drift": "ended, the world does not match the plan",
    }.get(str(fact.data.get("state")), str(fact.data.get("state", "ended")))
    return f"the run is {state}{_why(fact)}"


_TOLD: dict[str, Callable[[Fact], str]] = {
    names.RUN_STARTED: _run_started,
    names.LEFT_OUT: lambda fact: f"left out of its drain{_evidence(fact)} ({fact.why})",
    names.OWED: lambda fact: f"not undrained yet{_evidence(fact)} ({fact.why})",
    names.DRIFT: lambda fact: f"not as planned{_why(fact)}",
    names.RUN_RESUMED: lambda fact: f"the run goes on{_why(fact)}",
    names.STAGE_STARTED: lambda fact: f"{_stage(fact)} begins{_mode(fact)}",
    names.STAGE_DONE: lambda fact: f"{_stage(fact)} is done{_why(fact)}",
    names.WAVE_STARTED: _wave_started,
    names.WAVE_DONE: lambda fact: f"wave {fact.wave} is done",
    names.CHANGED_PLACES: lambda fact: fact.why or "changes places",
    names.PROMOTED: lambda fact: f"a spare is called up{_why(fact)}",
    names.NO_SPARE: lambda fact: fact.why or "no spare is left",
    names.MOVE_STARTED: _move_started,
    names.CLAIMED: lambda fact: "claimed for this run",
    names.RETURNED: lambda fact: f"came back by itself, not touched so far: {fact.evidence or ''}",
    names.UP_ALREADY: lambda fact: fact.why or "up already",
    names.BASELINE: lambda fact: fact.evidence or "seen before its restart",
    names.NOT_COMPARED: lambda fact: f"will not be compared with what it was{_why(fact)}",
    names.DRAINING: lambda fact: f"draining{_evidence(fact)}",
    names.REBOOTING: _rebooting,
    names.POWER: lambda fact: fact.evidence or f"power is {fact.data.get('state', 'unknown')}",
    names.RUNG_FAILED: lambda fact: (
        f"{'did not go off' if fact.data.get('rung') == 'poweroff' else 'did not come back'} by {fact.data.get('rung', 'this way')}{_why(fact)}"
    ),
    names.BOOTED: _booted,
    names.OFF: lambda fact: f"is off{_evidence(fact)}",
    names.TIME_OVER: lambda fact: f"TIME IS OVER{_why(fact)}",
    names.SEED: lambda fact: f"says {fact.evidence or 'nothing'} when asked who starts first",
    names.SEED_CHOSEN: lambda fact: f"starts first{_why(fact)}",
    names.STAND_IN: lambda fact: f"has a stand-in{_for(fact)}{_evidence(fact)}",
    names.STAND_IN_REMOVED: lambda fact: f"its stand-in{_for(fact)} is removed{_evidence(fact)}",
    names.STAND_IN_LEFT: lambda fact: f"its stand-in{_for(fact)} is LEFT IN PLACE{_why(fact)}",
    names.READY: _ready,
    names.SOAKING: _soaking,
    names.UNDRAINING: lambda fact: f"undraining{_evidence(fact)}",
    names.CANARY_WATCHED: lambda fact: fact.why or "a canary, watched",
    names.CANARY_HELD: lambda fact: "the canary's checks and gates have held: others of its kind may go",
    names.CANARY_LATE: lambda fact: f"the canary counts as failed while it is still tried{_why(fact)}",
    names.MOVE_DONE: lambda fact: f"done{_took(fact, 'took_s')}{_done(fact)}",
    names.QUARANTINED: lambda fact: f"QUARANTINED, stays drained and counts as down{_why(fact)}",
    names.UNTOUCHED: lambda fact: f"left untouched{_why(fact)}",
    names.NOT_REBOOTED: lambda fact: f"did NOT really reboot{_why(fact)}",
    names.SKIPPED: lambda fact: f"skipped{_why(fact)}",
    names.IN_DOUBT: lambda fact: f"IN DOUBT{_why(fact)} (restart resolve RUN {fact.host} --done, --retry or --skip)",
    names.RESOLVED: lambda fact: (
        (fact.why or "nothing to resolve")
        if fact.data.get("word") == "none"
        else f"resolved as {fact.data.get('word', 'said')}{_why(fact)}"
    ),
    names.AVAILABLE: _available,
    names.GATE: _gate,
    names.WATCH: _watch,
    names.HELD: _held,
    names.OVERRIDDEN: _overridden,
    names.APPROVAL_WANTED: _approval,
    names.APPROVED: lambda fact: f"approved{_why(fact)}",
    names.HOOK_SET: lambda fact: f"hook {fact.data.get('name', '')} is set{_evidence(fact)}",
    names.HOOK_UNDONE: lambda fact: f"hook {fact.data.get('name', '')} is undone{_evidence(fact)}",
    names.HOOK_FAILED: lambda fact: (
        f"hook {fact.data.get('name', '')} could not be {'undone' if fact.data.get('undo') else 'set'}{_why(fact)}"
    ),
    names.HOOK_LEFT: lambda fact: (
        f"hook {fact.data.get('name', '')} stays in place{_why(fact)}; to undo it: {fact.data.get('by_hand', '')}"
    ),
    names.PAUSED: lambda fact: f"paused{_why(fact)}",
    names.GOING: lambda fact: f"going on{_why(fact)}",
    names.CLOCK_STEPPED: lambda fact: fact.why or "the clock was stepped",
    names.FLAGGED: lambda fact: fact.why or "a stop flag stands",
    names.UNFLAGGED: lambda fact: fact.why or "a stop flag is lifted",
    names.STOPPING: lambda fact: f"stopping: nothing new starts, what is in flight ends{_why(fact)}",
    names.HALTED: lambda fact: f"HALTED: nothing new starts, what is in flight ends{_why(fact)}",
    names.CONTAINED: lambda fact: f"{fact.service} is contained, what needs it is held{_why(fact)}",
    names.RUN_ENDED: _run_ended,
}
