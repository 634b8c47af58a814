"""What operators have said to a simulated run and no journal holds yet: it waits in a table, whether or not a controller lives."""

from __future__ import annotations

from dataclasses import replace

from restart.model.event import Event, Word


class Spoken:
    """Words that are said and not yet durable, oldest first."""

    def __init__(self) -> None:
        self._words: list[Word] = []

    def say(self, word: Word) -> None:
        """One more."""
        self._words.append(word)

    def heard(self, event: Event) -> None:
        """The event is durable: where it is a word, the oldest such word is taken."""
        if not isinstance(event, Word):
            return
        for word in self._words:
            if (word.word, word.by, word.reason, word.target) == (event.word, event.by, event.reason, event.target):
                self._words.remove(word)
                return

    def again(self, at_s: float) -> list[Event]:
        """What a new controller reads, at `at_s` of the run: those that the one before died too soon to write down too."""
        return [replace(word, at_s=at_s) for word in self._words]
