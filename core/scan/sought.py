"""How far the trigger inversion has come, class by class: for the eye of whoever waits for it."""

from __future__ import annotations

import torch
from torch import Tensor

from core.events import Searched


class Sought:
    """Brought up to date by every race (``core.scan.race``), and read between its steps.

    It keeps tensors where they are, so that a step never waits for a GPU; ``event`` brings them over.
    """

    def __init__(self) -> None:
        self.form, self.number = "", 0
        self.rates = self.sizes = torch.zeros(0)

    def begin(self, classes: int, device: torch.device) -> None:
        """Another form starts from nothing."""
        self.form, self.number = "", self.number + 1
        self.rates = torch.zeros(classes, device=device)
        self.sizes = torch.full((classes,), torch.inf, device=device)

    def note(self, form: str, classes: Tensor, rates: Tensor, sizes: Tensor) -> None:
        """What a step has come to; classes that are out of the race keep what they had.

        Args:
            classes: those in the race, (count,), int64.
            rates: share of images, 0-1, smoothed over some steps, that each one's trigger turns, (count,).
            sizes: L1 size of each one's smallest successful trigger, pixels, infinite where there is none, (count,).
        """
        self.form = form
        self.rates[classes], self.sizes[classes] = rates, sizes

    def event(self) -> Searched | None:
        """As it is told; None before the first step of a form."""
        if not self.form:
            return None
        found = self.sizes.isfinite().tolist()
        return Searched(
            self.form,
            self.number,
            [round(100 * rate, 1) for rate in self.rates.tolist()],
            [round(size, 1) if ok else None for size, ok in zip(self.sizes.tolist(), found, strict=True)],
        )
