"""A round: the triggers that still work on the model as it is, reconstructed on victim and model together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from core.compute.returning import returned
from core.models.classifier import Classifier
from core.scan import FORMS
from core.scan.restarts import Effort
from core.scan.shared import shared
from core.triggers.reconstructed import Reconstructed

EFFORT = Effort(steps=50, images=12, attack_rate=0.9)
STARTS = 2  # of each form
LARGER = 2.0  # times the triggers of that form, at most: for a larger one any class of an honest network will do


def still_working(
    victim: Classifier, model: Classifier, images: Tensor, triggers: Sequence[Reconstructed], seed: int
) -> list[Reconstructed]:
    """Triggers like the given ones that work on the victim and still on the model; none where the attack is gone.

    Args:
        victim: as it came. model: as it is now; neither is changed.
        images: clean, float or uint8, (n, 3, h, w).
        triggers: of the training so far, of one class.
        seed: the same on a CPU gives the same triggers.
    """
    found: list[Reconstructed] = []
    for form in dict.fromkeys(trigger.form for trigger in triggers if trigger.form in FORMS):
        most = LARGER * max(trigger.size for trigger in triggers if trigger.form == form)
        steps = shared(victim, model, images, form, [triggers[0].target] * STARTS, EFFORT, seed)
        found += [replace(one, confidence=triggers[0].confidence) for one in returned(steps) if one.size <= most]
    return found
