"""Budgets, limits, rounding, durations, names: the predicates that planner and engine share. Pure."""
