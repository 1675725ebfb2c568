"""Fine-tuning: its loss, and what it does to a victim."""

from __future__ import annotations

import pytest
import torch

from core.defenses.fine_tuning import PRESETS, FineTuning, settings_for
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
    assert default.clip == 0.05
    assert (default.batch, default.epochs, default.shift) == (64, 4, 2)


def test_at_a_high_rate_the_backdoor_suffers_at_a_low_one_it_stays(tiny: Tiny) -> None:
    """What is known of fine-tuning: the rate decides, and a low one forgets nothing."""

    def after(lr: float) -> tuple[float, float]:
        tuning = FineTuning(tiny.model, tiny.x, tiny.y, (), settings_for("default", lr=lr, epochs=40, batch=20))
        for _ in tuning.steps():
            pass
        return tiny.figures(tuning.result(best=True))

    ba, asr = after(0.001)
    assert asr > 95
    assert ba > 95
    assert after(0.2)[1] < 60
