"""Looking at real hosts, never changing them: the survey, its sorting, and the observations that are kept of it."""

from __future__ import annotations

from restart.survey.look import Look, Looked, look_at_all
from restart.survey.sort import Event, event_of, observation_of

__all__ = ["Event", "Look", "Looked", "event_of", "look_at_all", "observation_of"]
