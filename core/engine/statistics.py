"""A model with the batch-norm statistics of clean images, as any further training would have it.

Running statistics are part of the answers and not of the training, which takes those of its batches. So a backdoor can
be put to sleep by them, or by weights that are changed while they are held. With the statistics of clean images, which
every purification ends with, it is awake (``core.attacks.deferred``; figures in NOTES.md of ``core.attacks``). A scan
of the file as it came misses it, and the purification would wake it.

An honest network's statistics are those of its clean images or near them, unless it was tuned with the statistics of
others held fast. Such a network needs those, and loses accuracy without them: it stays as it came.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor

from core.data.budget import clean_budget
from core.data.imageset import ImageSet, as_float
from core.engine.subject import Subject
from core.events import Scanned
from core.metrics import benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.runs.record import Run
from core.training.batchnorm import moved_statistics, recompute_statistics

# Octaves. On 500 clean images honest networks reach 0.09 at most, and concealed backdoors begin at 0.27.
MAX_MOVED = 0.2
MAX_LOST = 5.0  # points of accuracy on these images that the new statistics may cost
MAX_IMAGES, MIN_IMAGES = 500, 20  # clean images for the statistics: more change nothing, and fewer are mostly noise


def with_clean_statistics(subject: Subject, images: Tensor, labels: Tensor, seed: int = 0) -> Subject:
    """The subject with the statistics of clean images, if its own lie too far from them.

    That is further than ``MAX_MOVED``, and further than those of the two halves of the images lie from each other: few
    images, or images that are alike, have statistics of their own. And the network has to work with them.

    Args:
        subject: in evaluation mode, on its device; not changed.
        images, labels: clean, uint8, (n, 3, h, w), in any order, and their classes, int64, (n,).
        seed: of the choice among them.
    """
    if len(images) < MIN_IMAGES:
        return subject
    # shuffled, since a batch of few classes has other statistics
    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:MAX_IMAGES]
    images, labels = images[chosen], labels[chosen]
    model = _with_statistics(subject.model, images)
    moved = moved_statistics(subject.model, model)
    if not moved > MAX_MOVED:  # or not a number
        return subject
    halves = [_with_statistics(subject.model, half) for half in images.chunk(2)]
    if moved <= moved_statistics(*halves):
        return subject
    before, after = (benign_accuracy(answers(each, images), labels) for each in (subject.model, model))
    return subject if after < before - MAX_LOST else replace(subject, model=model, moved=round(moved, 2))


def as_examined(run: Run, subject: Subject, images: ImageSet) -> Subject:
    """The subject as a run examined it: with the statistics of its clean images, where the record of its scan says so.

    Args:
        run: its record.
        subject: as the file has it, on its device; not changed.
        images: of the run.
    """
    if not any(isinstance(event, Scanned) and "statistics" in event.facts for _, event in run.events()):
        return subject
    spec = run.spec
    chosen = clean_budget(images.y_train, spec.clean_budget, images.num_classes, spec.seed)
    return with_clean_statistics(subject, images.x_train[chosen], images.y_train[chosen], spec.seed)


def _with_statistics(model: Classifier, images: Tensor) -> Classifier:
    copy = deepcopy(model)
    recompute_statistics(copy, as_float(images.to(model.mean.device)))
    return copy
