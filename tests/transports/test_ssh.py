"""The SSH pool against real servers; each phase that hangs ends in its own reason, within its own deadline."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from restart.errors import UsageMistake
from restart.model.answer import NoAnswer
from restart.model.inventory import Inventory, Ssh
from restart.model.question import Shell, ShellReply
from restart.transports.ssh import Deadlines, SshPool


def sh(command: str, host: str = "a", timeout_s: float = 5.0, stdin: str = "") -> Shell:
    return Shell(host=host, command=command, timeout_s=timeout_s, stdin=stdin)


def reason(answer: ShellReply | NoAnswer) -> str:
    assert isinstance(answer, NoAnswer), answer
    assert answer.detail
    assert len(answer.detail.splitlines()) == 1
    return answer.reason


def stdout(answer: ShellReply | NoAnswer) -> str:
    assert isinstance(answer, ShellReply), answer
    return answer.stdout


def test_a_command_runs_and_its_status_and_both_outputs_come_back(serve: Any, fleet: Any, pool: Any) -> None:
    fleet.add("a", serve())
    answer = pool(fleet).run(sh("echo out; echo err >&2; exit 3"))
    assert answer == ShellReply(exit_status=3, stdout="out\n", stderr="err\n")


def test_stdin_is_fed(serve: Any, fleet: Any, pool: Any) -> None:
    fleet.add("a", serve())
    assert stdout(pool(fleet).run(sh("tr a-z A-Z", stdin="hello"))) == "HELLO"


def test_output_is_bounded(serve: Any, fleet: Any, pool: Any) -> None:
    fleet.add("a", serve())
    assert len(stdout(pool(fleet).run(sh("head -c 300000 /dev/zero | tr '\\0' x; exit 0")))) == 64 * 1024


def test_quotes_and_blanks_survive_the_remote_login_shell(serve: Any, fleet: Any, pool: Any) -> None:
    fleet.add("a", serve())
    assert stdout(pool(fleet).run(sh("""x='a  b'; echo "$x" 'it'"'"'s'"""))) == "a  b it's\n"


def test_one_connection_serves_many_commands(serve: Any, fleet: Any, pool: Any) -> None:
    server = serve()
    fleet.add("a", server)
    ssh = pool(fleet)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda n: stdout(ssh.run(sh(f"echo {n}"))), range(12)))
    assert answers == [f"{n}\n" for n in range(12)]
    assert server.opened == 1


@pytest.mark.parametrize(
    ("mode", "expected", "at_most_s"),
    [
        ("no-banner", "banner", 2.0),
        ("no-kex", "banner", 2.5),
        ("other-key", "host-key", 2.0),
        ("auth-hang", "auth", 3.0),
        ("no-auth", "auth", 2.0),
        ("second-factor", "auth", 2.0),
        ("channel-hang", "channel", 2.5),
        ("exec-hang", "channel", 2.5),
        ("drop", "dropped", 2.0),
        ("no-status", "dropped", 2.0),
    ],
)
def test_each_phase_that_fails_has_its_own_reason_within_its_deadline(
    serve: Any, fleet: Any, pool: Any, mode: str, expected: str, at_most_s: float
) -> None:
    fleet.add("a", serve(mode))
    ssh = pool(fleet)
    start_s = time.monotonic()
    assert reason(ssh.run(sh("true"))) == expected
    assert time.monotonic() - start_s < at_most_s


@pytest.mark.parametrize(("mode", "hangs"), [("auth-hang", True), ("no-auth", False)])
def test_a_log_in_that_hangs_is_not_told_as_one_that_is_refused(
    serve: Any, fleet: Any, pool: Any, mode: str, hangs: bool
) -> None:
    fleet.add("a", serve(mode))
    answer = pool(fleet).run(sh("true"))
    assert ("the log-in hangs, no answer to it within" in answer.detail) is hangs, answer.detail


def test_a_command_that_hangs_is_given_up(serve: Any, fleet: Any, pool: Any) -> None:
    fleet.add("a", serve())
    start_s = time.monotonic()
    assert reason(pool(fleet).run(sh("sleep 5", timeout_s=0.4))) == "command"
    assert time.monotonic() - start_s < 2


def test_a_port_that_refuses_is_refused(serve: Any, fleet: Any, pool: Any) -> None:
    server = serve()
    server.close()
    fleet.add("a", server.port)
    assert reason(pool(fleet).run(sh("true"))) == "refused"


def test_a_name_that_does_not_resolve_is_unreachable(fleet: Any, pool: Any) -> None:
    fleet.add("a", 22, address="no-such-host.invalid")
    assert reason(pool(fleet).run(sh("true"))) == "unreachable"


def test_a_host_that_is_not_in_known_hosts_is_never_logged_in_to(serve: Any, fleet: Any, pool: Any) -> None:
    fleet.add("a", serve())
    fleet.known = []
    answer = pool(fleet).run(sh("true"))
    assert reason(answer) == "host-key"
    assert "known_hosts" in answer.detail


def test_a_changed_host_key_says_so(serve: Any, fleet: Any, pool: Any) -> None:
    fleet.add("a", serve("other-key"))
    answer = pool(fleet).run(sh("true"))
    assert reason(answer) == "host-key"
    assert "changed" in answer.detail
    assert "SHA256:" in answer.detail


def test_a_second_factor_is_never_asked_for(serve: Any, fleet: Any, pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object) -> str:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr("builtins.input", ask)
    monkeypatch.setattr("getpass.getpass", ask)
    fleet.add("a", serve("second-factor"))
    assert reason(pool(fleet).run(sh("true"))) == "auth"


def test_a_connection_cut_before_the_login_is_tried_again(serve: Any, fleet: Any, pool: Any) -> None:
    server = serve(cut_first=1)
    fleet.add("a", server)
    assert stdout(pool(fleet).run(sh("echo up"))) == "up\n"
    assert server.opened == 2


def test_attempts_are_bounded(serve: Any, fleet: Any, pool: Any) -> None:
    server = serve(cut_first=99)
    fleet.add("a", server)
    assert reason(pool(fleet).run(sh("true"))) == "dropped"
    assert server.opened == 2


def test_a_kept_connection_that_broke_is_replaced_before_the_next_command(serve: Any, fleet: Any, pool: Any) -> None:
    server = serve()
    fleet.add("a", server)
    ssh = pool(fleet)
    ssh.run(sh("true"))
    server.drop()
    assert stdout(ssh.run(sh("echo again"))) == "again\n"
    assert server.opened == 2


def test_forget_makes_the_next_connection_a_fresh_one(serve: Any, fleet: Any, pool: Any) -> None:
    server = serve()
    fleet.add("a", server)
    ssh = pool(fleet)
    ssh.run(sh("true"))
    ssh.forget("a")
    assert stdout(ssh.run(sh("echo x"))) == "x\n"
    assert server.opened == 2


def test_a_command_is_sent_once_only(serve: Any, fleet: Any, pool: Any, tmp_path: Path) -> None:
    server = serve()
    fleet.add("a", server)
    ssh = pool(fleet)
    mark = tmp_path / "mark"
    threading.Timer(0.5, server.drop).start()
    assert reason(ssh.run(sh(f"echo x >>{mark}; sleep 3"))) == "dropped"
    assert mark.read_text() == "x\n"


def test_hosts_behind_a_gateway_share_its_connection(serve: Any, fleet: Any, pool: Any) -> None:
    bastion, a, b = serve(), serve(), serve()
    fleet.add("gate", bastion)
    fleet.add("a", a, gateway="gate")
    fleet.add("b", b, gateway="gate")
    ssh = pool(fleet)
    assert stdout(ssh.run(sh("echo a", "a"))) == "a\n"
    assert stdout(ssh.run(sh("echo b", "b"))) == "b\n"
    assert (bastion.opened, a.opened, b.opened) == (1, 1, 1)


def test_a_refused_port_behind_a_gateway_is_no_fault_of_the_gateway(serve: Any, fleet: Any, pool: Any) -> None:
    bastion, gone = serve(), serve()
    gone.close()
    fleet.add("gate", bastion)
    fleet.add("a", gone.port, gateway="gate")
    ssh = pool(fleet)
    assert reason(ssh.run(sh("true"))) in ("refused", "unreachable")
    assert isinstance(ssh.run(sh("true", "gate")), ShellReply)


def test_a_dead_gateway_is_named_and_costs_all_behind_it_one_deadline(serve: Any, fleet: Any, pool: Any) -> None:
    fleet.add("gate", serve("no-banner"))
    for n in range(6):
        fleet.add(f"h{n}", 1, gateway="gate")
    ssh = pool(fleet)
    start_s = time.monotonic()
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda n: ssh.run(sh("true", f"h{n}")), range(6)))
    assert [reason(answer) for answer in answers] == ["gateway"] * 6
    assert all("gate" in answer.detail for answer in answers)
    assert time.monotonic() - start_s < 2.5


def test_gateways_in_a_ring_are_an_answer_not_a_hang(serve: Any, fleet: Any, pool: Any) -> None:
    fleet.add("a", 1, gateway="b")
    fleet.add("b", 1, gateway="a")
    answer = pool(fleet).run(sh("true"))
    assert reason(answer) == "gateway"
    assert "ring" in answer.detail


def test_a_gateway_does_not_go_through_itself(serve: Any, fleet: Any, pool: Any) -> None:
    fleet.add("gate", serve(), gateway="gate")
    assert stdout(pool(fleet).run(sh("echo x", "gate"))) == "x\n"


def test_ssh_config_is_honoured(serve: Any, fleet: Any, pool: Any) -> None:
    bastion, inner = serve(), serve()
    fleet.config = f"Include more.conf\nHost jump\n HostName 127.0.0.1\n Port {bastion.port}\n User ops\n IdentityFile {fleet.folder}/id\n"
    (fleet.folder / "more.conf").write_text(
        f"Host inner\n HostName 127.0.0.1\n Port {inner.port}\n User ops\n IdentityFile {fleet.folder}/id\n ProxyJump jump\n"
    )
    fleet.know(bastion.port)
    fleet.know(inner.port)
    from restart.model.inventory import Host

    plain = Ssh(config=str(fleet.folder / "config"), known_hosts=str(fleet.folder / "known_hosts"))
    fleet.hosts["a"] = Host(name="a", address="inner", ssh=plain)
    assert stdout(pool(fleet).run(sh("echo through"))) == "through\n"
    assert (bastion.opened, inner.opened) == (1, 1)


def test_sudo_never_asks_and_its_refusal_is_a_lack_of_privilege(
    serve: Any, fleet: Any, pool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "sudo"
    fake.write_text(
        '#!/bin/sh\n[ "$1" = -n ] || exit 9\nshift\n[ -e "$0.no" ] && { echo "sudo: a password is required" >&2; exit 1; }\nROOT=1 exec "$@"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    fleet.add("a", serve(), sudo=True)
    ssh = pool(fleet)
    assert stdout(ssh.run(sh("echo root=$ROOT"))) == "root=1\n"
    (tmp_path / "sudo.no").touch()
    assert reason(ssh.run(sh("true"))) == "privilege"


def test_more_commands_than_sessions_wait_their_turn(serve: Any, fleet: Any, pool: Any) -> None:
    fleet.add("a", serve())
    ssh = pool(fleet)
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: ssh.run(sh("sleep 0.3; echo x", timeout_s=10)), range(12)))
    assert [stdout(answer) for answer in answers] == ["x\n"] * 12


@pytest.mark.parametrize("what", ["config", "known_hosts"])
def test_a_named_file_that_is_missing_is_told_before_anything_starts(what: str, tmp_path: Path) -> None:
    ssh = Ssh(**{"config": None, "known_hosts": None, what: str(tmp_path / "none")})
    with pytest.raises(UsageMistake, match=r"none.*ssh\." + what):
        SshPool(Inventory(fleet="t", hosts={}, services={}, ssh=ssh))


def test_a_key_that_cannot_be_used_is_named_without_its_content(serve: Any, fleet: Any, pool: Any) -> None:
    fleet.add("a", serve())
    (fleet.folder / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n")
    answer = pool(fleet).run(sh("true"))
    assert reason(answer) == "auth"
    assert "id" in answer.detail
    assert "hunter2" not in answer.detail


def test_the_default_deadlines_are_the_designs() -> None:
    assert Deadlines() == Deadlines(connect_s=5, banner_s=5, auth_s=10, channel_s=5, attempts_max=3)
