"""Plan + Event -> Requests. Pure: no clock, no chance, no I/O."""

from restart.engine.core import ENGINE_VERSION, Engine
from restart.engine.not_yet import not_yet
from restart.engine.stages import Stages, begin

__all__ = ["ENGINE_VERSION", "Engine", "Stages", "begin", "not_yet"]
