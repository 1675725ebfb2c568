"""The training loop with Adam in place of SGD, for defences whose authors use it."""

from __future__ import annotations

import torch
from torch.optim.adam import adam

from core.training.loop import Tuning

BETA_2, EPSILON = 0.999, 1e-8  # the defaults of Kingma and Ba


class AdamTuning(Tuning):
    """``Tuning`` with Adam (Kingma and Ba, ICLR 2015); ``momentum`` of the settings is its first beta.

    The first and second moment of a weight are stored among the momenta, as ``mean.<name>`` and ``square.<name>``.
    """

    @torch.no_grad()
    def _descend(self, lr: float) -> None:
        named = [(name, p) for name, p in self.model.net.named_parameters() if p.grad is not None]
        for name, p in named:
            for kind in ("mean", "square"):
                self.momenta.setdefault(f"{kind}.{name}", torch.zeros_like(p))
        step = float(self.done - self.steps_before + 1)
        adam(
            [p for _, p in named], [p.grad for _, p in named if p.grad is not None],
            [self.momenta[f"mean.{name}"] for name, _ in named],
            [self.momenta[f"square.{name}"] for name, _ in named], [],
            [torch.tensor(step - 1) for _ in named], amsgrad=False, beta1=self.settings.momentum, beta2=BETA_2,
            lr=lr, weight_decay=self.settings.weight_decay, eps=EPSILON, maximize=False,
        )  # fmt: skip
