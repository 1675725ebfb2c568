"""I-BAU: adversarial unlearning with an implicit hypergradient, since the perturbation depends on the network.

Source: Zeng, Chen, Park, Mao, Jin, Jia, "Adversarial Unlearning of Backdoors via Implicit Hypergradient", ICLR 2022
(arXiv 2110.03735), equation 1 (the minimax problem), section 3.2 (implicit hypergradient, algorithm 1); settings of the
authors' code.

One perturbation d for all images stands for the unknown trigger. In each round it is sought anew,

    d*(w) = argmin over d of   inner(d, w) = -CE(w, x + d, y) + 0.001 ||d||^2

and then the network w is trained to read images with d* rightly, ``outer(d*(w), w)``. The gradient of that is

    d outer / d w  +  (d d* / d w)^T d outer / d d

whose second part the implicit function theorem gives without unrolling the search: d* is the fixed point of
d - s inner', so v <- v - s inner'' v + d outer / d d is iterated (Grazzi et al., ICML 2020), and the part is
-s (d inner' / d w)^T v.

Networks stay in evaluation mode, as in the authors' code.

Deviations, for the sake of a CPU: 2 rounds with batches of 128 at a rate that falls from 0.001 to 0, where the authors
take 5, of 100 at 0.001; the perturbation is sought in 10 steps a round and not in as many as there are batches, and
inner'' is taken on 16 images. It is sought against the labels, as in the paper, not against the network's answers,
and cut to a length of 10, as in BackdoorBench (Wu et al., NeurIPS 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from core.defenses.presets import from_preset
from core.models.classifier import Classifier
from core.training.adam import AdamTuning
from core.training.loop import TargetedTrigger, TuningSettings

NORM_WEIGHT = 0.001  # of ||d||^2


@dataclass(frozen=True)
class IBAUSettings(TuningSettings):
    """Those of fine-tuning, of which ``momentum`` is Adam's first beta and an epoch is a round, and

    share: of the images of a batch that carry the perturbation, 0-1.
    ascent: steps in which the perturbation is sought, each on a batch.
    ascent_lr: learning rate of those.
    radius: largest length of the perturbation, all pixels of [0, 1] together.
    fixed_point: iterations of the fixed point.
    fixed_point_lr: s.
    curvature: images of a batch on which inner'' is taken.
    """

    UNUSED: ClassVar[tuple[str, ...]] = ("clean", "clip")
    ABOVE_0: ClassVar[tuple[str, ...]] = ("ascent", "fixed_point", "curvature")
    AT_MOST_1: ClassVar[tuple[str, ...]] = ("share",)
    share: float = 0.01
    ascent: int = 10
    ascent_lr: float = 10.0
    radius: float = 10.0
    fixed_point: int = 5
    fixed_point_lr: float = 0.1
    curvature: int = 16
    lr: float = 1e-3
    epochs: int = 2
    least: int = 40
    batch: int = 128
    weight_decay: float = 0.0
    shift: int = 0


PRESETS: dict[str, IBAUSettings] = {"default": IBAUSettings()}


def settings_for(preset: str, data: str = "", **changes: Any) -> IBAUSettings:
    """The settings of a preset with single values changed; see ``core.defenses.settings_for``."""
    return from_preset("I-BAU", PRESETS, preset, **changes)


def implicit(slope: Tensor, at: Tensor, outer: Tensor, rounds: int, size: float) -> Tensor:
    """A number whose gradient by the weights is the second part of the hypergradient; its value means nothing.

    Args:
        slope: inner' at d, with its graph. at: d, which the graph leads to.
        outer: d outer / d d.
        rounds, size: iterations of the fixed point, and s.
    """
    v = outer
    for _ in range(rounds - 1):  # the first of them, from v = 0, gives ``outer``
        (curvature,) = torch.autograd.grad(slope, at, v, retain_graph=True)  # inner'' v
        v = v - size * curvature + outer
    return -size * (slope * v).sum()


class IBAU(AdamTuning):
    """Trains a copy of the victim against the worst perturbation that serves all images.

    Args:
        victim, images, labels, settings, seed: as ``Training``.
        triggers: not used.
    """

    settings: IBAUSettings

    def __init__(
        self,
        victim: Classifier,
        images: Tensor,
        labels: Tensor,
        triggers: Sequence[TargetedTrigger],
        settings: IBAUSettings,
        seed: int = 0,
    ) -> None:
        super().__init__(victim, images, labels, settings, seed)
        self.perturbation = torch.zeros_like(self.x[:1])

    def inner(self, d: Tensor, chosen: Tensor) -> Tensor:
        """How badly d misleads the images ``chosen``: the worse, the lower."""
        x = (self.x[chosen] + d).contiguous(memory_format=torch.channels_last)
        return NORM_WEIGHT * d.square().sum() - F.cross_entropy(self.model(x), self.y[chosen])

    def outer(self, d: Tensor, chosen: Tensor) -> Tensor:
        """The loss on the images ``chosen``, the first ``share`` of which carry d."""
        x, marked = self.shifted_batch(chosen), max(1, round(self.settings.share * len(chosen)))
        x = torch.cat([x[:marked] + d, x[marked:]]).contiguous(memory_format=torch.channels_last)
        return F.cross_entropy(self.model(x), self.y[chosen])

    def search(self) -> Tensor:
        """The perturbation of a round, (1, 3, h, w), from nothing."""
        d, settings = torch.zeros_like(self.x[:1]), self.settings
        order = torch.randperm(len(self.x), generator=self.step_generator()).to(self.x.device)
        batches = order.split(settings.batch)
        self.model.requires_grad_(False)
        for number in range(settings.ascent):
            d.requires_grad_(True)
            (slope,) = torch.autograd.grad(self.inner(d, batches[number % len(batches)]), d)
            d = d.detach() - settings.ascent_lr * slope
        self.model.requires_grad_(True)
        return d * min(1.0, settings.radius / max(float(d.norm()), 1e-12))

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        self.model.eval()
        settings = self.settings
        if (self.done - self.steps_before) % self.per_epoch == 0:
            self.perturbation = self.search()
        d = self.perturbation.clone().requires_grad_(True)
        outer = self.outer(d, chosen)
        (by_d,) = torch.autograd.grad(outer, d, retain_graph=True)
        (slope,) = torch.autograd.grad(self.inner(d, chosen[: settings.curvature]), d, create_graph=True)
        return {"clean": outer, "implicit": implicit(slope, d, by_d, settings.fixed_point, settings.fixed_point_lr)}

    def weight(self, term: str) -> float:
        return 1.0

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        tensors, numbers = super().state()
        return tensors | {"perturbation.of_round": self.perturbation.clone()}, numbers

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        super().restore(tensors, numbers)
        self.perturbation = self.part(tensors, "perturbation")["of_round"]
