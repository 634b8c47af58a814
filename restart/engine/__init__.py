"""Plan + Event -> Requests. Pure: no clock, no chance, no I/O."""
