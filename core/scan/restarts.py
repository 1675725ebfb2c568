"""One class's triggers from several starts.

An inversion ends in one of the many small triggers that a backdoor answers to, and which one is chance. A model that is
purified against one of them may still answer to its neighbours, of which the real trigger is one. So the purification
trains against several, and the proof of a cure (``core.verify``) looks for more of them. All starts go through the
model in one batch, as the classes do in a scan.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.models.classifier import Classifier, frozen
from core.registry import loaded
from core.scan import FORMS
from core.scan.race import Race
from core.triggers.reconstructed import Reconstructed


@dataclass(frozen=True)
class Effort:
    """How hard each start tries.

    Args:
        steps: of Adam.
        images: clean images a step.
        attack_rate: share of them, 0-1, that must be answered with the class before the trigger is made smaller.
        works: share, 0-1, that a trigger has to turn in the end to be kept.
    """

    steps: int = 50
    images: int = 8
    attack_rate: float = 0.95
    works: float = 0.5


def restarts(
    model: Classifier, images: Tensor, form: str, targets: Sequence[int], effort: Effort, seed: int = 0
) -> Generator[tuple[int, int], None, list[Reconstructed]]:
    """Reconstructs one trigger for each entry of ``targets``; a class that stands there k times gets k starts.

    Args:
        model: not changed.
        images: clean images, uint8 or float in [0, 1], shape (n, 3, h, w), any classes.
        form: one of ``core.scan.FORMS``.
        targets: the classes.
        effort: see ``Effort``.
        seed: of the starts and of the images of each step; the same on a CPU gives the same result.

    Yields:
        steps done and steps in all.

    Returns:
        the triggers that work, in the order of ``targets``.
    """
    generator = torch.Generator().manual_seed(seed)
    race = _start(form, targets, (images.shape[-2], images.shape[-1]), effort, model.mean.device, seed + 1)
    with frozen(model):
        for done in range(effort.steps):
            yield done, effort.steps
            chosen = torch.randint(len(images), (effort.images,), generator=generator)
            race.step(model, as_float(images[chosen].to(model.mean.device)))
    parts, rates = race.kept()
    masks, patterns = race.result(parts)
    return [
        Reconstructed(form, patterns[one], None if masks is None else masks[one], targets[one])
        for one in torch.nonzero(rates >= effort.works).flatten().tolist()
    ]


def _start(
    form: str, targets: Sequence[int], shape: tuple[int, int], effort: Effort, device: torch.device, seed: int
) -> Race:
    way = loaded(FORMS[form])
    settings = replace(way.SETTINGS, images=effort.images, attack_rate=effort.attack_rate)
    return way.start(torch.tensor(targets, device=device), shape, settings, seed)  # type: ignore[no-any-return]
