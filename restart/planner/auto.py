"""Which mode fits what was seen, and why (design: section 4): chosen for the operator, and always said."""

from __future__ import annotations

from collections.abc import Iterable

from restart.model.observation import Observation
from restart.planner.refusals import some
from restart.rules.recovery import DARK, WELL, state_of


def choose_mode(hosts: Iterable[str], observation: Observation | None) -> tuple[str, str | None]:
    """The mode for the selected `hosts`, and why in a sentence; None: nobody has looked, so there is nothing to say.

    All up: rolling. All off: a cold start. Anything else: a recovery, which leaves alone what is well.
    """
    if observation is None:
        return "rolling", None
    names = list(hosts)
    states = {host: state_of(observation.hosts.get(host)) for host in names}
    unwell = [host for host in names if states[host] not in WELL]
    if not unwell:
        back = [host for host in names if states[host] == "returned"]
        more = (
            f"; {len(back)} of them came back by themselves, and --mode recover would leave all alone" if back else ""
        )
        return "rolling", f"mode rolling was chosen: all {len(names)} selected hosts are up and healthy{more}"
    silent = [host for host in names if host in observation.hosts and observation.hosts[host].boot_id is None]
    if len(silent) == len(names) and all(states[host] in DARK for host in names):
        return "cold-start", f"mode cold-start was chosen: none of the {len(names)} selected hosts is up"
    return "recover", (
        f"mode recover was chosen: {len(unwell)} of the {len(names)} selected hosts are not well ({some(unwell)}), "
        "the others are left alone"
    )
