"""The protocols that join the house: a world that carries out requests, a gate and a power method on their shelves, a watcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    # Protocols need their types' names only; a command that never runs a plan need not load events and requests.
    from collections.abc import Mapping, Sequence

    from restart.model.answer import NoAnswer, PowerState, PowerSwitched
    from restart.model.check import Check, Finding
    from restart.model.event import Event, Fact
    from restart.model.inventory import Host
    from restart.model.question import Question, Reply
    from restart.model.request import Request


class World(Protocol):
    """Whatever carries out requests: live over SSH, or simulated."""

    def begin(self, request: Request) -> None:
        """Start carrying out `request`; returns at once. Its one answer comes from `wait`."""

    def wait(self, until_s: float | None) -> Event:
        """The next event, or `Woke` once the run's clock has reached `until_s` (None: whatever comes first)."""


class Watcher(Protocol):
    """Sees what happens; never steers."""

    def see(self, event: Event, facts: Sequence[Fact]) -> None:
        """One event, and the facts that the engine drew from it."""


class Gate(Protocol):
    """One kind of check. Pure: `ask` makes the questions, `judge` reads the replies."""

    kind: str
    schema: Mapping[str, Any]
    """JSON Schema of the value under the check's key, e.g. `{"type": "object", ...}`; common keys (timeout, ...) excluded."""

    def params(self, value: Any) -> Mapping[str, Any]:
        """The check's params from the value as written (already valid by `schema`), e.g. `5432` -> `{"port": 5432}`.

        Raises `ValueError`, with the way out, on what the schema cannot say (two keys that exclude each other).
        """

    def ask(self, check: Check, host: Host | None, service: str | None) -> tuple[Question, ...]:
        """The questions to carry out, in this order. `host` is None for gates of a service and for watches.

        Raises `ValueError` where the check cannot be asked here (a placeholder without a value, no host to ask).
        """

    def judge(self, check: Check, replies: Sequence[Reply]) -> Finding:
        """The verdict on the replies, in the order of the questions; the last ones may be missing.

        Never raises on any reply: what cannot be read is UNKNOWN, with evidence.
        """


class Power(Protocol):
    """One way to switch power. It keeps nothing between two calls, may be called from any number of threads, and never raises
    for what the world does: a BMC that cannot be reached is data."""

    method: str
    schema: Mapping[str, Any]
    """JSON Schema of the value under the method's key in a host's `power`."""

    def params(self, value: Any) -> Mapping[str, Any]:
        """The method's params from the value as written (already valid by `schema`). Secrets are named in it, never held.

        Raises `ValueError`, with the way out, on what the schema cannot say.
        """

    def tells(self, params: Mapping[str, Any]) -> bool:
        """Whether it can say that a host is off: then that proves it, and else SSH must (design: rule 20)."""

    def state(self, host: Host, within_s: float) -> PowerState:
        """What the power of `host` is, learnt within `within_s`; `unknown` where it cannot be learnt, with why."""

    def switch(self, host: Host, reset: str, within_s: float) -> PowerSwitched | NoAnswer:
        """Carry out `reset` (see `SwitchPower`) within `within_s`; `off` is proved, and `cycle` never switches on what is not proved off.

        `NoAnswer` where it was not done or is not known to be done.
        """
