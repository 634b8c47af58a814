"""Hooks: set in their order before anything is touched, undone in reverse once the run is done, and named where they stay.

* The next hook is set when the answer to the one before is durable; nothing begins before all are set.
* A hook that fails halts the run. Where nothing was touched yet, what was set is undone in reverse, that hook's own half included.
* A run that is done undoes them; one that ends otherwise leaves them, so that a resume goes on under them, and says how to undo each by hand.
* A resume sets again what may not have been set, and renews silences; both are idempotent by contract.
* A silence is renewed when half of its time is over. One that cannot be renewed is told, and tried again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from restart.engine import facts
from restart.engine.outbox import Outbox
from restart.model.answer import Answer, NoAnswer, StepRan, silence
from restart.model.hook import Hook
from restart.model.inventory import Inventory
from restart.model.request import RunHook
from restart.rules.fill import fill
from restart.rules.hooks import by_hand
from restart.rules.named import hook_rule

TRIES_MAX = 3
"""How often a hook is tried whose answer was lost."""
AGAIN_S = 60.0
"""A silence that could not be renewed is tried again after this long."""


@dataclass(slots=True)
class HookState:
    """One hook: whether it is set for sure, whether it may be in place, and what goes on with it. `renew_s` is in run seconds."""

    hook: Hook
    set: bool = False
    in_place: bool = False
    asking: bool = False
    tries: int = 0
    renew_s: float | None = None
    said: str = ""
    stuck: bool = False


class Hooks:
    """The hooks of one run. `undoing`: they are being taken back; `kept`: another stage goes on under them."""

    def __init__(self, inventory: Inventory, outbox: Outbox, failed: Callable[[str, str], None]) -> None:
        """`failed(rule, why)` is called once a hook cannot be set."""
        self._hosts = inventory.hosts
        self._outbox = outbox
        self._failed = failed
        self._hooks = [HookState(hook) for hook in inventory.hooks]
        self._touched = False
        self.undoing = False
        self.kept = False

    @property
    def busy(self) -> bool:
        """Whether a request is without its answer."""
        return any(state.asking for state in self._hooks)

    def closed(self) -> tuple[str, str] | None:
        """The rule for which nothing may begin yet, and why; None: all hooks are set."""
        if not self._hooks:
            return None
        missing = [state.hook.name for state in self._hooks if not state.set]
        if not missing:
            return None
        return "hooks", f"{len(self._hooks) - len(missing)} of {len(self._hooks)} hooks are set, next {missing[0]}"

    def caused(self) -> tuple[str, ...]:
        """What the hooks that may be in place make checks say."""
        return tuple(text for state in self._hooks if state.in_place for text in state.hook.causes)

    def touched(self) -> None:
        """A move begins."""
        self._touched = True

    def look(self, may_set: Callable[[], bool]) -> None:
        """Renew a silence whose time has come, or set the next hook where it `may_set`. A no-op while one is being set."""
        if not self._hooks or self.busy or self.undoing:
            return
        for state in self._hooks:
            due = state.renew_s is not None and self._outbox.now_s >= state.renew_s
            if due or (not state.set and may_set()):
                state.in_place = True
                self._run(state, undo=False)
                return

    def undone(self) -> bool:
        """Take back what may be in place, in reverse; True once nothing more can be."""
        self.undoing = True
        if self.busy:
            return False
        for state in reversed(self._hooks):
            if state.in_place and not state.stuck:
                if state.hook.undo is None and state.hook.silence is None:
                    state.set = state.in_place = False
                    continue
                self._run(state, undo=True)
                return False
        self.undoing = False
        return True

    def left(self) -> list[str]:
        """The names of the hooks that may be in place."""
        return [state.hook.name for state in self._hooks if self._stays(state)]

    def tell_left(self) -> None:
        """The run ends: tell of each hook that may be in place how it is undone by hand."""
        for state in self._hooks:
            if self._stays(state):
                self._tell(
                    facts.HOOK_LEFT, state, why="the run did not end as planned" if state.set else "it may be in place"
                )

    def forget(self) -> None:
        """After a resume: what was under way may have happened or not, and a silence may have ended."""
        self.undoing = False
        for state in self._hooks:
            state.asking = state.stuck = False
            state.tries, state.renew_s = 0, None
            state.set = state.set and state.hook.silence is None

    def take_over(self, before: Hooks) -> None:
        """Go on from the hooks of the stage before."""
        self._hooks, self._touched = before._hooks, before._touched
        self.forget()

    def deadline_s(self) -> float | None:
        """When a silence is next to be renewed, in run seconds."""
        if not self._hooks:
            return None
        return min(
            (state.renew_s for state in self._hooks if state.renew_s is not None and not state.asking), default=None
        )

    def _stays(self, state: HookState) -> bool:
        return state.in_place and (state.hook.undo is not None or state.hook.silence is not None)

    def _run(self, state: HookState, *, undo: bool) -> None:
        hook = state.hook
        state.asking = True
        host = None if hook.on is None else self._hosts[hook.on]
        command = "" if hook.silence is not None else fill((hook.undo or "") if undo else hook.run, host, None)
        self._outbox.send(
            lambda id: RunHook(
                id=id,
                hook=hook.name,
                host=hook.on,
                command=command,
                silence=hook.silence,
                timeout_s=hook.timeout_s,
                undo=undo,
            ),
            partial(self._heard, state, undo),
        )

    def _heard(self, state: HookState, undo: bool, answer: Answer) -> None:
        state.asking = False
        if isinstance(answer, StepRan) and answer.exit_status == 0:
            self._done(state, answer.output, undo=undo)
            return
        state.tries += 1
        if isinstance(answer, NoAnswer) and state.tries < TRIES_MAX:
            return  # it is tried again with this very event
        why = f"exit {answer.exit_status} {answer.output}".rstrip() if isinstance(answer, StepRan) else silence(answer)
        state.tries = 0
        self._tell(facts.HOOK_FAILED, state, why=why, undo=undo)
        if undo:
            state.stuck = True
        elif state.set:
            state.renew_s = self._outbox.now_s + AGAIN_S
        else:
            self.undoing = not self._touched
            self._failed(hook_rule(state.hook.name), f"the hook {state.hook.name} could not be set: {why}")

    def _done(self, state: HookState, said: str, *, undo: bool) -> None:
        state.tries, state.stuck = 0, False
        told = state.set and not undo
        state.set, state.in_place, state.said = not undo, not undo, said
        state.renew_s = None
        if state.hook.silence is not None and not undo:
            state.renew_s = self._outbox.now_s + state.hook.silence.for_s / 2
        if not told:
            self._tell(facts.HOOK_UNDONE if undo else facts.HOOK_SET, state, evidence=said or None)

    def _tell(
        self, fact: str, state: HookState, *, why: str | None = None, evidence: str | None = None, undo: bool = False
    ) -> None:
        hand = by_hand(state.hook, state.said, None if state.hook.on is None else self._hosts[state.hook.on])
        self._outbox.tell(fact, why=why, evidence=evidence, name=state.hook.name, by_hand=hand, undo=undo)
