"""Several reconstructions of one class's trigger, from different random starts.

A backdoor responds to many small triggers, the real one among them. An inversion finds one of them by chance. A model
that was purified against a single one may still respond to the others. So the purification trains against several
reconstructions, and the proof of a cure (``core.verify``) makes new ones. All restarts go through the model in one
batch, as the classes do in a scan.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.models.classifier import Classifier, frozen
from core.models.fold import folded
from core.registry import loaded
from core.scan import FORMS
from core.scan.inversion import Inversion
from core.triggers.reconstructed import Reconstructed


@dataclass(frozen=True)
class Effort:
    """Step budget and success rates of each restart.

    Args:
        steps: of Adam.
        images: clean images per step.
        attack_rate: share of the images, 0-1, that must be answered with the class before the trigger is made smaller.
        min_rate: share of the images, 0-1, that a trigger must change to the class in the end to be returned.
    """

    steps: int = 50
    images: int = 8
    attack_rate: float = 0.95
    min_rate: float = 0.5


def restarts(
    model: Classifier, images: Tensor, form: str, targets: Sequence[int], effort: Effort, seed: int = 0
) -> Generator[tuple[int, int], None, list[Reconstructed]]:
    """Reconstructs one trigger for each entry of ``targets``; a class that occurs k times gets k restarts.

    Args:
        model: not changed.
        images: clean images, uint8 or float in [0, 1], shape (n, 3, h, w), any classes.
        form: one of ``core.scan.FORMS``.
        targets: the classes.
        effort: see ``Effort``.
        seed: of the starts and of the choice of images; the same seed on a CPU gives the same result.

    Yields:
        steps done and steps in all.

    Returns:
        the triggers that reach ``min_rate``, in the order of ``targets``.
    """
    generator = torch.Generator().manual_seed(seed)
    inversion = _start(form, targets, (images.shape[-2], images.shape[-1]), effort, model.mean.device, seed + 1)
    fused = folded(model)  # the same answers with fewer layers to go through and back
    with frozen(fused):
        for done in range(effort.steps):
            yield done, effort.steps
            chosen = torch.randint(len(images), (effort.images,), generator=generator)
            inversion.step(fused, as_float(images[chosen].to(model.mean.device)))
    parts, rates = inversion.best_parts()
    masks, patterns = inversion.result(parts)
    return [
        Reconstructed(form, patterns[one], None if masks is None else masks[one], targets[one])
        for one in torch.nonzero(rates >= effort.min_rate).flatten().tolist()
    ]


def _start(
    form: str, targets: Sequence[int], shape: tuple[int, int], effort: Effort, device: torch.device, seed: int
) -> Inversion:
    module = loaded(FORMS[form])
    settings = replace(module.SETTINGS, images=effort.images, attack_rate=effort.attack_rate)
    return module.start(torch.tensor(targets, device=device), shape, settings, seed)  # type: ignore[no-any-return]
