"""Plan + Event -> Requests. Pure: no clock, no chance, no I/O."""

from restart.engine.core import ENGINE_VERSION, Engine
from restart.engine.not_yet import not_yet

__all__ = ["ENGINE_VERSION", "Engine", "not_yet"]
