"""Purification with contaminated clean images: some have wrong labels, or some carry the trigger.

Each contamination is a purification of its own, with the run's settings and its clean images, of which some were
changed; the test images stay as they are. It needs a shipped victim, whose trigger is known.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.attacks.poisoning import poison
from core.attacks.trigger import Trigger
from core.data import load
from core.data.budget import clean_budget
from core.data.imageset import ImageSet
from core.engine import worker
from core.errors import BadInput
from core.events import Event, Progress
from core.runs import hashes, record
from core.runs.record import Run
from core.victims import card_of, trigger_of


@dataclass(frozen=True)
class Contamination:
    """``kind``: "labels", images with a wrong label; "triggered", images with the trigger, called as the attacker calls
    them. ``share``: of the clean images, percent; one image at least."""

    kind: str
    share: float


CONTAMINATIONS = (
    Contamination("labels", 1), Contamination("labels", 5), Contamination("labels", 20),
    Contamination("triggered", 0.1), Contamination("triggered", 0.5), Contamination("triggered", 2),
)  # fmt: skip


def require_lab(run: Run) -> None:
    """Raises: BadInput: ``dirty_needs_lab``, the attacker's trigger is not known."""
    if not run.spec.victim:
        raise BadInput(
            "dirty_needs_lab",
            f"The trigger of the run {run.id} is unknown, so how far its cure holds with unclean images cannot be "
            "measured; take a run of a shipped victim.",
            run=run.id,
        )


def contaminated(
    x: Tensor, y: Tensor, contamination: Contamination, classes: int, trigger: Trigger, target: int, seed: int
) -> tuple[Tensor, Tensor]:
    """The clean images, uint8 (n, 3, h, w), and their labels, contaminated."""
    share = contamination.share / 100
    if contamination.kind == "triggered":
        rate = share if not trigger.clean_label else share * len(y) / max(1, int((y == target).sum()))
        x, y, _ = poison(x, y, trigger, target, min(1.0, rate), seed)
        return x, y
    generator = torch.Generator().manual_seed(seed)
    wrong = torch.randperm(len(y), generator=generator)[: max(1, round(share * len(y)))]
    y = y.clone()
    y[wrong] = (y[wrong] + torch.randint(1, classes, (len(wrong),), generator=generator)) % classes
    return x, y


def purify(run: Run, contamination: Contamination, tick: Callable[[float], None]) -> dict[str, Any]:
    """The result of the run's purification with contamination among its clean images.

    Returns:
        ``kind``, ``share``, ``images`` (clean ones, all told), ``ba_before``, ``ba_after``, ``asr_before``,
        ``asr_after`` (true, percent; None: the purification did not come to its end), ``cure``, the grade, and
        ``handed_out``, whether the product would hand the model out by itself.

    Raises:
        BadInput: ``dirty_needs_lab``; as ``core.data.load``.
        KeyboardInterrupt: the purification was told to stop.
    """
    require_lab(run)

    def see(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "purify" and event.total:
            tick(event.done / event.total)

    with tempfile.TemporaryDirectory() as folder:
        made = ordered(run, contamination, Path(folder))
        if worker.work(made.folder, on_event=see) == "stopped":
            raise KeyboardInterrupt  # by a signal: nothing was found out
        return outcome(made, contamination)


def ordered(run: Run, contamination: Contamination, folder: Path) -> Run:
    """The run's purification with contamination among its clean images, not begun; its files lie in ``folder``.

    Raises:
        BadInput: as ``core.data.load``.
    """
    spec = run.spec
    card = card_of(str(spec.victim))
    images = load(spec.images)
    chosen = clean_budget(images.y_train, spec.clean_budget, images.num_classes, spec.seed)
    x, y = images.x_train[chosen], images.y_train[chosen]
    x, y = contaminated(x, y, contamination, images.num_classes, trigger_of(card, images.size), card.target, spec.seed)
    # the settings of a defence go by the set's name, which is that of the file
    file = _write(replace(images, x_train=x, y_train=y), folder / f"{images.name}.npz")
    own = replace(spec, images=str(file), clean_budget=len(y), enough=False, map=False, live=False, scan_only=False)
    return record.create(own, root=folder / "runs")


def outcome(made: Run, contamination: Contamination) -> dict[str, Any]:
    """What came of an ordered run; as ``purify``."""
    result = made.data.get("result") or {}
    found = {name: result.get(name) for name in ("ba_before", "ba_after", "asr_before", "asr_after", "cure")}
    handed_out = hashes.purified_file(made).exists()
    return asdict(contamination) | {"images": made.spec.clean_budget, **found, "handed_out": handed_out}


def _write(images: ImageSet, file: Path) -> Path:
    arrays = {
        name: getattr(images, name).numpy() for name in ("x_train", "y_train", "x_test", "y_test")
    } | {"class_names": np.array(images.class_names)}  # fmt: skip
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file
