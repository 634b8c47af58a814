"""Redfish (DMTF DSP0266) through `sushy`: the reset types that the BMC offers, TLS verified, session or basic log-in.

The library repeats requests whose answer is lost, resets among them, so it is told to send each once. It logs to standard error where
nobody listens, so it is given somebody. Proxies, netrc and redirects to other machines are not followed: a password goes to the BMC alone.
"""

from __future__ import annotations

import contextlib
import logging
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from restart.model.answer import NoAnswer, PowerState, PowerSwitched
from restart.model.inventory import Host
from restart.model.world import Power
from restart.probes.output import one_line, url_for_people
from restart.transports.power import credentials, declared
from restart.transports.power.credentials import Secret
from restart.transports.power.proving import Deadline, off_then_on, proved

if TYPE_CHECKING:
    from sushy.resources.system.system import System

CONNECT_S, READ_S = 5.0, 15.0
"""Deadlines of one request; a call has one over all of its requests (see `restart.runner.power`)."""

_STATES = {"On": "on", "Off": "off", "PoweringOff": "on", "PoweringOn": "on", "Paused": "on"}


class Redfish:
    """`redfish: {url: "https://bmc-1", user: ops, password_env: BMC_PASSWORD}`."""

    method: str = "redfish"
    schema: Mapping[str, Any] = {
        "description": "A BMC that speaks Redfish. Its certificate is verified.",
        "type": "object",
        "properties": {
            "url": {
                "type": "string",
                "pattern": "^https://[^/@\\s]+(/[^@\\s]*)?$",
                "x-expects": "an https URL without user and password",
                "description": "https URL of the BMC.",
            },
            "system": {"type": "string", "minLength": 1, "description": "Id of the system, where the BMC has several."},
            "user": {"type": "string", "minLength": 1, "description": "User of the BMC."},
            **credentials.SCHEMA,
            "ca_file": {
                "type": "string",
                "minLength": 1,
                "description": "File of certificates that the BMC's is verified against. Default: the system's",
            },
            "auth": {
                "type": "string",
                "enum": ["session", "basic"],
                "description": "How to log in: a Redfish session, ended afterwards, or HTTP basic. Default: session",
            },
        },
        "required": ["url", "user"],
        "additionalProperties": False,
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """As written; one source of the password."""
        credentials.one_source(self.method, value)
        return dict(value)

    def tells(self, params: Mapping[str, Any]) -> bool:
        """Always."""
        return True

    def state(self, host: Host, within_s: float) -> PowerState:
        """What its `PowerState` says."""
        deadline = Deadline(within_s)
        answer = _told(host, deadline, _read)
        return answer if isinstance(answer, PowerState) else PowerState(state="unknown", detail=_said(answer))

    def switch(self, host: Host, reset: str, within_s: float) -> PowerSwitched | NoAnswer:
        """Reset it by the types that the BMC offers; off is proved before anything is switched on again."""
        deadline = Deadline(within_s)
        answer = _told(host, deadline, lambda system: _switch(system, reset, deadline))
        return answer if isinstance(answer, PowerSwitched | NoAnswer) else NoAnswer(reason="broken", detail=str(answer))


def _told(
    host: Host, deadline: Deadline, ask: Callable[[System], PowerState | PowerSwitched | NoAnswer]
) -> PowerState | PowerSwitched | NoAnswer:
    """What comes of `ask` about the host's system; everything that can go wrong on the way is a `NoAnswer`."""
    import requests
    import sushy.exceptions

    params = declared(host)
    secret = credentials.password(host, deadline.left_s)
    if isinstance(secret, NoAnswer):
        return secret
    try:
        with _system(params, secret) as system:
            return ask(system)
    except sushy.exceptions.AccessError as error:
        return _no("auth", error, secret)
    except sushy.exceptions.ConnectionError as error:
        return _unreached(params["url"], error, secret)
    except (sushy.exceptions.SushyError, requests.RequestException, OSError, ValueError, LookupError) as error:
        return _no("command", error, secret)


@contextlib.contextmanager
def _system(params: Mapping[str, Any], secret: Secret) -> Iterator[System]:
    """The computer system behind the BMC, logged in and out again. Raises what the library raises."""
    import sushy
    from sushy import auth
    from sushy.connector import Connector

    logging.getLogger("sushy").addHandler(_SILENT)
    url = params["url"].rstrip("/")
    # One try each: the library would repeat a reset whose answer is lost.
    connector = Connector(
        url,
        verify=_roots(params),
        server_side_retries=1,
        server_side_retries_delay=0,
        default_request_timeout=READ_S,
        connect_timeout=CONNECT_S,
    )
    connector._session.trust_env = False
    connector._session.hooks["response"].append(_stay_at(urlsplit(url).netloc))
    login = (auth.BasicAuth if params.get("auth") == "basic" else auth.SessionAuth)(params["user"], secret.value)
    with contextlib.closing(connector):
        root = sushy.Sushy(url, auth=login, connector=connector)
        try:
            yield root.get_system(_identity(root, params.get("system")))
        finally:
            # BMCs have room for few sessions; what was learnt counts, however badly the good-bye goes.
            with contextlib.suppress(sushy.exceptions.SushyError):
                login.close()


_SILENT = logging.NullHandler()


def _stay_at(netloc: str) -> Callable[..., None]:
    """A hook that lets no redirect lead to another machine."""
    import requests

    def hook(response: Any, *args: Any, **kwargs: Any) -> None:
        goal = urlsplit(response.headers.get("Location", "")).netloc
        if response.is_redirect and goal not in ("", netloc):
            raise requests.TooManyRedirects(f"it sends us on to {goal}")

    return hook


def _roots(params: Mapping[str, Any]) -> str | bool:
    """What certificates are verified against: the stated file, or the system's."""
    if "ca_file" in params:
        return str(Path(params["ca_file"]).expanduser())
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


def _identity(root: Any, system: str | None) -> str | None:
    """The path of the system with this id; None: the only one there is. Raises `LookupError` where there is none such."""
    if system is None or system.startswith("/"):
        return system
    paths: tuple[str, ...] = tuple(root.get_system_collection().members_identities)
    for path in paths:
        if path.rstrip("/").rpartition("/")[2] == system:
            return path
    raise LookupError(f"it has no system {system}, but {', '.join(paths)}")


def _read(system: System) -> PowerState:
    held = getattr(system.power_state, "value", None)
    return PowerState(state=_STATES.get(held or "", "unknown"), detail=f"the BMC says {held or 'nothing'}")


def _switch(system: System, reset: str, deadline: Deadline) -> PowerSwitched | NoAnswer:
    offered = {value.value for value in system.get_allowed_reset_system_values()}
    now = _read(system).state

    def fresh() -> PowerState:
        system.refresh(force=True)
        return _read(system)

    def post(*kinds: str) -> NoAnswer | None:
        """Send the first of `kinds` that the BMC offers; None once it has taken it."""
        import sushy

        for kind in kinds:
            if kind in offered:
                system.reset_system(sushy.ResetType(kind))
                return None
        said = ", ".join(sorted(offered))
        return NoAnswer(reason="command", detail=f"the BMC offers no {' and no '.join(kinds)}, only {said}")

    def on() -> NoAnswer | None:
        return post("On", "ForceOn")

    if reset == "off":
        return _already("off") if now == "off" else post("ForceOff") or proved("off", fresh, deadline)
    if reset == "on" or now == "off":
        return _already("on") if now == "on" else on() or proved("on", fresh, deadline)
    if reset == "cycle" and "ForceOff" in offered and {"On", "ForceOn"} & offered:
        # By the specification PowerCycle is off and on too, but nobody would see that it was off.
        return off_then_on(lambda: post("ForceOff"), on, fresh, deadline)
    if reset == "cycle":
        return post("PowerCycle") or PowerSwitched(detail="PowerCycle taken")
    if reset == "force":
        return post("ForceRestart", "PowerCycle") or PowerSwitched(detail="hard reset taken")
    if "GracefulRestart" in offered or "GracefulShutdown" not in offered:
        return post("GracefulRestart") or PowerSwitched(detail="GracefulRestart taken")
    return off_then_on(lambda: post("GracefulShutdown"), on, fresh, deadline)


def _already(state: str) -> PowerSwitched:
    return PowerSwitched(detail=f"it was {state} already")


def _no(reason: str, error: Exception, secret: Secret) -> NoAnswer:
    return NoAnswer(reason=reason, detail=one_line(secret.struck_from(str(error))) or type(error).__name__)


_TROUBLE = (
    (re.compile(r"certificate verify failed: [^(\]\\'\"]*"), "connect", "; name its authority with ca_file"),
    (re.compile(r"Connection refused"), "refused", ""),
    (re.compile(r"No route to host|Network is unreachable|Name or service not known"), "unreachable", ""),
    (re.compile(r"(?:connect|[Rr]ead) timed? ?out", re.IGNORECASE), "timeout", ""),
)
"""What the library wraps into half a page: the words that count, as which reason, and the way out."""


def _unreached(url: str, error: Exception, secret: Secret) -> NoAnswer:
    said = str(error)
    for pattern, reason, way_out in _TROUBLE:
        found = pattern.search(said)
        if found is not None:
            return NoAnswer(reason=reason, detail=f"{url_for_people(url)}: {found[0].strip()}{way_out}")
    return _no("unreachable", error, secret)


def _said(answer: PowerSwitched | NoAnswer) -> str:
    return f"{answer.reason}: {answer.detail}" if isinstance(answer, NoAnswer) else answer.detail


power: Power = Redfish()
