"""Purifiers of the small victim, with a trigger that is sure and in doubt, and what their tests look at."""

from __future__ import annotations

import torch
from torch import Tensor

from core.defenses.mcl.published import Published
from core.defenses.mcl.purifier import Purifier
from core.defenses.mcl.settings import MCLSettings, PublishedSettings
from core.models.classifier import Classifier
from core.training.loop import Training
from core.triggers.reconstructed import Confidence, Reconstructed
from tests.core.tiny import Tiny

QUICK = MCLSettings(batch=16, anneal=5, rounds=0)
SHORT = MCLSettings(batch=16, anneal=20)
EPOCHS = PublishedSettings(batch=16, epochs=3)


def make(tiny: Tiny, chosen: MCLSettings = QUICK, seed: int = 0) -> Purifier:
    return Purifier(tiny.model, tiny.x, tiny.y, [tiny.aimed], chosen, seed)


def published(tiny: Tiny, chosen: PublishedSettings = EPOCHS, seed: int = 0) -> Published:
    return Published(tiny.model, tiny.x, tiny.y, [tiny.aimed], chosen, seed)


def doubtful(tiny: Tiny, chosen: MCLSettings = SHORT, confidence: Confidence = Confidence.NONE) -> Purifier:
    """What the scan reconstructed is not the trigger, and it says so."""
    nothing = Reconstructed("pixel", torch.full((3, 16, 16), 0.2), None, target=7, confidence=confidence)
    return Purifier(tiny.model, tiny.x, tiny.y, [nothing], chosen)


def plenty(tiny: Tiny) -> tuple[Tensor, Tensor]:
    """A hundred images a class and more."""
    return tiny.x.repeat(20, 1, 1, 1), tiny.y.repeat(20)


def weights(model: Classifier) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.net.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


def watched(purifier: Training) -> list[Tensor]:
    """The batches that the purifier will have taken, index by index."""
    seen: list[Tensor] = []
    real = purifier.losses

    def losses(chosen: Tensor) -> dict[str, Tensor]:
        seen.append(chosen)
        return real(chosen)

    purifier.losses = losses  # type: ignore[method-assign]
    return seen


def shown(purifier: Purifier, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """What the model is shown of the images ``chosen``: those with a trigger or stamp, and the clean ones."""
    attacked, clean, _ = shown_with_pairs(purifier, chosen)
    return attacked, clean


def shown_with_pairs(purifier: Purifier, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As ``shown``, and the pairs of the target classes, which follow."""
    seen: list[Tensor] = []
    real = purifier.model.features_and_logits

    def features_and_logits(images: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(images)
        return real(images)

    purifier.model.eval().features_and_logits = features_and_logits  # type: ignore[method-assign, assignment]
    with torch.no_grad():
        purifier.losses(chosen)
    del purifier.model.features_and_logits
    attacked = (purifier.plan.triggers + purifier.plan.stamps) * len(chosen)
    return seen[0][:attacked], seen[0][attacked : attacked + len(chosen)], seen[0][attacked + len(chosen) :]
