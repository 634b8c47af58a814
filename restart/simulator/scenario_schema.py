"""The scenario format, version 1, as a JSON Schema: what editors use and what scenario files are held against.

A scenario is one YAML file (inventories/scenarios/README.md tells the format, and every card there is an example). `fleet` is an inventory as it would stand in
a file of its own, or `inventory` names one; `physics` says how it behaves (rules R1 to R9), `faults` what goes wrong, `naive` what is done
without a plan and what comes of it, `staged` what a planned run must reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restart.inventory.schema import NAME, definitions
from restart.inventory.schema_parts import choice, duration, flag, listing, mapping, one_or_more, percent, text, whole
from restart.model.world import Gate
from restart.simulator.deaths import MOMENTS
from restart.simulator.faults import KINDS
from restart.simulator.scenario import CAPABILITIES, MEASURES

DURATIONS = ("all_ready", "ends", "under_floor")
HAPPENINGS = (
    "collapse",
    "recovery",
    "trip",
    "corrupt",
    "corrupt_member",
    "reseeded",
    "failed_start",
    "timeout",
    "lost",
    "rebuild",
    "relapse",
    "gave_up",
    "writes_lost",
    "down",
    "rebooted",
    "unkept",
)


def scenario_schema(gates: Mapping[str, Gate]) -> dict[str, Any]:
    """JSON Schema of a scenario file; the kinds of checks in its fleet are those in `gates`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "staged-restart: a scenario for the simulator, format version 1",
        **file_schema(),
        "$defs": definitions(gates),
    }


def file_schema() -> dict[str, Any]:
    """The top of the file, without the definitions that its `$ref`s name."""
    return mapping(
        "A scenario: a fleet, its physics, its faults, and what must come out.",
        {
            "version": {"description": "Version of this format.", "type": "integer", "const": 1},
            "scenario": text("Its name.", pattern=NAME, expects="a name of letters, digits, - _ and ."),
            "about": text("What it is about, for people."),
            "seed": whole("What chance is drawn from, where the command line does not say.", 0),
            "start": text(
                "The UTC at which it begins, for maintenance windows, such as 2026-11-22T23:00:00Z. Default: 2026-01-01",
                pattern=r"^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$",
                expects="a time such as 2026-11-22T23:00:00Z",
            ),
            "horizon": duration("A play that is not over by then makes no progress. Default: 4h", positive=True),
            "fleet": {"$ref": "#/$defs/inventory"},
            "inventory": text("An inventory file, relative to this one, instead of fleet."),
            "playbooks": _table(
                "Playbooks of its own, by name, as each would stand in a file; they go before those in playbooks/.",
                {"description": "A playbook.", "type": "object"},
            ),
            "mode": choice("Mode of the planned run. Default: rolling", "rolling", "cold-start", "recover", "shutdown"),
            "select": one_or_more("Hosts that are to be restarted. Default: all"),
            "off": one_or_more("Hosts without power at the start."),
            "physics": _physics(),
            "faults": {"description": "What goes wrong.", "type": "array", "items": _fault()},
            "naive": _naive(),
            "staged": mapping(
                "The planned run.",
                {
                    "needs": {
                        "description": "Capabilities that it needs; it is not yet playable while one is lacking.",
                        "type": "array",
                        "items": choice("A capability.", *CAPABILITIES),
                    },
                    "expect": _expect(),
                },
            ),
        },
        required=["version", "scenario"],
    )


def _table(description: str, entry: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "type": "object", "additionalProperties": entry}


def _number(description: str) -> dict[str, Any]:
    return {"description": description, "type": "number", "minimum": 0}


def _physics() -> dict[str, Any]:
    return mapping(
        "How the fleet behaves. What is not said: hosts boot in 3m, members are ready at once, nothing is scarce.",
        {
            "latency": duration("There and back of a question. Default: 0s"),
            "silence": duration("How long a silent host is waited for. Default: 5s"),
            "strikes_after": duration("From the host's word to its going down. Default: 0s"),
            "hosts": _table("How hosts boot, by selection; a later entry wins, key by key.", _host()),
            "services": _table("How members become ready, by service.", _service()),
            "transfers": _table("Shared servers (R4), by name.", _transfer()),
            "resources": _table("What a service can serve a second (R3), by service.", _resource()),
            "log_ins": listing("Sessions that want back in.", _log_ins()),
            "steady": listing("Demand by each ready member.", _steady()),
            "power": _table("Limits of electric power (R6), by name.", _power()),
            "stuck": listing("Hosts that do not come back (R7).", _stuck()),
            "metrics": _table(
                "What a query or URL measures, by glob.",
                text(
                    "ready, demand, served or waiting, and a service.",
                    pattern=r"^(ready|demand|served|waiting) \S+$",
                    expects="such as demand db",
                ),
            ),
        },
    )


def _host() -> dict[str, Any]:
    return mapping(
        "How a host boots (R1).",
        {
            "boot": duration("From its start to its log-in."),
            "spread": percent("Each boot is drawn from that much less to that much more."),
            "dep_timeout": duration("How long a member waits for its hard boot dependencies. Default: 5m"),
            "uptime": duration("Uptime at the start. Default: drawn, 10 to 100 days"),
        },
    )


def _service() -> dict[str, Any]:
    return mapping(
        "How a service's members become ready (R2, R5) and what befalls them.",
        {
            "warm": duration("From the start of its process until a member functions."),
            "sync": duration("How long a member of a quorum syncs."),
            "quorum": whole("Members that must be up and synced, else none functions.", 1),
            "reseed": duration("How long a corrupt quorum takes to be seeded anew. Default: it stays corrupt"),
            "restart": duration("A restart of its units alone. Default: 5s"),
            "soft": _table("Providers that are waited for at boot, but only so long.", duration("How long.")),
            "leader": text("The member that leads at the start; when it goes down another is elected."),
            "election": duration("How long an election takes. Default: 5s"),
            "sealed": flag("Whether a member waits for a person each time it comes up."),
            "writes": _table("How far each member's log had come, by host.", whole("Number of the last write.", 0)),
            "shallow": listing("Globs of commands, URLs and queries that see the process only.", text("A glob.")),
            "needs": whole("Ready members that make it ready for its consumers. Default: its quorum, else 1", 1),
            "rebuild": mapping(
                "All members must be built again once too few are ready.",
                {
                    "below": whole("Fewer ready members than this.", 1),
                    "work": duration("How long one takes."),
                    "at_once": whole("So many at a time.", 1),
                },
                required=["below", "work", "at_once"],
            ),
            "relapse": mapping(
                "All members must start again after a provider was lost under them.",
                {
                    "provider": text("The provider."),
                    "work": duration("How long one takes."),
                    "at_once": whole("So many at a time. Default: all", 1),
                },
                required=["provider", "work"],
            ),
        },
    )


def _transfer() -> dict[str, Any]:
    return mapping(
        "A server that n transfers share equally: each takes work x max(1, n / at_once).",
        {
            "hosts": one_or_more("The clients."),
            "work": duration("How long one takes alone.", positive=True),
            "at_once": whole("So many at full speed.", 1),
            "timeout": duration("One that takes longer starts from zero."),
            "server": text("The service that serves it. Default: something outside the fleet"),
            "per_server": flag("Whether each member of the service bears at_once by itself."),
            "before": choice("Whether the host boots after it, or is ready after it. Default: boot", "boot", "ready"),
        },
        required=["hosts", "work", "at_once"],
    )


def _resource() -> dict[str, Any]:
    return mapping(
        "What a service serves a second.",
        {
            "cap": _number("At most."),
            "per_member": flag("Whether cap is of each ready member."),
            "collapse_after": duration("Demand above cap for longer collapses it. Default: 10s"),
            "clear_below": _number("A collapsed one recovers when demand was below this,"),
            "clear_for": duration("for so long. Default: 30s"),
            "base": _number("Demand that is always there."),
        },
        required=["cap"],
    )


def _log_ins() -> dict[str, Any]:
    return mapping(
        "Sessions that want back in through a service.",
        {
            "service": text("Where they log in."),
            "of": text("The service whose resource each log-in demands of."),
            "waiting": _number("Sessions that are out at the start."),
            "rate": _number("Log-ins a second at each ready member."),
            "holds": _number("Sessions that a member holds."),
            "cold": _number("Demand of one log-in while the cache is cold."),
            "warm": _number("Demand of one log-in once it is warm."),
            "warm_after": _number("Log-ins that make it warm."),
            "cache": text("The service whose loss makes it cold again."),
        },
        required=["service", "of", "waiting", "rate", "holds", "cold", "warm", "warm_after"],
    )


def _steady() -> dict[str, Any]:
    return mapping(
        "Demand by each ready member of a service.",
        {"service": text("Who demands."), "of": text("Of whose resource."), "each": _number("So much a second.")},
        required=["service", "of", "each"],
    )


def _power() -> dict[str, Any]:
    return mapping(
        "A breaker: above its limit at any instant every host behind it goes off.",
        {
            "per": text("Label whose values are the domains. Default: one domain for all"),
            "hosts": one_or_more("Hosts behind it. Default: all"),
            "limit": _number("Watts that it bears."),
            "inrush": _number("Watts of a host that starts,"),
            "inrush_for": duration("for so long,"),
            "steady": _number("and after that."),
            "auto_on": duration("The breaker closes again after so long, and its hosts start. Default: never"),
        },
        required=["limit", "inrush", "inrush_for", "steady"],
    )


def _stuck() -> dict[str, Any]:
    ways = {"type": "array", "items": choice("A way.", "reboot", "start", "power"), "minItems": 1}
    return mapping(
        "Hosts that do not come back.",
        {
            "hosts": one_or_more("Which."),
            "ways": {"description": "From which ways of restarting them. Default: any", **ways},
            "times": whole("How often. Default: always", 1),
            "chance": percent("How likely each time. Default: 100%"),
        },
        required=["hosts"],
    )


def _fault() -> dict[str, Any]:
    return mapping(
        "Something that goes wrong.",
        {
            "kind": choice("What.", *KINDS),
            "hosts": one_or_more("Whom it befalls."),
            "services": one_or_more("Whose gates."),
            "at": duration("When. Default: at the start"),
            "for": duration("How long. Default: for good"),
            "by": duration("How late a host is, how far a clock steps, the beat of one that flaps."),
            "event": whole("Number of the event at which the controller dies or its disk is full.", 1),
            "moment": choice("Where in the event it dies. Default: appended", *MOMENTS),
            "chance": percent("How likely. Default: 100%"),
            "word": choice(
                "What an operator says.", "pause", "go", "stop", "let-go", "approve", "done", "retry", "skip"
            ),
            "target": text("What the word is about; of an alert, its name; of a boot, what it loses."),
            "phase": choice("Where SSH hangs. Default: banner", "connect", "banner", "auth", "channel", "command"),
            "times": whole("How often a host does not return. Default: always", 1),
        },
        required=["kind"],
    )


def _naive() -> dict[str, Any]:
    return mapping(
        "What is done without a plan.",
        {
            "act": choice("What is done to each host. Default: reboot", "reboot", "start", "stop"),
            "hosts": one_or_more("Which hosts, in inventory order. Default: those of select"),
            "batch": whole("So many at a time. Default: all at once", 1),
            "every": duration("From one batch to the next."),
            "wait_for": choice("What each host of a batch must show before the next.", "port", "ready"),
            "patience": duration("How long that is waited for; then the rollout ends. Default: 5m"),
            "again": listing(
                "Acts once more.",
                mapping(
                    "When, and on whom.",
                    {"at": duration("When."), "hosts": one_or_more("Whom. Default: all that have failed")},
                    required=["at"],
                ),
            ),
            "expect": _expect(),
        },
    )


def _expect() -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name in MEASURES:
        if name in ("reached", "refused"):
            properties[name] = flag("Whether.")
        else:
            properties[name] = _bound(name in DURATIONS)
    properties["ready"] = _table("Members that function at the end, by service.", _bound(False))
    properties["lowest"] = _table("Members that functioned at the worst instant, by service.", _bound(False))
    first = {happening: _bound(True) for happening in HAPPENINGS}
    properties["first"] = mapping("When something first happened.", first)
    return mapping("What must come out; a value, or bounds.", properties)


def _bound(is_duration: bool) -> dict[str, Any]:
    one = duration("Exactly.") if is_duration else _number("Exactly.")
    both = mapping("Bounds.", {"at_least": one, "at_most": one}, least=1)
    expects = "a duration or {at_least, at_most}" if is_duration else "a number or {at_least, at_most}"
    return {"description": "Exactly, or bounds.", "anyOf": [one, both], "x-expects": expects}
