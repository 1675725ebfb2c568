"""A round: triggers that work on the victim and still work on the current model, reconstructed on both together."""

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
STARTS_PER_FORM = 2
MAX_SIZE_RATIO = 2.0  # times the largest given one of form and target: honest classes too have triggers that are larger


def still_working(
    victim: Classifier, model: Classifier, images: Tensor, triggers: Sequence[Reconstructed], seed: int
) -> list[Reconstructed]:
    """Triggers in the forms and of the targets of the given ones that work on both models; empty if no attack is left.

    Args:
        victim: the backdoored model; not changed.
        model: the model being purified; not changed.
        images: clean, float or uint8, (n, 3, h, w).
        triggers: the triggers trained against so far, at least one.
        seed: the same seed on a CPU gives the same triggers.
    """
    found: list[Reconstructed] = []
    for form in dict.fromkeys(trigger.form for trigger in triggers if trigger.form in FORMS):
        largest: dict[int, float] = {}  # size by target
        for trigger in triggers:
            if trigger.form == form:
                largest[trigger.target] = max(trigger.size, largest.get(trigger.target, 0.0))
        targets = [target for target in largest for _ in range(STARTS_PER_FORM)]
        new = returned(shared(victim, model, images, form, targets, EFFORT, seed))
        found += [one for one in new if one.size <= MAX_SIZE_RATIO * largest[one.target]]
    return [replace(one, confidence=triggers[0].confidence) for one in found]
