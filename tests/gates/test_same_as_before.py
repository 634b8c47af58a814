"""`same_as_before`: each difference by its name, UNKNOWN where the host cannot tell, and PASS for what is there again or allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from restart.gates.same_as_before import gate
from restart.model.answer import NoAnswer
from restart.model.check import OF_RUN, Check, Finding, Verdict
from restart.model.inventory import Host
from restart.model.question import Reply, Shell, ShellReply
from restart.probes.standing import KEYS_MAX

LISTENING = [
    "range 32768 60999",
    'ss tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))',
    'ss tcp LISTEN 0 128 0.0.0.0:5432 0.0.0.0:* users:(("postgres",pid=2,fd=3))',
    "cgroup 2 /system.slice/postgresql.service",
]
RUNNING = ["unit nginx.service active running", "unit backup.timer active waiting"]
MOUNTS = ["mount /dev/vda1 / ext4 rw 0 0", "mount /dev/vdb1 /srv ext4 rw 0 0", "swap /dev/vdc1"]
NETWORK = [
    "told addresses", "address static eth0 inet 10.0.0.5/24", "address dynamic eth1 inet 192.168.0.7/24", "told routes4",
    "route 4 default via 10.0.0.1 dev eth0 proto static", "answers 10.0.0.1", "told resolvers", "resolver 10.0.0.2",
]  # fmt: skip
WHOLE = {"listening": LISTENING, "running": RUNNING, "mounts": MOUNTS, "network": NETWORK}


def said(**sections: list[str]) -> ShellReply:
    """What a host says: WHOLE, but for the `sections` given; an empty one is not answered."""
    lines = ["restart-probe 1 begin"]
    for name, held in {**WHOLE, **sections}.items():
        if held:
            lines += [f"restart-probe 1 section {name}", *(f"|{line}" for line in held), f"restart-probe 1 end {name}"]
    return ShellReply(exit_status=0, stdout="\n".join([*lines, "restart-probe 1 done"]), stderr="")


def without(lines: list[str], word: str, *more: str) -> list[str]:
    return [line for line in lines if word not in line] + list(more)


def judged(reply: Reply, known: dict[str, Any] | None = None, **params: Any) -> Finding:
    check = Check(kind="same_as_before", params={**params, **({} if known is None else {OF_RUN: known})})
    return gate.judge(check, [reply])


def before(reply: ShellReply | None = None) -> dict[str, Any]:
    """What a first look keeps, as it comes back from a journal."""
    first = judged(reply or said(), {"first": True})
    assert first.verdict is Verdict.PASS
    return {"before": json.loads(json.dumps(first.seen))}


def after(reply: ShellReply, **params: Any) -> Finding:
    return judged(reply, before(), **params)


def test_it_is_one_sweep_over_ssh_with_the_checks_timeout() -> None:
    (question,) = gate.ask(Check(kind="same_as_before", timeout_s=7.0), Host(name="db-1", address="x"), "db")
    assert isinstance(question, Shell)
    assert (question.host, question.command, question.timeout_s) == ("db-1", "sh", 7.0)
    with pytest.raises(ValueError, match="belongs under a service's ready, or defaults"):
        gate.ask(Check(kind="same_as_before"), None, "db")


def test_a_first_look_passes_and_keeps_what_stands() -> None:
    first = judged(said(), {"first": True})
    assert first.verdict is Verdict.PASS
    assert first.evidence == (
        "same_as_before: before its restart 2 listeners, 2 units, 3 mounts, 2 addresses, 2 routes, 1 name servers"
    )
    assert first.seen["there"]["tcp:5432"] == "any postgresql.service postgres"


def test_what_is_the_same_passes_and_what_is_new_is_nobodys_fault() -> None:
    assert after(said()).verdict is Verdict.PASS
    more = said(
        listening=[*LISTENING, "ss tcp LISTEN 0 1 0.0.0.0:9 0.0.0.0:*"],
        running=[*RUNNING, "unit x.service active running"],
    )
    assert after(more).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("reply", "difference"),
    [
        (said(listening=without(LISTENING, "5432")), ":5432 postgres was listening, is not"),
        (
            said(listening=[line.replace("0.0.0.0:5432", "127.0.0.1:5432") for line in LISTENING]),
            ":5432 postgres was listening, is on this host only",
        ),
        (
            said(listening=[line.replace("postgres", "pgbouncer") for line in LISTENING]),
            ":5432 postgres was listening, pgbouncer is",
        ),
        (said(running=without(RUNNING, "nginx")), "nginx.service was running, is not"),
        (said(running=without(RUNNING, "nginx", "unit nginx.service failed failed")), "nginx.service was running, has failed"),
        (
            said(running=without(RUNNING, "nginx", "unit nginx.service activating auto-restart")),
            "nginx.service was running, is still starting",
        ),
        (said(running=without(RUNNING, "backup")), "backup.timer was running, is not"),
        (said(mounts=without(MOUNTS, "/srv")), "/srv was mounted, is not"),
        (said(mounts=[line.replace("/srv ext4 rw", "/srv ext4 ro") for line in MOUNTS]), "/srv was writable, is read-only"),
        (said(mounts=without(MOUNTS, "swap")), "swap /dev/vdc1 was on, is not"),
        (said(network=without(NETWORK, "10.0.0.5")), "address 10.0.0.5/24 was on eth0, is not"),
        (said(network=without(NETWORK, "dynamic")), "1 IPv4 addresses came from a server, none does"),
        (said(network=without(NETWORK, "default")), "route default via 10.0.0.1 was there, is not"),
        (
            said(network=[line.replace("via 10.0.0.1", "via 10.0.0.9") for line in NETWORK]),
            "route default via 10.0.0.1 was there, via 10.0.0.9 is",
        ),
        (said(network=without(NETWORK, "answers")), "gateway 10.0.0.1 answered, does not"),
        (said(network=without(NETWORK, "resolver 10")), "name server 10.0.0.2 was in resolv.conf, is not"),
    ],
)  # fmt: skip
def test_what_is_missing_fails_by_its_name(reply: ShellReply, difference: str) -> None:
    finding = after(reply)
    assert (finding.verdict, finding.evidence) == (Verdict.FAIL, f"same_as_before: {difference}")


@pytest.mark.parametrize(
    "reply",
    [
        said(mounts=[line.replace("/dev/vdc1", "/dev/sdx9") for line in MOUNTS]),
        said(network=[line.replace("192.168.0.7", "192.168.0.99") for line in NETWORK]),
        said(network=[line.replace("answers 10.0.0.1", "answers 10.0.0.9") for line in NETWORK]),
        said(
            listening=[
                line.replace('"postgres"', '"systemd"').replace("postgresql", "postgresql-proxy") for line in LISTENING
            ]
        ),
        said(listening=without(LISTENING, "cgroup")),
    ],
)
def test_other_names_of_the_same_thing_pass(reply: ShellReply) -> None:
    assert after(reply).verdict is Verdict.PASS, after(reply).evidence


@pytest.mark.parametrize("part", ["listening", "running", "mounts", "network"])
def test_what_the_host_can_tell_no_longer_is_unknown_and_a_fail_beside_it_is_a_fail(part: str) -> None:
    finding = after(said(**{part: []}))
    assert finding.verdict is Verdict.UNKNOWN
    assert "cannot tell its" in finding.evidence
    other = "mounts" if part != "mounts" else "listening"
    lost = without(WHOLE[other], "/srv" if other == "mounts" else "5432")
    assert after(said(**{part: [], other: lost})).verdict is Verdict.FAIL


def test_a_part_that_could_not_be_told_before_is_not_demanded() -> None:
    known = before(said(running=[], network=[]))
    assert judged(said(running=[], network=[]), known).verdict is Verdict.PASS
    assert judged(said(), known).verdict is Verdict.PASS


def test_silence_and_a_host_that_tells_nothing_are_unknown() -> None:
    nothing = said(listening=[], running=[], mounts=[], network=[])
    for known in ({"first": True}, before(), None):
        assert judged(nothing, known).verdict is Verdict.UNKNOWN
        assert judged(NoAnswer(reason="timeout"), known).verdict is Verdict.UNKNOWN
        assert judged(ShellReply(exit_status=127, stdout="", stderr="sh: not found"), known).verdict is Verdict.UNKNOWN
    assert judged(said()).verdict is Verdict.UNKNOWN, "nothing is known from before"


@pytest.mark.parametrize("allow", ["tcp:5432", "tcp:*", "*:5432"])
def test_what_is_allowed_may_be_gone(allow: str) -> None:
    gone = said(listening=without(LISTENING, "5432"))
    assert after(gone, allow=[allow]).verdict is Verdict.PASS
    assert after(gone, allow=["tcp:543"]).verdict is Verdict.FAIL


def test_many_differences_are_one_line_that_counts_the_rest() -> None:
    ports = [f"ss tcp LISTEN 0 1 0.0.0.0:{port} 0.0.0.0:*" for port in range(8001, 8010)]
    known = before(said(listening=[*LISTENING, *ports]))
    finding = judged(said(), known)
    assert finding.verdict is Verdict.FAIL
    assert ":8001 was listening, is not; :8002" in finding.evidence
    assert finding.evidence.endswith("and 5 more")
    assert len(finding.evidence) <= 200


def test_a_look_that_was_cut_demands_what_it_has_and_proves_nothing_missing() -> None:
    cut = said()
    cut = ShellReply(
        exit_status=0,
        stdout=cut.stdout.replace("restart-probe 1 end running", "~\nrestart-probe 1 end running"),
        stderr="",
    )
    gone = cut.stdout.replace("|unit nginx.service active running\n", "")
    assert after(ShellReply(exit_status=0, stdout=gone, stderr="")).verdict is Verdict.UNKNOWN
    assert judged(said(running=without(RUNNING, "nginx")), before(cut)).verdict is Verdict.FAIL


def test_what_is_kept_of_a_host_is_bounded_and_the_rest_is_said() -> None:
    many = said(running=[f"unit u{number}.service active running" for number in range(900)])
    first = judged(many, {"first": True})
    assert len(first.seen["there"]) == KEYS_MAX
    assert "more are not held against it" in first.evidence
    assert len(json.dumps(dict(first.seen))) < 100_000
    assert judged(many, {"before": dict(first.seen)}).verdict is Verdict.PASS
