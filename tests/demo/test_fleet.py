"""The real servers: SSH, a shell, health pages, and a reboot that is one."""

from __future__ import annotations

import socket
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlsplit

import paramiko
import pytest

from restart.demo import demo
from restart.demo.fleet import DemoFleet
from restart.demo.keys import new_key
from tests.demo.conftest import alive, connect, port, shell

REBOOT = "( sleep 0.1 && systemctl reboot ) </dev/null >/dev/null 2>&1 &"


def until(holds: Callable[[], bool], within_s: float = 10.0) -> None:
    end_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end_s, "it did not come to hold"
        time.sleep(0.04)


def page(url: str) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=5)
    try:
        connection.request("GET", parts.path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


def test_a_command_runs_in_a_shell_with_its_input_output_and_exit_status(resting: DemoFleet) -> None:
    with connect(resting, "app-1") as client:
        stdin, output, errors = client.exec_command("read -r line; echo got $line; echo bad >&2; exit 7", timeout=10)
        stdin.write("this\n")
        stdin.flush()
        assert output.read() == b"got this\n"
        assert errors.read() == b"bad\n"
        assert output.channel.recv_exit_status() == 7


def test_a_command_that_ends_at_once_is_never_a_failed_request(resting: DemoFleet) -> None:
    # Its channel once closed ahead of the reply to its request, about one time in three hundred on a busy machine.
    def many(host: str) -> list[int]:
        with connect(resting, host) as client:
            return [client.exec_command(":", timeout=10)[1].channel.recv_exit_status() for _ in range(15)]

    with ThreadPoolExecutor(max_workers=len(resting.hosts)) as pool:
        assert [set(statuses) for statuses in pool.map(many, resting.hosts)] == [{0}] * len(resting.hosts)


def test_much_output_arrives_whole(resting: DemoFleet) -> None:
    status, output, _ = shell(
        resting, "db-1", "i=0; while [ $i -lt 4000 ]; do echo 0123456789012345678901234567890; i=$((i+1)); done"
    )
    assert (status, len(output)) == (0, 128_000)


def test_a_reboot_cuts_closes_and_comes_back_as_another_boot(fleet: DemoFleet) -> None:
    read = 'cat "$RESTART_PROC/sys/kernel/random/boot_id" "$RESTART_PROC/uptime"; ls "$RESTART_RUN"'
    _, before, _ = shell(fleet, "db-1", read)
    shell(fleet, "db-1", 'mkdir "$RESTART_RUN/claim"')
    with connect(fleet, "db-1") as client:
        transport = client.get_transport()
        assert transport is not None
        _, output, _ = client.exec_command(REBOOT, timeout=10)
        assert output.channel.recv_exit_status() == 0, "the exit status arrives before the host goes down"
        until(lambda: not transport.is_active())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port(fleet, "db-1")), timeout=5).close()
    until(lambda: demo.boots(fleet)["db-1"] == 1)
    _, after, _ = shell(fleet, "db-1", read)
    assert after.split()[0] != before.split()[0]
    assert float(before.split()[1]) > 86_400
    assert float(after.split()[1]) < 10
    assert len(after.split()) == 3, "the run folder is empty after a boot"
    assert sum(demo.boots(fleet).values()) == 1, "nobody else has rebooted"


def test_a_reboot_ends_what_ran_on_the_host(fleet: DemoFleet) -> None:
    shell(fleet, "app-1", "echo $$ > pid; sleep 300 </dev/null >/dev/null 2>&1 & echo $! > $HOME/sleeper")
    _, text, _ = shell(fleet, "app-1", "cat $HOME/sleeper")
    sleeper = int(text)
    assert alive(sleeper)
    shell(fleet, "app-1", REBOOT)
    until(lambda: demo.boots(fleet)["app-1"] == 1)

    until(lambda: not alive(sleeper))


def test_uptime_is_fresh_at_every_command(resting: DemoFleet) -> None:
    first = float(shell(resting, "lb-1", 'cat "$RESTART_PROC/uptime"')[1].split()[0])
    time.sleep(0.05)
    assert float(shell(resting, "lb-1", 'cat "$RESTART_PROC/uptime"')[1].split()[0]) > first


@pytest.mark.parametrize(
    "words", ["shutdown -r now", "poweroff", "halt", "init 6", "systemctl poweroff", "systemctl restart x"]
)
def test_no_other_word_reaches_the_machine_that_the_demo_runs_on(resting: DemoFleet, words: str) -> None:
    status, _, errors = shell(resting, "app-1", words)
    assert status == 1
    assert "the demo's hosts know only" in errors


def test_only_the_generated_key_and_user_may_log_in(resting: DemoFleet) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        connect(resting, "app-1", key=new_key()[0])
    with pytest.raises(paramiko.AuthenticationException):
        connect(resting, "app-1", user="root")


def test_what_a_demo_does_not_need_is_refused(resting: DemoFleet) -> None:
    with connect(resting, "app-1") as client:
        transport = client.get_transport()
        assert transport is not None
        with pytest.raises(paramiko.ChannelException):
            transport.open_channel("direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 1), timeout=5)
        with pytest.raises(paramiko.SSHException):
            client.invoke_shell()


def test_secrets_and_folder_are_the_owners_only(resting: DemoFleet) -> None:
    assert stat.S_IMODE(resting.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(resting.files.identity.stat().st_mode) == 0o600


def test_health_pages_tell_the_truth_through_a_reboot(fleet: DemoFleet) -> None:
    assert page(f"{fleet.board_url}/site") == (200, "500 sessions\n")
    assert page(f"{fleet.board_url}/services/db")[0] == 200
    assert page(f"{fleet.board_url}/nothing")[0] == 404
    shell(fleet, "db-1", REBOOT)
    until(lambda: page(f"{fleet.board_url}/services/db")[0] == 503)
    assert page(f"{fleet.board_url}/site")[0] == 503
    until(lambda: page(f"{fleet.board_url}/site")[0] == 200)


def test_the_toll_counts_what_users_felt(fleet: DemoFleet) -> None:
    assert demo.toll(fleet) == (
        "0 of 500 sessions cut, 500 online now; chat was never out of service; "
        "log-ins asked the database for 0 queries/s at most (it can do 800)"
    )
    shell(fleet, "app-1", REBOOT)
    until(lambda: demo.boots(fleet)["app-1"] == 1)
    shell(fleet, "lb-1", REBOOT)
    until(lambda: demo.boots(fleet)["lb-1"] == 1)
    until(lambda: fleet.state()["online"] == 500)
    assert demo.toll(fleet).startswith("250 of 500 sessions cut, 500 online now; nobody could chat for ")


def test_a_drain_on_the_load_balancer_spares_the_sessions(fleet: DemoFleet) -> None:
    for _ in range(2):
        assert shell(fleet, "lb-1", "lbctl drain app-1")[0] == 0
    assert shell(fleet, "lb-1", "lbctl show")[1] == "app-1\n"
    until(lambda: fleet.state()["hosts"]["app-1"]["text"] == "0 sessions")
    shell(fleet, "app-1", REBOOT)
    until(lambda: demo.boots(fleet)["app-1"] == 1)
    until(lambda: bool(fleet.state()["hosts"]["app-1"]["well"]))
    for _ in range(2):
        assert shell(fleet, "lb-1", "lbctl undrain app-1")[0] == 0
    until(lambda: "2 of 2 backends" in fleet.state()["hosts"]["lb-1"]["text"])
    state = fleet.state()
    assert (state["sessions_cut"], state["online"]) == (0, 500)


def test_lbctl_refuses_what_is_no_host(resting: DemoFleet) -> None:
    assert shell(resting, "lb-1", "lbctl drain ../../app-1/reboot-asked")[0] == 2


def test_in_order_over_plain_ssh_everything_reboots_once_and_no_session_is_cut(fleet: DemoFleet) -> None:
    def restarted(*hosts: str) -> None:
        for host in hosts:
            shell(fleet, host, REBOOT)
        until(lambda: all(demo.boots(fleet)[host] == 1 for host in hosts))
        until(lambda: all(fleet.state()["hosts"][host]["well"] for host in hosts))

    restarted("db-1", "queue-1", "cache-1")
    for app in ("app-1", "app-2"):
        shell(fleet, "lb-1", f"lbctl drain {app}")
        restarted(app)
        shell(fleet, "lb-1", f"lbctl undrain {app}")
        until(lambda: "2 of 2 backends" in fleet.state()["hosts"]["lb-1"]["text"])
    restarted("lb-1")
    state = fleet.state()
    assert set(demo.boots(fleet).values()) == {1}
    assert state["whole"]
    assert (state["collapses"], state["sessions_cut"], state["online"]) == (0, 0, 500)
