"""The steps of a trigger inversion for all classes at once, through the frozen model; the part that all forms share.

A form (a module of ``core.scan.FORMS``) defines the variables of a trigger and its size. Here the triggers
of all classes are optimised together, by the same steps on the same images. Each class has a weight for the size of its
trigger. The weight rises while the attack succeeds and falls while it does not (after Neural Cleanse, IEEE S&P 2019,
section IV-B, and its code). The classes of a step go through the model as one batch. ``core.scan.form`` has the stages
of an inversion.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.adam import adam

from core.compute.memory import ran_out
from core.models.classifier import Classifier
from core.models.evaluate import one_core_per_thread
from core.triggers.reconstructed import Reconstructed

# Pixels of all images in one pass through the model. On a CPU, the activations of a layer then fit the cache.
CPU_PIXELS = 128 * 32 * 32
GPU_PIXELS = 64 * CPU_PIXELS
RATE_MEMORY = 0.6  # decay of the smoothed attack rate: it averages about three batches, since one is too noisy
FALL_POWER = 1.5  # the size weight falls faster than it rises, by this power of its factor


@dataclass(frozen=True)
class InversionSettings:
    """Step budget, images and weights of an inversion; NOTES.md beside this file has the trials.

    Args:
        main_steps: steps of the main stage.
        refinement_steps: steps of the refinement.
        refined_classes: classes that are refined, those with the smallest triggers.
        prescreen_steps, prescreen_images: steps of the prescreen, and images per class and step in it.
        main_classes: classes in the main stage at most. If there are no more, there is no prescreen.
        images: images per class and step after the prescreen.
        lr: Adam's learning rate.
        attack_rate: share of the images, 0-1, that must be answered with the class for a trigger to be successful.
        size_weight: initial weight of the trigger's size (pixels) against the cross-entropy (nats).
        weight_factor: factor per step by which the size weight rises while the attack succeeds. While it does not, the
            weight falls by this factor to the power 1.5.
    """

    main_steps: int = 100
    refinement_steps: int = 30
    refined_classes: int = 2
    prescreen_steps: int = 25
    prescreen_images: int = 4
    main_classes: int = 16
    images: int = 8
    lr: float = 0.06
    attack_rate: float = 0.95
    size_weight: float = 0.01
    weight_factor: float = 1.3


@dataclass(frozen=True)
class Inverted:
    """The triggers of one form, reconstructed for all classes.

    Attributes:
        form: one of ``core.scan.FORMS``.
        masks: (classes, 1, h, w), 0-1; None for a form that adds to every pixel.
        patterns: (classes, 3, h, w); colours 0-1 under a mask, what is added (-1 to 1) without one.
        sizes: L1 size of each class's smallest successful trigger at the end of the main stage, (classes,), pixels;
            infinite if none reached the attack rate, NaN if the class left in the prescreen.
        attack_rates: share of images, 0-1, that the returned trigger changes to its class, (classes,).
        early_loss: mean cross-entropy of each class over the first ``prescreen_steps`` steps, (classes,), nats: the
            lower, the sooner the class was reached. None if it was not recorded.
    """

    form: str
    masks: Tensor | None
    patterns: Tensor
    sizes: Tensor
    attack_rates: Tensor
    early_loss: Tensor | None = None

    def trigger(self, target: int) -> Reconstructed:
        """The trigger that leads to ``target``."""
        mask = None if self.masks is None else self.masks[target]
        return Reconstructed(self.form, self.patterns[target], mask, target)


class Inversion(ABC):
    """The triggers of some classes in optimisation: variables, state of Adam, and the best trigger of each so far.

    Args:
        classes: int64, (count,); a class may occur more than once.
        parts: the variables of the triggers, each (count, ...); optimised in place.
        settings: see ``InversionSettings``.

    Attributes:
        weight: size weight of each class, (count,).
        smoothed_rate: attack rate of each class, smoothed over the last batches, 0-1, (count,).
        best, best_size, best_rate: variables, size and rate of the smallest successful trigger of each class so far.
        max_pixels: pixels in one pass through the model; halved if a GPU runs out of memory.
        max_images: images that the computer's memory holds at once; None where that is not limited or not known.
    """

    form: str

    def __init__(self, classes: Tensor, parts: list[Tensor], settings: InversionSettings) -> None:
        self.classes, self.parts, self.settings = classes, parts, settings
        self.means = [torch.zeros_like(part) for part in parts]
        self.squares = [torch.zeros_like(part) for part in parts]
        self.counts = [torch.tensor(0.0) for _ in parts]
        count, device = len(classes), classes.device
        self.weight = torch.full((count,), settings.size_weight, device=device)
        self.smoothed_rate = torch.zeros(count, device=device)
        self.best_size = torch.full((count,), torch.inf, device=device)
        self.best_rate = torch.zeros(count, device=device)
        self.best = [part.clone() for part in parts]
        self.max_pixels = GPU_PIXELS if classes.device.type != "cpu" else CPU_PIXELS
        self.max_images: int | None = None

    @abstractmethod
    def stamped(self, images: Tensor, parts: list[Tensor]) -> Tensor:
        """Images (b, 3, h, w) with each of the triggers, shape (count, b, 3, h, w)."""

    @abstractmethod
    def size(self, parts: list[Tensor]) -> Tensor:
        """L1 size of each trigger, (count,), pixels."""

    @abstractmethod
    def constrain(self) -> None:
        """Clips ``parts`` to their range, in place."""

    @abstractmethod
    def result(self, parts: list[Tensor]) -> tuple[Tensor | None, Tensor]:
        """Masks (or None) and patterns, as in ``Inverted``."""

    def step(self, model: Classifier, images: Tensor) -> Tensor:
        """One Adam step of all classes on the same images (b, 3, h, w); returns the cross-entropy of each class."""
        grads = [torch.empty_like(part) for part in self.parts]
        count = len(self.classes)
        losses, rates, sizes = (torch.empty(count, device=images.device) for _ in range(3))

        def gradients_of(where: Tensor) -> None:
            leaves = [part[where].detach().requires_grad_() for part in self.parts]
            stamped = self.stamped(images, leaves).flatten(0, 1).contiguous(memory_format=torch.channels_last)
            logits = model(stamped)
            labels = self.classes[where].repeat_interleave(len(images))
            loss = F.cross_entropy(logits, labels, reduction="none").view(len(where), -1).mean(1)
            size = self.size(leaves)
            part_grads = torch.autograd.grad((loss + self.weight[where] * size).sum(), leaves)
            for grad, part_grad in zip(grads, part_grads, strict=True):
                grad[where] = part_grad
            losses[where], sizes[where] = loss.detach(), size.detach()
            rates[where] = (logits.detach().argmax(1) == labels).view(len(where), -1).float().mean(1)

        self._for_all_classes(gradients_of, images)
        self._update_best(rates, sizes)
        # Torch's functional Adam: the first use of its Optimizer class imports torch._dynamo, which takes three
        # seconds. The betas are those of the second version of MCL's code. They give a short memory, since the size
        # weight moves.
        adam(
            self.parts, grads, self.means, self.squares, [], self.counts, amsgrad=False, beta1=0.5, beta2=0.9,
            lr=self.settings.lr, weight_decay=0, eps=1e-8, maximize=False,
        )  # fmt: skip
        self.constrain()
        initial, factor = self.settings.size_weight, self.settings.weight_factor
        succeeds = self.smoothed_rate >= self.settings.attack_rate
        changed = torch.where(succeeds, self.weight * factor, self.weight / factor**FALL_POWER)
        self.weight = changed.clamp(initial / 5, 1.0)
        return losses

    def _for_all_classes(self, work: Callable[[Tensor], None], images: Tensor) -> None:
        """Calls ``work`` for slices of the classes; with smaller slices from now on if a GPU runs out of memory."""
        while True:
            slices = self._slices(images)
            try:
                largest = max(map(len, slices)) * len(images)
                return _for_each(work, slices, self.max_images and max(1, self.max_images // largest))
            except Exception as error:
                if ran_out(error) != "GPU" or max(map(len, slices)) == 1:  # one class cannot be split
                    raise
            # outside the handler, which holds references to the tensors of the failed pass
            self.max_pixels = max(map(len, slices)) // 2 * images[:, 0].numel()
            torch.cuda.empty_cache()

    def _slices(self, images: Tensor) -> list[Tensor]:
        """Indices of the classes, split into those that go through the model in one pass."""
        cpu = images.device.type == "cpu"
        at_once = max(1, self.max_pixels // images[:, 0].numel())
        everyone = torch.arange(len(self.classes), device=images.device)
        # on a CPU at least one slice for each core
        return list(everyone.split(min(at_once, -(-len(everyone) // torch.get_num_threads())) if cpu else at_once))

    def _update_best(self, rates: Tensor, sizes: Tensor) -> None:
        self.smoothed_rate = RATE_MEMORY * self.smoothed_rate + (1 - RATE_MEMORY) * rates
        succeeds = torch.minimum(self.smoothed_rate, rates) >= self.settings.attack_rate
        better = succeeds & (sizes < self.best_size)
        self.best_size = torch.where(better, sizes, self.best_size)
        self.best_rate = torch.where(better, self.smoothed_rate, self.best_rate)
        for best, part in zip(self.best, self.parts, strict=True):
            best[better] = part[better]

    def keep_only(self, chosen: Tensor) -> None:
        """Drops all classes but those at the positions ``chosen``."""
        for name in ("classes", "weight", "smoothed_rate", "best_size", "best_rate"):
            setattr(self, name, getattr(self, name)[chosen])
        for name in ("parts", "means", "squares", "best"):
            setattr(self, name, [part[chosen] for part in getattr(self, name)])

    def best_parts(self) -> tuple[list[Tensor], Tensor]:
        """Variables and attack rates of the best triggers; for a class without a successful one, of its last
        trigger."""
        reached = self.best_size.isfinite()
        parts = [
            torch.where(reached.view(-1, *[1] * (part.ndim - 1)), best, part)
            for best, part in zip(self.best, self.parts, strict=True)
        ]
        return parts, torch.where(reached, self.best_rate, self.smoothed_rate)


def _for_each(work: Callable[[Tensor], None], slices: list[Tensor], max_slices: int | None = None) -> None:
    """Calls ``work`` for each slice, at most ``max_slices`` at once. On a CPU each slice runs on one core: cores that
    share a slice wait for each other after every layer, half of the time."""
    if slices[0].device.type != "cpu" or len(slices) == 1:
        for part in slices:
            work(part)
        return
    with one_core_per_thread() as cores, ThreadPoolExecutor(min(cores, max_slices or cores)) as pool:
        list(pool.map(work, slices))
