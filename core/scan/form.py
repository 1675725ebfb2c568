"""What the module of a form has, and the inversion of a form for all classes at once.

An inversion has three stages:

1. Prescreen, with many classes only: all classes take a few cheap steps. Those with the lowest loss go on.
2. Main stage: all remaining classes take the same number of steps. Sizes are compared at its end.
3. Refinement: further steps for the few classes with the smallest triggers, so that these are fit to train against. It
   changes triggers and attack rates, but not the sizes that are compared.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Protocol

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.models.capacity import images_at_once
from core.models.classifier import Classifier, frozen
from core.models.fold import folded
from core.scan.duration import image_passes
from core.scan.inversion import Inversion, InversionSettings, Inverted
from core.scan.search_progress import SearchProgress

NEVER_REACHED = 1e6  # pixels, added to the size of triggers that never succeeded: they rank last


class Form(Protocol):
    """A module of ``core.scan.FORMS``."""

    @property
    def SETTINGS(self) -> InversionSettings: ...  # a constant of the module

    def start(self, classes: Tensor, shape: tuple[int, int], settings: InversionSettings, seed: int) -> Inversion:
        """The inversion for these classes before its first step; a class may occur more than once."""


def invert(
    form: Form,
    model: Classifier,
    images: Tensor,
    settings: InversionSettings | None = None,
    seed: int = 0,
    progress: SearchProgress | None = None,
) -> Generator[tuple[int, int], None, Inverted]:
    """Reconstructs a trigger of this form for every class.

    Args:
        model: the suspect; not changed.
        images: clean images, uint8 or float in [0, 1], shape (n, 3, h, w), any classes.
        settings: those of the form by default.
        seed: of the start and of the choice of images; the same on a CPU gives the same result.
        progress: is updated after every step with the progress of each class.

    Yields:
        images that went through the network and back, and how many will in all (``core.scan.duration.image_passes``).
    """
    classes = torch.arange(model.num_classes, device=model.mean.device)
    inversion = form.start(classes, (images.shape[-2], images.shape[-1]), settings or form.SETTINGS, seed)
    if progress:
        progress.begin(len(classes), classes.device)
    inversion.max_images = images_at_once(model, as_float(images[:1].to(classes.device)))
    fused = folded(model)  # the same answers with fewer layers to go through and back
    with frozen(fused):
        return (yield from _Stages(inversion, fused, images, seed + 1, progress).run())


class _Stages:
    """The stages of one inversion.

    Attributes:
        done, total: images that went through the network and back.
        parts, rates: variables and attack rates of the best trigger of every class.
        sizes, early_loss: as in ``Inverted``.
    """

    def __init__(
        self, inversion: Inversion, model: Classifier, images: Tensor, seed: int, progress: SearchProgress | None
    ) -> None:
        self.inversion, self.model, self.images, self.progress = inversion, model, images, progress
        self.settings = settings = inversion.settings
        self.generator = torch.Generator().manual_seed(seed)
        count, device = len(inversion.classes), inversion.classes.device
        self.prescreen_steps = settings.prescreen_steps if count > settings.main_classes else 0
        self.done, self.total = 0, image_passes(count, settings)
        self.parts, self.rates = inversion.best_parts()
        self.sizes = torch.full((count,), torch.nan, device=device)
        # A mean over steps, not the last loss: after a class is reached, its trigger shrinks and its loss rises again.
        self.early_loss = torch.zeros(count, device=device)

    def run(self) -> Generator[tuple[int, int], None, Inverted]:
        if self.prescreen_steps:
            yield from self._prescreen()
        yield from self._main_stage()
        yield from self._refinement()
        masks, patterns = self.inversion.result(self.parts)
        return Inverted(self.inversion.form, masks, patterns, self.sizes, self.rates, self.early_loss)

    def _prescreen(self) -> Iterator[tuple[int, int]]:
        for _ in range(self.prescreen_steps):
            self.early_loss += self._step(self.settings.prescreen_images) / self.prescreen_steps
            yield self.done, self.total
        self.parts, self.rates = self.inversion.best_parts()
        self.inversion.keep_only(self.early_loss.argsort()[: self.settings.main_classes])

    def _main_stage(self) -> Iterator[tuple[int, int]]:
        early_steps = 0 if self.prescreen_steps else min(self.settings.prescreen_steps, self.settings.main_steps)
        for number in range(self.settings.main_steps):
            losses = self._step(self.settings.images)
            if number < early_steps:
                self.early_loss += losses / early_steps
            yield self.done, self.total
        best_size = self.inversion.best_size
        self.sizes[self.inversion.classes] = best_size
        self._keep_best()
        own_size = self.inversion.size(self.inversion.parts)
        ranking = torch.where(best_size.isfinite(), best_size, NEVER_REACHED + own_size)
        self.inversion.keep_only(ranking.argsort()[: self.settings.refined_classes])

    def _refinement(self) -> Iterator[tuple[int, int]]:
        for _ in range(self.settings.refinement_steps):
            self._step(self.settings.images)
            yield self.done, self.total
        self._keep_best()

    def _step(self, count: int) -> Tensor:
        """A step on ``count`` images drawn at random; the cross-entropy of each class that is still in."""
        inversion = self.inversion
        chosen = torch.randint(len(self.images), (count,), generator=self.generator)
        losses = inversion.step(self.model, as_float(self.images[chosen].to(inversion.classes.device)))
        self.done += count * len(inversion.classes)
        if self.progress:
            self.progress.note(inversion.form, inversion.classes, inversion.smoothed_rate, inversion.best_size)
        return losses

    def _keep_best(self) -> None:
        """Copies the best triggers of the classes that are still in into those of all classes."""
        best_parts, best_rates = self.inversion.best_parts()
        for whole, best in zip(self.parts, best_parts, strict=True):
            whole[self.inversion.classes] = best
        self.rates[self.inversion.classes] = best_rates
