"""Steps of Adam in place of SGD, for the defences whose authors take it."""

from __future__ import annotations

import torch
from torch.optim.adam import adam

from core.training.loop import Tuning

SECOND_BETA, SMALL = 0.999, 1e-8


class AdamTuning(Tuning):
    """``Tuning`` whose steps are Adam's (Kingma and Ba, ICLR 2015); ``momentum`` of the settings is its first beta.

    Its two running means of a weight are kept among the momenta, as ``mean.<name>`` and ``square.<name>``.
    """

    @torch.no_grad()
    def _descend(self, lr: float) -> None:
        named = [(name, p) for name, p in self.model.net.named_parameters() if p.grad is not None]
        for name, p in named:
            for kind in ("mean", "square"):
                self.momenta.setdefault(f"{kind}.{name}", torch.zeros_like(p))
        step = float(self.done - self.first + 1)
        adam(
            [p for _, p in named], [p.grad for _, p in named if p.grad is not None],
            [self.momenta[f"mean.{name}"] for name, _ in named],
            [self.momenta[f"square.{name}"] for name, _ in named], [],
            [torch.tensor(step - 1) for _ in named], amsgrad=False, beta1=self.settings.momentum, beta2=SECOND_BETA,
            lr=lr, weight_decay=self.settings.weight_decay, eps=SMALL, maximize=False,
        )  # fmt: skip
