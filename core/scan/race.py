"""What every form of trigger inversion shares: all classes optimised together through the frozen model.

A form (``mask_pattern``, ``additive``) says what a trigger is made of and how large it is. Here the triggers of all
classes take the same steps on the same images, each with a size weight of its own, which rises while its attack
succeeds and falls while it does not (after Neural Cleanse, IEEE S&P 2019, section IV-B, and its code). A class costs
a slice of a batch and not a loop. With very many classes all take a short first run, and only those reached soonest
go on; after the race the few smallest are refined alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.adam import adam

from core.compute.memory import ran_out
from core.compute.room import images_at_once
from core.data.imageset import as_float
from core.models.classifier import Classifier, frozen
from core.models.evaluate import cores_apart
from core.triggers.reconstructed import Reconstructed

CPU_PIXELS = 128 * 32 * 32  # in one pass: what a layer makes of them fits the cache
GPU_PIXELS = 64 * CPU_PIXELS


@dataclass(frozen=True)
class RaceSettings:
    """How hard an inversion tries.

    Args:
        race_steps: steps that every class gets.
        final_steps: further steps for the ``finalists`` smallest triggers.
        finalists: how many classes go on after the race.
        heat_steps, heat_images, heat_classes: with more than ``heat_classes`` classes, all take ``heat_steps`` steps
            of ``heat_images`` images first and only the ``heat_classes`` that were reached soonest go on to the race.
        images: images per class and step.
        lr: Adam's learning rate.
        attack_rate: share of images, 0-1, that must be answered with the class for a trigger to count.
        size_weight: first weight of the trigger's size against the cross-entropy.
        weight_factor: the weight grows by this while the attack succeeds and shrinks by it, to the power
            1.5, while it does not.
    """

    race_steps: int = 100
    final_steps: int = 30
    finalists: int = 2
    heat_steps: int = 25
    heat_images: int = 4
    heat_classes: int = 16
    images: int = 8
    lr: float = 0.06
    attack_rate: float = 0.95
    size_weight: float = 0.01
    weight_factor: float = 1.3


@dataclass(frozen=True)
class Inverted:
    """The triggers of one form, reconstructed for all classes.

    Attributes:
        form: "mask", "pixel" or "smooth".
        masks: (classes, 1, h, w), 0-1; None for a form that adds to every pixel.
        patterns: (classes, 3, h, w); colours 0-1 under a mask, what is added (-1 to 1) without one.
        sizes: L1 size of each class's smallest successful trigger at the end of the race, (classes,), pixels;
            infinite where none reached the attack rate, NaN where a class was out before the race. Every class in the
            race had the same effort.
        attack_rates: share of images, 0-1, that the kept trigger turned to its class, (classes,).
        smallest: the class whose trigger was smallest after the finalists' further steps.
        early: mean cross-entropy of each class over the first ``heat_steps`` steps, (classes,), nats: the lower, the
            sooner the class was reached. None where that was not noted.
    """

    form: str
    masks: Tensor | None
    patterns: Tensor
    sizes: Tensor
    attack_rates: Tensor
    smallest: int
    early: Tensor | None = None

    def trigger(self, target: int) -> Reconstructed:
        """The trigger that leads to ``target``."""
        mask = None if self.masks is None else self.masks[target]
        return Reconstructed(self.form, self.patterns[target], mask, target)


class Race(ABC):
    """The triggers of some classes, their optimiser, and the best of each so far.

    Args:
        classes: (count,), int64.
        parts: what the triggers are made of, each (count, ...); optimised in place.
        settings: see ``RaceSettings``.
    """

    form: str

    def __init__(self, classes: Tensor, parts: list[Tensor], settings: RaceSettings) -> None:
        self.classes, self.parts, self.settings = classes, parts, settings
        self.means = [torch.zeros_like(part) for part in parts]
        self.squares = [torch.zeros_like(part) for part in parts]
        self.counts = [torch.tensor(0.0) for _ in parts]
        count, device = len(classes), classes.device
        self.weight = torch.full((count,), settings.size_weight, device=device)
        self.smoothed = torch.zeros(count, device=device)
        self.best_size = torch.full((count,), torch.inf, device=device)
        self.best_rate = torch.zeros(count, device=device)
        self.best = [part.clone() for part in parts]
        self.pixels = GPU_PIXELS if classes.device.type != "cpu" else CPU_PIXELS
        self.room: int | None = None  # images that memory holds at once

    @abstractmethod
    def stamped(self, images: Tensor, parts: list[Tensor]) -> Tensor:
        """Images (b, 3, h, w) with each trigger, shape (count, b, 3, h, w)."""

    @abstractmethod
    def size(self, parts: list[Tensor]) -> Tensor:
        """L1 size of each trigger, (count,), pixels."""

    @abstractmethod
    def constrain(self) -> None:
        """Puts ``parts`` back into their range, in place."""

    @abstractmethod
    def result(self, parts: list[Tensor]) -> tuple[Tensor | None, Tensor]:
        """Masks (or None) and patterns, as in ``Inverted``."""

    def step(self, model: Classifier, images: Tensor) -> Tensor:
        """One Adam step of all classes on the same images, shape (b, 3, h, w); the cross-entropy of each class."""
        grads = [torch.empty_like(part) for part in self.parts]
        count = len(self.classes)
        losses, rates, sizes = (torch.empty(count, device=images.device) for _ in range(3))

        def slice_of_classes(where: Tensor) -> None:
            leaves = [part[where].detach().requires_grad_() for part in self.parts]
            stamped = self.stamped(images, leaves).flatten(0, 1).contiguous(memory_format=torch.channels_last)
            logits = model(stamped)
            labels = self.classes[where].repeat_interleave(len(images))
            loss = F.cross_entropy(logits, labels, reduction="none").view(len(where), -1).mean(1)
            size = self.size(leaves)
            found = torch.autograd.grad((loss + self.weight[where] * size).sum(), leaves)
            for grad, part in zip(grads, found, strict=True):
                grad[where] = part
            losses[where], sizes[where] = loss.detach(), size.detach()
            rates[where] = (logits.detach().argmax(1) == labels).view(len(where), -1).float().mean(1)

        self._all_classes(slice_of_classes, images)
        self._keep(rates, sizes)
        # Torch's own step without its Optimizer class, whose first use imports torch._dynamo: three seconds.
        # Betas as in the authors' second version: short memory, since the weight of the size term moves.
        adam(
            self.parts, grads, self.means, self.squares, [], self.counts, amsgrad=False, beta1=0.5, beta2=0.9,
            lr=self.settings.lr, weight_decay=0, eps=1e-8, maximize=False,
        )  # fmt: skip
        self.constrain()
        first, factor = self.settings.size_weight, self.settings.weight_factor
        succeeds = self.smoothed >= self.settings.attack_rate
        self.weight = torch.where(succeeds, self.weight * factor, self.weight / factor**1.5).clamp(first / 5, 1.0)
        return losses

    def _all_classes(self, work: Callable[[Tensor], None], images: Tensor) -> None:
        """Does ``work`` for all classes; in smaller slices from now on where a GPU's memory does not hold them."""
        while True:
            slices = self._slices(images)
            try:
                return _all(work, slices, self.room and max(1, self.room // (max(map(len, slices)) * len(images))))
            except Exception as error:
                # a slice of one class is as small as slices get
                if ran_out(error) != "GPU" or max(map(len, slices)) == 1:
                    raise
            # outside of the handler, which would hold on to what the failed pass had made
            self.pixels = max(map(len, slices)) // 2 * images[:, 0].numel()
            torch.cuda.empty_cache()

    def _slices(self, images: Tensor) -> list[Tensor]:
        """Indices of the classes that go through the model together: as many as its memory likes."""
        cpu = images.device.type == "cpu"
        fit = max(1, self.pixels // images[:, 0].numel())
        everyone = torch.arange(len(self.classes), device=images.device)
        # on a CPU at least one slice for each core
        return list(everyone.split(min(fit, -(-len(everyone) // torch.get_num_threads())) if cpu else fit))

    def _keep(self, rate: Tensor, size: Tensor) -> None:
        # one batch is a noisy witness: its rate is smoothed over about three
        self.smoothed = 0.6 * self.smoothed + 0.4 * rate
        good = (torch.minimum(self.smoothed, rate) >= self.settings.attack_rate) & (size < self.best_size)
        self.best_size = torch.where(good, size, self.best_size)
        self.best_rate = torch.where(good, self.smoothed, self.best_rate)
        for best, part in zip(self.best, self.parts, strict=True):
            best[good] = part[good]

    def narrowed(self, chosen: Tensor) -> None:
        """Only the classes at ``chosen`` (indices) go on, with all they have gathered."""
        for name in ("classes", "weight", "smoothed", "best_size", "best_rate"):
            setattr(self, name, getattr(self, name)[chosen])
        for name in ("parts", "means", "squares", "best"):
            setattr(self, name, [part[chosen] for part in getattr(self, name)])

    def kept(self) -> tuple[list[Tensor], Tensor]:
        """Parts and attack rates; a class that never reached the rate still shows how far it came."""
        reached = self.best_size.isfinite()
        parts = [
            torch.where(reached.view(-1, *[1] * (part.ndim - 1)), best, part)
            for best, part in zip(self.best, self.parts, strict=True)
        ]
        return parts, torch.where(reached, self.best_rate, self.smoothed)


def _all(work: Callable[[Tensor], None], slices: list[Tensor], most: int | None = None) -> None:
    """Does ``work`` for each slice; on a CPU one core each: cores that meet after every layer wait half the time.

    ``most``: slices that memory holds at once.
    """
    if slices[0].device.type != "cpu" or len(slices) == 1:
        for part in slices:
            work(part)
        return
    with cores_apart() as cores, ThreadPoolExecutor(min(cores, most or cores)) as pool:
        list(pool.map(work, slices))


def run(race: Race, model: Classifier, images: Tensor, seed: int) -> Iterator[tuple[int, int, Inverted | None]]:
    """Heat, race and final.

    Args:
        race: freshly made, over all classes of the model.
        model: the suspect; not changed.
        images: clean images, uint8 or float in [0, 1], shape (n, 3, h, w), any classes.
        seed: chooses the images of each step.

    Yields:
        steps done, steps in all (as long as one of the race), and the result with the last one (None before).
    """
    settings = race.settings
    device = model.mean.device
    generator = torch.Generator().manual_seed(seed)
    everyone = len(race.classes)
    heat = settings.heat_steps if everyone > settings.heat_classes else 0
    # with very many classes a step of the heat is worth many of the race
    worth = max(1, round(everyone * settings.heat_images / (settings.heat_classes * settings.images)))
    total, done = heat * worth + settings.race_steps + settings.final_steps, 0

    def step(count: int = settings.images) -> Tensor:
        chosen = torch.randint(len(images), (count,), generator=generator)
        return race.step(model, as_float(images[chosen].to(device)))

    race.room = images_at_once(model, as_float(images[:1].to(device)))
    with frozen(model):
        parts, rates = race.kept()
        sizes = torch.full((everyone,), torch.nan, device=device)
        # Over all steps and not at the end: what was reached grows smaller from then on, and its loss with it larger.
        early = torch.zeros(everyone, device=device)
        for _ in range(heat):
            early += step(settings.heat_images) / heat
            done += worth
            yield done, total, None
        if heat:
            parts, rates = race.kept()
            race.narrowed(early.argsort()[: settings.heat_classes])
        first = min(settings.heat_steps, settings.race_steps)
        for number in range(settings.race_steps):
            losses = step()
            if not heat and number < first:
                early += losses / first
            done += 1
            yield done, total, None
        sizes[race.classes] = race.best_size
        _put(race, parts, rates)
        # classes that never succeeded go last, the larger trigger the later
        ranking = torch.where(race.best_size.isfinite(), race.best_size, 1e6 + race.size(race.parts))
        race.narrowed(ranking.argsort()[: settings.finalists])
        for _ in range(settings.final_steps):
            step()
            done += 1
            if done < total:
                yield done, total, None
        _put(race, parts, rates)
    masks, patterns = race.result(parts)
    smallest = int(race.classes[race.best_size.argmin()])  # argmin takes the first, and they come smallest first
    yield total, total, Inverted(race.form, masks, patterns, sizes, rates, smallest, early)


def _put(race: Race, parts: list[Tensor], rates: Tensor) -> None:
    """Writes what the classes still in the race have into what is kept of all."""
    kept, rate = race.kept()
    for whole, part in zip(parts, kept, strict=True):
        whole[race.classes] = part
    rates[race.classes] = rate
