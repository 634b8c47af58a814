"""Claims: every host of the plan is claimed on the host itself before the first act, and released at the end (design: section 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from restart.engine.outbox import Outbox
from restart.model.answer import Answer, Claimed, HeldBy
from restart.model.request import Claim, Release


class Claims:
    """Which hosts carry this run's claim. `foreign` is told once, in words: somebody else's claim was met."""

    def __init__(self, outbox: Outbox, *, hold_s: float, met: Callable[[str, Claimed], None]) -> None:
        """`met` hears how each host was found when all were claimed, before anything is done to it."""
        self._met = met
        self._outbox = outbox
        self._hold_s = hold_s
        self._held: dict[str, None] = {}
        self._open: set[str] = set()
        self.foreign: str | None = None

    @property
    def pending(self) -> bool:
        """Whether claims or releases are still without their answers."""
        return bool(self._open)

    def claim_all(self, hosts: Iterable[str]) -> None:
        """Claim `hosts` side by side. A silent one stays unclaimed; its move claims it when its turn comes."""
        self.foreign = None
        self._open = set(hosts)
        for host in hosts:
            self._send(lambda id, host=host: Claim(id=id, host=host, hold_s=self._hold_s), host, self._heard_first)  # type: ignore[misc]

    def claim(self, host: str, listener: Callable[[Answer], None]) -> None:
        """Claim one host (again), read its boot id, and hand the answer on to `listener`."""

        def heard(answer: Answer) -> None:
            self.heard(host, answer)
            listener(answer)

        self._outbox.send(lambda id: Claim(id=id, host=host, hold_s=self._hold_s), heard)

    def _heard_first(self, host: str, answer: Answer) -> None:
        self.heard(host, answer)
        if isinstance(answer, Claimed):
            self._met(host, answer)

    def heard(self, host: str, answer: Answer) -> None:
        """Take in what came of a claim."""
        self._open.discard(host)
        if isinstance(answer, Claimed):
            self._held[host] = None
        elif isinstance(answer, HeldBy):
            self._held.pop(host, None)
            if self.foreign is None:
                where = f"{answer.on}, of the same service as {host}," if answer.on else host
                self.foreign = (
                    f"{where} is claimed by {answer.user}@{answer.controller} for run {answer.run} "
                    f"since {answer.since}, {answer.for_s:.0f}s left"
                )

    def release_all(self, but: Callable[[str], bool]) -> None:
        """Take the claims off, save from the hosts of which `but` holds: silent ones keep theirs until boot or expiry."""
        hosts = [host for host in self._held if not but(host)]
        self._open = set(hosts)
        for host in hosts:
            self._send(lambda id, host=host: Release(id=id, host=host), host, self._released)  # type: ignore[misc]

    def _released(self, host: str, answer: Answer) -> None:
        self._open.discard(host)
        self._held.pop(host, None)

    def _send(self, make: Callable[[str], Claim | Release], host: str, listener: Callable[[str, Answer], None]) -> None:
        self._outbox.send(make, lambda answer: listener(host, answer))
