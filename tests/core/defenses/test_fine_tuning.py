"""Fine-tuning: its loss, and what it does to a victim."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from core.defenses.fine_tuning import PRESETS, FineTuning, settings_for
from core.models.classifier import Classifier
from tests.core.tiny import Tiny


def test_the_loss_is_the_mean_cross_entropy_with_the_clean_labels(tiny: Tiny) -> None:
    tuning = FineTuning(tiny.model, tiny.x, tiny.y, (), settings_for("default", shift=0))
    tuning.model.eval()
    chosen = torch.arange(12)
    with torch.no_grad():
        loss = float(tuning.losses(chosen)["clean"])
        shares = tiny.model(tuning.x[chosen]).double().softmax(1)
    by_hand = -sum(float(shares[k, tiny.y[k]].log()) for k in range(12)) / 12
    assert loss == pytest.approx(by_hand, rel=1e-4)


def test_the_settings_are_those_that_the_docstring_names() -> None:
    default = PRESETS["default"]
    assert (default.lr, default.momentum, default.weight_decay) == (0.1, 0.9, 5e-4)
    assert default.clip == 0.1
    assert (default.least_lr, default.rise) == (0.01, 0.5)
    assert (default.batch, default.epochs, default.shift) == (64, 4, 2)


def test_at_a_high_rate_the_backdoor_suffers_at_a_low_one_it_stays(tiny: Tiny) -> None:
    """What is known of fine-tuning: the rate decides, and a low one forgets nothing."""

    def after(lr: float) -> tuple[float, float]:
        tuning = FineTuning(tiny.model, tiny.x, tiny.y, (), settings_for("default", lr=lr, epochs=20, batch=20))
        for _ in tuning.steps():
            pass
        return tiny.figures(tuning.result(best=True))

    ba, asr = after(0.001)
    assert asr > 90, "100 in six trainings of the victim"
    assert ba > 90, "98"
    assert after(0.2)[1] < 50, "0 to 1"


class Attentive(nn.Module):
    """A small vision transformer: patches of 4 pixels, one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.layer(self.patches(x).flatten(2).transpose(1, 2)).mean(1))
        return found


def rows(*between: nn.Module) -> nn.Sequential:
    first, second = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
    norms = list(between) or [nn.Identity()]
    body = [first, norms[0], nn.ReLU(), nn.Dropout(0.2), second, norms[-1], nn.ReLU(), nn.AdaptiveAvgPool2d(2)]
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(64, 10))


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("kind", [rows, lambda: rows(nn.BatchNorm2d(16)), lambda: rows(nn.GroupNorm(4, 16)), Attentive])
def test_the_default_rate_keeps_networks_of_every_kind_finite(
    tiny: Tiny, kind: Callable[[], nn.Module], scale: float
) -> None:
    """Also with short weights, beside which gradients are long, and with long ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Classifier(kind(), size=None).eval()
        with torch.no_grad():
            for p in model.net.parameters():
                p.mul_(scale)
        tuning = FineTuning(model, tiny.x, tiny.y, (), settings_for("default", batch=30, least=60))
        losses = [step.losses["clean"] for step in tuning.steps()]
    assert losses[-1] < max(2.4, losses[0]), "no worse than chance, or than it was"
