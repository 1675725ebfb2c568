"""The images of a run's map and its models, loaded again by the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.compute.device import choose as choose_device
from core.data import load
from core.data.imageset import ImageSet, as_float
from core.engine.purified import purified
from core.engine.statistics import as_examined
from core.engine.subject import Subject, load_subject
from core.errors import BadInput
from core.models.classifier import Classifier
from core.runs import hashes
from core.runs.arrays import Samples
from core.runs.record import Run
from core.triggers.reconstructed import from_record

Trigger = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Material:
    """``models``: the victim, and the purified model where its weights are kept, on ``device``. ``samples``: of the
    record; ``images``: the set they come from; ``trigger``: the one that the triggered samples carry."""

    models: tuple[Classifier, ...]
    samples: Samples
    images: ImageSet
    trigger: Trigger
    device: torch.device

    def pixels(self, points: list[int] | None = None) -> Tensor:
        """The images of these points (all by default) as the models saw them, float (n, 3, h, w) in [0, 1], CPU."""
        chosen = torch.arange(len(self.samples.label)) if points is None else torch.tensor(points, dtype=torch.long)
        index = torch.from_numpy(self.samples.index).long()[chosen]
        triggered = torch.from_numpy(self.samples.triggered)[chosen]
        x = as_float(self.images.x_test[index]).clone()
        if triggered.any():
            x[triggered] = self.trigger(x[triggered])
        return x


def material(run: Run) -> Material:
    """Loads images, models and trigger of a run.

    Raises:
        BadInput: ``no_frames``, the run keeps no sample set; ``images_changed``, the images at the recorded place are
            others than those of the run; as ``core.runs.hashes.check``, ``core.data.load`` and
            ``core.engine.subject.load_subject``.
    """
    samples = run.samples
    if samples is None:
        raise BadInput("no_frames", f"The run {run.id} has no frames yet, so there is nothing to show.", run=run.id)
    hashes.check(run)
    spec = run.spec
    device = choose_device(spec.device if spec.device != "cuda" or torch.cuda.is_available() else "auto")
    images = load(spec.images)
    labels = images.y_test.numpy()
    if int(samples.index.max()) >= len(labels) or (labels[samples.index] != samples.label).any():
        raise BadInput(
            "images_changed",
            f"The images at {spec.images} are others than those of the run {run.id}; put the same images there again.",
            path=spec.images, run=run.id,
        )  # fmt: skip
    subject = load_subject(spec, images)
    subject.model.on(device)  # as in the run
    subject, after = as_examined(run, subject, images), purified(run, images)
    models = [model.on(device).eval() for model in (subject.model, after) if model is not None]
    return Material(tuple(models), samples, images, trigger_of(run, subject, device), device)


def trigger_of(run: Run, subject: Subject, device: torch.device) -> Trigger:
    """The real trigger where it is known, else the first reconstructed one, as on the map.

    Raises:
        BadInput: ``no_trigger_kept``.
    """
    if subject.trigger is not None:
        return subject.trigger
    found = run.triggers()
    if found is None:
        raise BadInput(
            "no_trigger_kept",
            f"The run {run.id} keeps no reconstructed trigger, so its images with the trigger cannot be made again.",
            run=run.id,
        )
    return from_record(found, device)[0]
