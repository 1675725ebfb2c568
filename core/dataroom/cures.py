"""What can be done with a judged set: retrain without the flagged images, purify the model, train with ABL or ASD.

The images of ``Verdict.left_out`` count as flagged: those of the filter, corrected by a person where one has looked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from core.compute.returning import returned
from core.data.budget import clean_budget
from core.data.enough import enough
from core.dataroom.abl import ABLSettings, abl
from core.dataroom.asd import ASDSettings, asd
from core.dataroom.room import Report, Verdict, figures
from core.dataroom.seen import fresh, settings_of, trained
from core.dataroom.trainset import TrainSet
from core.dataroom.written import require_classes
from core.defenses.mcl.purifier import Purifier
from core.defenses.mcl.settings import MCLSettings
from core.errors import BadInput
from core.models.classifier import Classifier
from core.scan import FORMS
from core.scan.restarts import Effort, restarts
from core.triggers.reconstructed import Reconstructed

EFFORT = Effort(steps=60, images=12, attack_rate=0.97)
STARTS_PER_FORM = 2


@dataclass(frozen=True)
class Cured:
    """``ba``, ``asr``: percent; ``asr`` is true, or None where the attack is unknown. ``lost``: images left out."""

    model: Classifier
    ba: float
    asr: float | None
    minutes: float
    lost: int

    @property
    def facts(self) -> dict[str, Any]:
        return {"ba": self.ba, "asr": self.asr, "minutes": self.minutes, "lost": self.lost}


def retrain(room: TrainSet, verdict: Verdict, arch: str, seed: int, report: Report) -> Classifier:
    """An ordinary training without the flagged images.

    Raises:
        BadInput: as ``require_classes``.
    """
    kept = kept_images(room, verdict)
    model = fresh(room.images, arch, seed + 1, str(verdict.model.mean.device))
    for epoch in trained(model, room.x[kept], room.y[kept], seed + 1):
        report("then", epoch.step, epoch.total)
    return model


def kept_images(room: TrainSet, verdict: Verdict) -> Tensor:
    """Positions of the images to train on that are not flagged, int64 (k,).

    Raises:
        BadInput: as ``require_classes``.
    """
    return room.learnt[torch.from_numpy(require_classes(room, verdict.left_out))[room.learnt]]


def suppress(room: TrainSet, verdict: Verdict, arch: str, seed: int, report: Report) -> Classifier:
    """ABL; the flagged images are set apart, and where there are none, its own first stage finds some."""
    device = verdict.model.mean.device
    model = fresh(room.images, arch, seed + 2, str(device))
    require_classes(room, verdict.left_out)
    x, y = room.x[room.learnt].to(device), room.y[room.learnt].to(device)
    training = settings_of(len(x))
    training = replace(training, epochs=max(10, training.epochs))  # the first stage takes a fifth of them
    flagged = torch.nonzero(torch.from_numpy(verdict.left_out)[room.learnt]).flatten()
    apart = flagged if len(flagged) else None
    for epoch in abl(model, x, y, training, ABLSettings(), seed + 2, apart):
        report("then", epoch.step, epoch.total)
    return model


def split(room: TrainSet, verdict: Verdict, arch: str, seed: int, report: Report) -> Classifier:
    """ASD; no filter has a say, and no image is left out.

    Raises:
        BadInput: as ``seeds``.
    """
    device = verdict.model.mean.device
    known, known_labels = seeds(room)
    model = fresh(room.images, arch, seed + 3, str(device))
    x, y = room.x[room.learnt].to(device), room.y[room.learnt].to(device)
    for epoch in asd(model, x, y, (known.to(device), known_labels.to(device)), ASDSettings(), seed + 3):
        report("then", epoch.step, epoch.total)
    return model


def seeds(room: TrainSet) -> tuple[Tensor, Tensor]:
    """The trusted images and their labels, which ASD begins with.

    Raises:
        BadInput: ``no_seeds`` where a class has none.
    """
    counts = room.trusted[1].bincount(minlength=room.images.num_classes)
    if (counts == 0).any():
        name = room.images.class_names[int(counts.argmin())]
        raise BadInput(
            "no_seeds",
            f"Splitting (ASD) begins with trusted images of each class, and there are none of class {name}; give some "
            "with --trusted.",
            name=name,
        )  # fmt: skip
    return room.trusted


def purify(room: TrainSet, verdict: Verdict, arch: str, seed: int, report: Report, found: bool = True) -> Classifier:
    """MCL on the model that was looked through, with the flagged images of the suspected class as triggered examples.

    The clean budget comes from the images that are not flagged, so that what the filter missed may be among it.

    Args:
        found: False: with reconstructed triggers alone, to compare.

    Raises:
        BadInput: ``no_target`` where no class is suspected, or as ``require_classes``.
    """
    target = verdict.target
    if target is None:
        raise BadInput(
            "no_target",
            "No class is suspected, so there is nothing to purify of; give the class with --target if you know it.",
        )
    x, y = budget(room, verdict, seed)
    triggers = _reconstructed(verdict.model, x, target, seed, report)
    real = triggered(room, verdict) if found else None
    purifier = Purifier(verdict.model, x, y, triggers, MCLSettings(), seed, real)
    for step in purifier.steps():
        report("then", step.step, step.total)
    return purifier.result(best=True)


def triggered(room: TrainSet, verdict: Verdict) -> Tensor:
    """The flagged images of the suspected class, uint8 (n, 3, h, w)."""
    return room.x[torch.from_numpy(verdict.left_out) & (room.y == verdict.target)]


def budget(room: TrainSet, verdict: Verdict, seed: int) -> tuple[Tensor, Tensor]:
    """The clean budget for a purification, from the images that are not flagged, and their labels.

    Raises:
        BadInput: as ``require_classes``.
    """
    kept = kept_images(room, verdict)
    classes = room.images.num_classes
    chosen = kept[clean_budget(room.y[kept], enough(len(kept), classes), classes, seed)]
    return room.x[chosen], room.y[chosen]


def _reconstructed(model: Classifier, x: Tensor, target: int, seed: int, report: Report) -> list[Reconstructed]:
    found: list[Reconstructed] = []
    for number, form in enumerate(FORMS):
        report("scan", number, len(FORMS))
        found += returned(restarts(model, x, form, [target] * STARTS_PER_FORM, EFFORT, seed + number))
    if not found:
        raise BadInput(
            "no_trigger_towards",
            f"No trigger that leads to class {target} could be reconstructed, so MCL has nothing to work with; train "
            "anew without the flagged images instead.",
            target=target,
        )  # fmt: skip
    return found


WAYS: dict[str, Callable[[TrainSet, Verdict, str, int, Report], Classifier]] = {
    "retrain": retrain,
    "purify": purify,
    "suppress": suppress,
    "split": split,
}

LEAVE_OUT = ("retrain", "suppress")  # the ways that keep nothing of the flagged images


def cure(way: str, room: TrainSet, verdict: Verdict, arch: str, seed: int, report: Report) -> Cured:
    """Goes one of the ways of ``WAYS``, and measures what came of it.

    Raises:
        BadInput: as that way.
    """
    began = time.monotonic()
    model = WAYS[way](room, verdict, arch, seed, report)
    minutes = round((time.monotonic() - began) / 60, 2)
    ba, asr = figures(model, room, verdict.left_out)
    return Cured(model, ba, asr, minutes, int(verdict.left_out.sum()) if way in LEAVE_OUT else 0)


def before(room: TrainSet, verdict: Verdict) -> dict[str, Any]:
    """The figures of the model that was looked through."""
    ba, asr = figures(verdict.model, room, verdict.left_out)
    return {"ba": ba, "asr": asr, "minutes": 0.0, "lost": 0}
