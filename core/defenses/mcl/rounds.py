"""A round: triggers that work on the victim and still work on the current model, reconstructed on both together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from core.compute.returning import returned
from core.models.classifier import Classifier
from core.scan import FORMS
from core.scan.restarts import Effort
from core.scan.shared import shared_beside_others
from core.triggers.reconstructed import Reconstructed

EFFORT = Effort(steps=50, images=12, attack_rate=0.9)
STARTS_PER_FORM = 2
# of the smallest honest one; above the limit of the proof (0.67), so that what it would doubt has been trained against
MAX_SIZE_RATIO = 0.85


def still_working(
    victim: Classifier, model: Classifier, images: Tensor, triggers: Sequence[Reconstructed], seed: int
) -> list[Reconstructed]:
    """Triggers of the targets of the given ones that work on both models; empty if no attack is left.

    They are sought in every form: what is left of a backdoor need not have the form that it was trained against. Honest
    classes have triggers that work on both models too, so only those count that are smaller than theirs.

    Args:
        victim: the backdoored model; not changed.
        model: the model being purified; not changed.
        images: clean, float or uint8, (n, 3, h, w).
        triggers: the triggers trained against so far, at least one.
        seed: the same seed on a CPU gives the same triggers.
    """
    found: list[Reconstructed] = []
    suspects = {trigger.target for trigger in triggers}
    targets = dict.fromkeys(trigger.target for trigger in triggers if trigger.form in FORMS)
    for form in FORMS if targets else ():
        starts = [target for target in targets for _ in range(STARTS_PER_FORM)]
        made = returned(shared_beside_others(victim, model, images, form, starts, suspects, EFFORT, seed))
        found += made.smaller(MAX_SIZE_RATIO)
    return [replace(one, confidence=triggers[0].confidence) for one in found]
