"""Purifiers of the small victim, with a trigger that is sure and in doubt, and what their tests look at."""

from __future__ import annotations

import torch
from torch import Tensor

from core.defenses.mcl import Purifier
from core.defenses.settings import MCLSettings, settings_for
from core.inversion.trigger import Reconstructed
from core.models.classifier import Classifier
from tests.core.tiny import Tiny

QUICK = MCLSettings(epochs=4, mend=0, batch=16)
SHORT = settings_for("default", batch=16, mend=20)


def make(tiny: Tiny, chosen: MCLSettings = QUICK, seed: int = 0) -> Purifier:
    return Purifier(tiny.model, tiny.x, tiny.y, [tiny.aimed], chosen, seed)


def doubtful(tiny: Tiny, chosen: MCLSettings = SHORT, push: float = 0.0) -> Purifier:
    """What the scan reconstructed is not the trigger, and it says so."""
    nothing = Reconstructed("pixel", torch.full((3, 16, 16), 0.2), None, target=7, push=push)
    return Purifier(tiny.model, tiny.x, tiny.y, [nothing], chosen)


def weights(model: Classifier) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.net.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


def watched(purifier: Purifier) -> list[Tensor]:
    """The batches that the purifier will have taken, index by index."""
    seen: list[Tensor] = []
    real = purifier.losses

    def losses(chosen: Tensor) -> dict[str, Tensor]:
        seen.append(chosen)
        return real(chosen)

    purifier.losses = losses  # type: ignore[method-assign]
    return seen
