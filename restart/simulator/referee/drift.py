"""Drift, as the engine tells it, held against the truth: a host that this run acted on, or that everybody could see to be well, is no drift.

Only what holds against it is a true reason to end with exit 8 (rule 10): a run may not lay its own failures at the world's door.
"""

from __future__ import annotations

from restart.model.event import Fact
from restart.simulator.referee.record import Record

DRIFT = 8
"""The exit code."""


def heard_drift(record: Record, fact: Fact) -> None:
    """Judge one difference that the engine tells of."""
    host = fact.host or ""
    truth = record.truth.hosts.get(host)
    if truth is None:
        record.call(10, f"{host} is told as drift, and the fleet has no such host", host=host)
        return
    counted = record.restarts.get(host)
    if host in record.begun_acts or (counted is not None and counted.ever):
        record.call(10, f"{host} is told as drift, and this run has acted on it", host=host)
        return
    services = record.grounds.services_of.get(host, ())
    well = truth.up and all(truth.ready.get(name, True) for name in services)
    doubted = host in record.unanswered or any(record.told.doubted(name, host) for name in services)
    if well and not doubted:
        record.call(10, f"{host} is told as drift ({fact.why}), and it is up and well", host=host)
        return
    record.drifted.add(host)
    record.reason(DRIFT, f"{host} is not as planned: {fact.why}")
