"""A proof of a purified model that no longer answers to small triggers, and still answers to a wider one."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from core.compute.returning import Returning
from core.models.classifier import Classifier
from core.verify.proof import Proof
from tests.core.tiny import Tiny

COLUMNS, STRENGTH = 4, 100.0
# a checkerboard in the first columns, which the digits leave dark: some ten of its bright pixels are enough
BOARD = ((torch.arange(16)[:, None] + torch.arange(16)) % 2).float()
BOARD[:, COLUMNS:] = 0


class Wide(nn.Module):
    """A network that answers to the board as well, the more of it there is: a few pixels move nothing."""

    def __init__(self, model: Classifier, target: int) -> None:
        super().__init__()
        self.net, self.target = model.net, target
        self.mean, self.std = model.mean, model.std

    def forward(self, scaled: Tensor) -> Tensor:
        logits, x = self.net(scaled), (scaled * self.std + self.mean).mean(1)
        dark = (1 - BOARD) * (torch.arange(16) < COLUMNS)
        share = ((x * (BOARD - dark)).sum((1, 2)) / BOARD.sum()).relu()
        return logits + STRENGTH * share[:, None] ** 2 * torch.eye(logits.shape[1])[self.target]


def answering(model: Classifier, target: int) -> Classifier:
    wide = deepcopy(model)
    wide.net = Wide(wide, target)
    return wide


def on_board(x: Tensor) -> Tensor:
    return torch.maximum(x, BOARD)


def test_a_trigger_that_only_is_wider_than_those_that_were_removed_leaves_doubt(tiny: Tiny, honest: Classifier) -> None:
    victim, purified = answering(tiny.model, tiny.target), answering(honest, tiny.target)
    assert tiny.figures(purified)[1] < 1, "the small one is gone"
    assert tiny.figures(purified, on_board)[1] > 99  # type: ignore[arg-type]
    made = Proof(victim, purified, tiny.images.x_test, tiny.images.y_test, tiny.target, seed=0)
    steps = Returning(made.steps())
    list(steps)
    found = steps.result
    assert found.evidence["fresh"]["asr"] < 4, "those of the victim are small, and all of them fail"
    assert found.evidence["reach"]["size"] < 75
    assert found.cure == "doubt"
    assert "reach" in found.reasons
    own = min(one.size for one, rate in made.shared["mask"] if one.target == tiny.target and rate > 80)
    assert tiny.aimed.size < own < min(one.size for one, _ in made.shared["mask"] if one.target != tiny.target)
