"""The NUT example: what the UPS says decides which run begins, with which words; and the unit that resumes a run after a power cut."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NUT = Path(__file__).parents[2] / "playbooks" / "nut"


class Site:
    """A folder with a stand-in for `upsc`, which says what a test writes, and for `restart`, which notes how it was called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (
            (
                "upsc",
                f"[ -e {folder}/dead ] && exit 1; n=$(cat {folder}/asked 2>/dev/null || echo 0); n=$((n+1)); echo $n > {folder}/asked\n"
                f'[ -e {folder}/after-$n ] && cp {folder}/after-$n {folder}/ups.status; cat {folder}/"$2"\n',
            ),
            ("restart", f'printf "%s\\n" "$@" > {folder}/called; exit 3\n'),
        ):
            (folder / name).write_text(f"#!/bin/sh\n{text}", encoding="ascii")
            (folder / name).chmod(0o755)
        self.says(status="OL", runtime="900", charge="100")
        self.conf()

    def says(self, **values: str) -> None:
        for key, value in values.items():
            name = f"ups.{key}" if key == "status" else f"battery.{key}"
            (self.folder / name).write_text(value + "\n", encoding="ascii")

    def conf(self, **more: str) -> None:
        given = {"INVENTORY": "/etc/fleet.yml", "UPS": "ups", "HOSTS": "24", "FORCE_OFF": "", "STABLE_S": "2"}
        given |= {"CHARGE_MIN": "60", "RESERVE_S": "120", "POLL_S": "1", **more}
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
    code, called, _ = site.call("cold-start")
    assert code == 3
    assert called[:6] == ["run", "/etc/fleet.yml", "--mode", "cold-start", "--no-survey", "--reason"]
    assert called[6] == "power stable for 2s, battery at 61%"


@pytest.mark.parametrize("charge", ["59", "unknown", ""])
def test_not_with_a_battery_that_could_not_bear_another_shutdown(site: Site, charge: str) -> None:
    site.says(charge=charge)
    code, called, said = site.call("cold-start")
    assert (code, called) == (75, [])
    assert "60% are wanted" in said


def test_not_when_power_fails_again_meanwhile(site: Site) -> None:
    (site.folder / "after-2").write_text("OB\n", encoding="ascii")
    assert site.call("cold-start")[:2] == (75, [])


def test_a_ups_that_does_not_answer_is_neither_on_line_nor_charged(site: Site) -> None:
    (site.folder / "dead").touch()
    assert site.call("cold-start")[:2] == (75, [])
    assert site.call("shutdown")[1][:4] == ["run", "/etc/fleet.yml", "--mode", "shutdown"]


def test_upssched_names_the_events_that_the_script_knows() -> None:
    lines = [
        line.split() for line in (NUT / "upssched.conf").read_text(encoding="utf-8").splitlines() if line[:3] == "AT "
    ]
    called = {words[4] for words in lines if words[3] in ("START-TIMER", "EXECUTE")}
    assert called == {"shutdown", "cold-start"}


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    unit = (NUT / "restart-unfinished.service").read_text(encoding="utf-8")
    program = tmp_path / "restart"
    program.write_text("#!/bin/sh\n", encoding="ascii")
    program.chmod(0o755)
    (tmp_path / "restart-unfinished.service").write_text(
        unit.replace("/usr/local/bin/restart", str(program)), encoding="utf-8"
    )
    assert "ExecStart=/usr/local/bin/restart resume --unfinished" in unit
    assert "[Timer]" not in unit
    if shutil.which("systemd-analyze"):
        checked = subprocess.run(
            ["systemd-analyze", "verify", str(tmp_path / "restart-unfinished.service")],
            env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert [line for line in checked.stderr.splitlines() if "restart-unfinished" in line] == []
    sections = {line for line in unit.splitlines() if line.startswith("[")}
    assert sections == {"[Unit]", "[Service]", "[Install]"}
