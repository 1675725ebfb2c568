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
MAX_SIZE_RATIO = 2.0  # times the largest given trigger of the form: honest classes too have triggers that are larger


def still_working(
    victim: Classifier, model: Classifier, images: Tensor, triggers: Sequence[Reconstructed], seed: int
) -> list[Reconstructed]:
    """Triggers in the forms of the given ones that work on both models; empty if the attack is gone.

    Args:
        victim: the backdoored model; not changed.
        model: the model being purified; not changed.
        images: clean, float or uint8, (n, 3, h, w).
        triggers: the triggers trained against so far, all of one target class.
        seed: the same seed on a CPU gives the same triggers.
    """
    found: list[Reconstructed] = []
    for form in dict.fromkeys(trigger.form for trigger in triggers if trigger.form in FORMS):
        max_size = MAX_SIZE_RATIO * max(trigger.size for trigger in triggers if trigger.form == form)
        search = shared(victim, model, images, form, [triggers[0].target] * STARTS_PER_FORM, EFFORT, seed)
        found += [replace(new, confidence=triggers[0].confidence) for new in returned(search) if new.size <= max_size]
    return found
