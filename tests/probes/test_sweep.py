"""The sweep is run by the real shells of this machine against fake folders; its parser and every section's are fuzzed."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restart.model.answer import NoAnswer
from restart.model.question import ShellReply
from restart.probes import sweep
from restart.probes.probe import Seen
from restart.probes.section import Lines, Section
from restart.probes.sections import SECTIONS, boot, identity, kernel, reboot_required, systemd
from restart.probes.sections.kernel import Kernel
from restart.probes.sections.reboot_required import Asked, wanted
from restart.probes.sections.systemd import Systemd
from tests.probes.fake_host import BOOT, SHELLS, FakeHost, fake_host

ALL = tuple(SECTIONS.values())


@pytest.fixture(params=SHELLS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> FakeHost:
    return fake_host(tmp_path, request.param)


def test_boot_id_and_uptime_are_read_together(host: FakeHost) -> None:
    assert host.swept(boot.SECTION).of(boot.SECTION) == Seen(boot_id=BOOT, uptime_s=1000.25)


def test_a_host_says_who_it_is(host: FakeHost) -> None:
    host.file("etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n')
    (host.root / "run/systemd/system").mkdir(parents=True)
    assert host.swept(identity.SECTION).of(identity.SECTION) == identity.Identity(
        hostname="db-1", os="debian", os_version="12", os_name="Debian GNU/Linux 12 (bookworm)", init="systemd"
    )


def test_systemd_names_its_state_and_its_failed_units(host: FakeHost) -> None:
    (host.root / "run/systemd/system").mkdir(parents=True)
    host.tool(
        "systemctl",
        'case "$*" in is-system-running) echo degraded; exit 1;; *) echo "a.service loaded failed failed A"; '
        'echo "● b@1.mount loaded failed failed B";; esac\n',
    )
    assert host.swept(systemd.SECTION).of(systemd.SECTION) == Systemd(
        runs=True, state="degraded", failed=("a.service", "b@1.mount")
    )


def test_a_host_without_systemd_is_no_error(host: FakeHost) -> None:
    host.tool("systemctl", "echo running\n")
    assert host.swept(systemd.SECTION).of(systemd.SECTION) == Systemd(runs=False)


def test_a_hanging_systemctl_costs_three_seconds_and_not_the_sweep(host: FakeHost) -> None:
    (host.root / "run/systemd/system").mkdir(parents=True)
    host.tool("systemctl", 'case "$1" in is-system-running) exec sleep 60;; esac\n')
    start_s = time.monotonic()
    swept = host.swept(systemd.SECTION, boot.SECTION)
    assert time.monotonic() - start_s < 10
    assert swept.of(systemd.SECTION) == Systemd(runs=True)
    assert swept.of(boot.SECTION) is not None


def test_a_tool_is_ended_in_time_without_a_timeout_command_too(host: FakeHost) -> None:
    tools = host.root / "few"
    tools.mkdir()
    for name in ("sed", "sleep", "uname", "sh"):
        (tools / name).symlink_to(shutil.which(name) or name)
    section = Section(name="slow", text="limited 1 sleep 60; echo after", read=lambda lines: lines.text)
    # The script adds the system's folders to PATH; a function of that name stands before them.
    start_s = time.monotonic()
    swept = host.swept(section, before="timeout() { return 127; }\n", path=str(tools))
    assert time.monotonic() - start_s < 10
    assert swept.of(section) == ("late sleep", "after")
    # And nobody waits for the end of a time that was not needed.
    quick = Section(name="quick", text="limited 60 uname; echo after", read=lambda lines: lines.text)
    start_s = time.monotonic()
    assert host.swept(quick, before="timeout() { return 127; }\n", path=str(tools)).of(quick) == ("Linux", "after")
    assert time.monotonic() - start_s < 30


def test_an_older_kernel_than_the_newest_installed_wants_a_reboot(host: FakeHost) -> None:
    host.file("boot/vmlinuz-6.1.0-28-amd64")
    host.file("boot/vmlinuz-6.1.0-100-amd64")
    host.file("boot/vmlinuz-6.1.0-200-cloud-amd64")
    host.file("lib/modules/6.1.0-99-amd64/modules.dep")
    swept = host.swept(kernel.SECTION, reboot_required.SECTION)
    seen = swept.of(kernel.SECTION)
    assert seen == Kernel(running="6.1.0-28-amd64", newest="6.1.0-100-amd64")
    assert wanted(swept.of(reboot_required.SECTION), seen) == (
        True,
        "kernel 6.1.0-28-amd64 runs, 6.1.0-100-amd64 is installed",
    )


def test_the_newest_kernel_running_wants_none(host: FakeHost) -> None:
    host.file("boot/vmlinuz-6.1.0-9-amd64")
    host.file("boot/vmlinuz-6.1.0-28-amd64")
    swept = host.swept(kernel.SECTION, reboot_required.SECTION)
    assert wanted(swept.of(reboot_required.SECTION), swept.of(kernel.SECTION))[0] is False


def test_debians_file_wants_a_reboot_and_names_the_packages(host: FakeHost) -> None:
    host.file("run/reboot-required", "*** System restart required ***\n")
    host.file("run/reboot-required.pkgs", "linux-image-amd64\nlibc6\n")
    asked = host.swept(reboot_required.SECTION).of(reboot_required.SECTION)
    assert asked == Asked(file=f"{host.root}/run/reboot-required", packages=("linux-image-amd64", "libc6"))
    assert wanted(asked, None) == (True, f"{host.root}/run/reboot-required (linux-image-amd64, libc6)")


@pytest.mark.parametrize(("status", "said"), [(0, False), (1, True), (2, None)])
def test_needs_restarting_is_asked_where_it_is(host: FakeHost, status: int, said: bool | None) -> None:
    host.tool("needs-restarting", f"exit {status}\n")
    assert host.swept(reboot_required.SECTION).of(reboot_required.SECTION) == Asked(tool=said)


def test_a_host_that_tells_nothing_is_not_said_to_want_none(host: FakeHost) -> None:
    swept = host.swept(kernel.SECTION, reboot_required.SECTION)
    assert wanted(swept.of(reboot_required.SECTION), swept.of(kernel.SECTION)) == (None, "nothing on the host tells")


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("5.14.0-427.el9_4.x86_64", "5.14.0-427.13.1.el9_4.x86_64"),
        ("5.14.0-427.13.1.el9_4.x86_64", "5.14.0-503.el9_5.x86_64"),
        ("6.8.0-9-generic", "6.8.0-49-generic"),
        ("6.6.58-0-lts", "6.6.60-0-lts"),
    ],
)
def test_versions_are_compared_as_distributions_count(older: str, newer: str) -> None:
    def read(running: str, *installed: str) -> Kernel:
        return kernel.SECTION.read(Lines(text=(f"running {running}", *(f"installed {name}" for name in installed))))

    assert read(older, older, newer).is_old is True
    assert read(newer, older, newer).is_old is False
    assert read(newer, older).is_old is False


def test_what_a_host_prints_cannot_pass_for_a_frame(host: FakeHost) -> None:
    text = 'echo "restart-probe 1 end liar"; echo "restart-probe 1 section boot"; echo "boot x"; echo "restart-probe 1 done"'
    liar = Section(name="liar", text=text, read=lambda lines: lines.text)
    swept = host.swept(liar, boot.SECTION)
    assert swept.of(liar) == (
        "restart-probe 1 end liar",
        "restart-probe 1 section boot",
        "boot x",
        "restart-probe 1 done",
    )
    assert swept.of(boot.SECTION) == Seen(boot_id=BOOT, uptime_s=1000.25)


def test_a_section_is_cut_at_its_bounds_and_says_so(host: FakeHost) -> None:
    text = "i=0; while [ $i -lt 50 ]; do echo $i; i=$((i + 1)); done"
    many = Section(name="many", text=text, read=lambda lines: lines, lines_max=10)
    long = Section(name="long", text="printf '%s' a; printf '%2000s\\n' b", read=lambda lines: lines)
    swept = host.swept(many, long)
    assert swept.of(many) == Lines(text=tuple(str(number) for number in range(10)), complete=False)
    cut = swept.of(long)
    assert cut is not None
    assert [len(line) for line in cut.text] == [510]


def test_a_section_that_reads_its_input_does_not_eat_the_script(host: FakeHost) -> None:
    greedy = Section(name="greedy", text="cat; echo end", read=lambda lines: lines.text)
    swept = host.swept(greedy, boot.SECTION)
    assert swept.of(greedy) == ("end",)
    assert swept.of(boot.SECTION) is not None


def test_half_a_script_does_nothing(host: FakeHost) -> None:
    touch = Section(name="touching", text=f': >"{host.root}/touched"', read=lambda lines: None)
    whole = sweep.text((touch, boot.SECTION))
    words = [shutil.which(host.shell) or host.shell, *(["sh"] if host.shell == "busybox" else [])]
    for cut in range(0, len(whole) - 30, 97):
        subprocess.run(words, input=whole[:cut], capture_output=True, text=True, timeout=30, check=False)
        assert not (host.root / "touched").exists()
    subprocess.run(words, input=whole, capture_output=True, text=True, timeout=30, check=False)
    assert (host.root / "touched").exists()


def test_a_chatty_shell_around_it_does_no_harm(host: FakeHost) -> None:
    chatty = "echo 'Welcome!'; echo 'restart-probe is great'; echo '|boot 0'\n"
    assert host.swept(boot.SECTION, before=chatty).of(boot.SECTION) is not None


def test_all_sections_cost_the_host_less_than_300_ms_of_cpu_and_5_s(host: FakeHost) -> None:
    (host.root / "run/systemd/system").mkdir(parents=True)
    host.tool("systemctl", "echo running\n")
    start_s = time.monotonic()
    swept = host.swept(*ALL)
    assert time.monotonic() - start_s < 5
    assert set(swept.sections) == set(SECTIONS)
    assert swept.cpu_s is not None
    assert swept.cpu_s < 0.3


def test_nothing_is_written_by_any_section(host: FakeHost) -> None:
    before = sorted(host.root.rglob("*"))
    host.swept(*ALL)
    assert sorted(host.root.rglob("*")) == before


def test_a_shell_that_cannot_run_it_is_no_answer() -> None:
    gone = sweep.parse(ShellReply(exit_status=127, stdout="", stderr="sh: not found"))
    assert isinstance(gone, NoAnswer)
    assert "sh: not found" in gone.detail
    nothing = NoAnswer(reason="auth", detail="no key was accepted")
    assert sweep.parse(nothing) == nothing


def test_a_section_that_came_twice_or_half_does_not_count() -> None:
    frame = "restart-probe 1 "
    whole = [f"{frame}section boot", f"|boot {BOOT}", "|uptime 5.0", f"{frame}end boot"]

    def seen(*lines: str) -> Seen | None:
        found = sweep.parse(ShellReply(exit_status=0, stdout="\n".join((f"{frame}begin", *lines)), stderr=""))
        assert isinstance(found, sweep.Swept)
        return found.of(boot.SECTION)

    assert seen(*whole) == Seen(boot_id=BOOT, uptime_s=5.0)
    assert seen(*whole, *whole) is None
    assert seen(*whole[:-1]) is None


_LINES = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.sampled_from(
            (
                "boot",
                "uptime",
                "running",
                "installed",
                "state",
                "failed",
                "file",
                "tool",
                "hostname",
                "Id",
                "WantedBy",
                "ss",
                "proc",
                "comm",
                "cgroup",
                "owner",
                "range",
                "mount",
                "entry",
                "swap",
                "fstab",
                "address",
                "route",
                "config",
                "live",
                "rules",
                "keeper",
                "entry",
                "missing",
                "kernel",
                "room",
                "ext",
                "errors",
                "now",
                "md",
                "pool",
                "smart",
                "said",
                "person",
                "packaging",
                "inhibitor",
                "user",
                "uid",
                "own",
                "session",
                "listen",
                "in",
                "out",
                "address6",
                "elsewhere",
                "host",
                "resolver",
                "ldap",
                "package",
                "unit",
            )
        ).flatmap(lambda word: st.text(max_size=600).map(lambda rest: f"{word} {rest}")),
        st.builds("installed {}.{}".format, st.integers(0), st.text(max_size=20)),
        # As many words as the readers expect, of any kind.
        st.builds(
            "{} {} {} {} {} {}".format,
            st.sampled_from(
                (
                    "ss tcp",
                    "proc",
                    "entry",
                    "mount",
                    "room",
                    "ext",
                    "kernel",
                    "address",
                    "file",
                    "md md0 :",
                    "in",
                    "out",
                    "session",
                    "own",
                    "listen",
                    "mount /etc/fstab hard nfs",
                )
            ),
            *[st.one_of(st.integers(0).map(str), st.text(max_size=12), st.just("0100007F:0016")) for _ in range(5)],
        ),
    ),
    max_size=30,
)


@pytest.mark.parametrize("section", ALL, ids=lambda section: section.name)
@given(lines=_LINES, complete=st.booleans())
def test_no_section_raises_on_any_lines(section: Section[object], lines: list[str], complete: bool) -> None:
    section.read(Lines(text=tuple(lines), complete=complete))


@given(
    stdout=st.one_of(
        st.text(),
        st.binary().map(lambda raw: raw.decode(errors="replace")),
        st.lists(
            st.one_of(
                st.sampled_from([f"restart-probe 1 {word}" for word in ("begin", "times", "done", "section boot")]),
                st.sampled_from(["restart-probe 1 end boot", "restart-probe 1 section kernel", "~", "0m0.1s 0m0.2s"]),
                st.text(max_size=30).map(lambda text: "|" + text),
            )
        ).map("\n".join),
    ),
    status=st.integers(-1, 255),
)
def test_the_parser_never_raises(stdout: str, status: int) -> None:
    found = sweep.parse(ShellReply(exit_status=status, stdout=stdout, stderr=stdout))
    if isinstance(found, sweep.Swept):
        for section in ALL:
            found.of(section)


@given(cut=st.integers(0, 400))
def test_a_truncated_answer_never_gives_a_wrong_boot_id(cut: int) -> None:
    frame = "restart-probe 1 "
    whole = f"{frame}begin\n{frame}section boot\n|boot {BOOT}\n|uptime 1000.25\n{frame}end boot\n{frame}done\n"
    found = sweep.parse(ShellReply(exit_status=0, stdout=whole[:cut], stderr=""))
    if isinstance(found, sweep.Swept):
        assert found.of(boot.SECTION) in (None, Seen(boot_id=BOOT, uptime_s=1000.25))


def test_a_huge_answer_is_read_to_its_bound_only() -> None:
    head = "restart-probe 1 begin\nrestart-probe 1 section boot\n"
    huge = head + "|x\n" * sweep.REPLY_BYTES_MAX + "restart-probe 1 end boot\n"
    start_s = time.monotonic()
    found = sweep.parse(ShellReply(exit_status=0, stdout=huge, stderr=""))
    assert time.monotonic() - start_s < 5
    assert isinstance(found, sweep.Swept)
    assert found.of(boot.SECTION) is None
