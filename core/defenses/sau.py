"""SAU: unlearns the adversarial examples that victim and current model misread alike.

Source: Wei, Zhang, Zha, Wu, "Shared Adversarial Unlearning: Backdoor Mitigation by Unlearning Shared Adversarial
Examples", NeurIPS 2023 (arXiv 2307.10562), sections 3.2 and 4, equations of L_share, L_adv and L_sar; settings of the
authors' code in BackdoorBench.

For each clean image a perturbation within ``radius`` of every pixel is sought that misleads the current model h and the
victim h0 (L_adv) and, most of all, to the same class (L_share: the Jensen-Shannon divergence of their answers):

    min over d of   adversarial * -(CE(h(x+d), y) + CE(h0(x+d), y)) / 2   +   share * JS(h(x+d), h0(x+d))

where an image that is misread already, or alike by both, counts no longer. A trigger is such an example: what both
models share is what is left of the backdoor. Then h is trained to keep the clean labels and not to answer an image that
misleads the victim with the victim's class (L_sar): -log(1 - h(x+d)[class that h0 takes it for]).

As in the authors' code, networks stay in evaluation mode all the time (running statistics are the victim's),
perturbations begin at +radius, and images are neither shifted nor mirrored.

Deviations, for the sake of a CPU: one pass over the clean budget in batches of 32 at a rate of 0.001 that falls to 0,
and 3 steps for a perturbation, where the authors take 100 passes, batches of 256, 0.0001 and 5. The two halves of L_sar
in their code, equal but for rounding, are one here.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from core.defenses.presets import from_preset
from core.models.classifier import Classifier
from core.training.adam import AdamTuning
from core.training.loop import TargetedTrigger, TuningSettings

MAX_PROBABILITY = 0.999  # of the victim's class in L_sar, whose logarithm is infinite at 1


@dataclass(frozen=True)
class SAUSettings(TuningSettings):
    """Those of fine-tuning, of which ``momentum`` is Adam's first beta, and

    shared: weight of the unlearning loss.
    radius: most by which a pixel is changed, of [0, 1].
    stride: by which it is changed in a step.
    climbs: steps of the perturbation.
    adversarial: weight of misleading either model, beside that of misleading both alike, which is 1.
    """

    UNUSED: ClassVar[tuple[str, ...]] = ("clip",)
    ABOVE_0: ClassVar[tuple[str, ...]] = ("climbs",)
    shared: float = 1.0
    radius: float = 0.2
    stride: float = 0.2
    climbs: int = 3
    adversarial: float = 0.01
    lr: float = 1e-3
    epochs: int = 1
    least: int = 60
    batch: int = 32
    weight_decay: float = 0.0
    shift: int = 0


PRESETS: dict[str, SAUSettings] = {"default": SAUSettings()}


def settings_for(preset: str, data: str = "", **changes: Any) -> SAUSettings:
    """The settings of a preset with single values changed; see ``core.defenses.settings_for``."""
    return from_preset("SAU", PRESETS, preset, **changes)


def divergence(ours: Tensor, theirs: Tensor) -> Tensor:
    """Jensen-Shannon divergence of the answers to logits (n, classes), (n,)."""
    p, q = ours.softmax(1).clamp(min=1e-8), theirs.softmax(1).clamp(min=1e-8)
    middle = ((p + q) / 2).log()
    return ((p * (p.log() - middle) + q * (q.log() - middle)) / 2).sum(1)


class SAU(AdamTuning):
    """Trains a copy of the victim on clean images and on perturbed ones that mislead both.

    Args:
        victim, images, labels, settings, seed: as ``Training``.
        triggers: not used.
    """

    settings: SAUSettings

    def __init__(
        self,
        victim: Classifier,
        images: Tensor,
        labels: Tensor,
        triggers: Sequence[TargetedTrigger],
        settings: SAUSettings,
        seed: int = 0,
    ) -> None:
        super().__init__(victim, images, labels, settings, seed)
        self.victim = deepcopy(victim).eval().requires_grad_(False)

    def shared(self, x: Tensor, y: Tensor) -> Tensor:
        """Perturbations of images x (n, 3, h, w) that mislead model and victim alike, as far as they are found."""
        settings = self.settings
        ours, theirs = self.model(x).argmax(1), self.victim(x).argmax(1)
        d = torch.full_like(x, settings.radius)
        for _ in range(settings.climbs):
            d.requires_grad_(True)
            p, q = self.model(x + d), self.victim(x + d)
            misled, victim_misled = p.argmax(1) != ours, q.argmax(1) != theirs
            alike = misled & victim_misled & (p.argmax(1) == q.argmax(1))
            if bool(alike.all()):
                break
            wrong = F.cross_entropy(p, y, reduction="none") * ~misled
            wrong = wrong + F.cross_entropy(q, y, reduction="none") * ~victim_misled
            loss = (divergence(p, q) * ~alike - settings.adversarial * wrong / 2).sum()
            (slope,) = torch.autograd.grad(loss, d)
            d = (d.detach() - settings.stride * slope.sign()).clamp(-settings.radius, settings.radius)
        return d.detach()

    def losses(self, chosen: Tensor) -> dict[str, Tensor]:
        self.model.eval()
        x, y = self.shifted_batch(chosen).contiguous(memory_format=torch.channels_last), self.y[chosen]
        self.model.requires_grad_(False)
        attacked = x + self.shared(x, y)
        self.model.requires_grad_(True)
        with torch.no_grad():
            before, taken_for = self.victim(x).argmax(1), self.victim(attacked).argmax(1)
        logits, attacked_logits = self.model(torch.cat([x, attacked])).chunk(2)
        misled = (taken_for != y) & (taken_for != before)
        share = attacked_logits.softmax(1).gather(1, taken_for[:, None])[:, 0]
        unlearnt = -torch.log1p(-share.clamp(max=MAX_PROBABILITY)) * misled
        return {"clean": F.cross_entropy(logits, y), "shared": unlearnt.mean()}
