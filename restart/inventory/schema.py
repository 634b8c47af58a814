"""The inventory format, version 1, and the playbook format, as one JSON Schema (2020-12).

It is what editors use (`restart schema`) and what `restart.inventory.shape` validates by, so the two cannot disagree.
What a schema cannot say (names that must exist, budgets that can be met) is in the other files of this folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restart.inventory import hooks
from restart.inventory.schema_check import check, checks, comparing
from restart.inventory.schema_parts import (
    DURATION_BODY,
    amount,
    choice,
    duration,
    empty_too,
    flag,
    listing,
    mapping,
    one_or_more,
    percent,
    text,
    whole,
    window,
)
from restart.inventory.schema_playbook import playbook
from restart.inventory.schema_power import NO_SHELF, power
from restart.model.world import Gate, Power

HOST_NAME = r"^[A-Za-z0-9_\[][A-Za-z0-9_.\[\]-]*$"
NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"


def schema(gates: Mapping[str, Gate], powers: Mapping[str, Power] = NO_SHELF) -> dict[str, Any]:
    """JSON Schema of an inventory file or a playbook; the kinds of checks are those in `gates`, the ways to switch power those in `powers`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "staged-restart: an inventory or a playbook, format version 1",
        "if": {"anyOf": [{"required": [key]} for key in ("name", "drain", "restart", "start", "stop")]},
        "then": {"$ref": "#/$defs/playbook"},
        "else": {"$ref": "#/$defs/inventory"},
        "$defs": definitions(gates, powers),
    }


def definitions(gates: Mapping[str, Gate], powers: Mapping[str, Power] = NO_SHELF) -> dict[str, Any]:
    """The parts of the schema by name: `inventory`, `playbook`, `host`, `service`, `check` and so on."""
    return {
        "inventory": _inventory(),
        "playbook": playbook(),
        "ssh": _ssh(),
        "expect": _expect(),
        "host": _host(),
        "power": power(powers),
        "service": _service(),
        "dependency": _dependency(),
        "limit": _limit(),
        "policy": _policy(),
        "check": check(gates),
        "same_as_before": comparing(gates),
    }


def _inventory() -> dict[str, Any]:
    names = {"pattern": NAME, "x-expects": "a name of letters, digits, - _ and ."}
    hosts = {"pattern": HOST_NAME, "x-expects": "a name of letters, digits, - _ . and ranges such as [1-12]"}
    return mapping(
        "An inventory: hosts, services, what depends on what, what must stay up, what is shared. In a folder of files "
        "each may hold a part.",
        {
            "version": {"description": "Version of this format.", "type": "integer", "const": 1},
            "fleet": text("The fleet's name: one run at a time holds it.", pattern=NAME, expects=names["x-expects"]),
            "defaults": mapping(
                "What holds for every host that does not say otherwise.",
                {
                    "ssh": {"$ref": "#/$defs/ssh"},
                    "playbook": text("Playbook of hosts and services that name none. Default: reboot"),
                    "expect": {"$ref": "#/$defs/expect"},
                    "same_as_before": {"$ref": "#/$defs/same_as_before"},
                },
                nullable=True,
            ),
            "hosts": {
                "description": "Machines by name. [1-12] is a range, zero padding kept; ranges inside the entry run in step.",
                "type": ["object", "null"],
                "propertyNames": hosts,
                "additionalProperties": {"$ref": "#/$defs/host"},
            },
            "services": {
                "description": "Hosts that together give one thing, by name.",
                "type": ["object", "null"],
                "propertyNames": names,
                "additionalProperties": {"$ref": "#/$defs/service"},
            },
            "limits": {
                "description": "Caps on what goes on together, by name. Without a fleet-wide one 10 moves are in flight at most.",
                "type": ["object", "null"],
                "propertyNames": names,
                "additionalProperties": {"$ref": "#/$defs/limit"},
            },
            "watch": empty_too(checks("Asked all through a run; a FAIL or a lasting UNKNOWN holds it.")),
            "hooks": empty_too(hooks.schema()),
            "policy": {"$ref": "#/$defs/policy"},
        },
    )


def _ssh() -> dict[str, Any]:
    return mapping(
        "How a host is reached. What is not said is as your own ~/.ssh/config and known_hosts say.",
        {
            "user": text("User to log in as."),
            "port": whole("Port of the SSH server.", 1, 65535),
            "identity_file": text("Private key. ~ is your home folder."),
            "known_hosts": text("File of known host keys."),
            "config": text("OpenSSH client configuration to honour. Default: ~/.ssh/config"),
            "gateway": {
                "description": "Host to jump through: a host of this inventory, or another machine's address. null: none.",
                "type": ["string", "null"],
                "minLength": 1,
            },
            "sudo": flag("Whether commands that need root go through sudo -n."),
        },
    )


def _expect() -> dict[str, Any]:
    return mapping(
        "How long things are expected to take, until history knows better.",
        {
            "boot": duration("From the reboot to the log-in. Default: 3m"),
            "warm": duration("From the log-in until it carries load. Default: 0s"),
            "down": duration("From the word to its being off, in a shutdown. Default: 60s"),
        },
    )


def _host() -> dict[str, Any]:
    return mapping(
        "One machine that restarts as a whole.",
        {
            "address": text("Name or IP address. Default: the host's name"),
            "labels": {
                "description": "Free labels such as rack, zone, image; limits, canaries and clusters go by them.",
                "type": "object",
                "propertyNames": {"pattern": NAME, "x-expects": "a label of letters, digits, - _ and ."},
                "additionalProperties": {"type": ["string", "number", "boolean"]},
            },
            "ssh": {"$ref": "#/$defs/ssh"},
            "playbook": text("How this host is restarted. Default: its service's, then the inventory's"),
            "expect": {"$ref": "#/$defs/expect"},
            "uses": {
                "description": "How much of a limit's capacity this host takes, by limit.",
                "type": "object",
                "additionalProperties": {"type": "number", "minimum": 0},
            },
            "site": text("Where it stands."),
            "controller": flag("Whether this tool runs on it: then it is left alone."),
            "power": {"$ref": "#/$defs/power"},
        },
        nullable=True,
    )


def _service() -> dict[str, Any]:
    return mapping(
        "Hosts that together give one thing.",
        {
            "hosts": one_or_more(
                "Its members: names, globs (db-*), ranges (db-[1-3]), label:KEY=VALUE, !x to exclude."
            ),
            "depends_on": {
                "description": "The services it needs, by name.",
                "type": "object",
                "additionalProperties": {"$ref": "#/$defs/dependency"},
            },
            "min_available": amount("Members that must be available at every instant, rounded up."),
            "max_unavailable": amount("Members that may be unavailable at once, rounded down."),
            "ready": checks("Asked of each member. Default: ssh"),
            "gate": checks("Asked of the group: before every start that it guards, and at each wave's end."),
            "ready_when": amount("Cold start: when the group counts as ready.", everyone=True),
            "co_start": flag("Cold start: members do not wait for each other's checks."),
            "settle": duration("Rest after each wave that touched it. Default: 0s"),
            "soak": mapping(
                "Its gate must hold for longer than something takes that nobody can ask, such as a cache's TTL.",
                {
                    "longer_than": duration("For longer than this after each move on it.", positive=True),
                    "why": text("What takes so long, for the reader of the plan."),
                },
                required=["longer_than", "why"],
            ),
            "gate_fresh": duration("How old a PASS of its gate may be. Default: the policy's"),
            "admission": {
                "description": "How many hosts of its consumers may be coming back at once.",
                "type": ["integer", "object"],
                "minimum": 1,
                "properties": {
                    "max_in_flight": whole("How many.", 1),
                    "held_until": choice("When a slot is freed. Default: gate", "booted", "ready", "gate"),
                },
                "required": ["max_in_flight"],
                "additionalProperties": False,
                "x-expects": "a whole number",
            },
            "expect": {"$ref": "#/$defs/expect"},
            "playbook": text("How its members are restarted. Default: the inventory's"),
            "pace": choice("How fast its members follow each other.", "slow", "fixed"),
            "canaries": whole("Members that go first and alone.", 0),
            "canary_for": duration("The checks and gates of a canary must hold for so long. Default: the policy's"),
            "carries_load": flag("Whether it carries capacity that others would drown without."),
            "path": flag("Whether the controller needs it to see and reach the fleet."),
            "role": mapping(
                "How a member's role is found out; the leader goes last.",
                {
                    "run": text("Command on a member that prints its role."),
                    "leader": text("Regular expression that the leader's answer matches."),
                },
                required=["run", "leader"],
            ),
            "seed": mapping(
                "Which member starts first when all are off.",
                {
                    "run": text("Command on each member that prints a number."),
                    "pick": choice("Which number wins.", "max"),
                    "start": text("Command on the winner."),
                },
                required=["run"],
            ),
            "spares": mapping(
                "Hosts that may take a lost member's place.",
                {
                    "hosts": one_or_more("The spare hosts."),
                    "playbook": text("Playbook that promotes one; {member} is filled."),
                },
                required=["hosts", "playbook"],
            ),
        },
        required=["hosts"],
    )


def _dependency() -> dict[str, Any]:
    return mapping(
        "What this service needs of another.",
        {
            "kind": choice("requires: must be ready; after: order only. Default: requires", "requires", "after"),
            "needs": whole("So many ready members are enough. Default: its budget", 1),
            "at": choice("Whether it holds at boot (cold start), at run (rolling), or both.", "boot", "run", "both"),
            "restart": flag("Whether it is restarted after the other is."),
            "break": mapping(
                "A stand-in for a dependency that closes a ring.",
                {
                    "with": text("Command that puts the stand-in in place."),
                    "undo": text("Command that takes it away."),
                    "on": text("Host the commands run on. Default: the consumer's own"),
                    "why": text("Why this is safe, for the reader of the plan."),
                },
                required=["with", "undo"],
            ),
        },
        nullable=True,
    )


def _limit() -> dict[str, Any]:
    return mapping(
        "A cap on what goes on together. Without per and hosts it is fleet-wide.",
        {
            "per": text("Label: the cap holds for each of its values. Hosts without the label are outside."),
            "hosts": one_or_more("Hosts it holds for. Default: all"),
            "max_in_flight": whole("Moves at once.", 1),
            "max_domains": whole("Values of the label touched in one wave.", 1),
            "max_rate": text(
                "Starts per time, such as 20/min.", pattern=r"^[1-9]\d{0,6}/(s|min|h)$", expects="a rate such as 20/min"
            ),
            "held_until": text(
                "When a slot is freed: booted, ready, gate, or a duration after its start. Default: ready",
                pattern=rf"^(booted|ready|gate|{DURATION_BODY})$",
                expects="booted, ready, gate or a duration",
            ),
            "across_runs": flag(
                "Whether all runs of one store share it, by its name and the label's value. Default: false"
            ),
            "held_from": choice("When a slot is taken. Default: start", "start", "booted"),
            "unit": text("Unit of capacity, free text."),
            "capacity": {"description": "Capacity in that unit.", "type": "number", "exclusiveMinimum": 0},
            "starting": {"description": "What a starting host draws.", "type": "number", "minimum": 0},
            "starting_for": duration("For how long it does."),
            "running": {"description": "What a running host draws.", "type": "number", "minimum": 0},
            "headroom": percent("Share of the capacity kept free. Default: 5%"),
            "shared": mapping(
                "A server that n clients share.",
                {
                    "work": duration("One transfer alone.", positive=True),
                    "at_once": whole("Transfers at full speed.", 1),
                    "timeout": duration("A transfer that takes longer fails.", positive=True),
                },
                required=["work", "at_once", "timeout"],
            ),
        },
        least=1,
    )


def _policy() -> dict[str, Any]:
    return mapping(
        "What a run does when things go wrong, and how fast it goes.",
        {
            "on_failure": choice("After one failure too many. Default: halt", "halt", "contain"),
            "max_failures": whole("Quarantined hosts that a run bears. Default: 0", 0),
            "confirm_above": percent("Share of the fleet above which the host count is asked for. Default: 10%"),
            "barrier": choice("Whether a wave waits for all of the one before. Default: fleet", "fleet", "service"),
            "pace": choice("slow: 1, 2, 4, ... Default: slow", "slow", "fixed"),
            "canaries": whole("Hosts of each service and image that go first and alone. Default: 1", 0),
            "canary_for": duration(
                "The checks and gates of a canary must hold for so long before others of its kind go. Default: 0s"
            ),
            "never_return": percent("Share of reboots that never come back. Default: 10%"),
            "cluster_by": {
                **listing(
                    "Labels by which failures are grouped. Default: image, rack", {"type": "string", "minLength": 1}
                ),
                "minItems": 0,
            },
            "ready_fresh": duration("How old a readiness may be. Default: 30s"),
            "gate_fresh": duration("How old a PASS of a gate may be. Default: 30s"),
            "watch_unknown": duration("How long a watch may be UNKNOWN. Default: 60s"),
            "windows": listing("When runs are allowed. Default: at any time", window()),
            "blackouts": listing(
                "When runs are not allowed, although a window is open; without windows any other time is open.",
                window(),
            ),
        },
        nullable=True,
    )
