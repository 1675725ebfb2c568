from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from core.data.imageset import as_float
from core.models.classifier import Classifier
from core.watch import disagreement
from core.watch.detector import Watched, see
from tests.core.tiny import Tiny


class Fixed(torch.nn.Module):
    """Gives the same probabilities for every image."""

    def __init__(self, likely: list[float]) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(3, len(likely))
        torch.nn.init.zeros_(self.fc.weight)
        self.fc.bias.data = torch.tensor(likely).log()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.mean((2, 3)))


def fixed(*likely: float) -> Classifier:
    return Classifier(Fixed(list(likely))).eval()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0.9, 0.1), (0.9, 0.1), 0.0),
        ((0.9, 0.1), (0.2, 0.8), max(0.9 * math.log(0.9 / 0.2), 0.8 * math.log(0.8 / 0.1))),
        ((0.9, 0.1), (0.6, 0.4), 0.9 * math.log(0.9 / 0.6)),
    ],
)
def test_the_score_is_the_larger_contradiction(one: tuple[float], other: tuple[float], expected: float) -> None:
    x = torch.zeros(1, 3, 8, 8)
    pair = Watched(fixed(*one), fixed(*other))
    assert float(disagreement.score(pair, {}, x, see(pair.model, x))) == pytest.approx(expected, abs=1e-4)


def test_victim_and_honest_twin_part_on_triggered_images(tiny: Tiny, honest: Classifier) -> None:
    pair = Watched(tiny.model, honest)
    x = tiny.images.x_test[tiny.images.y_test != tiny.target][:100]
    triggered = tiny.trigger(as_float(x))
    clean, bad = (disagreement.score(pair, {}, part, see(tiny.model, part)) for part in (x, triggered))
    assert (bad > clean.quantile(0.95)).float().mean() > 0.9
