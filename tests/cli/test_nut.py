"""The NUT example: what the UPS says decides which run begins, with which words; and the unit that resumes a run after a power cut."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

NUT = Path(__file__).parents[2] / "playbooks" / "nut"


UPSC = """\
[ -e {0}/dead ] && exit 1
n=$(cat {0}/asked 2>/dev/null || echo 0); n=$((n+1)); echo $n > {0}/asked
[ -e {0}/after-$n ] && cp {0}/after-$n {0}/ups.status
[ -e {0}/charged-after-$n ] && cp {0}/charged-after-$n {0}/battery.charge
cat {0}/"$2"
"""
RESTART = """\
case $1 in
run)
    printf "%s\\n" "$@" > {0}/called
    [ ! -e {0}/switched-off ] || touch {0}/was-marked
    n=$(cat {0}/held-times 2>/dev/null || echo 0)
    if [ "$n" -gt 0 ]; then echo $((n-1)) > {0}/held-times; cat {0}/held >&2; exit 7; fi
    exit "$(cat {0}/code)";;
stop) printf "%s\\n" "$@" >> {0}/stopped; echo 0 > {0}/held-times;;
status) cat {0}/status;;
esac
"""
HELD = "restart: fleet lab is held by ann@laptop (pid 7) with run 20261122-0110-k3f9 since 01:10 (`restart status 20261122-0110-k3f9` shows it)"
CUT_OFF = "restart: run 20261122-0110-k3f9 of fleet lab (by root@ctl) was cut off and never ended (`restart resume 20261122-0110-k3f9` goes on with it)"


class Site:
    """A folder with stand-ins: `upsc` says what a test writes, `restart` notes how it was called, and ends with 3 or as a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("upsc", UPSC), ("restart", RESTART)):
            (folder / name).write_text(f"#!/bin/sh\n{text.format(folder)}", encoding="ascii")
            (folder / name).chmod(0o755)
        self.mark = folder / "switched-off"
        self.ends(3)
        self.says(status="OL", runtime="900", charge="100")
        self.conf()

    def ends(self, code: int) -> None:
        """A run ends with this."""
        (self.folder / "code").write_text(f"{code}\n", encoding="ascii")

    def held(self, message: str, times: int, *, reason: str = "patch night") -> None:
        """So many runs are refused because another has the fleet, unless that is stopped before."""
        (self.folder / "held").write_text(message + "\n", encoding="ascii")
        (self.folder / "held-times").write_text(f"{times}\n", encoding="ascii")
        (self.folder / "status").write_text(json.dumps({"run": "x", "reason": reason}, indent=2), encoding="ascii")

    def stopped(self) -> list[str]:
        """The words of all calls of `restart stop`."""
        file = self.folder / "stopped"
        return file.read_text(encoding="ascii").splitlines() if file.exists() else []

    def says(self, **values: str) -> None:
        for key, value in values.items():
            name = f"ups.{key}" if key == "status" else f"battery.{key}"
            (self.folder / name).write_text(value + "\n", encoding="ascii")

    def conf(self, **more: str) -> None:
        given = {"INVENTORY": "/etc/fleet.yml", "UPS": "ups", "HOSTS": "24", "FORCE_OFF": "", "STABLE_S": "2"}
        given |= {"CHARGE_MIN": "60", "RESERVE_S": "120", "POLL_S": "1", "SWITCHED_OFF": str(self.mark), **more}
        (self.folder / "conf").write_text("".join(f"{key}={value}\n" for key, value in given.items()), encoding="ascii")

    def call(self, *words: str) -> tuple[int, list[str], str]:
        """Exit status, the words that `restart` was called with, and what was said."""
        done = subprocess.run(
            ["/bin/sh", str(NUT / "restart-on-power"), *words],
            env={"PATH": f"{self.folder}:/usr/bin:/bin", "RESTART_ON_POWER_CONF": str(self.folder / "conf")},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        called = self.folder / "called"
        return done.returncode, called.read_text().splitlines() if called.exists() else [], done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_on_battery_the_fleet_is_shut_down_within_the_time_that_is_left(site: Site) -> None:
    site.says(status="OB DISCHRG", runtime="840")
    code, called, _ = site.call("shutdown")
    assert code == 3  # the run's own
    assert called == [
        "run", "/etc/fleet.yml", "--mode", "shutdown", "--within", "720s", "--no-survey",
        "--reason", "on battery, 840s left", "--yes", "--yes-hosts", "24",
    ]  # fmt: skip


def test_power_may_be_cut_only_where_the_site_says_so_and_a_dry_run_is_passed_on(site: Site) -> None:
    site.says(status="OB LB", runtime="60")
    site.conf(FORCE_OFF="3")
    _, called, _ = site.call("--dry-run", "shutdown")
    assert called[-3:] == ["--dry-run", "--yes-force-off", "3"]
    assert called[called.index("--within") + 1] == "1s"


def test_a_ups_that_cannot_say_how_long_it_lasts_is_taken_to_be_at_its_end(site: Site) -> None:
    site.says(status="OB", runtime="soon")
    assert "1s" in site.call("shutdown")[1]


def test_nothing_is_switched_off_when_the_power_is_back(site: Site) -> None:
    code, called, said = site.call("shutdown")
    assert (code, called) == (75, [])
    assert "line power is back" in said


def test_the_fleet_is_started_once_power_was_stable_and_the_battery_is_charged(site: Site) -> None:
    site.says(status="OL CHRG", charge="61.5")
    site.mark.touch()
    code, called, _ = site.call("cold-start")
    assert code == 3
    assert called[:6] == ["run", "/etc/fleet.yml", "--mode", "cold-start", "--no-survey", "--reason"]
    assert called[6] == "power stable for 2s, battery at 61%"


@pytest.mark.parametrize("charge", ["59", "unknown", ""])
def test_a_battery_that_could_not_bear_another_shutdown_is_waited_for(site: Site, charge: str) -> None:
    site.says(charge=charge)
    site.mark.touch()
    (site.folder / "charged-after-9").write_text("60\n", encoding="ascii")
    code, called, said = site.call("cold-start")
    assert (code, called[6]) == (3, "power stable for 3s, battery at 60%")
    assert said.count("60% are waited for") == 1


def test_the_wait_for_the_battery_ends_when_power_fails_again(site: Site) -> None:
    site.says(charge="10")
    site.mark.touch()
    (site.folder / "after-9").write_text("OB DISCHRG\n", encoding="ascii")
    assert site.call("cold-start")[:2] == (75, [])
    assert site.mark.exists()


def test_not_when_power_fails_again_meanwhile(site: Site) -> None:
    site.mark.touch()
    (site.folder / "after-2").write_text("OB\n", encoding="ascii")
    assert site.call("cold-start")[:2] == (75, [])


def test_not_when_power_fails_in_the_last_moment(site: Site) -> None:
    site.mark.touch()
    (site.folder / "after-5").write_text(
        "OB\n", encoding="ascii"
    )  # status and charge are asked by turns: after two seconds
    assert site.call("cold-start")[:2] == (75, [])


def test_what_no_shutdown_of_ours_has_switched_off_is_not_started(site: Site) -> None:
    code, called, said = site.call("cold-start")
    assert (code, called) == (0, [])
    assert "no shutdown of ours" in said


def test_what_is_switched_off_is_remembered_until_it_was_started(site: Site) -> None:
    site.says(status="OB", runtime="840")
    for ended, left in ((4, False), (5, True), (0, True)):
        site.ends(ended)
        assert site.call("shutdown")[0] == ended
        assert (site.folder / "was-marked").exists()  # before the run begins: it may not outlive it
        assert site.mark.exists() is left
    assert site.call("--dry-run", "shutdown")[0] == 0
    site.says(status="OL")
    for ended, left in ((4, True), (0, False)):
        site.ends(ended)
        assert site.call("cold-start")[0] == ended
        assert site.mark.exists() is left


def test_a_run_that_goes_on_is_stopped_for_a_shutdown(site: Site) -> None:
    site.says(status="OB", runtime="840")
    site.held(HELD, 99)
    code, called, said = site.call("shutdown")
    assert (code, called[3]) == (3, "shutdown")
    assert site.stopped()[:2] == ["stop", "20261122-0110-k3f9"]
    assert "it is stopped" in said


def test_a_cold_start_waits_for_the_end_of_another_run_and_stops_none(site: Site) -> None:
    site.held(HELD, 2)
    site.mark.touch()
    code, called, said = site.call("cold-start")
    assert (code, called[3], site.stopped()) == (3, "cold-start", [])
    assert said.count("its end is waited for") == 1


def test_a_shutdown_that_was_cut_off_with_its_controller_does_not_keep_the_fleet_off(site: Site) -> None:
    site.held(CUT_OFF, 99, reason="on battery, 840s left")
    site.mark.touch()
    assert site.call("cold-start")[0] == 3
    assert site.stopped()[:2] == ["stop", "20261122-0110-k3f9"]


def test_any_other_run_that_was_cut_off_is_left_to_a_person(site: Site) -> None:
    site.held(CUT_OFF, 99)
    site.mark.touch()
    code, _, said = site.call("cold-start")
    assert (code, site.stopped(), site.mark.exists()) == (7, [], True)
    assert "was cut off and never ended" in said


def test_a_ups_that_does_not_answer_is_neither_on_line_nor_charged(site: Site) -> None:
    (site.folder / "dead").touch()
    site.mark.touch()
    assert site.call("cold-start")[:2] == (75, [])
    assert site.call("shutdown")[1][:4] == ["run", "/etc/fleet.yml", "--mode", "shutdown"]


def test_upssched_names_the_events_that_the_script_knows() -> None:
    lines = [
        line.split() for line in (NUT / "upssched.conf").read_text(encoding="utf-8").splitlines() if line[:3] == "AT "
    ]
    called = {words[4] for words in lines if words[3] in ("START-TIMER", "EXECUTE")}
    assert called == {"shutdown", "cold-start"}


@pytest.mark.parametrize(
    ("name", "starts", "program"),
    [
        ("restart-unfinished", "/usr/local/bin/restart resume --unfinished", "/usr/local/bin/restart"),
        ("restart-after-power", "/usr/local/sbin/restart-on-power cold-start", "/usr/local/sbin/restart-on-power"),
    ],
)
def test_the_units_are_such_as_systemd_takes(tmp_path: Path, name: str, starts: str, program: str) -> None:
    unit = (NUT / f"{name}.service").read_text(encoding="utf-8")
    stand_in = tmp_path / "program"
    stand_in.write_text("#!/bin/sh\n", encoding="ascii")
    stand_in.chmod(0o755)
    (tmp_path / f"{name}.service").write_text(unit.replace(program, str(stand_in)), encoding="utf-8")
    assert f"ExecStart={starts}" in unit
    if shutil.which("systemd-analyze"):
        checked = subprocess.run(
            ["systemd-analyze", "verify", str(tmp_path / f"{name}.service")],
            env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert [line for line in checked.stderr.splitlines() if name in line] == []
    sections = {line for line in unit.splitlines() if line.startswith("[")}
    assert sections == {"[Unit]", "[Service]", "[Install]"}


def test_what_a_shutdown_leaves_behind_is_where_the_unit_looks_for_it() -> None:
    unit = (NUT / "restart-after-power.service").read_text(encoding="utf-8")
    conf = (NUT / "restart-on-power.conf").read_text(encoding="utf-8")
    assert "\nConditionPathExists=/var/lib/restart/switched-off\n" in unit
    assert "\nSWITCHED_OFF=/var/lib/restart/switched-off\n" in conf
