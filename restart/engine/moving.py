"""One move: what each phase does when it is entered, and which sign an answer amounts to. The table does the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from restart.engine import facts
from restart.engine.befores import Befores
from restart.engine.bridging import Bridging
from restart.engine.checking import Checking
from restart.engine.claims import Claims
from restart.engine.drains import TRIES_MAX, Drains
from restart.engine.drift import Drift
from restart.engine.ladder import Ladder, ladder_of, rung_of
from restart.engine.on_others import OnOthers
from restart.engine.outbox import Outbox
from restart.engine.parking import Hold
from restart.engine.powering import Powering
from restart.engine.reboots import Reboots
from restart.engine.recovery import Recovery
from restart.engine.seeding import Seeding
from restart.engine.silent import Silent
from restart.engine.state import MoveState
from restart.engine.table import FINISHED, TABLE, Phase, Sign
from restart.engine.unit_restarts import UnitRestarts
from restart.errors import Bug
from restart.model.answer import Answer, Booted, Claimed, HeldBy, NoAnswer, PowerState, silence
from restart.model.check import Verdict
from restart.model.inventory import Inventory
from restart.model.request import AwaitBoot, ReadPower
from restart.rules.fill import fill_known

LETS_NOBODY_IN = frozenset({"auth", "host-key", "privilege"})
"""Answers of a host that is up."""

SILENT_FRESH_S = 30.0
"""A host that was silent so recently is taken to be so still."""

LOOK_OUT_S = 300.0
"""How long one look-out for a host that a person is to switch on lasts."""

CAME_BACK = "it came back by itself, and nobody had looked at what stood on it before it went"
"""Why such a host is not compared with what it was (`same_as_before`)."""

ACTING = frozenset({Phase.REBOOTING, Phase.SWITCHING, Phase.RESTARTING, Phase.APPROVING})
"""Phases in which an act on the host is on its way."""

PREPARING = frozenset({Phase.CLIMBING, Phase.MEASURING, Phase.READING, Phase.PROBING, Phase.SENSING})
"""Phases in which the next rung's act is prepared."""


class Moving:
    """Takes the moves through the table. It decides nothing about which may begin, that is the engine's."""

    def __init__(
        self,
        inventory: Inventory,
        states: Mapping[str, MoveState],
        outbox: Outbox,
        claims: Claims,
        *,
        noted: Callable[[str, str, Verdict, str], None],
        reached: Callable[[MoveState, Phase], None],
        starting: Callable[[], bool],
        closed: Callable[[], bool],
        slots: Callable[[MoveState], Hold | None],
        withheld: Callable[[MoveState], Hold | None],
        silent: Silent,
        recovery: Recovery,
        drift: Drift,
        on_others: OnOthers,
        missed: Callable[[MoveState], None],
        judged: Callable[[MoveState, str], Hold | None],
        doubted: Callable[[MoveState], Hold | None],
    ) -> None:
        """`noted` hears each verdict learnt (service, host, verdict, evidence); `reached` each phase that a move enters.

        `starting`: nothing has halted or stopped the run. `closed`: a pause or a watch holds it for now. `slots` takes the slots that a rung needs; None: it has them.
        `judged`: why a rung of some kind that is not the first act may not be taken now (`restart.engine.later`). `doubted`: why a move may not act at this very instant. `missed` hears of each move whose first rung did not bring its host back, while there are others.
        `withheld`: why nothing may be done to the host now, a stop flag; None: none stands. `recovery`: what was seen before the run. `drift` hears of hosts that are given up unreached; `on_others` knows which drains run where.
        """
        self._inventory = inventory
        self._outbox = outbox
        self._recovery = recovery
        self._drift = drift
        self._claims = claims
        self._reached = reached
        self._silent = silent
        self._drains = Drains(
            inventory, outbox, self.sign, lambda state: starting() and withheld(state) is None, closed, on_others
        )  # fmt: skip
        self.ladder = Ladder(
            outbox, sign=self.sign, call_off=self._drains.call_off, starting=starting, closed=closed, slots=slots,
            withheld=withheld, missed=missed, judged=judged, doubted=doubted,
        )  # fmt: skip
        self._befores = Befores(inventory, outbox, silent, self.sign)
        self.checking = Checking(inventory, states, outbox, self.ladder, noted, self._befores.compared)
        reboots, units = Reboots(outbox, self.ladder), UnitRestarts(outbox, self.ladder)
        self._seeding = Seeding(inventory, states, outbox, self.sign)
        self._bridging = Bridging(inventory, outbox, claims, self.sign)
        self._powering = Powering(outbox, self.ladder)
        self._enter: dict[Phase, Callable[[MoveState], None]] = {
            Phase.CLAIMING: self._first_look,
            Phase.DRAINING: self._drains.drain,
            Phase.CLIMBING: self.ladder.next,
            Phase.MEASURING: self._claim,
            Phase.REBOOTING: reboots.reboot,
            Phase.AWAITING: reboots.await_boot,
            Phase.PROBING: self._probe,
            Phase.SENSING: self._powering.sense,
            Phase.SWITCHING: self._powering.switch,
            Phase.READING: units.read,
            Phase.RESTARTING: units.restart,
            Phase.APPROVING: self._want_approval,
            Phase.BRIDGING: self._bridging.begin,
            Phase.SEEDING: self._seeding.begin,
            Phase.CHECKING: self.checking.check,
            Phase.CONFIRMING: self._claim,
            Phase.UNDRAINING: self._drains.undrain,
            Phase.UNDOING: self._drains.undrain,
        }

    def sign(self, state: MoveState, sign: Sign) -> None:
        """Move on by the table, and do what the new phase does on entry."""
        after = TABLE.get((state.phase, sign))
        if after is None:
            raise Bug(f"{state.host}: {sign} in phase {state.phase}")
        if sign is Sign.DRAINED:
            self._bridging.told(state)
        state.phase = after
        if after in ACTING:
            self._recovery.acted(state.host)
        if after is Phase.UNDRAINING and state.undrains:
            # The stage that switched it off has drained it.
            state.drained = list(range(len(state.undrains)))
        self._reached(state, after)
        if after in FINISHED or after is Phase.IN_DOUBT:
            self._seeding.reached(state)
        enter = self._enter.get(state.phase)
        if enter is not None and state.phase is after:
            enter(state)

    def settle(self, state: MoveState) -> None:
        """After a resume: what was in flight is settled by asking or by repeating what is safe to repeat."""
        state.asking.clear()
        state.owed_look = self._befores.is_owed(state)
        if state.acted_s is None:
            # Before the first act: nothing that was known when the controller died allows it.
            state.judged_s, state.sick_in = -inf, frozenset()
        if state.phase in PREPARING and state.acted_s is None:
            self.ladder.judge_again(state)
        elif state.phase in (Phase.DRAINING, Phase.JUDGING) and state.owed_look:
            self.call_off(state)
        elif state.phase is Phase.CLIMBING:
            self.ladder.climb(state)
        elif state.phase is Phase.SWITCHING and state.switched in ("on", "off"):
            self.sign(state, Sign.UNSURE)
        elif state.phase in (Phase.REBOOTING, Phase.SWITCHING):
            state.lost_with_process = True
            self.sign(state, Sign.SENT)
        elif state.phase is Phase.RESTARTING:
            state.lost_with_process = True
            self.sign(state, Sign.AGAIN)
        elif state.phase is Phase.CHECKING:
            self.checking.settle(state)
        elif state.phase is Phase.APPROVING and state.move.act == "start":
            self._look_out(state)
        elif state.phase in self._enter and state.approval is None:
            self._enter[state.phase](state)

    def approve(self, state: MoveState) -> None:
        """A person has done, or agrees to, what the move waited for."""
        state.approval = None
        if state.phase is Phase.DRAINING:
            self._drains.stepped(state)
        elif state.phase is Phase.SEEDING:
            self._seeding.pick(state)
        else:
            self.sign(state, Sign.APPROVED)

    def call_off(self, state: MoveState) -> None:
        """The move is not carried on to its first act; what was drained is undone, as if it had never begun."""
        self._drains.call_off(state)

    def not_begun(self, state: MoveState) -> bool:
        """The world has not begun the act that it was asked for, because a stop flag stands. False: the table knows no way back."""
        if state.phase is Phase.DRAINING:
            self._drains.not_begun(state)
        elif (state.phase, Sign.WITHHELD) in TABLE:
            self.ladder.not_begun(state)
        else:
            return False
        return True

    # --- what each phase does on entry -------------------------------------------------------------------------------

    def _claim(self, state: MoveState) -> None:
        self._claims.claim(state.host, lambda answer: self._claimed(state, answer))

    def _first_look(self, state: MoveState) -> None:
        """Claim the host. One that is to be started is claimed only where its power control cannot say that it is off."""
        if state.move.act == "start" and self._inventory.hosts[state.host].power is not None:
            self._outbox.send(
                lambda id: ReadPower(id=id, host=state.host), lambda answer: self._power_read(state, answer)
            )
        else:
            self._claim(state)

    def _power_read(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, PowerState) and answer.state == "off":
            self._is_off(state)
        else:
            self._claim(state)

    def _is_off(self, state: MoveState) -> None:
        state.silent_s = self._outbox.now_s
        if self._recovery.is_dark(state.host):
            self._befores.missing(state, "it was silent, so that nobody could look at what stood on it")
        self.sign(state, Sign.SILENT)

    def _probe(self, state: MoveState) -> None:
        """Look at the host before its power is switched, unless it was found silent a moment ago."""
        if state.silent_s is not None and self._outbox.now_s - state.silent_s <= SILENT_FRESH_S:
            state.answers = False
            self.sign(state, Sign.PROBED)
        else:
            self._claim(state)

    def _want_approval(self, state: MoveState) -> None:
        state.taken = state.touched = True
        text = rung_of(state).text or "bring the host back by hand"
        service = state.move.services[0] if state.move.services else None
        self._drains.ask_approval(
            state, fill_known(text, self._inventory.hosts[state.host], service, member=state.member)
        )
        if state.move.act == "start":
            self._look_out(state)

    def _look_out(self, state: MoveState) -> None:
        """While a person is asked to switch the host on: when it answers, it is on, whoever says so or not."""
        self._outbox.send(
            lambda id: AwaitBoot(
                id=id, host=state.host, boot_id=state.boot_id, down_within_s=LOOK_OUT_S, back_within_s=LOOK_OUT_S
            ),
            lambda answer: self._seen(state, answer),
        )

    def _seen(self, state: MoveState, answer: Answer) -> None:
        if state.phase is not Phase.APPROVING:
            return
        if isinstance(answer, Booted):
            state.approval, state.acted_s = None, self._outbox.now_s
            self._outbox.tell(facts.APPROVED, host=state.host, why="the host is up", target=state.host)
            self.ladder.is_back(state, answer.boot_id, "")
        elif state.approval is not None:
            self._look_out(state)

    # --- which sign an answer amounts to -----------------------------------------------------------------------------

    def _claimed(self, state: MoveState, answer: Answer) -> None:
        if isinstance(answer, HeldBy):
            state.declined = f"claimed by {answer.user}@{answer.controller} since {answer.since}"
        if state.phase is Phase.CLAIMING:
            self._first_claim(state, answer)
        elif state.phase is Phase.MEASURING:
            self._measured(state, answer)
        elif state.phase is Phase.PROBING:
            self._powering.probed(state, answer)
        else:
            self._confirmed(state, answer)

    def _first_claim(self, state: MoveState, answer: Answer) -> None:
        starting = state.move.act == "start"
        if isinstance(answer, Claimed):
            state.boot_id = state.boot_id_now = answer.boot_id
            state.kernel = answer.kernel
            self._outbox.tell(facts.CLAIMED, host=state.host, boot_id=answer.boot_id, uptime_s=answer.uptime_s)
            # A spare is promoted however it was seen before, and what is to be off is switched off in whichever boot it is.
            as_planned = state.move.act != "restart" or state.member is not None
            how = None if as_planned else self._recovery.came_back(state.host, answer, self._outbox.now_s)
            if how is not None:
                self._silent.forget(state.host)
                state.by_itself, state.booted_s = True, self._outbox.now_s
                self._outbox.tell(facts.RETURNED, host=state.host, evidence=how, boot_id=answer.boot_id)
                self._befores.missing(state, CAME_BACK)
                self.sign(state, Sign.RETURNED)
                return
            if starting:
                self._silent.forget(state.host)
                state.up_already = True
                self._outbox.tell(
                    facts.UP_ALREADY, host=state.host, why="up already: it is not touched", uptime_s=answer.uptime_s
                )
                if self._recovery.is_dark(state.host):
                    self._befores.missing(state, CAME_BACK)
                self.sign(state, Sign.UP_ALREADY)
            else:
                self._befores.look(state)
        elif isinstance(answer, HeldBy):
            self.sign(state, Sign.FOREIGN)
        elif state.move.act == "stop":
            self.sign(state, Sign.GONE)
        elif (starting or (state.member is None and self._recovery.is_dark(state.host))) and not (
            isinstance(answer, NoAnswer) and answer.reason in LETS_NOBODY_IN
        ):
            self._is_off(state)
        elif starting:
            state.why = f"up already, and lets nobody in: {silence(answer)}"
            self.sign(state, Sign.UNREACHED)
        elif self._silent.again(state.host, silence(answer)):
            self.sign(state, Sign.TRY_LATER)
        else:
            state.why = f"could not be reached before its restart: {silence(answer)}"
            self._drift.unreached(state, silence(answer))
            self.sign(state, Sign.UNREACHED)

    def _measured(self, state: MoveState, answer: Answer) -> None:
        if state.move.act == "stop":
            if isinstance(answer, Claimed):
                state.boot_id = state.boot_id_now = answer.boot_id  # whichever boot it is in, it is to be off
            elif isinstance(answer, NoAnswer):
                self.sign(state, Sign.GONE)
                return
        if isinstance(answer, Claimed) and answer.boot_id == state.boot_id:
            if self.ladder.held_back(state) or self.ladder.answers_again(state):
                return
            state.uptime_s = answer.uptime_s
            self.sign(state, Sign.MEASURED)
        elif isinstance(answer, Claimed):
            self.ladder.is_back(state, answer.boot_id, "rebooted by itself meanwhile")
        elif isinstance(answer, NoAnswer) and state.acted_s is None and state.tries < TRIES_MAX:
            # It answered just before and nothing was done to it: one connection that breaks is no reason to give it up.
            state.tries += 1
            self.ladder.judge_again(state)
        else:
            state.why = state.declined if isinstance(answer, HeldBy) else f"not reached: {silence(answer)}"
            self.ladder.rung_failed(state)

    def _held_against(self, state: MoveState, answer: Answer) -> None:
        """An operator said that the host is done: its boot id says whether it has rebooted."""
        said, state.told_done = state.told_done, ""
        boots = any(rung.kind in ("reboot", "power") for rung in ladder_of(state))
        if not isinstance(answer, Claimed) or state.move.act != "restart" or not state.boot_id or not boots:
            return
        if answer.boot_id != state.boot_id:
            state.boot_id_now = answer.boot_id
            how = f"new boot id {answer.boot_id}, as told by {said}"
            self._outbox.tell(
                facts.BOOTED, host=state.host, evidence=how, boot_id=answer.boot_id, was=state.boot_id, took_s=0.0
            )
        elif not state.rebooted:
            state.still_up = True
            why = f"told done ({said}), but it is up in its old boot {answer.boot_id}"
            self._outbox.tell(facts.NOT_REBOOTED, host=state.host, why=why)

    def _confirmed(self, state: MoveState, answer: Answer) -> None:
        if state.told_done:
            self._held_against(state, answer)
        if isinstance(answer, HeldBy) or (isinstance(answer, Claimed) and answer.boot_id == state.boot_id_now):
            state.why = ""
            state.kernel_now = answer.kernel if isinstance(answer, Claimed) else ""
            self.sign(state, Sign.SAME_BOOT)
            return
        if isinstance(answer, Claimed):
            state.why = f"rebooted once more while its checks held (boot id {answer.boot_id})"
            self._outbox.tell(
                facts.BOOTED,
                host=state.host,
                evidence=state.why,
                boot_id=answer.boot_id,
                was=state.boot_id_now,
                took_s=0.0,
            )
            self.ladder.rebooted_meanwhile(state, answer.boot_id)
        else:
            state.why = f"went silent while its checks held: {silence(answer)}"
        self.sign(state, Sign.SHAKEN)
