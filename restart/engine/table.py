"""The one table of a move's life. Everything that may happen to a move is a row here; the rest is a bug.

A move is begun, claims its host, drains it, is judged once more, climbs its ladder rung by rung until the host is back and
proved so, holds its checks, is confirmed to be in the same boot still, undrains, and is done:

    WAITING > CLAIMING > DRAINING > JUDGING > CLIMBING > MEASURING > REBOOTING > AWAITING > CHECKING > CONFIRMING > UNDRAINING > DONE

A move that stops a host ends in AWAITING, where it is proved off: nothing is checked and nothing undone.
A rung that switches power has its own way from CLIMBING to AWAITING: PROBING > SENSING > SWITCHING.

Each phase but the resting ones has at most one request in flight. `restart.engine.moving` says what each phase does when it is
entered, and which sign an answer amounts to; nothing else changes a phase.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where a move is."""

    WAITING = "waiting"
    CLAIMING = "claiming"
    DRAINING = "draining"
    JUDGING = "judging"
    CLIMBING = "climbing"
    MEASURING = "measuring"
    REBOOTING = "rebooting"
    PROBING = "probing"
    SENSING = "sensing"
    SWITCHING = "switching"
    AWAITING = "awaiting"
    READING = "reading"
    RESTARTING = "restarting"
    APPROVING = "approving"
    BRIDGING = "bridging"
    SEEDING = "seeding"
    CHECKING = "checking"
    CONFIRMING = "confirming"
    UNDRAINING = "undraining"
    UNDOING = "undoing"
    IN_DOUBT = "in_doubt"
    DONE = "done"
    NOT_REBOOTED = "not_rebooted"
    UNTOUCHED = "untouched"
    QUARANTINED = "quarantined"
    SKIPPED = "skipped"


class Sign(StrEnum):
    """What happened to a move."""

    BEGUN = "begun"
    CLAIMED = "claimed"
    FOREIGN = "foreign"
    UNREACHED = "unreached"
    SILENT = "silent"
    BLIND = "blind"
    TRY_LATER = "try_later"
    UP_ALREADY = "up_already"
    RETURNED = "returned"
    NOT_WELL = "not_well"
    GONE = "gone"
    OFF = "off"
    DRAINED = "drained"
    STEP_FAILED = "step_failed"
    CALLED_OFF = "called_off"
    ALLOWED = "allowed"
    DOUBTED = "doubted"
    WITHHELD = "withheld"
    RUNG_REBOOT = "rung_reboot"
    RUNG_UNITS = "rung_units"
    RUNG_POWER = "rung_power"
    RUNG_APPROVAL = "rung_approval"
    NO_RUNGS = "no_rungs"
    LADDER_ENDED = "ladder_ended"
    LADDER_ENDED_UP = "ladder_ended_up"
    LADDER_ENDED_UNTOUCHED = "ladder_ended_untouched"
    MEASURED = "measured"
    PROBED = "probed"
    SWITCH = "switch"
    UNSURE = "unsure"
    SENT = "sent"
    BOOTED = "booted"
    BOOTED_BARE = "booted_bare"
    AGAIN = "again"
    RUNG_FAILED = "rung_failed"
    LOST = "lost"
    READ = "read"
    RESTARTED = "restarted"
    APPROVED = "approved"
    BRIDGED = "bridged"
    TO_BE_SEEDED = "to_be_seeded"
    STARTED = "started"
    HELD = "held"
    SHAKEN = "shaken"
    SAME_BOOT = "same_boot"
    UNDRAINED = "undrained"
    UNDRAINED_UNPROVED = "undrained_unproved"
    CANARY_LOST = "canary_lost"
    UNDONE = "undone"
    UNDONE_FAILED = "undone_failed"
    TOLD_DONE = "told_done"
    TOLD_OFF = "told_off"
    TOLD_RETRY = "told_retry"
    TOLD_SKIP = "told_skip"


P, S = Phase, Sign

TABLE: dict[tuple[Phase, Sign], Phase] = {
    (P.WAITING, S.BEGUN): P.CLAIMING,
    (P.WAITING, S.TOLD_SKIP): P.SKIPPED,
    (P.CLAIMING, S.CLAIMED): P.DRAINING,
    (P.CLAIMING, S.FOREIGN): P.WAITING,
    (P.CLAIMING, S.UNREACHED): P.QUARANTINED,
    (P.CLAIMING, S.SILENT): P.DRAINING,
    (P.CLAIMING, S.UP_ALREADY): P.CHECKING,
    (P.CLAIMING, S.TRY_LATER): P.WAITING,
    (P.CLAIMING, S.RETURNED): P.CHECKING,
    (P.CLAIMING, S.GONE): P.AWAITING,
    (P.CLAIMING, S.BLIND): P.UNDOING,
    (P.DRAINING, S.DRAINED): P.JUDGING,
    (P.DRAINING, S.STEP_FAILED): P.UNDOING,
    (P.DRAINING, S.CALLED_OFF): P.UNDOING,
    (P.JUDGING, S.ALLOWED): P.CLIMBING,
    (P.JUDGING, S.CALLED_OFF): P.UNDOING,
    (P.CLIMBING, S.DOUBTED): P.JUDGING,
    (P.CLIMBING, S.RUNG_REBOOT): P.MEASURING,
    (P.CLIMBING, S.RUNG_UNITS): P.READING,
    (P.CLIMBING, S.RUNG_POWER): P.PROBING,
    (P.CLIMBING, S.RUNG_APPROVAL): P.APPROVING,
    (P.CLIMBING, S.NO_RUNGS): P.CHECKING,
    (P.CLIMBING, S.LADDER_ENDED): P.QUARANTINED,
    (P.CLIMBING, S.LADDER_ENDED_UP): P.CHECKING,
    (P.CLIMBING, S.LADDER_ENDED_UNTOUCHED): P.UNDOING,
    (P.MEASURING, S.DOUBTED): P.JUDGING,
    (P.MEASURING, S.MEASURED): P.REBOOTING,
    (P.MEASURING, S.CALLED_OFF): P.UNDOING,
    (P.MEASURING, S.WITHHELD): P.CLIMBING,
    (P.MEASURING, S.BOOTED): P.CHECKING,
    (P.MEASURING, S.GONE): P.AWAITING,
    (P.MEASURING, S.RUNG_FAILED): P.CLIMBING,
    (P.REBOOTING, S.SENT): P.AWAITING,
    (P.REBOOTING, S.AGAIN): P.MEASURING,
    (P.REBOOTING, S.DOUBTED): P.JUDGING,
    (P.REBOOTING, S.WITHHELD): P.CLIMBING,
    (P.REBOOTING, S.RUNG_FAILED): P.CLIMBING,
    (P.PROBING, S.DOUBTED): P.JUDGING,
    (P.PROBING, S.PROBED): P.SENSING,
    (P.PROBING, S.WITHHELD): P.CLIMBING,
    (P.PROBING, S.BOOTED): P.CHECKING,
    (P.PROBING, S.RUNG_FAILED): P.CLIMBING,
    (P.SENSING, S.DOUBTED): P.JUDGING,
    (P.SENSING, S.CALLED_OFF): P.UNDOING,
    (P.SENSING, S.WITHHELD): P.CLIMBING,
    (P.SENSING, S.SWITCH): P.SWITCHING,
    (P.SENSING, S.SENT): P.AWAITING,
    (P.SENSING, S.LOST): P.IN_DOUBT,
    (P.SENSING, S.RUNG_FAILED): P.CLIMBING,
    (P.SWITCHING, S.DOUBTED): P.JUDGING,
    (P.SWITCHING, S.WITHHELD): P.CLIMBING,
    (P.SWITCHING, S.SENT): P.AWAITING,
    (P.SWITCHING, S.UNSURE): P.SENSING,
    (P.AWAITING, S.UNSURE): P.SENSING,
    (P.AWAITING, S.BOOTED): P.CHECKING,
    (P.AWAITING, S.OFF): P.DONE,
    (P.AWAITING, S.AGAIN): P.MEASURING,
    (P.AWAITING, S.DOUBTED): P.JUDGING,
    (P.AWAITING, S.WITHHELD): P.CLIMBING,
    (P.AWAITING, S.RUNG_FAILED): P.CLIMBING,
    (P.AWAITING, S.LOST): P.IN_DOUBT,
    (P.READING, S.DOUBTED): P.JUDGING,
    (P.READING, S.READ): P.RESTARTING,
    (P.READING, S.CALLED_OFF): P.UNDOING,
    (P.READING, S.WITHHELD): P.CLIMBING,
    (P.READING, S.RESTARTED): P.CHECKING,
    (P.READING, S.RUNG_FAILED): P.CLIMBING,
    (P.RESTARTING, S.RESTARTED): P.CHECKING,
    (P.RESTARTING, S.AGAIN): P.READING,
    (P.RESTARTING, S.DOUBTED): P.JUDGING,
    (P.RESTARTING, S.WITHHELD): P.CLIMBING,
    (P.RESTARTING, S.RUNG_FAILED): P.CLIMBING,
    (P.APPROVING, S.APPROVED): P.AWAITING,
    (P.APPROVING, S.BOOTED): P.CHECKING,
    (P.APPROVING, S.BOOTED_BARE): P.BRIDGING,
    (P.AWAITING, S.BOOTED_BARE): P.BRIDGING,
    (P.PROBING, S.BOOTED_BARE): P.BRIDGING,
    (P.MEASURING, S.BOOTED_BARE): P.BRIDGING,
    (P.BRIDGING, S.BRIDGED): P.CHECKING,
    (P.BRIDGING, S.STEP_FAILED): P.QUARANTINED,
    (P.BRIDGING, S.TO_BE_SEEDED): P.SEEDING,
    (P.SEEDING, S.STARTED): P.CHECKING,
    (P.SEEDING, S.STEP_FAILED): P.QUARANTINED,
    (P.CHECKING, S.HELD): P.CONFIRMING,
    (P.CHECKING, S.NOT_WELL): P.DRAINING,
    (P.CHECKING, S.RUNG_FAILED): P.CLIMBING,
    (P.CONFIRMING, S.SAME_BOOT): P.UNDRAINING,
    (P.CONFIRMING, S.SHAKEN): P.CHECKING,
    (P.UNDRAINING, S.UNDRAINED): P.DONE,
    (P.UNDRAINING, S.UNDRAINED_UNPROVED): P.NOT_REBOOTED,
    (P.UNDRAINING, S.STEP_FAILED): P.QUARANTINED,
    (P.DONE, S.CANARY_LOST): P.QUARANTINED,
    (P.UNDOING, S.UNDONE): P.WAITING,
    (P.UNDOING, S.UNDONE_FAILED): P.UNTOUCHED,
    (P.UNDOING, S.STEP_FAILED): P.QUARANTINED,
    (P.IN_DOUBT, S.TOLD_DONE): P.CHECKING,
    (P.IN_DOUBT, S.TOLD_OFF): P.AWAITING,
    (P.IN_DOUBT, S.TOLD_RETRY): P.WAITING,
    (P.IN_DOUBT, S.TOLD_SKIP): P.SKIPPED,
    (P.QUARANTINED, S.TOLD_DONE): P.CHECKING,
    (P.QUARANTINED, S.TOLD_OFF): P.AWAITING,
    (P.QUARANTINED, S.TOLD_RETRY): P.WAITING,
    (P.QUARANTINED, S.TOLD_SKIP): P.SKIPPED,
    (P.UNTOUCHED, S.TOLD_RETRY): P.WAITING,
    (P.UNTOUCHED, S.TOLD_SKIP): P.SKIPPED,
    (P.NOT_REBOOTED, S.TOLD_RETRY): P.WAITING,
    (P.NOT_REBOOTED, S.TOLD_SKIP): P.SKIPPED,
}

FAILED = frozenset({P.QUARANTINED, P.UNTOUCHED})
"""Ended, and counted by the brakes."""

FINISHED = frozenset({P.DONE, P.NOT_REBOOTED, P.SKIPPED}) | FAILED
"""Ended one way or the other: finished for order (design: rule 3), whatever its readiness."""

IN_FLIGHT = frozenset(Phase) - FINISHED - {P.WAITING, P.IN_DOUBT}
"""From the first act until the checks have held."""

HOLDS_SLOTS = IN_FLIGHT | {P.QUARANTINED, P.IN_DOUBT}
"""A failed move keeps its slots, and one in doubt too, until an operator decides."""

ONLY_AN_OPERATOR = frozenset({P.QUARANTINED, P.IN_DOUBT})
"""Nothing but an operator's word moves these on."""

COUNTS_AS_DOWN = IN_FLIGHT | {P.QUARANTINED, P.IN_DOUBT}
"""Not available, whatever its checks say."""

NOT_UP = frozenset(Phase) - {P.DONE, P.NOT_REBOOTED, P.SKIPPED}
"""The same in a cold start: a host that nobody has started is off."""
