"""The progress of the trigger inversion for each class, shown on a page while a scan runs."""

from __future__ import annotations

import torch
from torch import Tensor

from core.events import Searched
from core.scan.inversion import InversionSettings
from core.scan.thresholds import DECISIVE_GAP, DECISIVE_SIZE


class SearchProgress:
    """Updated by every inversion (``core.scan.form``), and read between its steps.

    The tensors stay on their device, so that a step never waits for a GPU; ``event`` copies them to the CPU.

    Attributes:
        form: of the current inversion; empty before its first step.
        number: of that form, from 1; 0 before the first inversion.
        draw: of the scan, 1 or 2 (``core.scan.second_draw``).
        rates: smoothed attack rate of each class, 0-1, (classes,).
        sizes: L1 size of the smallest successful trigger of each class, pixels, infinite without one, (classes,).
    """

    def __init__(self) -> None:
        self.form, self.number, self.draw = "", 0, 1
        self.rates = self.sizes = torch.zeros(0)

    def begin_second_draw(self) -> None:
        """All forms are searched once more, from the first on."""
        self.form, self.number, self.draw = "", 0, 2

    def begin(self, classes: int, device: torch.device) -> None:
        """Resets the progress, for the inversion of the next form."""
        self.form, self.number = "", self.number + 1
        self.rates = torch.zeros(classes, device=device)
        self.sizes = torch.full((classes,), torch.inf, device=device)

    def note(self, form: str, classes: Tensor, rates: Tensor, sizes: Tensor) -> None:
        """Notes the progress after a step. Classes that have left the inversion keep their last values.

        Args:
            classes: those still in the inversion, int64, (count,).
            rates: attack rate of each, smoothed over the last batches, 0-1, (count,).
            sizes: L1 size of the smallest successful trigger of each, pixels, infinite without one, (count,).
        """
        self.form = form
        self.rates[classes], self.sizes[classes] = rates, sizes

    def far_ahead(self, pixels: int) -> bool:
        """Whether one class is so far ahead in this form that, as it stands, no other form would be needed.

        False until half of the classes that the main stage compares have a trigger.

        Args:
            pixels: of an image.
        """
        reached = self.sizes[self.sizes.isfinite()]
        if len(reached) < 2 or 2 * len(reached) < min(len(self.sizes), InversionSettings.main_classes):
            return False
        first, second = reached.topk(2, largest=False).values.tolist()
        return first <= DECISIVE_SIZE * pixels and second >= DECISIVE_GAP * max(first, 1.0)

    def event(self) -> Searched | None:
        """The progress as an event; None before the first step of a form."""
        if not self.form:
            return None
        found = self.sizes.isfinite().tolist()
        return Searched(
            self.form,
            self.number,
            [round(100 * rate, 1) for rate in self.rates.tolist()],
            [round(size, 1) if ok else None for size, ok in zip(self.sizes.tolist(), found, strict=True)],
        )
