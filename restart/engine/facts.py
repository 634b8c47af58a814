"""The names of the facts that the engine tells. Journal, reports and people know the run by these.

Which fields of `Fact` each carries is said beside it; `why` names the rule and the numbers where there is one.
"""

from __future__ import annotations

RUN_STARTED = "run_started"  # why: the operator's reason; data: hosts, waves
RUN_RESUMED = "run_resumed"  # why: who goes on
STAGE_STARTED = "stage_started"  # data: stage, stages, mode
STAGE_DONE = "stage_done"  # why: how it ended; data: stage, stages, mode
WAVE_STARTED = "wave_started"  # wave, why; data: moves
WAVE_DONE = "wave_done"  # wave
CHANGED_PLACES = (
    "changed_places"  # host: a leader, wave, why; data: other (goes in its place), to (the wave it goes in)
)
PROMOTED = (
    "promoted"  # host: a spare, service, wave, why; data: member (whose place it takes), services (all it carries then)
)
NO_SPARE = "no_spare"  # service, why: nobody is left to take a lost member's place; data: member
MOVE_STARTED = "move_started"  # host, wave; data: services, canary
CLAIMED = "claimed"  # host; data: boot_id, uptime_s
UP_ALREADY = "up_already"  # host, why: a start finds it up and does not touch it; data: uptime_s
BASELINE = "baseline"  # host, evidence: what stands there before anything is done to it, to be compared with afterwards
NOT_COMPARED = "not_compared"  # host, why: nothing is known from before that it could be compared with
DRAINING = "draining"  # host, evidence: the step
REBOOTING = "rebooting"  # host; data: rung, number of the rung from 1, boot_id; of a power rung: reset
POWER = "power"  # host, evidence: what its power control says; data: state (on, off, unknown)
RUNG_FAILED = "rung_failed"  # host, why; data: rung, number
RETURNED = "returned"  # host, evidence: it came back by itself, and its checks are asked before anything is done; data: boot_id
BOOTED = "booted"  # host, evidence; data: boot_id, was (the boot id before), took_s
OFF = "off"  # host, evidence: proved off, and how
TIME_OVER = "time_over"  # why: the time for which there was power is over, and who is not off; data: left
SEED = "seed"  # host, service, evidence: what a member says when it is asked which of them starts first
SEED_CHOSEN = "seed_chosen"  # host, service, why: the member that starts first
STAND_IN = "stand_in"  # host, service, evidence: the command that put it up; data: provider, undo, on
STAND_IN_REMOVED = "stand_in_removed"  # host, service, evidence: the command that took it out; data: provider
STAND_IN_LEFT = "stand_in_left"  # host, service, why: the run ends and it is still there; data: provider, undo, on
READY = "ready"  # host, service, verdict, evidence: a verdict that changed
SOAKING = "soaking"  # host: all checks pass, they must hold; data: for_s
LEFT_OUT = "left_out"  # host, evidence: a step of its drain that is not run, why; data: on (the host that is off)
OWED = "owed"  # host, evidence: an undo of its drain that is not run yet, why; data: on (the host on which it will be)
UNDRAINING = "undraining"  # host, evidence: the step
CANARY_WATCHED = "canary_watched"  # host, why; data: for_s: its stratum waits so long, while its checks and gates hold
CANARY_HELD = "canary_held"  # host: its stratum opens
CANARY_LATE = "canary_late"  # host, why: it missed its first rung, and counts for the brakes while later ones try
MOVE_DONE = "move_done"  # host, wave; data: took_s, boot_s, ready_s, by_itself (it was not touched), was_kernel and kernel (before and after, where told); act, where it was stopped
QUARANTINED = "quarantined"  # host, wave, why: stays drained, counts as down
UNTOUCHED = "untouched"  # host, wave, why: its drain failed, or it declined to reboot; undone, as it was
NOT_REBOOTED = "not_rebooted"  # host, why: the host never went down, or came up with the same boot id
SKIPPED = "skipped"  # host, why: by an operator's word
IN_DOUBT = "in_doubt"  # host, why: waits for `restart resolve`
RESOLVED = "resolved"  # host, why; data: word
AVAILABLE = "available"  # service; data: available, of, budget
GATE = "gate"  # service, verdict, evidence: a gate that was asked and settled
WATCH = "watch"  # verdict, evidence: a watch that changed
OVERRIDDEN = (
    "overridden"  # host, wave, why: what the rule would have said; data: rule, reason: what it was overridden for
)
HELD = "held"  # host or wave, why: what nothing can start for; data: rule
APPROVAL_WANTED = "approval_wanted"  # host or service, evidence: the text; data: target (what `restart approve` takes)
APPROVED = "approved"  # why: by whom; data: target
PAUSED = "paused"  # why
FLAGGED = "flagged"  # service (None: the whole run), why; data: flag
UNFLAGGED = "unflagged"  # service, why: the flag is lifted; data: flag
CLOCK_STEPPED = "clock_stepped"  # why
GOING = "going"  # why: the pause is over
STOPPING = "stopping"  # why: nothing new starts, what is in flight ends
DRIFT = "drift"  # host, service, why: it is not as the plan takes it to be, though this run did nothing to it; data: planned, found
HALTED = "halted"  # why; data: rule
CONTAINED = "contained"  # service, why: its consumers are held
HOOK_SET = "hook_set"  # evidence: what it said; data: name, by_hand (how it is undone by hand)
HOOK_UNDONE = "hook_undone"  # evidence; data: name
HOOK_FAILED = "hook_failed"  # why; data: name, by_hand, undo (it was the undo that failed)
HOOK_LEFT = "hook_left"  # why: it stays in place when the run ends; data: name, by_hand
RUN_ENDED = "run_ended"  # why; data: state, exit_code, done, quarantined, left
