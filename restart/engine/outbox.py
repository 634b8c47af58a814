"""What one event leads to: requests that go out, facts that are told, and who waits for which answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from restart.model.answer import Answer
from restart.model.check import Verdict
from restart.model.event import Fact
from restart.model.request import Request

Listener = Callable[[Answer], None]


class Outbox:
    """Numbers the requests (`r1`, `r2`, ... the same on every replay) and remembers whom each answer is for.

    `now_s` is the time of the event at hand. A listener is forgotten once it was answered: a second answer is a no-op.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.facts: list[Fact] = []
        self._requests: list[Request] = []
        self._listeners: dict[str, Listener] = {}
        self._sent = 0
        self._known: dict[tuple[str, str | None, str | None, str], Any] = {}

    def send(self, make: Callable[[str], Request], listener: Listener) -> None:
        """Send the request that `make` builds from its id; `listener` gets the one answer."""
        self._sent += 1
        request_id = f"r{self._sent}"
        self._listeners[request_id] = listener
        self._requests.append(make(request_id))

    def answer(self, request_id: str, answer: Answer) -> bool:
        """Hand an answer to whom it is for; False where nobody waits for it (any longer)."""
        listener = self._listeners.pop(request_id, None)
        if listener is None:
            return False
        listener(answer)
        return True

    def knows(self, request_id: str) -> bool:
        """Whether somebody waits for the answer to this request."""
        return request_id in self._listeners

    def drop(self, request_id: str) -> None:
        """Forget who waits for the answer to a request."""
        self._listeners.pop(request_id, None)

    def waiting(self) -> bool:
        """Whether any request is still without its answer."""
        return bool(self._listeners)

    def forget_all(self) -> None:
        """The process died: no request in flight will ever be answered."""
        self._listeners.clear()

    def take(self) -> tuple[Request, ...]:
        """The requests of this event, each once."""
        requests, self._requests = tuple(self._requests), []
        return requests

    def tell(
        self,
        fact: str,
        *,
        host: str | None = None,
        service: str | None = None,
        wave: int | None = None,
        verdict: Verdict | None = None,
        evidence: str | None = None,
        why: str | None = None,
        **data: Any,
    ) -> None:
        """State a fact."""
        self.facts.append(
            Fact(
                at_s=self.now_s, fact=fact, host=host, service=service, wave=wave,
                verdict=verdict, evidence=evidence, why=why, data=data,
            )
        )  # fmt: skip

    def known(self, fact: str, *, host: str | None = None, service: str | None = None, about: str = "") -> Any:
        """The value that `tell_change` was given last for this; None: none."""
        return self._known.get((fact, host, service, about))

    def tell_change(
        self,
        fact: str,
        value: Any,
        *,
        about: str = "",
        host: str | None = None,
        service: str | None = None,
        **rest: Any,
    ) -> None:
        """State a fact only where `value` is not the one told last for this fact, host, service and `about`."""
        key = (fact, host, service, about)
        if self._known.get(key) != value:
            self._known[key] = value
            self.tell(fact, host=host, service=service, **rest)
