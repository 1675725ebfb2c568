"""Takes over the scan of an earlier run of the same model, so that it is not scanned twice."""

from __future__ import annotations

import numpy as np

from core.engine.state import State
from core.errors import BadInput
from core.events import Scanned
from core.runs import hashes
from core.runs.record import Run
from core.runs.spec import Spec
from core.triggers.kept import KeptTriggers
from core.triggers.reconstructed import PUSH, Confidence


def require(state: State) -> None:
    """Checks, before anything is measured, that the earlier scan can be taken over, if the order names one.

    Nothing is checked if this run has it on record already. ``core.runs.hashes.bind`` refuses changed files.

    Raises:
        BadInput: ``run_not_found``; ``scan_not_done``; ``scan_of_others``, of another model or other images;
            ``scan_otherwise``, of the same, but made in another way.
    """
    if state.scanned is None and state.context.spec.scan_of:
        _checked(state)


def take(state: State) -> Scanned:
    """The event of the earlier scan. Its triggers are copied to this run's record; the earlier run is not needed again.

    Raises:
        BadInput: as ``require``.
    """
    scan, scanned = _checked(state)
    triggers = scan.triggers()
    if triggers is None:
        raise _not_done(scan)
    state.context.run.write_triggers(_as_scanned(triggers, scan))
    return scanned


def _as_scanned(triggers: KeptTriggers, scan: Run) -> KeptTriggers:
    """The triggers as the scan left them.

    A purification that gave them up has noted since that there is no confidence in them; it does that with doubtful
    ones alone (``core.engine.purification``).
    """
    if not scan.data.get("steps_before"):
        return triggers
    return triggers._replace(push=np.full_like(triggers.push, PUSH[Confidence.DOUBTFUL]))


def _checked(state: State) -> tuple[Run, Scanned]:
    scan = hashes.scan_of(state.context.run)
    assert scan is not None
    scanned = next((event for _, event in scan.events() if isinstance(event, Scanned)), None)
    if scan.status != "done" or scanned is None:
        raise _not_done(scan)
    if not _same_files(state, scan):
        raise BadInput(
            "scan_of_others",
            f"The scan {scan.id} is of another model or of other images, or its record does not say of which; scan "
            "this one anew.",
            run=scan.id,
        )
    if _way(scan.spec, scan.data["result"]) != _way(state.context.spec, vars(state.context.subject)):
        raise BadInput(
            "scan_otherwise",
            f"The scan {scan.id} was made with another clean budget, seed, target class, network or input scaling; "
            "take the same ones, or scan anew.",
            run=scan.id,
        )
    return scan, scanned


def _same_files(state: State, scan: Run) -> bool:
    """Whether the record of the scan shows that it is of this model and these images."""
    spec, other, data = state.context.spec, scan.spec, scan.data
    noted, mine = data.get("inputs") or {}, state.context.run.data.get("inputs") or {}
    own_images = "images" in mine
    same_images = noted.get("images") == mine["images"] if own_images else other.images == spec.images
    if state.context.subject.card is not None:
        return (
            same_images
            and other.victim == spec.victim
            and data.get("victim_sha256") == state.context.subject.card.sha256
        )
    return same_images and "weights" in mine and noted.get("weights") == mine["weights"]


def _way(spec: Spec, loaded: dict[str, object]) -> tuple[object, ...]:
    """The settings that the result of a scan depends on, besides the files."""
    return spec.clean_budget, spec.seed, spec.target, loaded.get("arch"), loaded.get("normalize")


def _not_done(scan: Run) -> BadInput:
    return BadInput(
        "scan_not_done",
        f"The run {scan.id} has no finished scan to take over; let it come to its end, or scan anew.",
        run=scan.id,
    )
