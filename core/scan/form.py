"""What the module of a form has, and the inversion of a form for all classes at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.scan.inversion import Inversion, InversionSettings, Inverted, run
from core.scan.search_progress import SearchProgress


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
) -> Iterator[tuple[int, int, Inverted | None]]:
    """Reconstructs a trigger of this form for every class; arguments and yields as ``core.scan.inversion.run``.

    Args:
        settings: those of the form by default.
    """
    classes = torch.arange(model.num_classes, device=model.mean.device)
    inversion = form.start(classes, (images.shape[-2], images.shape[-1]), settings or form.SETTINGS, seed)
    yield from run(inversion, model, images, seed + 1, progress)
