"""Two triggers with two targets in one network.

Several backdoors at once are as old as BadNets (Gu et al., arXiv 1708.06733: each class led to the next).
Here they differ in kind, so that what finds and cures one says nothing of the other: a patch, which scans find first,
and a picture that shines through, which leads elsewhere. A scan that names one class, a purification of that class and
a proof of *its* cure can all be right, and the other backdoor is still there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from core.attacks import make_trigger
from core.attacks.poisoning import poison
from core.attacks.training import Epoch, TrainSettings
from core.attacks.trigger import Poisoned, Trigger
from core.models.classifier import Classifier


@dataclass(frozen=True)
class TwoTargets(Trigger):
    """The first trigger is the one that is put into images and measured; the training plants the second as well.

    Args:
        size: height and width of the images, pixels.
        first, second: attacks by name, each with its own settings.
        apart: the second target is so many classes on from the first, counted round.
    """

    size: tuple[int, int]
    first: str = "badnets"
    second: str = "blended"
    apart: int = 1
    clean_label: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (isinstance(self.apart, int) and self.apart >= 1):
            raise ValueError("apart is a whole number from 1")
        if any(make_trigger(name, self.size).clean_label for name in (self.first, self.second)):
            raise ValueError("first and second are attacks that give poisoned images another label")

    @property
    def triggers(self) -> tuple[Trigger, Trigger]:
        return make_trigger(self.first, self.size), make_trigger(self.second, self.size)

    def second_target(self, target: int, classes: int) -> int:
        """The class that the second trigger leads to; never the first one's."""
        return (target + 1 + (self.apart - 1) % (classes - 1)) % classes

    @property
    def cover_rate(self) -> float:
        return self.triggers[0].cover_rate

    def __call__(self, images: Tensor) -> Tensor:
        return self.triggers[0](images)

    def planted(self, images: Tensor, generator: Generator) -> Tensor:
        return self.triggers[0].planted(images, generator)

    def covers(self, images: Tensor, generator: Generator) -> Tensor:
        return self.triggers[0].covers(images, generator)

    def train(
        self, model: Classifier, data: Poisoned, target: int, settings: TrainSettings, seed: int
    ) -> Iterator[Epoch]:
        """Plants the second trigger in as many other images as the first is in, and trains as usual."""
        both = self.with_second(data, target, model.num_classes, seed)
        yield from super().train(model, both, target, settings, seed)

    def with_second(self, data: Poisoned, target: int, classes: int, seed: int) -> Poisoned:
        """The set with the second trigger in as many images as the first has; ``chosen`` are those of both."""
        kept = torch.ones(len(data.images), dtype=torch.bool)
        kept[data.chosen.cpu()] = False
        others = torch.nonzero(kept).flatten().to(data.images.device)
        rate = min(1.0, len(data.chosen) / max(1, len(others)))
        to = self.second_target(target, classes)
        images, labels = data.images.clone(), data.labels.clone()
        second = poison(images[others].cpu(), labels[others].cpu(), self.triggers[1], to, rate, seed + 1)
        images[others], labels[others] = second.images.to(images.device), second.labels.to(labels.device)
        return Poisoned(images, labels, torch.cat([data.chosen, others[second.chosen.to(others.device)]]))
