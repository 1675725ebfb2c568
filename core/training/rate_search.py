"""Tuning at the highest learning rate of a falling series that a network bears.

A backdoor is forgotten at a high learning rate, and so is what the network is for. How high a rate a network bears is
not to be read off a gradient before the training; it shows within the first ten or twenty steps, while the rate is at
its highest, in the loss on clean images. Where that rises too far, the training starts anew from the victim at half the
rate. That needs clean images only, and nothing about the trigger.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from core.errors import BadInput
from core.models.classifier import Classifier
from core.training.batchnorm import STATISTICS_IMAGES, adopt_statistics
from core.training.loop import PurifyStep, Tuning, TuningSettings

RATE_FACTOR = 0.5  # from a rate to the next
WINDOW = 10  # steps whose mean loss is judged: single batches differ by as much as the limit
BATCHES_BEFORE = 5  # batches, whose mean loss before the first step is what it is judged by


@dataclass(frozen=True)
class SearchedSettings(TuningSettings):
    """``TuningSettings``, of which ``lr`` is the highest rate tried, and

    least_lr: the lowest rate tried; the default is BackdoorBench's for a PreActResNet-18 (Wu et al., NeurIPS 2022).
    rise: by how much the clean loss may rise above that before the first step, nats; 0: as far as it likes.
    """

    least_lr: float = 0.01
    rise: float = 0.5


class SearchedTuning(Tuning):
    """Training of a copy of the victim, started anew at a lower rate where it forgets too much or diverges.

    Forgotten is too much where the loss ``clean``, in the mean over ``WINDOW`` steps, is more than ``rise`` above what
    it was before the first step. The lowest rate stands in any case.

    The copy adopts the statistics of clean images before the first step (``adopt_statistics``).

    Args:
        victim, images, labels, settings, seed: as ``Training``.

    Attributes:
        share: of the highest rate, with which the schedule that runs now began; 1, 1/2, 1/4 and so on.
        abandoned: steps of the schedules before it.
        recent: the clean losses of the last steps of this schedule.
    """

    settings: SearchedSettings

    def __init__(
        self, victim: Classifier, images: Tensor, labels: Tensor, settings: SearchedSettings, seed: int = 0
    ) -> None:
        super().__init__(victim, images, labels, settings, seed)
        adopt_statistics(self.model.eval(), self.x[:STATISTICS_IMAGES])
        self.share, self.abandoned = 1.0, 0
        self.start = self.weights()
        self.start_loss: float | None = None
        self.recent: deque[float] = deque(maxlen=WINDOW)

    @property
    def total(self) -> int:
        return super().total + self.abandoned

    def learning_rate(self, step: int) -> float:
        return super().learning_rate(max(0, step - self.abandoned)) * self.share

    def steps(self) -> Iterator[PurifyStep]:
        if self.settings.rise and self.start_loss is None:
            self.start_loss = self._loss_before()
        while True:
            try:
                for step in super().steps():
                    self.recent.append(step.losses["clean"])
                    if self._forgets_too_much() and self._lower_rate_is_left():
                        self.start_anew()
                    yield replace(step, total=self.total)
                return
            except BadInput as error:
                if error.code != "training_diverged" or not self._lower_rate_is_left():
                    raise
                self.start_anew()

    def start_anew(self) -> None:
        """Goes back to the weights before the first step, and to the next rate."""
        self.abandoned = self.done - self.steps_before
        self.share *= RATE_FACTOR
        self.momenta = {}
        self.recent.clear()
        self.model.net.load_state_dict(self.start)

    def _lower_rate_is_left(self) -> bool:
        return self.settings.lr * self.share * RATE_FACTOR >= self.settings.least_lr

    def _forgets_too_much(self) -> bool:
        if self.start_loss is None or len(self.recent) < WINDOW:
            return False
        return sum(self.recent) / WINDOW - self.start_loss > self.settings.rise

    def _loss_before(self) -> float:
        """The mean clean loss of the first batches, with nothing trained: as in a step, dropout included."""
        batches, before = self._batches(), self.weights()
        self.model.train()
        found = [self._backward(next(batches))["clean"] for _ in range(BATCHES_BEFORE)]
        self.model.eval()
        self.model.net.load_state_dict(before)  # running statistics and the count of their batches
        return sum(found) / BATCHES_BEFORE

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        tensors, numbers = super().state()
        numbers |= {f"recent.{k}": loss for k, loss in enumerate(self.recent)}
        return tensors, numbers | {
            "share": self.share,
            "abandoned": self.abandoned,
            "start_loss": self.start_loss or 0.0,
        }

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        super().restore(tensors, numbers)
        self.share, self.abandoned = numbers["share"], int(numbers["abandoned"])
        self.start_loss = numbers.get("start_loss")
        self.recent.clear()
        self.recent.extend(numbers[name] for name in sorted(numbers) if name.startswith("recent."))
