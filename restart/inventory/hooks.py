"""Hooks: the schema of the list, and its reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restart.inventory.problems import Path, Problems, Source, clipped
from restart.inventory.schema_parts import duration, listing, mapping, text
from restart.inventory.services import ServiceTable
from restart.inventory.values import seconds_or
from restart.model.hook import Hook, Silence
from restart.model.inventory import Host
from restart.rules.fill import fill
from restart.rules.matchers import MATCHER, parted

CONTROLLER = "controller"
_HOOK = Hook(name="")  # for its default times
_SILENCE = Silence(alertmanager="", matchers=())


def schema() -> dict[str, Any]:
    """JSON Schema of the list `hooks`."""
    entry = mapping(
        "A shell command with its undo, or a silence. Idempotent: a resumed run may set it again.",
        {
            "name": text(
                "Its name, for reports. Default: hook-1, hook-2, ...",
                pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
                expects="a name of letters, digits, - _ and .",
            ),
            "run": text("POSIX shell command that sets it."),
            "undo": text("Command that takes it back, at the end of a run that is done."),
            "on": text("Host of the inventory that the commands run on, or controller. Default: controller"),
            "timeout": duration("Given up after this. Default: 60s", positive=True),
            "why": text("What it is for, for the reader of the plan."),
            "causes": listing(
                "What it makes checks say while it is in place, which then does not hold the run: alert names, LABEL=VALUE, "
                "or lines of a command with quiet: true. * and ? are globs.",
                {"type": "string", "minLength": 1},
            ),
            "silence": mapping(
                "A silence in Alertmanager, renewed while the run goes on, and ending by itself.",
                {
                    "alertmanager": text(
                        "http or https URL of Alertmanager, without /api.",
                        pattern="^https?://[^ ]+$",
                        expects="an http or https URL",
                    ),
                    "matchers": listing(
                        "The alerts that are silenced: all of these hold.",
                        {
                            "type": "string",
                            "pattern": MATCHER,
                            "x-expects": "a matcher such as severity=page or team=~db|infra",
                        },
                    ),
                    "comment": text("What Alertmanager shows beside it."),
                    "for": duration(
                        "It ends by itself after this; it is renewed at half of it. Default: 2h", positive=True
                    ),
                    "headers": {
                        "type": "object",
                        "additionalProperties": {"type": "string"},
                        "description": "Headers to send; no secrets here.",
                    },
                    "headers_env": {
                        "type": "object",
                        "additionalProperties": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                        "description": "Headers whose value is in this environment variable of the controller.",
                    },
                    "ca_file": text("Certificate authorities to trust, as a PEM file."),
                },
                required=["alertmanager", "matchers"],
            ),
        },
        least=1,
    )
    return listing(
        "Set in this order before anything is touched, undone in reverse once all is done.", {**entry, "x-whole": True}
    )


def hooks_of(
    sources: list[Source], services: ServiceTable, hosts: Mapping[str, Host], problems: Problems
) -> tuple[Hook, ...]:
    """The hooks of all files, in their order."""
    found: dict[str, Hook] = {}
    for source in sources:
        for index, entry in enumerate(source.root.get("hooks") or ()):
            if entry is None:  # taken out, being wrong
                continue
            hook = _hook(source, ("hooks", index), entry, f"hook-{len(found) + 1}", services, hosts, problems)
            if hook.name in found:
                problems.at(
                    source, ("hooks", index), f"hook {clipped(hook.name)} is here twice", "give it another name"
                )
            found[hook.name] = hook
    return tuple(found.values())


def _hook(
    source: Source, path: Path, entry: Mapping[str, Any], name: str, services: ServiceTable,
    hosts: Mapping[str, Host], problems: Problems,
) -> Hook:  # fmt: skip
    if ("run" in entry) == ("silence" in entry):
        what = "run and silence in one hook" if "run" in entry else "neither run nor silence"
        problems.at(source, path, what, "a hook is one command with its undo, or one silence")
    for key in ("undo", "on") if "silence" in entry else ():
        if key in entry:
            problems.at(source, (*path, key), f"{key} means nothing beside silence", "take it out", key=True)
    on = None if entry.get("on", CONTROLLER) == CONTROLLER else entry["on"]
    host = None
    if on is not None:
        services.host_exists(source, (*path, "on"), on)
        host = hosts.get(on)
    for key in ("run", "undo"):
        try:
            fill(entry.get(key, ""), host, None)
        except ValueError as error:
            problems.at(source, (*path, key), str(error), "a hook runs once, not for each host")
    return Hook(
        name=entry.get("name", name),
        run=entry.get("run", ""),
        undo=entry.get("undo"),
        on=on,
        timeout_s=seconds_or(entry, "timeout", _HOOK.timeout_s),
        why=entry.get("why", ""),
        causes=tuple(entry.get("causes", ())),
        silence=_silence(source, (*path, "silence"), entry.get("silence"), problems),
    )


def _silence(source: Source, path: Path, entry: Mapping[str, Any] | None, problems: Problems) -> Silence | None:
    if entry is None:
        return None
    if not any(sign in ("=", "=~") and value for _, sign, value in map(parted, entry["matchers"])):
        what = "every alert would be silenced: no matcher asks for anything"
        problems.at(source, (*path, "matchers"), what, "state one that is not empty, such as team=db")
    return Silence(
        alertmanager=entry["alertmanager"],
        matchers=tuple(entry["matchers"]),
        comment=entry.get("comment", ""),
        for_s=seconds_or(entry, "for", _SILENCE.for_s),
        headers=dict(entry.get("headers", {})),
        headers_env=dict(entry.get("headers_env", {})),
        ca_file=entry.get("ca_file"),
    )
