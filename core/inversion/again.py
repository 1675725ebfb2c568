"""The target's triggers once more, from other starts.

An inversion ends in one of the many small triggers that a backdoor answers to, and which one is chance. A model that is
purified against one of them may still answer to its neighbours, and the real trigger is one of these. So the forms that
showed the backdoor are reconstructed again for the target alone, a few times side by side: all of them go through the
model in one batch, as classes do in the scan. They serve the purification only; the finding rests on the scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.inversion import additive, mask_pattern
from core.inversion.race import Race
from core.inversion.scan import WORKS
from core.inversion.trigger import Reconstructed
from core.models.classifier import Classifier, frozen

STEPS = 50  # with twice as many, what is left of the attack is the same


def again(
    model: Classifier, images: Tensor, triggers: Sequence[Reconstructed], times: int, seed: int = 0
) -> Iterator[tuple[int, int, list[Reconstructed] | None]]:
    """Reconstructs each trigger ``times`` more.

    Args:
        model: the suspect; not changed.
        images: clean images, uint8 or float in [0, 1], shape (n, 3, h, w), any classes.
        triggers: what the scan reconstructed, each of another form.
        times: how many more of each.
        seed: of the starts and of the images of each step; the same on a CPU gives the same result.

    Yields:
        steps done, steps in all, and with the last one (None before) those of the new triggers that work, each with
        the push of the one it repeats.
    """
    total, done, found, device = STEPS * len(triggers), 0, [], model.mean.device
    generator = torch.Generator().manual_seed(seed)
    with frozen(model):
        for trigger in triggers:
            race = _start(trigger, (images.shape[-2], images.shape[-1]), times, device, seed + 1)
            for _ in range(STEPS):
                yield done, total, None
                chosen = torch.randint(len(images), (race.settings.images,), generator=generator)
                race.step(model, as_float(images[chosen].to(device)))
                done += 1
            parts, rates = race.kept()
            masks, patterns = race.result(parts)
            for one in torch.nonzero(rates >= WORKS).flatten().tolist():
                mask = None if masks is None else masks[one]
                found.append(replace(trigger, pattern=patterns[one], mask=mask, again=True))
    yield total, total, found


def _start(trigger: Reconstructed, shape: tuple[int, int], times: int, device: torch.device, seed: int) -> Race:
    target = torch.full((times,), trigger.target, device=device)
    if trigger.form == "mask":
        return mask_pattern.start(target, shape, mask_pattern.SETTINGS, seed)
    return additive.start(target, shape, additive.SETTINGS, seed, smooth=trigger.form == "smooth")
