"""The embedded fleet of real SSH servers: a small chat site on the loopback, to watch a staged restart work.

`demo` is the door. The servers live in a child process (`__main__`), so that a run against them is an honest one: it
reaches them over SSH and HTTP only. `site` holds the physics, `layout` the fleet's files, `machine` one host's power.
"""
