"""A world with no hosts in it: a virtual clock, one seed, fleet physics and faults, under the production engine and loop.

Faked are only clock, hosts and network. Planner, engine, gates, the loop and the folding of journals are the real ones.
"""
