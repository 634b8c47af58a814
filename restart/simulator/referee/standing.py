"""What hosts are compared with after their restart (`same_as_before`), held against rules 5, 7 and 9: taken before anything was done, never anew, and asked.

An engine that took its baseline from a host that had lost something already would compare a wounded host with itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from restart.model.answer import Answer, Checked
from restart.model.check import OF_RUN, SSH_CHECK, Check
from restart.model.inventory import Inventory
from restart.model.request import Ask

KIND = "same_as_before"


def compared(inventory: Inventory, services: Sequence[str]) -> Check | None:
    """The one check by which a host of `services` is held against what it was: the widest that its services state. None: none does.

    Those that state none have their own checks' time for what they have on the host.
    """
    stated = [inventory.services[name].same_as_before for name in services] or [inventory.same_as_before]
    quiet = [inventory.services[name] for name in services if inventory.services[name].same_as_before is None]
    patience_s = [check.within_s for service in quiet for check in service.ready or (SSH_CHECK,)]
    checks = [check for check in stated if check is not None]
    if not checks:
        return None
    allowed: list[str] = []
    for check in checks:
        allowed += [pattern for pattern in check.params.get("allow", ()) if pattern not in allowed]
    return Check(
        kind=KIND,
        params={"allow": allowed} if allowed else {},
        timeout_s=max(check.timeout_s for check in checks),
        every_s=min(check.every_s for check in checks),
        healthy_for_s=max(check.healthy_for_s for check in checks),
        within_s=max(patience_s + [check.within_s for check in checks]),
    )


@dataclass(slots=True)
class Standing:
    """`seen`: what each host was told to be like before this run did anything to it; `acted`: hosts to which it has."""

    inventory: Inventory
    seen: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    acted: set[str] = field(default_factory=set)
    _named: dict[int, tuple[Check, bool]] = field(default_factory=dict)
    _wanted: dict[tuple[str, ...], Check | None] = field(default_factory=dict)

    def wants(self, services: Sequence[str]) -> bool:
        """Whether a host of `services` is to be compared."""
        return self._compared(services) is not None

    def names(self, check: Check, services: Sequence[str]) -> bool:
        """Whether the plan names this comparison for a host of `services`."""
        known = self._named.get(id(check))
        if known is None or known[0] is not check:
            own = {key: held for key, held in check.params.items() if key != OF_RUN}
            known = self._named[id(check)] = (check, replace(check, params=own) == self._compared(services))
        return known[1]

    def hear(self, ask: Ask, answer: Answer) -> None:
        """The world answers `ask`: a first look of a host to which nothing was done counts, the latest of several."""
        if ask.host is None or ask.host in self.acted or not isinstance(answer, Checked):
            return
        for check, finding in zip(ask.checks, answer.findings, strict=False):
            if check.kind == KIND and check.params.get(OF_RUN, {}).get("first") and finding.seen:
                self.seen[ask.host] = finding.seen

    def wrong(self, ask: Ask) -> str | None:
        """What `ask` claims of a host's past that is not so; None: all is."""
        for check in ask.checks:
            if check.kind != KIND:
                continue
            known = check.params.get(OF_RUN, {})
            if known.get("first") and ask.host in self.acted:
                return "takes what the host is compared with when something has been done to it"
            before = known.get("before")
            told = self.seen.get(ask.host or "")
            if before is not None and before is not told and before != told:
                return "compares the host with what no look before its restart has told"
            if before is None and not known.get("first"):
                return "compares the host with nothing"
        return None

    def held(self, host: str, services: Sequence[str], service: str | None) -> tuple[Check, ...]:
        """What the restarted host must hold besides the checks of `service`: once, with its first service's."""
        if service != next(iter(services), None) or host not in self.seen:
            return ()
        check = self._compared(services)
        return () if check is None else (check,)

    def _compared(self, services: Sequence[str]) -> Check | None:
        key = tuple(services)
        if key not in self._wanted:
            self._wanted[key] = compared(self.inventory, key)
        return self._wanted[key]


def without(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The checks but for the one that compares."""
    return tuple(check for check in checks if check.kind != KIND)
