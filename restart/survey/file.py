"""Observations as files: what `survey --save` writes and `plan --observation` reads, and the newest of each fleet beside the store."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from restart.errors import Drift, Refusal, Refused, UsageMistake
from restart.model.document import as_json, digest, from_json
from restart.model.inventory import Inventory
from restart.model.observation import Observation
from restart.rules.durations import spoken
from restart.survey.sort import moment

Kept = TypeVar("Kept")

VERSION = 1

AGE_MAX_S = 300.0
"""An observation older than this is no longer planned on."""

AHEAD_MAX_S = 60.0
"""So far it may lie in the future: clocks of two controllers differ."""

BYTES_MAX = 256 * 1024 * 1024

_WAY_OUT = "look again: restart survey INVENTORY --save FILE"


def observation_json(observation: Observation) -> dict[str, Any]:
    """The document: the observation's own keys between its version and its digest."""
    body = as_json(observation)
    return {"version": VERSION, "kind": "observation", **body, "digest": digest(body)}


def save(path: Path, observation: Observation) -> None:
    """Write it, whole or not at all, for its owner alone. Raises `UsageMistake` where that cannot be."""
    write(path, observation_json(observation))


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document, whole or not at all, for its owner alone. Raises `UsageMistake` where that cannot be."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(part, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            json.dump(document, file, ensure_ascii=False, separators=(",", ":"))
            file.write("\n")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):  # where a file is in the folder's place there is no part either
            part.unlink(missing_ok=True)
        raise UsageMistake(f"{path} cannot be written: {error.strerror}") from error


def kept(
    path: Path, kind: str, version: int, of: type[Kept], *, fresh: Callable[[Kept], Kept], remedy: str
) -> Kept | None:
    """What `path` keeps beside the store, of this kind and version, as far as it is `fresh`; None where there is no file.

    Raises `UsageMistake` where it holds something else: what was found must not be lost for that.
    """
    try:
        if path.stat().st_size > BYTES_MAX:
            raise ValueError("it is too large for one")
        document = json.loads(path.read_bytes())
        if document.get("kind") != kind or document.get("version") != version:
            raise ValueError(f"no {kind} of version {version}")
        return fresh(from_json(of, {key: held for key, held in document.items() if key not in ("version", "kind")}))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageMistake(f"{path} cannot be read: {error.strerror}", remedy=remedy) from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise UsageMistake(f"{path} is no {kind}: {error}", remedy=f"remove it, and {remedy}") from None


def load(path: Path) -> Observation:
    """The observation in `path`. Raises `UsageMistake` where it holds none, `Drift` where it was changed after it was made."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise UsageMistake(f"{path} is too large for an observation", remedy=_WAY_OUT)
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageMistake(f"{path} cannot be read: {error.strerror}", remedy=_WAY_OUT) from error
    except (ValueError, RecursionError) as error:
        raise UsageMistake(f"{path} is no observation: {error}", remedy=_WAY_OUT) from None
    if not isinstance(document, dict) or document.get("kind") != "observation":
        raise UsageMistake(f"{path} is no observation", remedy=_WAY_OUT)
    if document.get("version") != VERSION:
        raise UsageMistake(f"{path} has version {document.get('version')!r}, only {VERSION} is known", remedy=_WAY_OUT)
    body = {key: held for key, held in document.items() if key not in ("version", "kind", "digest", "summary")}
    try:
        observation = from_json(Observation, body)
        moment(observation.at)
    except ValueError as error:
        raise UsageMistake(f"{path} is no observation: {error}", remedy=_WAY_OUT) from None
    if digest(body) != document.get("digest"):
        raise Drift(f"{path} was changed after it was written: its digest does not match", remedy=_WAY_OUT)
    return observation


def must_fit(observation: Observation, inventory: Inventory, now: float) -> None:
    """Raises `Refused` where it is of another fleet or of hosts that the inventory lacks, `Drift` where it is too old to plan on.

    `now` is the controller's wall clock in seconds since 1970.
    """
    if observation.fleet and observation.fleet != inventory.fleet:
        what = f"the observation is of fleet {observation.fleet}, the inventory of {inventory.fleet}"
        raise Refused((Refusal(rule="observation", what=what, way_out="name the right one of the two"),))
    strangers = [host for host in observation.hosts if host not in inventory.hosts]
    if strangers:
        what = f"the observation tells of {', '.join(strangers[:5])}, which the inventory does not have"
        raise Refused((Refusal(rule="observation", what=what, way_out=_WAY_OUT),))
    age_s = now - moment(observation.at)
    if age_s > AGE_MAX_S:
        raise Drift(
            f"the observation of {observation.at} is {spoken(age_s)} old, at most {spoken(AGE_MAX_S)} may be planned on",
            remedy=_WAY_OUT,
        )
    if age_s < -AHEAD_MAX_S:
        raise Drift(
            f"the observation of {observation.at} lies {spoken(-age_s)} ahead of this clock",
            remedy="set the clock right",
        )


def newest(folder: Path, fleet: str, kind: str = "observations") -> Path:
    """Where the newest observation (or preflight) of `fleet` is kept, in the store's folder."""
    return folder / kind / (re.sub(r"[^A-Za-z0-9._-]", "_", fleet) + ".json")
