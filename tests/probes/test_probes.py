"""The texts are run by the real shells of this machine against fake /proc and /run folders; the parsers are fuzzed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restart.model.answer import Claimed, HeldBy, NoAnswer, RebootDeclined, RebootTaken, Released, Units
from restart.model.question import ShellReply
from restart.model.request import Reboot
from restart.probes import claim, probe, reboot, script, units

BOOT = "6b0d1b2e-7c3f-4f0e-9d55-1f2a3b4c5d6e"
SHELLS = sorted(
    # One name for each shell: sh is often one of the others.
    {
        os.path.realpath(place): name for name in ("sh", "bash", "busybox", "dash") if (place := shutil.which(name))
    }.values()
)


@dataclass
class FakeHost:
    """A folder that looks like a host to the texts."""

    root: Path
    shell: str

    def boot(self, boot_id: str = BOOT, uptime_s: float = 1000.25) -> None:
        """Another boot: /run is empty again."""
        random = self.root / "proc/sys/kernel/random"
        random.mkdir(parents=True, exist_ok=True)
        (random / "boot_id").write_text(boot_id + "\n")
        shutil.rmtree(self.root / "run", ignore_errors=True)
        (self.root / "run").mkdir()
        self.uptime(uptime_s)

    def uptime(self, uptime_s: float) -> None:
        (self.root / "proc/uptime").write_text(f"{uptime_s:.2f} 99.00\n")

    def tool(self, name: str, text: str) -> None:
        tools = self.root / "bin"
        tools.mkdir(exist_ok=True)
        (tools / name).write_text("#!/bin/sh\n" + text)
        (tools / name).chmod(0o755)

    def run(self, command: str, path: str | None = None) -> ShellReply:
        words = [shutil.which(self.shell) or self.shell, *(["sh"] if self.shell == "busybox" else [])]
        done = subprocess.run(
            [*words, "-c", command],
            env={
                "PATH": path or f"{self.root}/bin:/usr/bin:/bin",
                "RESTART_PROC": f"{self.root}/proc",
                "RESTART_RUN": f"{self.root}/run",
                "FAKE": str(self.root),
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return ShellReply(exit_status=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def claim(self, run: str, hold_s: float = 600) -> Claimed | HeldBy | NoAnswer:
        text = claim.claim_text(
            run=run, controller="laptop-1", user="ann é 'x'", since="2026-11-22T00:10Z", hold_s=hold_s
        )
        return claim.parse_claim(self.run(text))

    def reboot(
        self, boot_id: str = BOOT, not_after: float = 2000, run: str = "r1"
    ) -> RebootTaken | RebootDeclined | NoAnswer:
        request = Reboot(id="q", host="h", boot_id=boot_id, not_after_uptime_s=not_after)
        return reboot.parse(self.run(reboot.text(request, run=run)), request)

    def rebooted(self, within_s: float = 5.0) -> bool:
        """Whether the fake `reboot` was called, waited for up to `within_s`."""
        end = time.monotonic() + within_s
        while not (self.root / "rebooted").exists() and time.monotonic() < end:
            time.sleep(0.05)
        return (self.root / "rebooted").exists()


@pytest.fixture(params=SHELLS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> FakeHost:
    fake = FakeHost(root=tmp_path, shell=request.param)
    fake.boot()
    fake.tool("reboot", 'echo x >>"$FAKE/rebooted"\n')
    fake.tool("systemctl", "exit 99\n")
    return fake


def test_every_text_is_one_line() -> None:
    request = Reboot(id="q", host="h", boot_id=BOOT, not_after_uptime_s=1)
    texts = [
        probe.text(),
        claim.claim_text(run="a\nb", controller="c\n", user="u\n", since="s\n", hold_s=1),
        claim.release_text(run="a\nb"),
        claim.look_text(),
        reboot.text(request, run="a\nb"),
        units.read_text(["a.service"]),
        units.restart_text(["a.service"], ["0" * 32], 3),
    ]
    assert all("\n" not in text for text in texts)


def test_the_probe_reads_boot_id_and_uptime(host: FakeHost) -> None:
    assert probe.parse(host.run(probe.text())) == probe.Seen(boot_id=BOOT, uptime_s=1000.25)


def test_a_host_without_a_boot_id_is_no_answer(host: FakeHost) -> None:
    (host.root / "proc/sys/kernel/random/boot_id").unlink()
    assert isinstance(probe.parse(host.run(probe.text())), NoAnswer)


def test_a_chatty_login_shell_does_no_harm() -> None:
    reply = ShellReply(exit_status=0, stdout=f"Welcome!\nrestart-probe 1 boot={BOOT} uptime=5.00\nbye\n", stderr="")
    assert probe.parse(reply) == probe.Seen(boot_id=BOOT, uptime_s=5.0)


@pytest.mark.parametrize("status", [1, 127, 255, -1])
def test_a_boot_id_counts_only_with_exit_status_0(status: int) -> None:
    reply = ShellReply(exit_status=status, stdout=f"restart-probe 1 boot={BOOT} uptime=5.00\n", stderr="")
    assert isinstance(probe.parse(reply), NoAnswer)


@given(st.integers(-1, 255), st.text() | st.from_regex(r"(restart-probe 1 boot=.{0,40} uptime=.{0,9}\n)+"), st.text())
def test_the_probes_parser_never_makes_up_a_boot_id(status: int, stdout: str, stderr: str) -> None:
    seen = probe.parse(ShellReply(exit_status=status, stdout=stdout, stderr=stderr))
    if isinstance(seen, probe.Seen):
        assert status == 0
        assert seen.boot_id in stdout.lower()
        assert len(seen.boot_id) == 36
        assert seen.uptime_s >= 0
    else:
        assert seen.reason == "command"


@given(
    st.integers(0, 1),
    st.text(max_size=60),
    st.sampled_from(["claim 1 held ", "claim 1 taken ", "reboot 1 declined ", ""]),
)
def test_the_other_parsers_never_raise(status: int, text: str, word: str) -> None:
    reply = ShellReply(exit_status=status, stdout=f"restart-{word}{text}\n", stderr=text)
    request = Reboot(id="q", host="h", boot_id=BOOT, not_after_uptime_s=1)
    assert isinstance(claim.parse_claim(reply), NoAnswer | HeldBy)
    assert isinstance(claim.parse_release(reply), NoAnswer)
    assert isinstance(reboot.parse(reply, request), NoAnswer | RebootDeclined)
    assert isinstance(units.parse(reply, ["a"]), NoAnswer)


@given(st.text(max_size=60))
def test_what_is_encoded_is_one_plain_word_and_decodes(text: str) -> None:
    word = script.encode(text)
    assert not set(word) & set(" \n\t'\"\\$`;&|<>()*?[]{}!#~=")
    assert script.decode(word) == text.encode(errors="replace").decode()


def test_a_claim_is_taken_and_tells_boot_id_and_uptime(host: FakeHost) -> None:
    assert host.claim("r1") == Claimed(boot_id=BOOT, uptime_s=1000.25)


def test_a_foreign_claim_is_named(host: FakeHost) -> None:
    host.claim("r1", hold_s=600)
    host.uptime(1100)
    held = host.claim("r2")
    assert held == HeldBy(controller="laptop-1", user="ann é 'x'", run="r1", since="2026-11-22T00:10Z", for_s=500)


def test_a_runs_own_claim_is_renewed(host: FakeHost) -> None:
    host.claim("r1", hold_s=10)
    assert isinstance(host.claim("r1", hold_s=1000), Claimed)
    host.uptime(1100)
    assert isinstance(host.claim("r2"), HeldBy)


def test_an_expired_claim_is_retaken(host: FakeHost) -> None:
    host.claim("r1", hold_s=10)
    host.uptime(1011)
    assert isinstance(host.claim("r2"), Claimed)
    assert isinstance(host.claim("r1"), HeldBy)


def test_a_claim_is_gone_after_a_boot(host: FakeHost) -> None:
    host.claim("r1")
    host.boot("00000000-0000-4000-8000-000000000001", 3)
    assert isinstance(host.claim("r2"), Claimed)


def test_a_claim_that_cannot_be_read_holds(host: FakeHost) -> None:
    folder = host.root / "run/staged-restart"
    folder.mkdir()
    (folder / "claim").write_bytes(b"\xff garbage")
    assert isinstance(host.claim("r1"), HeldBy)


def test_only_one_of_many_takes_the_claim(host: FakeHost) -> None:
    texts = [claim.claim_text(run=f"r{n}", controller="c", user="u", since="s", hold_s=60) for n in range(8)]
    script_text = " ".join(f"( {text} ) & " for text in texts) + "wait"
    lines = host.run(script_text).stdout.splitlines()
    assert sum(" taken " in line for line in lines) == 1
    assert len(lines) == 8


def test_a_look_tells_whose_claim_stands_and_changes_nothing(host: FakeHost) -> None:
    look = claim.look_text()
    assert claim.parse_look(host.run(look)) is None
    host.claim("r1", hold_s=10)
    before = sorted(host.root.rglob("*"))
    held = claim.parse_look(host.run(look))
    assert held is not None
    assert (held.run, held.controller, held.for_s) == ("r1", "laptop-1", 10)
    assert sorted(host.root.rglob("*")) == before
    host.uptime(1011)
    assert claim.parse_look(host.run(look)) is None
    assert isinstance(host.claim("r2"), Claimed)


def test_release_takes_off_the_runs_own_claim_only(host: FakeHost) -> None:
    host.claim("r1")
    assert claim.parse_release(host.run(claim.release_text(run="r2"))) == Released()
    assert isinstance(host.claim("r2"), HeldBy)
    assert claim.parse_release(host.run(claim.release_text(run="r1"))) == Released()
    assert isinstance(host.claim("r2"), Claimed)


def test_release_without_a_claim_is_released(host: FakeHost) -> None:
    assert claim.parse_release(host.run(claim.release_text(run="r1"))) == Released()


def test_a_run_folder_that_cannot_be_written_is_a_lack_of_privilege(host: FakeHost) -> None:
    shutil.rmtree(host.root / "run")
    (host.root / "run").write_text("no folder")
    answer = host.claim("r1")
    assert isinstance(answer, NoAnswer)
    assert answer.reason == "privilege"


def test_a_reboot_is_taken_and_then_happens(host: FakeHost) -> None:
    host.claim("r1")
    assert host.reboot() == RebootTaken()
    assert host.rebooted()


def test_a_reboot_meant_for_another_boot_does_nothing(host: FakeHost) -> None:
    other = "00000000-0000-4000-8000-000000000001"
    host.boot(other)
    answer = host.reboot()
    assert isinstance(answer, RebootDeclined)
    assert (answer.reason, answer.boot_id) == ("boot-id", other)
    assert not host.rebooted(within_s=1.5)


@pytest.mark.parametrize(("uptime_s", "taken"), [(1998.9, True), (2000.0, False), (2001.5, False)])
def test_a_late_reboot_does_nothing(host: FakeHost, uptime_s: float, taken: bool) -> None:
    host.uptime(uptime_s)
    answer = host.reboot(not_after=2000)
    assert isinstance(answer, RebootTaken) == taken
    if not taken:
        assert isinstance(answer, RebootDeclined)
        assert answer.reason == "too-late"


def test_a_reboot_under_a_foreign_claim_does_nothing(host: FakeHost) -> None:
    host.claim("r2")
    answer = host.reboot(run="r1")
    assert isinstance(answer, RebootDeclined)
    assert answer.reason == "claim"
    assert "laptop-1" in answer.detail
    assert "r2" in answer.detail


def test_an_expired_foreign_claim_does_not_stop_a_reboot(host: FakeHost) -> None:
    host.claim("r2", hold_s=5)
    host.uptime(1006)
    assert host.reboot(run="r1") == RebootTaken()


def test_a_reboot_without_the_right_to_it_is_declined(host: FakeHost) -> None:
    shutil.rmtree(host.root / "run")
    answer = host.reboot()
    assert isinstance(answer, RebootDeclined)
    assert answer.reason == "privilege"


SYSTEMCTL = """
unit=$(eval echo \\${$#})
case "$1" in
show) case "$3" in
  ActiveState) echo "ActiveState=$(cat "$FAKE/$unit.state")";;
  InvocationID) echo "InvocationID=$(cat "$FAKE/$unit.id")";; esac;;
restart) [ -e "$FAKE/$unit.refuse" ] && exit 5; echo "$unit" >>"$FAKE/restarts"
  echo activating >"$FAKE/$unit.state"; echo 22222222222222222222222222222222 >"$FAKE/$unit.id"
  ( sleep 1; echo active >"$FAKE/$unit.state" ) >/dev/null 2>&1 & ;;
esac
"""
OLD, NEW = "1" * 32, "2" * 32


@pytest.fixture
def units_host(host: FakeHost) -> FakeHost:
    host.tool("systemctl", SYSTEMCTL)
    for unit in ("a.service", "b.service"):
        (host.root / f"{unit}.state").write_text("active\n")
        (host.root / f"{unit}.id").write_text(OLD + "\n")
    return host


def restart_units(host: FakeHost, invocations: list[str], within_s: float = 10) -> Units | NoAnswer:
    names = ["a.service", "b.service"]
    return units.parse(host.run(units.restart_text(names, invocations, within_s)), names)


def test_invocation_ids_are_read(units_host: FakeHost) -> None:
    (units_host.root / "b.service.state").write_text("failed\n")
    names = ["a.service", "b.service"]
    answer = units.parse(units_host.run(units.read_text(names)), names)
    assert answer == Units(invocations={"a.service": OLD, "b.service": ""})


def test_units_are_restarted_and_waited_for(units_host: FakeHost) -> None:
    assert restart_units(units_host, [OLD, OLD]) == Units(invocations={"a.service": NEW, "b.service": NEW})
    assert (units_host.root / "a.service.state").read_text() == "active\n"


def test_a_repeated_unit_restart_does_nothing(units_host: FakeHost) -> None:
    restart_units(units_host, [OLD, OLD])
    restart_units(units_host, [OLD, OLD])
    assert (units_host.root / "restarts").read_text().split() == ["a.service", "b.service"]


def test_a_refused_unit_restart_keeps_the_old_id(units_host: FakeHost) -> None:
    (units_host.root / "b.service.refuse").touch()
    answer = restart_units(units_host, [OLD, OLD])
    assert isinstance(answer, Units)
    assert answer.invocations["b.service"] == OLD


def test_a_host_without_systemctl_is_no_answer(host: FakeHost, tmp_path: Path) -> None:
    tools = tmp_path / "few"
    tools.mkdir()
    for name in ("sleep", "cat"):
        os.symlink(shutil.which(name) or name, tools / name)
    text = units.read_text(["a.service"]).replace(script.SYSTEM_PATHS, ":")
    assert isinstance(units.parse(host.run(text, path=str(tools)), ["a.service"]), NoAnswer)


def test_a_test_host_never_falls_back_to_the_reboot_of_the_machine_it_runs_on(host: FakeHost) -> None:
    request = Reboot(id="q", host="h", boot_id=BOOT, not_after_uptime_s=2000)
    # Its own folder is first in PATH. The machine's own `reboot` is played by paths that do not exist: the test must be harmless
    # where it fails.
    for first in ("/usr/none", f"{host.root}/none"):
        answer = reboot.parse(host.run(reboot.text(request, run="r1"), path=f"{first}:/usr/bin:/bin"), request)
        assert isinstance(answer, RebootDeclined)
        assert answer.reason == "failed"


def test_a_claim_reads_the_running_kernel_where_the_host_tells_it(host: FakeHost) -> None:
    (host.root / "proc/sys/kernel/osrelease").write_text("6.1.0-28-amd64\n")
    assert host.claim("r1") == Claimed(boot_id=BOOT, uptime_s=1000.25, kernel="6.1.0-28-amd64")
