"""A model with the batch-norm statistics of clean images, as any further training would have it.

Running statistics are part of the answers and not of the training, which takes those of its batches. So a backdoor can
be put to sleep by them, or by weights that are changed while they are held. With the statistics of clean images, which
every purification ends with, it is awake (``core.attacks.deferred``; figures in NOTES.md of ``core.attacks``). A scan
of the file as it came misses it, and the purification would wake it.

An honest network's statistics are those of its clean images or near them.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.engine.subject import Subject
from core.models.classifier import Classifier
from core.training.batchnorm import moved_statistics, recompute_statistics

# Octaves. On 500 clean images honest networks reach 0.09 at most, and concealed backdoors begin at 0.27.
MAX_MOVED = 0.2
MAX_IMAGES, MIN_IMAGES = 500, 20  # clean images for the statistics: more change nothing, and fewer are mostly noise


def with_clean_statistics(subject: Subject, images: Tensor, seed: int = 0) -> Subject:
    """The subject with the statistics of clean images, if its own lie too far from them.

    That is further than ``MAX_MOVED``, and further than those of the two halves of the images lie from each other: few
    images, or images that are alike, have statistics of their own.

    Args:
        subject: in evaluation mode, on its device; not changed.
        images: clean, uint8, (n, 3, h, w), in any order.
        seed: of the choice among them.
    """
    if len(images) < MIN_IMAGES:
        return subject
    # shuffled, since a batch of few classes has other statistics
    images = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:MAX_IMAGES]]
    model = _with_statistics(subject.model, images)
    moved = moved_statistics(subject.model, model)
    if moved <= MAX_MOVED:
        return subject
    halves = [_with_statistics(subject.model, half) for half in images.chunk(2)]
    return subject if moved <= moved_statistics(*halves) else replace(subject, model=model, moved=round(moved, 2))


def _with_statistics(model: Classifier, images: Tensor) -> Classifier:
    copy = deepcopy(model)
    recompute_statistics(copy, as_float(images.to(model.mean.device)))
    return copy
