"""A BMC to switch: the Redfish emulator of sushy-tools with TLS and log-in, whose systems are in a file or are hosts of the fleet.

`python -m tests.e2e.redfish_server CONFIG.json` serves until its standard input ends. The configuration: `address`, `port`, `certificate`,
`key`, `user`, `password`, `folder` (what happens goes into `folder/log.jsonl`), `systems` (uuid: name; a name in `fleet` is a host of
the fleet whose folder that is, one in `lab` a machine of the lab in that folder), `slow_s` (how long a switch takes), `offers` (the reset types, where not the emulator's own),
`offered_by` (`action` or `action-info`), `drop` (reset types that are carried out and never answered).
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import Any

import flask
from sushy_tools.emulator import main as emulator
from sushy_tools.emulator.resources.systems.fakedriver import FakeDriver

from tests.machines import lab

_LAB_WORDS = {"ForceOff": "off", "On": "on", "ForceOn": "on", "ForceRestart": "reset", "PowerCycle": "cycle"}
"""What a reset type is to a machine of the lab."""


class Driver(FakeDriver):
    """The emulator's own fake systems, which take `slow_s` for a switch instead of 1 to 11 s; or a host of the fleet."""

    given: dict[str, Any]

    def get_power_state(self, identity: str) -> str:
        """On or Off; for a host of the fleet what its log says: a reboot leaves the power on."""
        name = self.name(identity)
        if self.given.get("lab"):
            return str(lab.say(Path(self.given["lab"]), "state", name)).capitalize()
        if not self.given.get("fleet"):
            return str(self._get(identity)["power_state"])
        rows = [json.loads(line) for line in Path(self.given["fleet"], "log.jsonl").read_text().splitlines()]
        last = [row for row in rows if row["host"] == name and row["what"] in ("boot", "down")][-1]
        return "Off" if last["what"] == "down" and last["why"] in ("off", "poweroff") else "On"

    def set_power_state(self, identity: str, state: str) -> None:
        """Carry it out after `slow_s`, as a BMC does, whatever its answer says."""
        note(self.given, reset=state, system=self.name(identity))
        threading.Timer(self.given.get("slow_s", 0.1), self._carry_out, (identity, state)).start()

    def _carry_out(self, identity: str, state: str) -> None:
        name, fleet = self.name(identity), self.given.get("fleet")
        if self.given.get("lab"):
            lab.say(Path(self.given["lab"]), _LAB_WORDS[state], name)
            return
        if not fleet:
            self._update(identity, power_state="Off" if state in ("ForceOff", "GracefulShutdown") else "On")
            return
        word = "off" if state in ("ForceOff", "GracefulShutdown") else "on" if "On" in state else "crash"
        with Path(fleet, "words").open("w", encoding="utf-8") as words:
            words.write(f"{name} {word}\n")


def note(given: dict[str, Any], **what: Any) -> None:
    """One line of the log."""
    with Path(given["folder"], "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps({"at": time.time(), **what}) + "\n")


class Doorkeeper:
    """Log-in as DSP0266 has it: HTTP basic, or a session token that POST /SessionService/Sessions gives and DELETE takes back."""

    def __init__(self, given: dict[str, Any], app: Any) -> None:
        self._given = given
        self._app = app
        self._tokens: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        path, method = environ["PATH_INFO"].rstrip("/"), environ["REQUEST_METHOD"]
        if path == "/redfish/v1":
            return self._app(environ, start)
        if path == "/redfish/v1/SessionService/Sessions" and method == "POST":
            return self._log_in(environ, start)
        token = environ.get("HTTP_X_AUTH_TOKEN", "")
        said = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Basic ")
        good = f"{self._given['user']}:{self._given['password']}".encode()
        if token not in self._tokens and base64.b64decode(said or b"") != good:
            note(self._given, refused=path)
            return self._answer(start, "401 Unauthorized", {"error": {"message": "log in"}})
        note(self._given, method=method, path=path, by="session" if token else "basic")
        if method == "DELETE" and path.startswith("/redfish/v1/SessionService/Sessions/"):
            self._tokens = {key: held for key, held in self._tokens.items() if not path.endswith(held)}
            return self._answer(start, "204 No Content", None)
        answer = list(self._app(environ, start))
        if method == "POST" and self._given.get("drop"):
            # Carried out, and the answer is lost: the process's connections break off as when a BMC restarts.
            os.close(environ["werkzeug.socket"].detach())
        return answer

    def _log_in(self, environ: dict[str, Any], start: Any) -> Any:
        asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        if (asked["UserName"], asked["Password"]) != (self._given["user"], self._given["password"]):
            return self._answer(start, "401 Unauthorized", {"error": {"message": "no such user"}})
        token, number = os.urandom(8).hex(), str(len(self._tokens) + 1)
        self._tokens[token] = number
        note(self._given, session="opened")
        where = f"/redfish/v1/SessionService/Sessions/{number}"
        return self._answer(start, "201 Created", {"@odata.id": where}, ("X-Auth-Token", token), ("Location", where))

    @staticmethod
    def _answer(start: Any, status: str, body: Any, *headers: tuple[str, str]) -> list[bytes]:
        start(status, [("Content-Type", "application/json"), *headers])
        return [] if body is None else [json.dumps(body).encode()]


def offer(given: dict[str, Any], response: flask.Response) -> flask.Response:
    """The system's reset types as this BMC offers them: in the action itself, or in an ActionInfo that the action points to."""
    kinds = given.get("offers")
    document = response.get_json(silent=True) or {}
    action = document.get("Actions", {}).get("#ComputerSystem.Reset")
    if kinds is None or action is None:
        return response
    if given.get("offered_by") == "action-info":
        action.pop("ResetType@Redfish.AllowableValues", None)
        action["@Redfish.ActionInfo"] = "/redfish/v1/ResetActionInfo"
    else:
        action["ResetType@Redfish.AllowableValues"] = kinds
    response.set_data(json.dumps(document))
    return response


def main() -> None:
    """Serve until standard input ends."""
    given: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    app = emulator.app
    # The emulator's own way to say which systems there are.
    systems = [
        {"uuid": uuid, "name": name, "power_state": "On", "external_notifier": False, "nics": []}
        for uuid, name in given["systems"].items()
    ]
    app.configure(extra_config={"SUSHY_EMULATOR_FAKE_SYSTEMS": systems, "SUSHY_EMULATOR_FAKE_DRIVER": True})
    app.config["SUSHY_EMULATOR_STATE_DIR"] = given["folder"]
    Driver.given = given
    emulator.fakedriver.FakeDriver = Driver

    @app.route("/redfish/v1/ResetActionInfo")
    def action_info() -> Any:
        parameters = [{"Name": "ResetType", "Required": True, "AllowableValues": given["offers"]}]
        return {"@odata.id": "/redfish/v1/ResetActionInfo", "Id": "Reset", "Name": "Reset", "Parameters": parameters}

    app.after_request(lambda response: offer(given, response))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(given["certificate"], given["key"])
    app.wsgi_app = Doorkeeper(given, app.wsgi_app)

    def end_with_parent() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    app.run(host=given["address"], port=given["port"], ssl_context=context, threaded=True)


if __name__ == "__main__":
    main()
