"""The referee: judges a run from outside the engine, on the true state of the world (design: section 7)."""

from restart.simulator.referee.referee import Referee

__all__ = ["Referee"]
