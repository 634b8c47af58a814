"""Any commands on the controller: a PDU, a cloud, a robot arm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restart.model.answer import NoAnswer, PowerState, PowerSwitched
from restart.model.inventory import Host
from restart.model.question import Shell
from restart.model.world import Power
from restart.probes.output import one_line
from restart.rules.fill import fill
from restart.transports import local
from restart.transports.power import declared
from restart.transports.power.proving import Deadline, off_then_on, proved

_WHAT = {
    "on": "Switches it on.",
    "off": "Switches it off.",
    "cycle": "Switches it off and on. Default: off, state until it says off, on",
    "force": "Resets it hard.",
    "graceful": "Asks its system to restart.",
    "state": "Prints on or off. Without it nothing is proved by its power control.",
}


class Command:
    """`command: {on: "pdu on {label.outlet}", off: "pdu off {label.outlet}", state: "pdu state {label.outlet}"}`."""

    method: str = "command"
    schema: Mapping[str, Any] = {
        "description": "Commands on the controller. {host}, {address} and {label.NAME} are filled, each quoted.",
        "type": "object",
        "properties": {key: {"type": "string", "minLength": 1, "description": what} for key, what in _WHAT.items()},
        "minProperties": 1,
        "additionalProperties": False,
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """As written."""
        return dict(value)

    def tells(self, params: Mapping[str, Any]) -> bool:
        """Where there is a command `state`."""
        return "state" in params

    def state(self, host: Host, within_s: float) -> PowerState:
        """What the command `state` prints."""
        return _state(host, Deadline(within_s))

    def switch(self, host: Host, reset: str, within_s: float) -> PowerSwitched | NoAnswer:
        """Run the command of that name; `on` and `off` are proved where there is a command `state`."""
        deadline = Deadline(within_s)
        has_state = "state" in declared(host)

        def state() -> PowerState:
            return _state(host, deadline)

        if reset == "cycle" and "cycle" not in declared(host):
            if not has_state:
                return NoAnswer(
                    reason="command", detail="no command cycle, and without a command state off is not proved"
                )
            return off_then_on(
                lambda: _did(_run(host, "off", deadline)), lambda: _did(_run(host, "on", deadline)), state, deadline
            )
        refused = _did(_run(host, reset, deadline))
        if refused is not None:
            return refused
        if reset in ("on", "off") and has_state:
            return proved(reset, state, deadline)
        return PowerSwitched(detail=f"the command {reset} ended well")


def _state(host: Host, deadline: Deadline) -> PowerState:
    said = _run(host, "state", deadline)
    if isinstance(said, NoAnswer):
        return PowerState(state="unknown", detail=said.detail)
    word = said.strip().lower()
    return PowerState(
        state=word if word in ("on", "off") else "unknown", detail=f"the command state says {said or 'nothing'}"
    )


def _did(said: str | NoAnswer) -> NoAnswer | None:
    return said if isinstance(said, NoAnswer) else None


def _run(host: Host, key: str, deadline: Deadline) -> str | NoAnswer:
    """The first line that the command under `key` prints."""
    written = declared(host).get(key)
    if written is None:
        return NoAnswer(reason="command", detail=f"no command {key} is declared")
    try:
        command = fill(written, host, None)
    except ValueError as error:
        return NoAnswer(reason="command", detail=f"the command {key}: {error}")
    reply = local.run(Shell(host=None, command=command, timeout_s=max(0.1, deadline.left_s)))
    if isinstance(reply, NoAnswer):
        return NoAnswer(reason="timeout", detail=f"the command {key}: {reply.detail}")
    if reply.exit_status != 0:
        said = one_line(f"{reply.stderr}\n{reply.stdout}")
        return NoAnswer(reason="command", detail=f"the command {key} ended with {reply.exit_status}: {said}")
    return one_line(reply.stdout)


power: Power = Command()
