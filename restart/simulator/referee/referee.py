"""The referee: the list of what always holds, judged from outside the engine.

It is told of each event twice: once it is durable (`appended`), and once it was handled, with the requests that are about to begin
and what the engine says of itself (`judge`). It judges by the truth of the world (`restart.simulator.truth`) and by what the
world has told, and takes the engine's word for four things only: when a move began and ended, that it gave a move up, whose place a
spare takes, and that it halts. It knows the rules by heart (`restated`) and imports neither `restart.rules` nor the engine.

After every event it looks at every host where there are up to 200, else at those that changed, and at every host when a wave is
done. A look at a host that is as it was at the last one, and not away, ends there: it would find the same. What an act is judged on
is kept ready: the members that are not ready, those away, and who holds each limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import compress
from operator import attrgetter, ne

from restart.model.answer import (
    Answer,
    Booted,
    Claimed,
    HeldBy,
    NoAnswer,
    PowerState,
    RebootDeclined,
    SlotsGiven,
    StepRan,
    StillUp,
    Units,
    WentOff,
)
from restart.model.check import Verdict
from restart.model.event import Answered, Event, Fact, LeaseLost, Outcome, Resumed, Started, Word
from restart.model.plan import Plan
from restart.model.request import Ask, AwaitBoot, AwaitOff, Claim, Read, Request, RestartUnits, TakeSlots
from restart.model.simulation import Violation
from restart.simulator.referee.acts import judge_act, judge_booted
from restart.simulator.referee.away import Aways
from restart.simulator.referee.begins import judge_begin
from restart.simulator.referee.drift import DRIFT
from restart.simulator.referee.end import judge_end, restarted
from restart.simulator.referee.facts import hear_facts
from restart.simulator.referee.grounds import Grounds
from restart.simulator.referee.record import Closing, Record
from restart.simulator.referee.restated import held_by_members
from restart.simulator.referee.spans import since_1970
from restart.simulator.referee.stages import off_at_first, stages_of
from restart.simulator.referee.standing import Standing, without
from restart.simulator.referee.told import Told, verdict
from restart.simulator.referee.turns import Turns
from restart.simulator.truth import HostTruth, Truth

_LOOKED_AT = attrgetter("ready", "leads", "up", "boots", "boot_id", "claimed_by", "restarts_by_us")
"""Of a host's truth, all that a look depends on."""

SWEEP_HOSTS_MAX = 200
"""Fleets of up to this size are looked at whole after every event."""


class Referee:
    """One run's referee, through all its crashes and resumes. `violations` is what it has called so far."""

    def __init__(
        self, plan: Plan, truth: Truth, *, seed: int | None = None, written: Callable[[], int] | None = None
    ) -> None:
        """`written` says how many events the journal really holds, so that an append that only pretends is found out."""
        inventory = plan.inventory
        first = stages_of(plan)[0] if plan.waves else plan
        self._truth = truth
        grounds = Grounds(first, inventory)
        self._record = Record(
            plan=plan,
            truth=truth,
            seed=seed,
            grounds=grounds,
            turns=Turns(grounds),
            told=Told(inventory),
            aways=Aways(inventory, off_at_first(first)),
            standing=Standing(inventory),
        )
        self._record.not_ready = {name: set() for name in inventory.services}
        self._record.first_boot = {name: host.boot_id for name, host in truth.hosts.items()}
        self._written = written
        self._small = len(inventory.hosts) <= SWEEP_HOSTS_MAX
        self._acts_seen = 0
        self._facts_of = 0
        self._durable: Event | None = None
        self._wave_done = True
        self._place = {host: place for place, host in enumerate(truth.hosts)}
        # In the order of the hosts; as `_LOOKED_AT` takes it, of what goes on changing a copy.
        self._seen: dict[str, tuple[object, ...] | None] = dict.fromkeys(truth.hosts)
        self._pending: dict[str, tuple[Request, float]] = {}
        self._look()

    @property
    def violations(self) -> Sequence[Violation]:
        """Every broken rule, in the order in which it was found; at most a hundred."""
        return self._record.violations

    # --- what it is told ---------------------------------------------------------------------------------------------

    def appended(self, event: Event, facts_before: Sequence[Fact]) -> None:
        """An event is durable, with the facts of the event before it."""
        record = self._record
        self._hear_facts(facts_before)
        record.seq += 1
        record.at_s = event.at_s
        self._durable = event
        self._look()
        self._hear(event)

    def judge(self, event: Event, requests: Sequence[Request], facts: Sequence[Fact]) -> None:
        """An event was handled, and `requests` are about to begin. Rule 8: what led to them is durable."""
        record = self._record
        if requests and event is not self._durable:
            what = (
                f"{len(requests)} requests begin, first {requests[0].id}, and the event that led to them is not durable"
            )
            record.call(8, what, host=requests[0].host)
        elif requests and self._written is not None and self._written() < record.seq:
            what = f"request {requests[0].id} begins with event {record.seq}, and the journal holds {self._written()}"
            record.call(8, what, host=requests[0].host)
        self._hear_facts(facts)
        for request in requests:
            self._pending[request.id] = (request, record.at_s)
            judge_begin(record, request)

    def end(self, outcome: Outcome | None, why: str = "") -> None:
        """The run is over: `outcome`, or None where it makes no progress, as `why` says."""
        self._wave_done = True
        self._look()
        judge_end(self._record, outcome, why)

    # --- what is heard -----------------------------------------------------------------------------------------------

    def _hear_facts(self, facts: Sequence[Fact]) -> None:
        """Each event's facts once, whether `judge` or, after a crash, the next append brings them."""
        if self._facts_of == self._record.seq:
            return
        self._facts_of = self._record.seq
        if hear_facts(self._record, facts):
            self._wave_done = True
            self._look()

    def _hear(self, event: Event) -> None:
        record = self._record
        match event:
            case Started():
                record.run = event.run
                # Whose claims are foreign is another question now.
                self._seen = dict.fromkeys(self._truth.hosts)
                record.zero_s = since_1970(event.utc, event.at_s)
                if event.until_wave is not None:
                    record.reason(6, f"to stop after wave {event.until_wave} was asked")
            case Resumed():
                self._resumed()
                record.zero_s = since_1970(event.utc, event.at_s)
            case Answered():
                pending = self._pending.pop(event.request, None)
                if pending is not None:
                    self._answered(*pending, event.answer)
            case Word():
                self._word(event)
            case LeaseLost():
                record.parted = event.why or "no reason told"
                record.reason(7, f"the lease is lost: {event.why}")
            case _:
                pass

    def _resumed(self) -> None:
        """Another process goes on. What was under way may still arrive; what was told before proves nothing any longer."""
        record = self._record
        self._pending.clear()
        record.resumed_seq = record.seq
        # Moves that had not come to their first act are judged as if they began now.
        record.begun_moves &= record.begun_acts
        record.aways.let_go(record.at_s, record.gates_held_s)
        record.turns.remember(record.told)
        record.told.forget()
        record.parted = None
        record.reasons.pop(6, None)
        record.reasons.pop(7, None)
        # A host that was given up because it was not as planned stays so until somebody says otherwise.
        if record.drifted.isdisjoint(record.failed):
            record.reasons.pop(DRIFT, None)
        for name in ("halt", "stop", "failures"):
            record.closings.pop(name, None)

    def _word(self, word: Word) -> None:
        record = self._record
        if word.word in ("stop", "let-go"):
            record.closings["stop"] = Closing(record.seq, f"the word {word.word}")
            record.reason(6, f"the word {word.word}")
        elif word.word == "pause":
            record.closings["pause"] = Closing(record.seq, "the word pause")
        elif word.word == "go":
            record.closings.pop("pause", None)
        elif word.word == "flag":
            record.flags.setdefault(word.target or "", Closing(record.seq, f"the stop flag {word.target}"))
        elif word.word == "unflag":
            record.flags.pop(word.target or "", None)

    def _answered(self, request: Request, begun_s: float, answer: Answer) -> None:
        record = self._record
        if isinstance(request, Read) and request.about == "seed" and isinstance(answer, StepRan):
            with suppress(ValueError):
                record.seed_said[request.service, request.host] = float(answer.output)
        self._note_trouble(request, answer)
        if isinstance(request, TakeSlots) and isinstance(answer, SlotsGiven):
            record.from_store.add(request.host)
        if isinstance(request, Ask):
            record.compared.hear(record.plan.inventory, request, answer)
            record.standing.hear(request, answer)
            record.told.hear(request, answer, record.at_s, begun_s)
            if request.subject == "ready" and request.host is not None:
                self._hear_checks(request, request.host, begun_s, answer)

    def _hear_checks(self, ask: Ask, host: str, begun_s: float, answer: Answer) -> None:
        """The checks of a host that is away: once those of all its services hold at once, it is back."""
        record = self._record
        away = record.aways.get(host)
        if away is None or not away.acted or begun_s < away.acted_s:
            return
        streak = away.streaks.get(ask.service)
        if streak is None:
            # A new one for each restart: what held before it proves nothing.
            streak = away.streaks[ask.service] = record.new_streak()
        checks = held_by_members(record.plan.inventory.services.get(ask.service or ""), without(ask.checks))
        checks += record.standing.held(host, record.grounds.services_of[host], ask.service)
        streak.hear(checks, answer, record.at_s)
        if away.holds(record.at_s):
            away.held_s = record.at_s
            record.aways.come_back(host)
            record.grounds.finished(host)

    def _note_trouble(self, request: Request, answer: Answer) -> None:
        """What may be a true reason for the run to halt (exit 5), to wait (6) or to be held (7); who did not answer."""
        record = self._record
        told = type(answer).__name__
        if isinstance(request, Claim):
            (record.unanswered.discard if isinstance(answer, Claimed) else record.unanswered.add)(request.host)
        if isinstance(request, Claim) and isinstance(answer, HeldBy):
            record.reason(7, f"{request.host} is claimed by run {answer.run}")
        elif isinstance(request, Ask):
            found = verdict(answer)
            if found is Verdict.PASS:
                return
            away = record.aways.get(request.host or "")
            if away is None or not away.acted:
                record.reason(5, f"{request.subject} of {request.service or request.host} was {found}")
            else:
                away.troubled = f"checks of {request.host} were {found}"
        elif isinstance(request, AwaitBoot) and not isinstance(answer, Booted):
            record.reason(5, f"{request.host}: {told} while its boot was waited for")
            waited = record.aways.get(request.host)
            if waited is not None and isinstance(answer, StillUp):
                waited.in_vain = answer.boot_id == waited.boot_before
        elif isinstance(request, AwaitOff) and isinstance(answer, WentOff):
            record.gone_silent.add(request.host)
        elif isinstance(request, AwaitOff):
            record.reason(5, f"{request.host}: {told} while it was to go off")
        elif isinstance(answer, NoAnswer | RebootDeclined) or (isinstance(answer, StepRan) and answer.exit_status):
            record.reason(5, f"{request.host}: {told} to {type(request).__name__}")
        elif isinstance(answer, PowerState):
            record.power[request.host or ""] = answer.state
            if answer.state == "unknown":
                record.reason(5, f"{request.host}: nobody can say whether it has power")
        elif isinstance(request, RestartUnits) and not isinstance(answer, Units):
            record.reason(5, f"{request.host}: {told} to a restart of units")
        elif isinstance(request, Claim) and not isinstance(answer, Claimed):
            record.reason(5, f"{request.host}: {told} to a claim")

    # --- what is looked at -------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Judge what has reached the hosts since the last event, then see how they are. Where nothing has happened all is as it was."""
        acts = self._truth.acts
        acted = False
        while self._acts_seen < len(acts):
            act = acts[self._acts_seen]
            self._acts_seen += 1
            if act.kind != "ask":
                acted = True
                judge_act(self._record, act)
        changed = self._truth.changed
        if self._wave_done or (self._small and (acted or changed)):
            self._sweep()
            self._wave_done = False
        else:
            for host in sorted(changed):
                self._look_at(self._truth.hosts[host])
        changed.clear()

    def _sweep(self) -> None:
        """Look at every host. All that a look depends on is compared: what is reported as changed is not relied on."""
        hosts, seen = self._truth.hosts, self._seen
        changed = set(compress(hosts, map(ne, map(_LOOKED_AT, hosts.values()), seen.values())))
        for name in sorted(changed.union(self._record.aways.hosts), key=self._place.__getitem__):
            self._look_at(hosts[name])

    def _look_at(self, truth: HostTruth) -> None:
        record, host, up = self._record, truth.name, truth.up
        self._seen[host] = (dict(truth.ready), set(truth.leads), *_LOOKED_AT(truth)[2:])
        for service in record.grounds.services_of[host]:
            not_ready = record.not_ready[service]
            if up and truth.ready.get(service, host not in record.spares):
                if host in not_ready:
                    not_ready.remove(host)
                    record.ready_s[service, host] = record.at_s
            else:
                not_ready.add(host)
        for service, (leader, _) in tuple(record.leads.items()):
            if leader == host and service not in truth.leads:
                del record.leads[service]
        for service in truth.leads:
            if record.leads.get(service, ("",))[0] != host:
                record.leads[service] = (host, record.at_s if record.seq else float("-inf"))
        if truth.claimed_by is not None and truth.claimed_by != record.run:
            record.foreign.add(host)
        else:
            record.foreign.discard(host)
        record.boots[host], record.boot_ids[host] = truth.boots, truth.boot_id
        if up:
            record.aways.switched_on(host)
        if record.aways.saw(truth, record.at_s):
            judge_booted(record, host)
        if not truth.restarts_by_us:
            return
        counted = record.restarts[host].ever if host in record.restarts else 0
        if truth.restarts_by_us > counted:
            rule, why = (5, "not one more by its plan") if host in record.grounds.moves else (7, "and has no move")
            record.call(
                rule, f"{host} was restarted {truth.restarts_by_us} times, {counted} acts are known, {why}", host=host
            )
            record.restarts_of(host).ever = truth.restarts_by_us


__all__ = ["Referee", "restarted"]
