"""Victim and purified model side by side: what all tests of a proof measure with, and how sizes are compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

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
MAX_CONTROL = 30.0  # percentage points: whatever other classes show, a trigger that does more counts in full
WORST_TRIGGERS = 2  # of those that work: whose attack success is measured on all images
SEED_OFFSET = 7919  # added to the run's seed, so that the proof draws other numbers than the scan


class Working(NamedTuple):
    """Triggers of a class that work on the victim.

    Attributes:
        triggers: the furthest above its control on the purified model first.
        asr: attack success of the worst on the purified model, percent.
        control: percentage points: what triggers of other classes of that form and size add to clean images.
        before: the highest attack success on the victim, percent.
    """

    triggers: list[Reconstructed]
    asr: float
    before: float
    control: float


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
        self,
        triggers: Iterable[Reconstructed],
        label: int,
        others: Sequence[Reconstructed] = (),
        source: Classifier | None = None,
    ) -> Working | None:
        """The triggers that work on the victim, and the attack success of the worst; None if none works.

        The worst is the one that is furthest above its control. A purified network has faint patterns for every class,
        and one that does as much for honest classes says nothing of the backdoor.

        Args:
            triggers: of the class ``label``.
            others: triggers of other classes.
            source: the model that they were made on and have to work on, in place of the victim.
        """
        rated, source = [], source or self.victim
        for trigger in triggers:
            before = self.asr(source, trigger, label, PRESELECTION_IMAGES)
            if before >= MIN_VICTIM_ASR:
                rated.append((self.asr(self.purified, trigger, label, PRESELECTION_IMAGES), before, trigger))
        if not rated:
            return None
        control = {form: self._control(form, rated, others) for form in {one.form for *_, one in rated}}
        rated.sort(key=lambda row: (control[row[2].form] - row[0], -row[1]))
        found = [trigger for *_, trigger in rated]
        worst = [(self.asr(self.purified, one, label), control[one.form]) for one in found[:WORST_TRIGGERS]]
        asr, of_others = max(worst, key=lambda row: row[0] - row[1])
        return Working(found, round(asr, 2), round(max(before for _, before, _ in rated), 2), round(of_others, 2))

    def _control(
        self, form: str, rated: Sequence[tuple[float, float, Reconstructed]], others: Sequence[Reconstructed]
    ) -> float:
        """What triggers of other classes of this form add on the purified model, made as small as the smallest of
        ``rated``, percentage points: the least of any class, since one of them may have a backdoor of its own."""
        size = min(one.size for *_, one in rated if one.form == form)
        found = []
        for one in others:
            if one.form == form and one.target not in self.suspected:
                small = probes.shrunk(one, size)
                clean, triggered = (self.asr(self.purified, x, one.target, PRESELECTION_IMAGES) for x in (None, small))
                found.append(triggered - clean)
        return min(MAX_CONTROL, max(0.0, min((x for x in found if not math.isnan(x)), default=0.0)))

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
