"""Trigger inversion, mask and pattern, for all classes at once.

Source: Neural Cleanse (Wang et al., IEEE S&P 2019, section IV-B), the form of inversion that the first
version of MCL builds on: the smallest mask ``m`` with a pattern ``p`` such that
``(1 - m) x + m p`` is answered with class ``c`` for (nearly) every image ``x``.

What is ours: the classes are optimised together, in one batch through the frozen model, so the cost
of a class is a slice of a batch and not a loop; and after a first race, in which every class gets the
same steps (so that their mask sizes may be compared), only the few smallest go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.adam import adam

from core.data.imageset import as_float
from core.models.classifier import Classifier, frozen


@dataclass(frozen=True)
class InversionSettings:
    """How hard the inversion tries.

    Args:
        race_steps: steps that every class gets.
        final_steps: further steps for the ``finalists`` smallest masks.
        finalists: how many classes go on after the race.
        images: images per class and step.
        start: opacity of every mask at first, 0-1; its pattern is random colours.
        lr: Adam's learning rate on mask and pattern, which are clipped to [0, 1] after each step as in the
            first version of MCL's code; a clipped mask reaches exact zeros, which a sigmoid never does.
        attack_rate: share of images, 0-1, that must be answered with the class for a mask to count.
        size_weight: first weight of the mask's L1 size against the cross-entropy.
        weight_factor: the weight grows by this while the attack succeeds and shrinks by it, to the power
            1.5, while it does not.
    """

    race_steps: int = 100
    final_steps: int = 30
    finalists: int = 2
    images: int = 8
    start: float = 0.2
    lr: float = 0.06
    attack_rate: float = 0.95
    size_weight: float = 0.01
    weight_factor: float = 1.3


@dataclass(frozen=True)
class Inverted:
    """The reconstructed triggers of all classes.

    Attributes:
        masks: (classes, 1, h, w), 0-1; patterns: (classes, 3, h, w), 0-1.
        sizes: L1 size of each class's smallest successful mask at the end of the race, (classes,), pixels;
            infinite where no mask reached the attack rate. Every class had the same effort.
        attack_rates: share of images, 0-1, that the kept mask turned to its class, (classes,).
        smallest: the class whose mask was smallest after the finalists' further steps.
    """

    masks: Tensor
    patterns: Tensor
    sizes: Tensor
    attack_rates: Tensor
    smallest: int


def stamp(images: Tensor, mask: Tensor, pattern: Tensor) -> Tensor:
    """``(1 - m) x + m p``: images (n, 3, h, w) with a reconstructed trigger, all in [0, 1]."""
    return images + mask * (pattern - images)


class _Race:
    """Mask and pattern of some classes, their optimiser, and the best of each so far."""

    def __init__(self, classes: Tensor, mask: Tensor, pattern: Tensor, settings: InversionSettings):
        self.classes = classes
        self.settings = settings
        self.mask = mask.clone().requires_grad_()
        self.pattern = pattern.clone().requires_grad_()
        self.means = [torch.zeros_like(mask), torch.zeros_like(pattern)]
        self.squares = [torch.zeros_like(mask), torch.zeros_like(pattern)]
        self.counts = [torch.tensor(0.0) for _ in range(2)]
        count = len(classes)
        self.weight = torch.full((count,), settings.size_weight, device=classes.device)
        self.smoothed = torch.zeros(count, device=classes.device)
        self.best_size = torch.full((count,), torch.inf, device=classes.device)
        self.best_mask = torch.zeros_like(mask)
        self.best_pattern = torch.zeros_like(pattern)
        self.best_rate = torch.zeros(count, device=classes.device)

    def step(self, model: Classifier, images: Tensor) -> None:
        """One Adam step of all classes on the same images, shape (b, 3, h, w)."""
        settings = self.settings
        count, b = len(self.classes), len(images)
        stamped = stamp(images[None], self.mask[:, None], self.pattern[:, None]).flatten(0, 1)
        stamped = stamped.contiguous(memory_format=torch.channels_last)
        logits = model(stamped)
        labels = self.classes.repeat_interleave(b)
        loss = F.cross_entropy(logits, labels, reduction="none").view(count, b).mean(1)
        size = self.mask.sum((1, 2, 3))
        grads = torch.autograd.grad((loss + self.weight * size).sum(), [self.mask, self.pattern])
        rate = (logits.detach().argmax(1) == labels).view(count, b).float().mean(1)
        self._keep(rate, size.detach())
        with torch.no_grad():
            # Torch's own step without its Optimizer class, whose first use imports torch._dynamo: three seconds.
            # Betas as in the authors' second version: short memory, since the weight of the size term moves.
            adam(
                [self.mask, self.pattern], list(grads), self.means, self.squares, [], self.counts,
                amsgrad=False, beta1=0.5, beta2=0.9, lr=settings.lr, weight_decay=0, eps=1e-8, maximize=False,
            )  # fmt: skip
            self.mask.clamp_(0, 1)
            self.pattern.clamp_(0, 1)
        succeeds = self.smoothed >= settings.attack_rate
        factor = settings.weight_factor
        self.weight = torch.where(succeeds, self.weight * factor, self.weight / factor**1.5).clamp(
            settings.size_weight / 5, 1.0
        )

    def _keep(self, rate: Tensor, size: Tensor) -> None:
        # one batch is a noisy witness: its rate is smoothed over about three
        self.smoothed = 0.6 * self.smoothed + 0.4 * rate
        good = (torch.minimum(self.smoothed, rate) >= self.settings.attack_rate) & (size < self.best_size)
        chosen = good.view(-1, 1, 1, 1)
        self.best_size = torch.where(good, size, self.best_size)
        self.best_mask = torch.where(chosen, self.mask.detach(), self.best_mask)
        self.best_pattern = torch.where(chosen, self.pattern.detach(), self.best_pattern)
        self.best_rate = torch.where(good, self.smoothed, self.best_rate)

    def kept(self) -> tuple[Tensor, Tensor, Tensor]:
        """Masks, patterns and attack rates; a class that never reached the rate still shows how far it came."""
        reached = self.best_size.isfinite()
        chosen = reached.view(-1, 1, 1, 1)
        return (
            torch.where(chosen, self.best_mask, self.mask.detach()),
            torch.where(chosen, self.best_pattern, self.pattern.detach()),
            torch.where(reached, self.best_rate, self.smoothed),
        )


def invert(
    model: Classifier, images: Tensor, settings: InversionSettings | None = None, seed: int = 0
) -> Iterator[tuple[int, int, Inverted | None]]:
    """Reconstructs a trigger for every class.

    Args:
        model: the suspect; not changed.
        images: clean images, uint8 or float in [0, 1], shape (n, 3, h, w), any classes.
        seed: chooses the images of each step.

    Yields:
        steps done, steps in all, and the result with the last one (None before).
    """
    settings = settings or InversionSettings()
    device = model.mean.device
    generator = torch.Generator().manual_seed(seed)
    classes = torch.arange(model.num_classes, device=device)
    h, w = images.shape[-2:]
    total = settings.race_steps + settings.final_steps

    def batch() -> Tensor:
        chosen = torch.randint(len(images), (settings.images,), generator=generator)
        return as_float(images[chosen].to(device))

    mask = torch.full((len(classes), 1, h, w), settings.start, device=device)
    pattern = torch.rand(len(classes), 3, h, w, generator=generator).to(device)
    race = _Race(classes, mask, pattern, settings)
    with frozen(model):
        for step in range(settings.race_steps):
            race.step(model, batch())
            yield step + 1, total, None
        sizes = race.best_size.clone()
        # classes that never succeeded go last, the larger mask the later
        ranking = torch.where(sizes.isfinite(), sizes, 1e6 + race.mask.detach().sum((1, 2, 3)))
        chosen = ranking.argsort()[: settings.finalists]
        final = _Race(classes[chosen], race.mask.detach()[chosen], race.pattern.detach()[chosen], settings)
        final.weight, final.smoothed = race.weight[chosen].clone(), race.smoothed[chosen].clone()
        final.best_size, final.best_rate = race.best_size[chosen].clone(), race.best_rate[chosen].clone()
        final.best_mask, final.best_pattern = race.best_mask[chosen].clone(), race.best_pattern[chosen].clone()
        for step in range(settings.final_steps):
            final.step(model, batch())
            if step < settings.final_steps - 1:
                yield settings.race_steps + step + 1, total, None
    masks, patterns, rates = race.kept()
    masks[chosen], patterns[chosen], rates[chosen] = final.kept()
    smallest = int(chosen[final.best_size.argmin()])  # argmin takes the first, and they come smallest first
    yield total, total, Inverted(masks, patterns, sizes, rates, smallest)
