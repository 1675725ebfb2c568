"""Victim and purified model side by side: what all tests of a proof measure with, and how sizes are compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.metrics import attack_success_rate
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.scan import FORMS
from core.scan.restarts import Effort
from core.scan.shared import shared
from core.triggers.reconstructed import Reconstructed
from core.verify import probes

ASR_IMAGES = 1000  # test images of other classes on which attack success is measured, at most
PRESELECTION_IMAGES = 250  # of these, to preselect the worst triggers
SEARCH_IMAGES = 500  # test images on which triggers are reconstructed, at most
MIN_VICTIM_ASR = 50.0  # percent: a trigger that works less on the victim says nothing about the purified model
SHARED_EFFORT = Effort(steps=60, images=12, attack_rate=0.9, min_rate=0.0)
WORST_TRIGGERS = 2  # of those that work: whose attack success is measured on all images
SEED_OFFSET = 7919  # added to the run's seed, so that the proof draws other numbers than the scan


@dataclass
class Comparison:
    """Two models and the test images that they are compared on: one half to search on, the other to measure on.

    Args:
        victim, purified: the models before and after; not changed.
        images: test images, uint8, (n, 3, h, w).
        labels: their classes, (n,).
        target: the target class.
        seed: of the run.
        suspects: other classes that stood out on the victim (``core.scan.verdict.other_suspects``).

    Attributes:
        search_indices, asr_indices: positions of the test images to reconstruct on, and to measure on.
        other_sizes: form, class and size (pixels) of triggers on either model, to compare sizes with.
    """

    victim: Classifier
    purified: Classifier
    images: Tensor
    labels: Tensor
    target: int
    seed: int = field(kw_only=True)
    suspects: Sequence[int] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        order = torch.randperm(len(self.images), generator=torch.Generator().manual_seed(self.seed + SEED_OFFSET))
        half = max(1, len(order) // 2)
        self.search_indices = order[: min(half, SEARCH_IMAGES)]
        rest = order[half:] if len(order) > half else order
        self.asr_indices = rest[self.labels[rest] != self.target][:ASR_IMAGES]
        self.other_sizes: list[tuple[str, int, float]] = []

    @property
    def suspected(self) -> set[int]:
        return {self.target, *self.suspects}

    def asr(
        self,
        model: Classifier,
        trigger: Callable[[Tensor], Tensor] | None,
        target: int | None = None,
        count: int = ASR_IMAGES,
    ) -> float:
        """ASR on ``count`` of the test images, percent; NaN if there are none."""
        target, chosen = self.target if target is None else target, self.asr_indices[:count]
        if not bool((self.labels[chosen] != target).any()):
            return float("nan")
        predicted = answers(model, self.images[chosen], trigger).cpu()
        return attack_success_rate(predicted, self.labels[chosen], target)

    def working(
        self, triggers: Iterable[Reconstructed], label: int, source: Classifier | None = None
    ) -> tuple[list[Reconstructed], tuple[float, float] | None]:
        """The triggers that work on the victim, the most successful on the purified model first; the highest attack
        success on the purified model and on the victim, or None if none works.

        Args:
            source: the model that they were made on, in place of the victim.
        """
        working, source = [], source or self.victim
        for trigger in triggers:
            before = self.asr(source, trigger, label, PRESELECTION_IMAGES)
            if before >= MIN_VICTIM_ASR:
                working.append((self.asr(self.purified, trigger, label, PRESELECTION_IMAGES), before, trigger))
        if not working:
            return [], None
        working.sort(key=lambda row: (-row[0], -row[1]))
        found = [trigger for *_, trigger in working]
        asr = max(self.asr(self.purified, trigger, label) for trigger in found[:WORST_TRIGGERS])
        return found, (round(asr, 2), round(max(before for _, before, _ in working), 2))

    def is_small(self, trigger: Reconstructed) -> bool:
        """Whether a trigger is smaller than those of other classes: two on the victim, all on the purified model.

        A warp, which is no form of the inversion, has no size that could be compared, and counts as small.
        """
        other_sizes = (
            size
            for form, label, size in self.other_sizes
            if form == trigger.form and label not in self.suspected | {trigger.target} and not math.isnan(size)
        )
        return trigger.form not in FORMS or trigger.size <= probes.MAX_SIZE_RATIO * min(other_sizes, default=math.inf)

    def on_both(
        self, form: str, targets: list[int], seed: int, victim: Classifier
    ) -> Generator[tuple[int, int], None, list[tuple[Reconstructed, float]]]:
        """Triggers reconstructed on ``victim`` and the purified model together, each with the smaller of its two attack
        success rates, percent."""
        made = yield from shared(
            victim,
            self.purified,
            self.images[self.search_indices],
            form,
            targets,
            SHARED_EFFORT,
            self.seed + SEED_OFFSET + seed,
        )
        models = (victim, self.purified)
        return [(one, min(self.asr(model, one, one.target) for model in models)) for one in made]
