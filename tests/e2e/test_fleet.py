"""The fleet itself, asked by the system's own ssh client: what it claims about reboots and faults is true."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from tests.e2e.fleet import ROOT, SSH_PORT, Fleet

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
UPTIME = "cut -d' ' -f1 /proc/uptime"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Hosts for tests that each use another one of them."""
    names = ["plain", "other", "ignores", "slow", "same", "gone", "key", "web", "units", "crash", "kernel"]
    with Fleet(names, down_s=1.0, service_s=0.2) as started:
        yield started


def back(fleet: Fleet, host: str, boots: int = 2) -> None:
    """Wait until `host` has booted so often and serves."""
    fleet.wait_for(lambda: len(fleet.boots(host)) == boots and fleet.up([host]), f"{host} is back")


def test_each_host_has_its_own_boot_id_address_and_running_uptime(fleet: Fleet) -> None:
    first, second = fleet.ssh("plain", BOOT_ID), fleet.ssh("other", BOOT_ID)
    assert first.stdout.strip() == fleet.boots("plain")[0]
    assert first.stdout != second.stdout
    before = float(fleet.ssh("other", UPTIME).stdout)
    fleet.wait_for(lambda: float(fleet.ssh("other", UPTIME).stdout) >= before + 0.5, "the uptime runs")
    assert before > 86400


def test_a_reboot_drops_connections_empties_run_and_comes_back_as_another_boot(fleet: Fleet) -> None:
    assert fleet.ssh("plain", "touch /run/mark && ls /run").stdout.split().count("mark") == 1
    asked = fleet.ssh("plain", "systemctl reboot && sleep 60")
    assert asked.returncode == 255
    assert fleet.ssh("plain", "true").returncode == 255
    back(fleet, "plain")
    old, new = fleet.boots("plain")
    assert fleet.ssh("plain", BOOT_ID).stdout.strip() == new != old
    assert float(fleet.ssh("plain", UPTIME).stdout) < 60
    assert "mark" not in fleet.ssh("plain", "ls /run").stdout
    down, boot = (fleet.log("plain", what)[-1].at for what in ("down", "boot"))
    assert boot - down >= 1.0
    assert fleet.restarts()["plain"] == 1


def test_a_detached_reboot_returns_its_status_first(fleet: Fleet) -> None:
    boots = len(fleet.boots("other"))
    asked = fleet.ssh("other", "( sleep 1 && reboot ) </dev/null >/dev/null 2>&1 &")
    assert asked.returncode == 0
    back(fleet, "other", boots + 1)


def test_the_kernels_own_reboot_call_reboots_only_this_host(fleet: Fleet) -> None:
    call = "import ctypes; ctypes.CDLL(None).reboot(0x1234567)"
    fleet.ssh("kernel", f'{sys.executable} -c "{call}"')
    back(fleet, "kernel")
    assert fleet.log("kernel", "asked") == ()


def test_a_host_that_ignores_the_reboot_says_yes_and_stays(fleet: Fleet) -> None:
    fleet.fault("ignores", ignores_reboot=True)
    assert fleet.ssh("ignores", "systemctl reboot").returncode == 0
    fleet.wait_for(lambda: fleet.log("ignores", "asked"))
    assert fleet.ssh("ignores", BOOT_ID).stdout.strip() == fleet.boots("ignores")[0]
    assert fleet.restarts()["ignores"] == 0


def test_a_slow_shutdown_goes_on_answering_as_the_old_boot(fleet: Fleet) -> None:
    fleet.fault("slow", slow_shutdown_s=3)
    assert fleet.ssh("slow", "systemctl reboot").returncode == 0
    assert fleet.ssh("slow", BOOT_ID).stdout.strip() == fleet.boots("slow")[0]
    back(fleet, "slow")
    asked, down = (fleet.log("slow", what)[0].at for what in ("asked", "down"))
    assert down - asked >= 3


def test_a_host_can_come_back_with_the_boot_id_it_had(fleet: Fleet) -> None:
    fleet.fault("same", same_boot_id=True)
    fleet.ssh("same", "systemctl reboot")
    back(fleet, "same")
    assert len(set(fleet.boots("same"))) == 1


def test_a_host_that_never_returns_stays_down_until_switched_on(fleet: Fleet) -> None:
    fleet.fault("gone", never_returns=True)
    fleet.ssh("gone", "systemctl reboot")
    fleet.wait_for(lambda: fleet.log("gone", "down"))
    down = time.monotonic()
    fleet.wait_for(lambda: time.monotonic() > down + 2.0)
    assert not fleet.up(["gone"])
    fleet.on("gone")
    back(fleet, "gone")


def test_a_changed_host_key_is_refused_by_a_strict_client(fleet: Fleet) -> None:
    fleet.fault("key", changed_host_key=True)
    fleet.ssh("key", "systemctl reboot")
    back(fleet, "key")
    refused = fleet.ssh("key", "true")
    assert refused.returncode == 255
    assert "HOST IDENTIFICATION HAS CHANGED" in refused.stderr


def test_a_host_that_crashes_drops_out_and_comes_back_unasked(fleet: Fleet) -> None:
    fleet.crash("crash")
    back(fleet, "crash")
    assert fleet.log("crash", "asked") == ()
    assert fleet.log("crash", "down")[0].more == {"why": "crash"}
    fleet.off("crash")
    fleet.wait_for(lambda: len(fleet.log("crash", "down")) == 2)
    assert fleet.ssh("crash", "true").returncode == 255


def test_the_service_can_fail_hang_and_close_at_any_moment(fleet: Fleet) -> None:
    def asked() -> int | str:
        try:
            with urllib.request.urlopen(fleet.url("web"), timeout=1) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except TimeoutError:
            return "silent"
        except OSError:
            return "refused"

    assert asked() == 200
    fleet.fault("web", http="fail")
    fleet.wait_for(lambda: asked() == 503)
    fleet.fault("web", http="hang")
    fleet.wait_for(lambda: asked() == "silent")
    fleet.fault("web", http="closed")
    fleet.wait_for(lambda: asked() == "refused")
    assert fleet.lowest(["web"]) == 0
    fleet.fault("web")
    fleet.wait_for(lambda: asked() == 200)
    assert fleet.ssh("web", "true").returncode == 0


def test_a_unit_restart_changes_its_invocation_id_and_closes_the_service_for_a_while(fleet: Fleet) -> None:
    shown = "systemctl show -p InvocationID --value app.service"
    before = fleet.ssh("units", shown).stdout.strip()
    assert len(before) == 32
    assert fleet.ssh("units", "systemctl is-active app.service nothing").stdout.split() == ["active", "inactive"]
    assert fleet.ssh("units", "sudo -n systemctl restart app.service").returncode == 0
    assert fleet.ssh("units", shown).stdout.strip() not in ("", before)
    fleet.wait_for(lambda: fleet.up(["units"]))
    assert [one.what for one in fleet.log("units")][-4:] == ["sudo", "restarted", "not_serving", "serving"]
    assert fleet.restarts()["units"] == 0
    assert fleet.ssh("units", "systemctl restart nothing.service").returncode == 5


@pytest.mark.parametrize("phase", ["accept", "banner", "auth", "channel", "command"])
def test_a_host_hangs_in_exactly_the_phase_it_is_told_to(phase: str) -> None:
    with Fleet(["hangs"], down_s=0.2, service_s=0.2, faults={"hangs": {}}) as fleet:
        fleet.fault("hangs", hang=phase)
        fleet.ssh("hangs", "systemctl reboot")
        fleet.wait_for(lambda: len(fleet.boots("hangs")) == 2 and len(fleet.log("hangs", "serving")) == 2)
        fleet.wait_for(lambda: _accepts(fleet.specs["hangs"].address), "the port is open")
        assert _hung_phase(fleet) == phase


def _accepts(address: str) -> bool:
    try:
        socket.create_connection((address, SSH_PORT), timeout=5).close()
    except OSError:
        return False
    return True


def _hung_phase(fleet: Fleet) -> str | None:
    """The phase in which a paramiko client waits in vain; None when a command ran."""
    connection = socket.create_connection((fleet.specs["hangs"].address, SSH_PORT), timeout=5)
    transport = paramiko.Transport(connection)
    transport.banner_timeout = 3
    try:
        try:
            transport.start_client(timeout=4)
        except paramiko.SSHException as trouble:
            return "accept" if "banner" in str(trouble) else f"not expected: {trouble}"
        if not transport.initial_kex_done:
            return "banner"
        transport.auth_timeout = 3
        try:
            transport.auth_publickey("root", paramiko.Ed25519Key.from_private_key_file(f"{fleet.folder}/id_ed25519"))
        except paramiko.AuthenticationException:
            return "auth"
        try:
            channel = transport.open_session(timeout=3)
        except paramiko.SSHException:
            return "channel"
        channel.exec_command("true")
        return None if channel.status_event.wait(3) else "command"
    finally:
        transport.close()
        connection.close()


def test_hosts_behind_a_gateway_are_reached_through_it_and_not_otherwise() -> None:
    with Fleet(["jump", "inner-1", "inner-2"], gateway="jump", down_s=1.0) as fleet:
        assert fleet.ssh("inner-1", BOOT_ID).stdout.strip() == fleet.boots("inner-1")[0]
        assert not _accepts(fleet.specs["inner-1"].address)
        inner = fleet.specs["inner-2"].address
        assert fleet.ssh("jump", f"ssh-keyscan -T 5 -t ed25519 -p {SSH_PORT} {inner}").stdout.startswith("[")
        with urllib.request.urlopen(fleet.url("inner-2"), timeout=5) as reply:
            assert reply.status == 200
        assert fleet.ssh("inner-1", "systemctl reboot").returncode in (0, 255)
        fleet.wait_for(lambda: fleet.restarts()["inner-1"] == 1)
        fleet.wait_for(lambda: fleet.ssh("inner-1", "true").returncode == 0)


def test_fifty_hosts_are_affordable_and_the_log_knows_how_many_were_down_at_once() -> None:
    names = [f"host-{number:02}" for number in range(1, 51)]
    with Fleet(names, down_s=1.0, service_s=0.2) as fleet:
        assert len({fleet.boots(name)[0] for name in names}) == 50
        for name in names[:3]:
            fleet.ssh(name, "systemctl reboot")
        fleet.wait_for(lambda: all(fleet.restarts()[name] == 1 for name in names[:3]) and fleet.up(names[:3]))
        assert 1 <= fleet.most_down(names) <= 3
        assert fleet.most_down(names[3:]) == 0
        used = _memory_mib(fleet)
        print(f"50 hosts use {used:.0f} MiB")
        assert used < 1500


def _memory_mib(fleet: Fleet) -> float:
    """Memory of all processes of the fleet; what they share is counted once."""
    kib = 0
    for maps in Path("/proc").glob("[0-9]*/smaps_rollup"):
        try:
            if str(fleet.folder).encode() in (maps.parent / "cmdline").read_bytes():
                rows = maps.read_text(encoding="ascii").splitlines()
                kib += next(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return kib / 1024


def test_the_fleet_ends_with_the_process_that_started_it_however_that_ends() -> None:
    command = [sys.executable, "-m", "tests.e2e.fleet", "up", "2"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        folder = Path(started.stdout.readline().split()[1]).parent
        config = started.stdout.readline()
        assert "log.jsonl" in config
        assert _processes_of(folder)
        os.kill(started.pid, signal.SIGKILL)
    until = time.monotonic() + 60
    while _processes_of(folder):
        assert time.monotonic() < until, _processes_of(folder)
        time.sleep(0.05)
    assert not folder.exists()


def _processes_of(folder: Path) -> list[str]:
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = cmdline.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder).encode() in words:
            found.append(cmdline.parent.name)
    return found
