"""ANP: neurons that are the first to cause misclassification when weights are disturbed are pruned.

Source: Wu and Wang, "Adversarial Neuron Pruning Purifies Backdoored Deep Models", NeurIPS 2021 (arXiv 2110.14430),
sections 3 and 4, algorithm 1; settings of the authors' code.

Each neuron k has a mask m_k in [0, 1] on its weight. The masks are found by

    min over m of   alpha L(m w, b)  +  (1 - alpha) max over |delta|, |xi| <= eps of   L((m + delta) w, (1 + xi) b)

where the inner maximum takes one step along the sign of the gradient, from a random start, as in the authors' code. A
neuron of the backdoor turns images to the target class when it is disturbed a little, so its mask falls. Neurons whose
mask ends at or below a threshold are pruned: their weight is set to 0.

A neuron is, as in the authors' code, a channel of a normalisation layer, whose weight and bias are w and b. In a
network without such layers it is a channel of a convolution or a unit of a linear layer, save those that give the
logits.

The threshold is the highest, in steps of 0.05 up to 0.9, at which accuracy on a fifth of the clean budget, kept apart
from the search for masks, has fallen by no more than ``tolerance``, a tenth of it as in BackdoorBench (Wu et al.,
NeurIPS 2022). Where that costs more BA than the run allows, lower thresholds are tried.

Deviations: 3 passes in batches of 32 at a rate that falls to 0 (some 200 steps for 2,500 images), for the sake of a
CPU, where the authors take 2,000 steps, of 128 and 0.2 throughout; the perturbation is clipped to eps, as in the paper
and not in its code; images are shifted by up to 2 pixels and not mirrored.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim.sgd import sgd

from core.attacks.training import shifted
from core.defenses.presets import from_preset
from core.errors import BadInput
from core.metrics import benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.training.batchnorm import NORMALISING
from core.training.loop import TargetedTrigger, Tuning, TuningSettings

THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(19))
NO_PRUNING = -1.0  # a threshold below all masks
AUTHORS_THRESHOLD = 0.2  # for the model before the search is over


@dataclass(frozen=True)
class ANPSettings(TuningSettings):
    """Those of fine-tuning for the search of masks, and

    alpha: weight of the loss without perturbation, 0-1.
    eps: largest perturbation, as a share of a weight or bias.
    tolerance: share of the accuracy on the held-out part that pruning may cost, 0-1.
    holdout: share of the clean budget that is held out from the search for masks, 0-1.
    """

    UNUSED: ClassVar[tuple[str, ...]] = ("clean", "clip")
    BELOW_1: ClassVar[tuple[str, ...]] = ("holdout",)
    AT_MOST_1: ClassVar[tuple[str, ...]] = ("alpha", "tolerance")
    alpha: float = 0.2
    eps: float = 0.4
    tolerance: float = 0.1
    holdout: float = 0.2
    lr: float = 0.2
    epochs: int = 3
    least: int = 100
    batch: int = 32
    weight_decay: float = 0.0


PRESETS: dict[str, ANPSettings] = {"default": ANPSettings()}


def settings_for(preset: str, data: str = "", **changes: Any) -> ANPSettings:
    """The settings of a preset with single values changed; see ``core.defenses.settings_for``."""
    return from_preset("ANP", PRESETS, preset, **changes)


def neurons(model: Classifier) -> list[str]:
    """The layers whose channels are the network's neurons, by name.

    Raises:
        BadInput: ``no_neurons``, as where a network is a single linear layer.
    """
    named = [(name, layer) for name, layer in model.net.named_modules() if layer is not model.head[0]]
    found = [name for name, layer in named if isinstance(layer, NORMALISING) and _weight(layer) is not None]
    if not found:
        kinds = (nn.Linear, nn.modules.conv._ConvNd)
        found = [name for name, layer in named if isinstance(layer, kinds)]
    if not found:
        raise BadInput(
            "no_neurons",
            "ANP prunes channels of hidden layers, and this network has none; use another defence.",
        )
    return found


def _weight(layer: nn.Module) -> Tensor | None:
    return getattr(layer, "weight", None)


def highest_threshold(accuracy: Callable[[float], float], least: float) -> float:
    """The highest of ``THRESHOLDS`` at which, and at all lower ones, the accuracy is ``least`` at least.

    Args:
        accuracy: of the network that is pruned at a threshold, percent.

    Returns:
        ``NO_PRUNING`` if the lowest costs too much already.
    """
    return max(itertools.takewhile(lambda threshold: accuracy(threshold) >= least, THRESHOLDS), default=NO_PRUNING)


class ANP(Tuning):
    """Finds masks for the victim's neurons and prunes a copy of it.

    Args:
        victim, images, labels, settings, seed: as ``Training``.
        triggers: not used.

    Attributes:
        masks: by layer, each in the shape of its first weights, one number a neuron.
        threshold: the one chosen, once there are masks; 0 before.
    """

    settings: ANPSettings

    def __init__(
        self,
        victim: Classifier,
        images: Tensor,
        labels: Tensor,
        triggers: Sequence[TargetedTrigger],
        settings: ANPSettings,
        seed: int = 0,
    ) -> None:
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
        count = min(round(settings.holdout * len(images)), len(images) - 1)
        self.held_out = images[order[:count]], labels[order[:count]]
        super().__init__(victim, images[order[count:]], labels[order[count:]], settings, seed)
        self.victim = deepcopy(victim).eval()
        self.model.requires_grad_(False)
        parameters = dict(self.model.net.named_parameters())
        layers = neurons(victim)
        self.weights_of = {layer: parameters[f"{layer}.weight"] for layer in layers}
        self.biases_of = {layer: parameters[f"{layer}.bias"] for layer in layers if f"{layer}.bias" in parameters}
        self.masks = {layer: torch.ones_like(_one_per_neuron(weight)) for layer, weight in self.weights_of.items()}

    def masked_logits(self, x: Tensor, masks: dict[str, Tensor], biases: dict[str, Tensor]) -> Tensor:
        """Logits with each neuron's weight and bias times the number given for it."""
        changed = {f"net.{layer}.weight": self.weights_of[layer] * mask for layer, mask in masks.items()}
        changed |= {f"net.{layer}.bias": self.biases_of[layer] * factor for layer, factor in biases.items()}
        return functional_call(self.model, changed, (x,))

    def worst_perturbation(
        self, x: Tensor, y: Tensor, drawn: torch.Generator
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Perturbations delta and xi within eps: a random start and one step along the sign of the gradient."""
        eps = self.settings.eps

        def start(like: Tensor) -> Tensor:
            return ((2 * torch.rand(like.shape, generator=drawn) - 1) * eps).to(like).requires_grad_(True)

        delta = {layer: start(mask) for layer, mask in self.masks.items()}
        xi = {layer: start(bias) for layer, bias in self.biases_of.items()}
        loss = F.cross_entropy(self.perturbed_logits(x, delta, xi), y)
        slopes = torch.autograd.grad(loss, [*delta.values(), *xi.values()], allow_unused=True)
        for noise, slope in zip([*delta.values(), *xi.values()], slopes, strict=True):
            noise.requires_grad_(False)
            if slope is not None:
                noise.add_(eps * slope.sign()).clamp_(-eps, eps)
        return delta, xi

    def perturbed_logits(self, x: Tensor, delta: dict[str, Tensor], xi: dict[str, Tensor]) -> Tensor:
        """Logits of the masked network with each weight and bias of a neuron perturbed by its share."""
        return self.masked_logits(
            x,
            {layer: mask + delta[layer] for layer, mask in self.masks.items()},
            {layer: 1 + factor for layer, factor in xi.items()},
        )

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        drawn = self.step_generator()
        x = shifted(self.x[chosen], self.settings.shift, False, drawn).contiguous(memory_format=torch.channels_last)
        y = self.y[chosen]
        delta, xi = self.worst_perturbation(x, y, drawn)
        for mask in self.masks.values():
            mask.requires_grad_(True).grad = None
        return {
            "clean": F.cross_entropy(self.masked_logits(x, self.masks, {}), y),
            "perturbed": F.cross_entropy(self.perturbed_logits(x, delta, xi), y),
        }

    def weight(self, term: str) -> float:
        return self.settings.alpha if term == "clean" else 1 - self.settings.alpha

    @torch.no_grad()
    def _descend(self, lr: float) -> None:
        moved = [(layer, mask, mask.grad) for layer, mask in self.masks.items() if mask.grad is not None]
        momenta = [self.momenta.get(layer) for layer, _, _ in moved]
        sgd(
            [mask for _, mask, _ in moved], [grad for _, _, grad in moved], momenta, lr=lr,
            momentum=self.settings.momentum, weight_decay=self.settings.weight_decay, dampening=0, nesterov=False,
            maximize=False,
        )  # fmt: skip
        self.momenta = {layer: m for (layer, _, _), m in zip(moved, momenta, strict=True) if m is not None}
        for mask in self.masks.values():
            mask.requires_grad_(False).clamp_(0, 1)

    @torch.no_grad()
    def pruned(self, threshold: float) -> Classifier:
        """A copy of the victim without the neurons whose mask is at or below ``threshold``."""
        model = deepcopy(self.victim)
        parameters = dict(model.net.named_parameters())
        for layer, mask in self.masks.items():
            parameters[f"{layer}.weight"].mul_(mask.detach() > threshold)
        return model

    def _chosen(self) -> float:
        """The highest threshold at which accuracy on the held-out part, and at all lower ones, is within
        ``tolerance``."""
        least = self._held_accuracy(self.victim) * (1 - self.settings.tolerance)
        return highest_threshold(lambda threshold: self._held_accuracy(self.pruned(threshold)), least)

    def _held_accuracy(self, model: Classifier) -> float:
        images, labels = self.held_out
        return benign_accuracy(answers(model, images).cpu(), labels.cpu()) if len(images) else math.nan

    def result(self, best: bool = False) -> Classifier:
        """The pruned model; ``best``: at the threshold chosen, otherwise at the authors'."""
        return self.pruned(self._chosen() if best else AUTHORS_THRESHOLD)

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        tensors, numbers = super().state()
        return tensors | {f"mask.{layer}": mask.detach().clone() for layer, mask in self.masks.items()}, numbers

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        super().restore(tensors, numbers)
        kept = self.part(tensors, "mask")
        self.masks = {layer: kept[layer] for layer in self.masks}  # in their order, in which noise is drawn


def _one_per_neuron(weight: Tensor) -> Tensor:
    """One number a neuron, in a shape that spreads over its weights."""
    return weight if weight.ndim == 1 else weight.flatten(1)[:, 0].view(-1, *[1] * (weight.ndim - 1))
