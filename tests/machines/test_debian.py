"""A whole Debian with systemd: what a busybox machine cannot tell. A session of its own (`nox -s debian`): its image and its boots take minutes."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from restart.model.preflight import NOT_TOLD
from tests.e2e.tool import Tool
from tests.machines.hand import Hand
from tests.machines.inventories import write_inventory
from tests.machines.lab import Lab
from tests.machines.planted import CYCLE, CYCLE_FORGOTTEN, DEFECTS, Planted

pytestmark = [pytest.mark.debian, pytest.mark.timeout(1800)]

NAMES = ("d1", "d2")
BOOT_S = 400.0
OFTEN = {"every": "3s", "healthy_for": "6s", "within": "5m", "timeout": "15s"}
LADDER = ({"reboot": {"down_within": "2m", "back_within": "6m"}},)
SERVICE = {"max_unavailable": 1, "ready": [{"systemd": {"units": ["web.service"], **OFTEN}}]}

LOOKS_MAX = 8

CPU_MAX_S = 0.3
"""What a look may cost a host, of the CPU that this machine has."""

STARTS = "i=0; while [ $i -lt {} ]; do /bin/true; i=$((i + 1)); done; times"
HERE, THERE = 1000, 40
"""So often a shell starts `true`, here and on an emulated machine, to tell how much slower that one is."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two of them, booted once for all the tests."""
    with Lab(NAMES, debian=True) as lab:
        lab.await_well(within_s=BOOT_S)
        ssh = lab.inside("ssh", "-F", lab.folder / "ssh_config")
        for name in NAMES:
            # A machine that has just booted is not yet one that nobody does anything on.
            _until_booted([*ssh, name])
        yield lab
        print(f"\n{lab.table()}")


def _until_booted(ssh: list[Any]) -> None:
    subprocess.run(
        [*ssh, "systemctl is-system-running --wait; until [ -e /run/systemd/timesync/synchronized ]; do sleep 1; done"],
        check=True, timeout=BOOT_S, capture_output=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def hands(lab: Lab) -> Iterator[Mapping[str, Hand]]:
    """A root shell on each."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(Hand(lab, name)) for name in NAMES}


Told = dict[str, set[tuple[str, str, str]]]


def look(lab: Lab, folder: Path, **ssh: Any) -> tuple[Told, dict[str, float], int]:
    """`restart preflight` of both at once: by host what it found (rule, grade, evidence) and what it cost; the exit code."""
    inventory = write_inventory(lab, folder, ladder=LADDER, service=SERVICE)
    if ssh:
        written = json.loads(inventory.read_text(encoding="utf-8"))
        written["defaults"]["ssh"] |= ssh
        inventory.write_text(json.dumps(written), encoding="utf-8")
    for _ in range(LOOKS_MAX):
        done = Tool(folder / "laptop", inside=lab.inside).call("preflight", str(inventory), "--format", "json")
        assert done.returncode in (0, 4), done.stderr
        hosts = json.loads(done.stdout)["hosts"]
        # What is empty is left out of the document.
        told = {
            name: {(one["rule"], one["grade"], one["evidence"]) for one in looked.get("found", ())}
            for name, looked in hosts.items()
        }
        if not any(rule == NOT_TOLD for found in told.values() for rule, _, _ in found):
            break
        # An emulated machine beside others is late at times, and says so: that is true, and not planted. It is looked at again.
    return told, {name: looked.get("cpu_s", 0.0) for name, looked in hosts.items()}, done.returncode


def test_of_a_stock_debian_nothing_is_told(lab: Lab, hands: Mapping[str, Hand], tmp_path: Path) -> None:
    told, cpu_s, code = look(lab, tmp_path)
    assert told == {name: set() for name in NAMES}
    assert code == 0
    assert hands["d1"].do("systemctl is-system-running") == "running\n"
    # An emulated processor is slower than this one by how much longer it takes to start the same program as often.
    here_s = _starts_s(_run("sh", "-c", STARTS.format(HERE)), HERE)
    there_s = _starts_s(hands["d1"].do(f"sh -c '{STARTS.format(THERE)}'"), THERE)
    real_s = cpu_s["d1"] * here_s / there_s
    print(
        f"\nthe look cost {cpu_s['d1']:.2f} s of emulated CPU; a start of `true` {1000 * there_s:.1f} ms there and {1000 * here_s:.2f} ms here;"
    )
    print(f"so it is about {real_s:.3f} s of this machine's CPU (bound: {CPU_MAX_S} s)")
    assert real_s < CPU_MAX_S


def _run(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def _starts_s(times: str, number: int) -> float:
    """Seconds of CPU that one of `number` starts took, from what `times` says: in hundredths of a second, so that it takes many."""
    spent = re.findall(r"([0-9]+)m([0-9.]+)s", times)
    return sum(60 * int(minutes) + float(seconds) for minutes, seconds in spent) / number


def test_each_defect_is_told_when_it_is_planted_and_gone_when_it_is_mended(
    lab: Lab, hands: Mapping[str, Hand], tmp_path: Path
) -> None:
    began_s = time.monotonic()
    print()
    for first in range(0, len(DEFECTS), len(NAMES)):
        planted = dict(zip(NAMES, DEFECTS[first : first + len(NAMES)], strict=False))
        for name, defect in planted.items():
            hands[name].begin(defect.plant)
            if defect.disk:
                lab.say("disk", name, defect.disk)
        for name in planted:
            hands[name].end()
        told, _, code = look(lab, tmp_path)
        for name, defect in planted.items():
            hands[name].begin(defect.mend)
            if defect.disk:
                lab.say("disk", name, 0)
        for name in planted:
            hands[name].end()
        for name, defect in planted.items():
            _only_it(name, defect, told[name], time.monotonic() - began_s)
        assert code == (4 if any(defect.grade == "blocks" for defect in planted.values()) else 0)
    # What was told of one defect was told of it alone: those before it were gone. After the last one all are.
    assert look(lab, tmp_path)[0] == {name: set() for name in NAMES}


def _only_it(name: str, defect: Planted, told: set[tuple[str, str, str]], at_s: float) -> None:
    hit = [
        evidence
        for rule, grade, evidence in told
        if (rule, grade) == (defect.rule, defect.grade) and defect.evidence in evidence
    ]
    print(f"{at_s:6.1f} s  {name}  {defect.grade:6}  {defect.rule:20}  {hit[0] if hit else 'NOT FOUND'}")
    assert hit, f"{name}: {defect.rule} is not among {sorted(told)}"
    assert {rule for rule, _, _ in told} <= {defect.rule, *defect.beside}, sorted(told)


def test_people_are_told_while_they_are_logged_in(lab: Lab, tmp_path: Path) -> None:
    ssh = lab.inside("ssh", "-tt", "-F", lab.folder / "ssh_config", "d1", "echo in; exec cat")
    with subprocess.Popen(
        ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as person:
        try:
            assert person.stdout is not None
            assert person.stdout.readline().strip() == "in"
            told, _, code = look(lab, tmp_path)
        finally:
            person.kill()
    assert code == 0
    ((rule, grade, evidence),) = told["d1"]
    assert (rule, grade) == ("people", "notes")
    assert "root" in evidence
    assert told["d2"] == set()


def test_somebody_who_is_not_root_is_told_what_sudo_lacks(lab: Lab, hands: Mapping[str, Hand], tmp_path: Path) -> None:
    told, _, code = look(lab, tmp_path, user="ops")
    assert code == 4
    assert ("rights", "blocks", "ops may not write under /run") in told["d1"]
    hands["d2"].do("echo 'ops ALL=(root) NOPASSWD: ALL' >/etc/sudoers.d/ops")
    told, _, code = look(lab, tmp_path, user="ops", sudo=True)
    print(f"\nops with sudo, d1 without the right: {told['d1']}")
    assert code == 4
    ((rule, grade, _),) = told["d1"]
    assert (rule, grade) == ("sudo", "blocks")
    assert told["d2"] == set()
    hands["d2"].do("rm /etc/sudoers.d/ops")


def test_a_debian_is_restarted_by_its_own_systemctl_its_units_are_asked_and_a_cycle_is_gone(
    lab: Lab, hands: Mapping[str, Hand], tmp_path: Path
) -> None:
    # An ordering cycle is read from what systemd wrote in this boot, so that only the next one can show that it is mended.
    hands["d1"].do(CYCLE)
    told, _, _ = look(lab, tmp_path)
    assert {(rule, grade) for rule, grade, _ in told["d1"]} == {("ordering-cycle", "warns")}
    hands["d1"].do(CYCLE_FORGOTTEN)
    hands["d2"].do("systemctl -q disable web.service")
    # Where the run's own look is too late for this machine, what was found before it stands.
    assert "not-enabled" in {rule for rule, _, _ in look(lab, tmp_path)[0]["d2"]}
    inventory = write_inventory(lab, tmp_path, ladder=LADDER, service=SERVICE)
    tool = Tool(tmp_path / "laptop", inside=lab.inside)
    # d2 would not come back as it is, and no run touches it before somebody has seen to it.
    refused = tool.call("run", str(inventory), "--reason", "test", "--yes", "--yes-hosts", "2", "--mode", "rolling")
    assert refused.returncode == 4, refused.stderr
    print(f"\n{refused.stderr.strip()}")
    assert "web.service runs and is not enabled" in refused.stdout + refused.stderr
    assert [len(lab.boots(name)) for name in NAMES] == [1, 1]
    hands["d2"].do("systemctl -q enable web.service")
    with tool.run(inventory, "--limit", "d1", "--mode", "rolling", hosts=1, survey=True) as run:
        assert run.end() == 0, run.account()
    assert [len(lab.boots(name)) for name in NAMES] == [2, 1]
    ssh = lab.inside("ssh", "-F", lab.folder / "ssh_config", "d1")
    _until_booted(ssh)
    assert _run(*map(str, ssh), "systemctl is-system-running") == "running\n"
    assert look(lab, tmp_path)[0] == {name: set() for name in NAMES}
