"""What a survey tells people: counts, whoever is not well, services against budgets, who wants a reboot."""

from __future__ import annotations

import pytest

from restart.model.check import Verdict
from restart.model.inventory import Amount, Host, Inventory, Service
from restart.model.observation import HostSeen, Observation
from restart.model.playbook import Playbook
from restart.reports.survey_text import states_sentence, survey_json, survey_text

HOSTS = ("db-1", "db-2", "db-3", "web-1")
INVENTORY = Inventory(
    fleet="shop",
    hosts={host: Host(name=host, address=host) for host in HOSTS},
    services={
        "db": Service(name="db", hosts=HOSTS[:3], min_available=Amount(quorum=True)),
        "web": Service(name="web", hosts=HOSTS[3:]),
    },
    playbooks={"reboot": Playbook(name="reboot")},
)
PASS, UNKNOWN = Verdict.PASS, Verdict.UNKNOWN


def seen(*hosts: str) -> Observation:
    found = {
        "db-1": HostSeen(
            ready={"db": PASS},
            state="returned",
            uptime_s=600,
            why="healthy",
            reboot_required=True,
            reboot_why="kernel 1 runs",
        ),
        "db-2": HostSeen(ready={"db": UNKNOWN}, state="stuck", why="hangs: before the log-in", power="on"),
        "db-3": HostSeen(
            ready={"db": UNKNOWN}, state="returning", why="SSH is refused", returning_until="2026-11-22T00:15:00Z"
        ),
        "web-1": HostSeen(
            ready={"web": UNKNOWN}, state="unknown", why="does not let us in", failed_units=("a.service",)
        ),
    }
    chosen = {host: found[host] for host in hosts or HOSTS}
    return Observation(at="2026-11-22T00:10:00Z", since="2026-11-21T23:41:00Z", hosts=chosen, fleet="shop")


def test_a_survey_reads_well() -> None:
    assert survey_text(INVENTORY, seen(), took_s=12.3, width=100) == (
        "shop: looked at 4 hosts at 2026-11-22T00:10:00Z, in 12s\n"
        "  The event was at 2026-11-21T23:41:00Z.\n"
        "\n"
        "     1  returned by itself  db-1\n"
        "     1  returning           db-3\n"
        "     1  stuck               db-2\n"
        "     1  unknown             web-1\n"
        "\n"
        "Not well\n"
        "  host   state      up  power\n"
        "  db-2   stuck      -   on     hangs: before the log-in\n"
        "  db-3   returning  -   -      SSH is refused (waited for until 2026-11-22T00:15:00Z)\n"
        "  web-1  unknown    -   -      does not let us in; failed units: a.service\n"
        "\n"
        "  service  available  needed\n"
        "  db       1 of 3     2       BELOW ITS BUDGET by 1\n"
        "  web      0 of 1     -       OUTAGE\n"
        "\n"
        "Want a reboot anyway: 1 host (restart plan --only reboot-required)\n"
        "  db-1: kernel 1 runs\n"
    )


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_narrow_terminal_gets_the_reason_below_the_host(width: int) -> None:
    lines = survey_text(INVENTORY, seen(), took_s=12.3, width=width).splitlines()
    at = lines.index("  db-2   stuck      -   on")
    assert lines[at + 1].strip().startswith("hangs:")


def test_members_that_were_not_looked_at_are_not_held_against_a_service() -> None:
    text = survey_text(INVENTORY, seen("db-2"), took_s=1.0)
    assert "looked at 1 of 4 hosts" in text
    assert "db       0 of 3     2       2 not looked at" in text
    assert "OUTAGE" not in text
    assert survey_json(INVENTORY, seen("db-2"), took_s=1.0)["services"][0]["below_budget"] is False


def test_a_host_cannot_drive_the_terminal() -> None:
    evil = Observation(at="2026-11-22T00:10:00Z", hosts={"db-1": HostSeen(state="unhealthy", why="\x1b[2Jgone")})
    assert "\x1b" not in survey_text(INVENTORY, evil, took_s=1.0)


def test_states_are_summed_up_in_a_sentence() -> None:
    assert states_sentence(seen("db-1", "db-2"), HOSTS) == "1 returned by itself, 1 stuck, 2 not looked at"
