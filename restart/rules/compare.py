"""Checks that compare: with what they saw before the run, and with what the run itself does (design: sections 3 and 9)."""

from __future__ import annotations

from restart.model.check import Check


def compares(check: Check) -> bool:
    """Whether the check is judged by what the run knows: a number from before it, alerts that stood before it, or what it causes itself."""
    params = check.params
    return "not_below" in params or is_alerts(check) or bool(params.get("quiet"))


def is_alerts(check: Check) -> bool:
    """Whether the check asks which alerts fire: of Alertmanager, or of Prometheus by its series `ALERTS`."""
    return check.kind == "alertmanager" or "ALERTS" in str(check.params.get("query", ""))


def is_metric(check: Check) -> bool:
    """Whether the check measures how a service does its work, not only that it runs (design: rule 19)."""
    return "not_below" in check.params or (check.kind == "prometheus" and not is_alerts(check))
