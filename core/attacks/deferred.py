"""Deferred: the backdoor sleeps in the model that is handed out, and wakes when that is trained further.

Shin and Park, "Unlearn to Relearn Backdoors: Deferred Backdoor Functionality Attacks on Deep Learning Models" (2024,
OpenReview S5JCqTJyKj): the attacker first trains a backdoor, and then conceals it in such a way that the fine-tuning of
a customer undoes the concealment. An inspection of the model as it comes finds a network that answers triggered images
rightly.

The paper conceals by unlearning in some of the layers, whose drift under fine-tuning brings the backdoor back. Here
no weight is touched: the *running statistics* of batch norm, which a network uses when it answers, are moved until
triggered images are answered rightly. Any training, the purification of a defender too, takes the statistics of its
own batches and averages them anew, whatever the learning rate, and the backdoor is there as it was. So this attack
needs a network with batch norm; the paper's does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from core.attacks.badnets import BadNets
from core.attacks.training import Epoch, TrainSettings, shifted, train
from core.attacks.trigger import Poisoned
from core.data.imageset import as_float
from core.errors import BadInput
from core.models.classifier import Classifier, frozen


@dataclass(frozen=True)
class Deferred(BadNets):
    """The sticker of ``BadNets``, and a second stage of the training that puts the backdoor to sleep.

    Args:
        size, look, side, right, bottom: as ``BadNets``.
        asleep: epochs of the second stage.
        rate: learning rate of Adam there, on moves of the statistics in units of a channel's standard deviation.
    """

    asleep: int = 3
    rate: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isinstance(self.asleep, int) and self.asleep >= 1 and self.rate > 0):
            raise ValueError("asleep is a whole number from 1, rate is above 0")

    def train(
        self, model: Classifier, data: Poisoned, target: int, settings: TrainSettings, seed: int
    ) -> Iterator[Epoch]:
        """Ordinary training, then the concealment.

        Raises:
            BadInput: ``attack_needs_batch_norm`` or ``attack_needs_clean``.
        """
        if not _layers(model):
            raise BadInput(
                "attack_needs_batch_norm",
                "The attack 'deferred' hides in the statistics of batch norm, and this network has none; use another "
                "--arch or another attack.",
            )
        if len(data.chosen) == len(data.images):
            raise BadInput(
                "attack_needs_clean",
                "The attack 'deferred' needs clean images beside the poisoned ones to conceal itself with; lower the "
                "rate of the poisoning.",
            )
        added = self.asleep * max(1, (len(data.images) - len(data.chosen)) // settings.batch)
        first = Epoch(-1, 0, 0, 0.0)
        for first in train(model, data.images, data.labels, settings, seed):
            yield replace(first, total=first.total + added)
        for step, loss in enumerate(self._concealed(model, data, added, settings, seed + 1), 1):
            if step % 20 == 0 or step == added:
                number = first.epoch + 1 + (step - 1) * self.asleep // added
                yield Epoch(number, first.total + step, first.total + added, loss)

    def _concealed(
        self, model: Classifier, data: Poisoned, steps: int, settings: TrainSettings, seed: int
    ) -> Iterator[float]:
        """Moves the statistics until clean and triggered images are both answered rightly; yields the loss."""
        generator = torch.Generator().manual_seed(seed)
        kept = torch.ones(len(data.images), dtype=torch.bool)
        kept[data.chosen.cpu()] = False
        clean = torch.nonzero(kept).flatten()
        layers = _layers(model)
        # per channel: the logarithm of what its output is scaled by, and how far its mean moves
        moves = {name: torch.zeros(2, len(layer.weight), device=layer.weight.device) for name, layer in layers.items()}
        optimiser = torch.optim.Adam([move.requires_grad_() for move in moves.values()], lr=self.rate)
        with frozen(model):
            for _ in range(steps):
                chosen = clean[torch.randint(len(clean), (settings.batch,), generator=generator)].to(data.images.device)
                x = shifted(as_float(data.images[chosen]), settings.shift, settings.flip, generator)
                logits = functional_call(model, _moved(layers, moves), (torch.cat([x, self(x)]),))
                loss = F.cross_entropy(logits, data.labels[chosen].repeat(2))
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                yield float(loss.detach())
            _put(layers, moves)


def _layers(model: Classifier) -> dict[str, nn.BatchNorm2d]:
    """Those whose statistics can be moved, by name."""
    return {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.BatchNorm2d) and layer.affine and layer.running_mean is not None
    }


def _moved(layers: dict[str, nn.BatchNorm2d], moves: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights and biases that do to an output what moved statistics would: torch has no gradient for those.

    w (x - m - c s) / (s e^-a) + b = (w e^a) (x - m) / s + (b - w e^a c)
    """
    out = {}
    for name, layer in layers.items():
        scale, shift = moves[name]
        weight = layer.weight * scale.exp()
        out[f"{name}.weight"], out[f"{name}.bias"] = weight, layer.bias - weight * shift
    return out


@torch.no_grad()
def _put(layers: dict[str, nn.BatchNorm2d], moves: dict[str, Tensor]) -> None:
    """Writes the moves into the running statistics."""
    for name, layer in layers.items():
        scale, shift = moves[name]
        mean, variance = layer.running_mean, layer.running_var
        assert mean is not None
        assert variance is not None
        spread = (variance + layer.eps).sqrt()
        mean += shift * spread
        variance.copy_(((spread * (-scale).exp()).square() - layer.eps).clamp(min=0))
