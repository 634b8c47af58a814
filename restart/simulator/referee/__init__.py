"""The referee: judges a run from outside the engine, on the true state of the world (design: section 7).

It knows the rules by heart (`restated`) and may not import the shared ones: one bug must not blind both. What it calls is what a run
could have known; the allowances, all of them:

* **Readiness may be as old as `ready_fresh`** (30 s) when the run decides on a move, and is judged anew where claim and drain took
  longer than that before the command went out (`Record.decided_s`). A member that is truly down is not counted where its last
  answer by then was a PASS no older; an answer lasts no crash. So lying checks are the inventory's fault, not the run's.
* **The way of a command is free**: what changed between its beginning and its arrival is no fault of who sent it.
* **Between two events** a member counts as not ready only where it was so at both.
* **A restarted host is back** once all its checks have been told PASS for their `healthy_for`, each answer counting until the next
  one is due. Until then it is down and holds its slots; given up, it holds them until an operator decides.
* **A gate is fresh** for `gate_fresh` (30 s), or for two beats of its checks where that is longer, when the move begins. One that
  never passed does not guard the repair of a member of its own service that is not ready.
* **A drain under way** when a controller died or a stop came may be gone on with; the restart after it is judged as a first act.
* **A reboot that came to nothing** may be asked for again: the run was told that the host stands in its old boot, and it does.
* **Order** leaves out hosts on the path, and hosts of one ring (rules 3 and 10).
* **Whose turn it is** (canaries, slow start, waves, the path) is judged by what was so when a move is said to begin; of others only those count that had
  been told to begin by then and have really been touched. A canary that is back counts as proved when its move is done, or has held for `canary_for`.
* **A run that waits** for a person, or for a watch that does not pass, is not stuck.

* **A capacity** is counted with every host under it as running, and with a restarting one as starting until `starting_for` after its boot.

* **In a cold start** a host is off until it is switched on: it draws nothing, no budget and no `max_domains` holds. A consumer waits for its providers'
  groups (`cold`), the path goes first, a watch or gate that asks through a service that is off waits for it. A host that was up is no matter.

Not judged: waves of a cold start, of a shutdown and of a recovery that finds a service down as a whole (order, groups and floors are), nor the pace of a
shutdown.
"""

from restart.simulator.referee.referee import Referee

__all__ = ["Referee"]
