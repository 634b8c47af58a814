"""The moments at which a controller can die: at any event, before it is durable, after that, or once its consequences have begun."""

from __future__ import annotations

from restart.simulator.journal import Kept

MOMENTS = ("appending", "appended", "begun")


class ControllerDied(Exception):
    """The controller died at this point; what is on disk is all that is left of it."""


class Deaths:
    """Counts events and lets the controller die, or its disk be full, where it was told to. Each happens once."""

    def __init__(self, journal: Kept) -> None:
        self._journal = journal
        self._at: dict[tuple[int, str], str] = {}
        self.dying = False

    def add(self, kind: str, event: int, moment: str) -> None:
        """`kind` at the event of this number, counted from 1 over all controllers."""
        self._at[event, "full" if kind == "disk_full" else moment] = kind

    def appending(self) -> None:
        """An event is about to be appended. Raises `ControllerDied`."""
        if not self._at:
            return
        number = len(self._journal) + 1
        if self._at.pop((number, "full"), None):
            self._journal.full = True
        self._die(number, "appending")

    def appended(self) -> None:
        """It is on disk."""
        if self._at:
            self._die(len(self._journal), "appended")

    def waiting(self) -> None:
        """Its consequences have begun."""
        if self._at:
            self._die(len(self._journal), "begun")
        if self.dying:
            self.dying = False
            raise ControllerDied("at a time of the script")

    def revived(self) -> None:
        """A new controller; the disk that was full at an event has room again."""
        self._journal.full = False
        self._journal.resumed()

    def _die(self, number: int, moment: str) -> None:
        if self._at.pop((number, moment), None):
            raise ControllerDied(f"{moment} event {number}")
