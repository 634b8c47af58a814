"""The playbook format: drain, and the ladders of restart, start and stop."""

from __future__ import annotations

from typing import Any

from restart.inventory.schema_parts import choice, duration, flag, listing, mapping, text


def playbook() -> dict[str, Any]:
    """JSON Schema of a playbook file."""
    rungs = {
        "service_restart": mapping(
            "Restart systemd units, and no more. The cheapest rung.",
            {
                "units": listing("Units, as systemctl takes them.", {"type": "string", "minLength": 1}),
                "ready_within": duration("They must be active within this. Default: 60s", positive=True),
            },
            required=["units"],
        ),
        "reboot": mapping(
            "Reboot over SSH, proved by the boot id.",
            {
                "down_within": duration("It must have gone down within this. Default: 60s", positive=True),
                "back_within": duration("It must be back within this. Default: 10m", positive=True),
            },
            nullable=True,
        ),
        "power": mapping(
            "Switch its power.",
            {
                "reset": choice("How.", "graceful", "force", "cycle", "on", "off"),
                "back_within": duration("It must be back within this. Default: 10m", positive=True),
                "blind": flag(
                    "Send force, cycle or off even where the power control cannot say whether the host is on. Default: false"
                ),
            },
            required=["reset"],
        ),
        "poweroff": mapping(
            "Switch it off over SSH.",
            {"down_within": duration("It must be off within this. Default: 60s", positive=True)},
            nullable=True,
        ),
        "approve": text("Wait for a person to do this and say so."),
    }
    rung = {**mapping("One way to get a host back.", rungs, least=1, most=1), "x-noun": "rung", "x-whole": True}
    return mapping(
        "How one host is restarted, started and stopped.",
        {
            "version": {"description": "Version of this format.", "type": "integer", "const": 1},
            "name": text("Its name; the file is NAME.yml. Default: the file's name"),
            "drain": listing("Steps before the restart, each idempotent; undone in reverse order.", _step()),
            "restart": listing("Ladder: the next rung when the one before did not bring the host back.", rung),
            "start": listing("Ladder of a cold start.", rung),
            "stop": listing("Ladder of a shutdown.", rung),
        },
        required=["version"],
    )


def _step() -> dict[str, Any]:
    step = mapping(
        "One shell command, or a person to wait for.",
        {
            "run": text("POSIX shell command. {host}, {address}, {service} and {label.NAME} are filled, each quoted."),
            "on": text("Host of the inventory that it runs on. Default: the restarting host"),
            "undo": text("Command that takes it back."),
            "timeout": duration("Given up after this. Default: 60s", positive=True),
            "approve": text("Wait for a person instead of running a command."),
        },
        least=1,
    )
    return {**step, "x-whole": True}
