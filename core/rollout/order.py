"""A person's word to go on or back: done at once, or left for the process that holds the roll-out. Light."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.files import require_room, write_json
from core.jobs.lock import held
from core.rollout import place
from core.rollout.place import LOCK, LOG, ORDER
from core.rollout.rule import Move, Stage, next_stage
from core.runs.record import Run
from core.watch.log import Log


def order(run: Run, move: Move, moment: float | None = None) -> Stage:
    """Asks for a move. The stage that the roll-out is in then, or will be in at the next images.

    Args:
        moment: seconds since 1970; now by default.

    Raises:
        BadInput: ``rollout_not_begun``; ``rollout_broken``; ``place_not_writable``.
    """
    folder = place.folder_of(run)
    state = place.read_state(folder)
    if state is None:
        raise BadInput(
            "rollout_not_begun",
            f"The run {run.id} has no roll-out yet; begin one with: python -m core rollout {run.id} --inbox DIR",
            run=run.id,
        )
    to = next_stage(state.stage, move)
    if to == state.stage:
        return to
    require_room(folder)
    with held(folder / LOCK, patience=0.0) as mine:
        if not mine:
            write_json(folder / ORDER, {"from": state.stage, "to": to})
            return to
        seen = state.stage
        state, digest, length, _ = place.replay(folder)
        forget(folder)
        if state.stage != seen:  # a process was killed between its last move and the state that tells of it
            place.write_state(folder, state, {"bytes": length, "sha256": digest.hexdigest()})
            return state.stage
        entry = stage_entry(state.stage, to, "person", [], time.time() if moment is None else moment)
        with Log(folder / LOG) as log:
            log.append([entry])
        line = place.line(entry)
        digest.update(line)
        state.take(json.loads(line))
        place.write_state(folder, state, {"bytes": length + len(line), "sha256": digest.hexdigest()})
    return to


def taken(folder: Path, stage: Stage) -> Stage | None:
    """The stage that a person asked for, once; None if nobody did, or if it is no longer in the stage they saw."""
    path = folder / ORDER
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        found = {}
    forget(folder)
    fits = isinstance(found, dict) and found.get("from") == stage
    return found["to"] if fits and found.get("to") in (next_stage(stage, "on"), next_stage(stage, "back")) else None


def forget(folder: Path) -> None:
    """Drops an order that nobody took up: it was given of a stage that is over."""
    with contextlib.suppress(OSError):
        (folder / ORDER).unlink()


def stage_entry(before: Stage, to: Stage, by: str, reasons: list[Any], moment: float) -> dict[str, Any]:
    return {"kind": "stage", "t": round(moment, 3), "from": before, "to": to, "by": by, "why": reasons}
