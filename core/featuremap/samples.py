"""The fixed sample set of a run's map: clean test images, and some of them a second time with the trigger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.data.budget import clean_budget
from core.data.imageset import ImageSet, as_float
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits

EXAMPLES = 8  # images shown before and after, at most
CLEAN_SHARE = 0.75  # of the samples


@dataclass(frozen=True)
class SampleSet:
    """First all clean samples, then the triggered ones.

    ``index`` (n,) into the test set; ``label`` (n,); ``triggered`` bool (n,); ``twin`` (n,): of a triggered
    sample, the position of the same image without the trigger, else -1; ``images`` float (n, 3, h, w) in [0, 1].
    """

    index: Tensor
    label: Tensor
    triggered: Tensor
    twin: Tensor
    images: Tensor

    @property
    def clean_count(self) -> int:
        return int((~self.triggered).sum())


def choose(
    images: ImageSet, trigger: Callable[[Tensor], Tensor], target: int, points: int, seed: int, device: torch.device
) -> SampleSet:
    """Three clean samples for each triggered one, ``points`` in all (fewer if the test set is smaller).

    The classes keep their shares of the test set; no triggered sample is of the target class.
    """
    count = min(round(CLEAN_SHARE * points), len(images.x_test))
    if count == len(images.x_test):
        clean = torch.arange(count)
    else:
        clean = clean_budget(images.y_test, max(count, images.num_classes), images.num_classes, seed)
    clean = clean[torch.randperm(len(clean), generator=torch.Generator().manual_seed(seed))]
    not_target = torch.nonzero(images.y_test[clean] != target).flatten()
    twins = not_target[: max(1, len(clean) // 3)]
    index = torch.cat([clean, clean[twins]])
    triggered = torch.arange(len(index)) >= len(clean)
    twin = torch.cat([torch.full((len(clean),), -1), twins])
    x = as_float(images.x_test[clean].to(device))
    both = torch.cat([x, trigger(x[twins.to(device)])])
    return SampleSet(index, images.y_test[index], triggered, twin, both)


def examples(samples: SampleSet) -> Tensor:
    """Positions of up to ``EXAMPLES`` triggered samples, from as many classes as possible, (k,)."""
    positions = torch.nonzero(samples.triggered).flatten()
    labels = samples.label[positions]
    order = torch.argsort(labels, stable=True)
    # the rank within the class: the first samples of all classes come before any second one
    sorted_labels = labels[order]
    starts = torch.searchsorted(sorted_labels, sorted_labels)
    rank = torch.arange(len(order)) - starts
    chosen = order[torch.argsort(rank, stable=True)][:EXAMPLES]
    return positions[chosen]


@dataclass(frozen=True)
class View:
    """The sample set evaluated by a model.

    ``features`` (n, d); ``answers`` (n,); ``confidence`` of the answers (n,), percent; ``ba`` and ``asr``, percent.
    """

    features: Tensor
    answers: Tensor
    confidence: Tensor
    ba: float
    asr: float


def view(model: Classifier, samples: SampleSet, target: int) -> View:
    """Evaluates the sample set with a model."""
    features, logits = features_and_logits(model, samples.images)
    confidence, answered = logits.softmax(1).max(1)
    n = samples.clean_count
    label, answered_cpu = samples.label, answered.cpu()
    return View(
        features,
        answered_cpu,
        100 * confidence.cpu(),
        benign_accuracy(answered_cpu[:n], label[:n]),
        attack_success_rate(answered_cpu[n:], label[n:], target),
    )
