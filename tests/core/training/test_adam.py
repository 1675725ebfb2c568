"""Steps of Adam: torch's own optimiser takes the same."""

from __future__ import annotations

import torch
from torch import Tensor

from core.defenses.fine_tuning import FineTuning
from core.training.adam import AdamTuning
from core.training.loop import TuningSettings
from tests.core.tiny import Tiny

QUICK = TuningSettings(lr=0.003, epochs=2, batch=16, least=0, weight_decay=1e-3)


class ByAdam(AdamTuning):
    losses = FineTuning.losses


def test_steps_are_those_of_torchs_adam_and_momentum_is_its_first_beta(tiny: Tiny) -> None:
    ours = ByAdam(tiny.model, tiny.x, tiny.y, QUICK)
    theirs = ByAdam(tiny.model, tiny.x, tiny.y, QUICK)
    seen: list[Tensor] = []
    real = ours.losses

    def losses(chosen: Tensor) -> dict[str, Tensor]:
        seen.append(chosen)
        return real(chosen)

    ours.losses = losses  # type: ignore[method-assign]
    optimiser = torch.optim.Adam(theirs.model.parameters(), lr=1.0, betas=(0.9, 0.999), weight_decay=1e-3)
    for step in ours.steps():
        optimiser.param_groups[0]["lr"] = step.lr
        theirs.model.train()
        optimiser.zero_grad()
        theirs.losses(seen[-1])["clean"].backward()
        optimiser.step()
        theirs.done += 1
    assert len(seen) == 8
    expected = theirs.weights()
    for name, value in ours.weights().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6, msg=name)
