"""`same_as_before` in an inventory: on for every host unless a service, or `defaults`, says false.

What a service states goes before what `defaults` state, key by key; allow-lists add up. The times that nobody states are those of the
service's other checks, so that a host is compared to their rhythm and for as long as they must hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from restart.inventory.problems import Path, Problems, Source
from restart.inventory.schema_check import COMMON
from restart.inventory.tree import Block
from restart.inventory.values import plain, seconds_or
from restart.model.check import SSH_CHECK, Check
from restart.model.world import Gate
from restart.rules.comparing import KIND
from restart.rules.durations import spoken

TIMEOUT_S = 10.0
"""One look takes a moment on a host that is busy booting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one place states: whether hosts are compared, what is allowed, and the common keys of a check."""

    on: bool = True
    allow: tuple[str, ...] = ()
    times: Mapping[str, Any] = field(default_factory=dict)


class Comparing:
    """Reads what is written of it. Where no gate of this kind is on the shelf nothing is compared."""

    def __init__(self, problems: Problems, gates: Mapping[str, Gate], value: Any, source: Source | None) -> None:
        """`value` is what `defaults` hold under the key, in `source`; None: nothing."""
        self._problems = problems
        self._installed = KIND in gates
        self._defaults = Written()
        if value is not None:
            self._defaults = _written(value, {})
            if source is not None:
                self._resolved(self._defaults, (SSH_CHECK,), (source, ("defaults", KIND)))

    def of_no_service(self) -> Check | None:
        """How a host that is in no service is compared."""
        return self._resolved(self._defaults, (SSH_CHECK,), None)

    def of_service(self, source: Source, path: Path, entries: Sequence[Any], ready: Sequence[Check]) -> Check | None:
        """How the members of a service are: `entries` is its list of `ready` as written, at `path`, `ready` its other checks."""
        found = [(index, entry) for index, entry in enumerate(entries) if isinstance(entry, Block) and KIND in entry]
        for index, _ in found[1:]:
            self._problems.at(source, (*path, index, KIND), f"{KIND} is stated twice", "keep one", key=True)
        if not found:
            return self._resolved(self._defaults, ready, None)
        index, entry = found[0]
        own = _written(entry[KIND], {key: entry[key] for key in entry if key in COMMON})
        both = Written(
            on=own.on,
            allow=tuple(dict.fromkeys((*self._defaults.allow, *own.allow))),
            times={**self._defaults.times, **own.times},
        )
        return self._resolved(both, ready, (source, (*path, index, KIND)))

    def _resolved(self, written: Written, ready: Sequence[Check], place: tuple[Source, Path] | None) -> Check | None:
        if not written.on or not self._installed:
            return None
        others = ready or (SSH_CHECK,)
        check = Check(
            kind=KIND,
            params={"allow": list(written.allow)} if written.allow else {},
            timeout_s=seconds_or(written.times, "timeout", TIMEOUT_S),
            every_s=seconds_or(written.times, "every", min(other.every_s for other in others)),
            healthy_for_s=seconds_or(written.times, "healthy_for", max(other.healthy_for_s for other in others)),
            within_s=seconds_or(written.times, "within", max(other.within_s for other in others)),
        )
        if check.healthy_for_s > check.within_s and place is not None:
            what = f"healthy_for {spoken(check.healthy_for_s)} never fits into within {spoken(check.within_s)}"
            self._problems.at(*place, what, "raise within")
        if "service" in written.times and place is not None:
            self._problems.at(*place, f"{KIND} goes through no service", "take service out")
        return check


def _written(value: Any, beside: Mapping[str, Any]) -> Written:
    if not isinstance(value, Block):
        return Written(on=value is not False, times=beside)
    inside = {key: held for key, held in value.items() if key in COMMON}
    return Written(allow=tuple(plain(value.get("allow")) or ()), times={**beside, **inside})
