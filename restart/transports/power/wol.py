"""Wake-on-LAN through `wakeonlan`: a datagram that may wake a host. It can only switch on, and nothing ever answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restart.model.answer import NoAnswer, PowerState, PowerSwitched
from restart.model.inventory import Host
from restart.model.world import Power
from restart.transports.power import declared

SENT = 3
"""How often the datagram is sent: one is easily lost, and a host that is up ignores it."""


class WakeOnLan:
    """`wol: {mac: "52:54:00:12:34:56", broadcast: 10.0.0.255}`."""

    method: str = "wol"
    schema: Mapping[str, Any] = {
        "description": "Wake on LAN: can only switch on.",
        "type": "object",
        "properties": {
            "mac": {
                "type": "string",
                "pattern": "^[0-9A-Fa-f]{2}([:-]?[0-9A-Fa-f]{2}){5}$",
                "x-expects": "a hardware address such as 52:54:00:12:34:56",
                "description": "Hardware address.",
            },
            "broadcast": {
                "type": "string",
                "minLength": 1,
                "description": "Address to send to. Default: 255.255.255.255",
            },
            "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "UDP port. Default: 9"},
        },
        "required": ["mac"],
        "additionalProperties": False,
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """As written."""
        return dict(value)

    def tells(self, params: Mapping[str, Any]) -> bool:
        """Never."""
        return False

    def state(self, host: Host, within_s: float) -> PowerState:
        """Never known."""
        return PowerState(state="unknown", detail="Wake-on-LAN cannot tell")

    def switch(self, host: Host, reset: str, within_s: float) -> PowerSwitched | NoAnswer:
        """Send the datagram, for `on`; anything else cannot be done."""
        import wakeonlan

        if reset != "on":
            return NoAnswer(reason="command", detail=f"Wake-on-LAN can only switch on, not {reset}")
        params = declared(host)
        mac = params["mac"].replace("-", "").replace(":", "")
        where = {"host": params.get("broadcast", wakeonlan.BROADCAST_IP), "port": params.get("port", 9)}
        try:
            for _ in range(SENT):
                wakeonlan.wake(mac, **where)
        except (OSError, ValueError) as error:
            return NoAnswer(
                reason="unreachable", detail=f"{where['host']}: {getattr(error, 'strerror', None) or error}"
            )
        return PowerSwitched(detail=f"sent to {where['host']} port {where['port']}")


power: Power = WakeOnLan()
