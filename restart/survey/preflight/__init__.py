"""Preflight: what a host will not bear, or not bring back, when it is restarted. Rules are pure functions of one host's sweep.

Each rule is in one of the files here, after what it is about: `units`, `storage`, `network`, `booting`, `presence`. What cannot be
told is no finding. Distributions are told apart by nothing but the tools and files that are there. On a host without systemd nobody
here knows what a boot brings back, so that rules about that only note.
"""

from __future__ import annotations

from restart.survey.preflight.look import SECTIONS, judged, preflight_of

__all__ = ["SECTIONS", "judged", "preflight_of"]
