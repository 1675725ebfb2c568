"""The scan: inverts triggers in one form after another for all classes, and finds the most suspicious class."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.compute.returning import Returning
from core.models.classifier import Classifier
from core.registry import loaded
from core.scan import FORMS
from core.scan.anomaly import anomaly_index
from core.scan.duration import image_passes
from core.scan.form import Form, invert
from core.scan.inversion import InversionSettings, Inverted
from core.scan.search_progress import SearchProgress
from core.scan.thresholds import (
    DECISIVE_GAP,
    DECISIVE_SIZE,
    EARLY_DEVIATIONS,
    MAX_COUNTER_EVIDENCE,
    MAX_LEAD,
    MIN_CLASSES,
    SECOND_FORM_GAP,
    SOME,
    WORKING_RATE,
)
from core.triggers.reconstructed import Reconstructed

MAX_GAP = 10.0  # a larger gap says no more
OUTLIER_SCALE = 1.4826  # makes a median absolute deviation the standard deviation of a normal distribution
MIN_LOSS = 1e-3  # nats; below, losses count as equal
FORM_UNITS = 100  # of progress
FORECAST_EVERY = 5  # steps: a look at the sizes waits for a GPU


@dataclass(frozen=True)
class Scan:
    """The result of a scan.

    Attributes:
        forms: one ``Inverted`` for each form that was tried, in the order of ``core.scan.FORMS``.
        suspicion: octaves, (classes,); see the function ``suspicion``.
        target: the class that is judged; the most suspicious one unless ``of`` chose another.
        draws: scans of which ``suspicion`` is the mean (``core.scan.second_draw``); the forms are those of one.
    """

    forms: tuple[Inverted, ...]
    suspicion: Tensor
    target: int
    draws: int = 1

    def of(self, target: int) -> Scan:
        """The same scan with another target, for example one that the user gave."""
        return replace(self, target=target)

    def index(self, form: Inverted) -> float:
        """The anomaly index of the target in a form; from 2 on an outlier (``core.scan.anomaly``)."""
        return float(anomaly_index(form.sizes)[self.target])

    def gap(self, form: Inverted) -> float:
        """The smallest trigger of the other classes divided by the target's, at most ``MAX_GAP``.

        Classes that stand out themselves are left out: one backdoor would hide another. 0 if the target has no
        successful trigger. If no other class has one, their size is that of the whole image.
        """
        return self._gap(form, standing_out(self.suspicion.tolist()))

    def _gap(self, form: Inverted, left_out: Collection[int] = ()) -> float:
        sizes = form.sizes.clone()
        own = float(sizes[self.target])
        sizes[[self.target, *left_out]] = math.inf
        other = float(sizes.nan_to_num(math.inf, math.inf).min())
        other = other if math.isfinite(other) else _pixels(form)
        return min(MAX_GAP, other / max(own, 1.0)) if math.isfinite(own) else 0.0

    @property
    def lead(self) -> float:
        """How much earlier the target was reached than any other class, octaves, summed over the forms."""
        return float(sum(lead(form)[self.target] for form in self.forms))

    @property
    def lead_ratio(self) -> float:
        """The largest lead in any form as a ratio: how many times earlier the target was reached; 1 without a lead."""
        return float(2 ** max(lead(form)[self.target] for form in self.forms))

    @property
    def main(self) -> Inverted:
        """The form in which the target has the largest gap."""
        return max(self.forms, key=self.gap)

    @property
    def decisive(self) -> bool:
        """Whether the target stands out from all classes so clearly that further forms are not needed.

        The trigger must be small too: a large one says little, however hard the other classes are to reach. One draw of
        two settles nothing.
        """
        if self.draws > 1:
            return False
        form = max(self.forms, key=self._gap)
        return self._gap(form) >= DECISIVE_GAP and float(form.sizes[self.target]) <= DECISIVE_SIZE * _pixels(form)

    @property
    def works(self) -> bool:
        """Whether the target's trigger works in any form: it reaches ``WORKING_RATE``."""
        return any(float(form.attack_rates[self.target]) >= WORKING_RATE for form in self.forms)

    def triggers(self) -> list[Reconstructed]:
        """The reconstructed triggers of the target that a purification should train against, the main form first.

        A form counts if its trigger works and its gap is near that of the main form. Any network has some trigger for
        any class in any form, and training against an ordinary one costs BA. Without a working trigger, the main
        form's.
        """
        ordered = sorted(self.forms, key=lambda form: form is not self.main)
        others = [form for form in ordered[1:] if self.gap(form) >= SECOND_FORM_GAP * self.gap(self.main)]
        working = [form for form in (ordered[0], *others) if form.attack_rates[self.target] >= WORKING_RATE]
        return [form.trigger(self.target) for form in working or ordered[:1]]


def standing_out(suspicion: Sequence[float]) -> set[int]:
    """The classes that are as suspicious as some signs ask for; none where too few classes are compared.

    Args:
        suspicion: of each class, octaves; two decimals count, as on the record.
    """
    if len(suspicion) < MIN_CLASSES:
        return set()
    return {label for label, octaves in enumerate(suspicion) if round(octaves, 2) >= SOME[0]}


def _pixels(form: Inverted) -> float:
    """Pixels of an image: no trigger needs to be larger."""
    return float(math.prod(form.patterns.shape[-2:]))


def lead(form: Inverted) -> Tensor:
    """How much earlier a class was reached than any other: octaves of the early cross-entropy, (classes,).

    A trigger that is spread over the image need not be small, but the inversion reaches its class within a few steps.
    At most one class has a lead above 0, and only if its loss lies far below the median.
    """
    leads = torch.zeros_like(form.sizes)
    if form.early_loss is None or len(form.early_loss) < MIN_CLASSES:
        return leads
    levels = form.early_loss.clamp(min=MIN_LOSS).log2()
    median = levels.quantile(0.5)
    deviation = OUTLIER_SCALE * (levels - median).abs().quantile(0.5)
    (first, second), (top, _) = levels.topk(2, largest=False)
    if median - first >= EARLY_DEVIATIONS * deviation:
        leads[top] = (second - first).clamp(max=MAX_LEAD)
    return leads


def suspicion(forms: tuple[Inverted, ...]) -> Tensor:
    """The suspicion of each class, octaves, (classes,): how small its triggers are, and how early they worked.

    The sum over the forms of log2(median size / size) and the lead. A backdoor shows only in the forms that suit it: a
    patch has no small smooth trigger, a blend no small mask. So a form can lower the suspicion only a little.
    """
    total = torch.zeros_like(forms[0].sizes)
    for form in forms:
        finite = form.sizes[form.sizes.isfinite()]
        if len(finite) == 0:
            continue
        # a class without a successful trigger, or that left in the prescreen, counts as the largest trigger found
        largest = finite.max() if len(finite) > 1 else finite.new_tensor(_pixels(form))
        sizes = torch.where(form.sizes.isfinite(), form.sizes, largest).clamp(min=1.0)
        searched = sizes[~form.sizes.isnan()]
        total += (searched.median() / sizes).log2().clamp(min=MAX_COUNTER_EVIDENCE) + lead(form)
    return total


def scan(
    model: Classifier, images: Tensor, seed: int = 0, progress: SearchProgress | None = None, refined: bool = True
) -> Generator[tuple[int, int], None, Scan]:
    """Inverts one form after the other for all classes, until a form is decisive.

    Args:
        model: the suspect; not changed.
        images: clean images, uint8 or float in [0, 1], shape (n, 3, h, w), any classes.
        seed: of what is drawn at random; the same on a CPU gives the same result.
        progress: is updated after every step with the progress of each class.
        refined: whether the smallest triggers are refined, to be trained against. Sizes and suspicion are the same
            either way.

    Yields:
        units of work done and in all, ``FORM_UNITS`` for each form. They go by the images that are expected to go
        through the network: while one class is far ahead in the form under way, no more than those of that form. Units
        done fall back where more is expected than before.
    """
    progress = SearchProgress() if progress is None else progress
    forms = [(form, settings_of(form, refined)) for form in map(loaded, FORMS.values())]
    inversions = [invert(form, model, images, settings, seed, progress) for form, settings in forms]
    passes = [image_passes(model.num_classes, settings) for _, settings in forms]
    return (yield from until_decisive(inversions, passes, lambda: progress.far_ahead(images[0, 0].numel())))


def settings_of(form: Form, refined: bool = True) -> InversionSettings:
    """The settings of a form in a scan; ``refined`` as there."""
    return form.SETTINGS if refined else replace(form.SETTINGS, refinement_steps=0)


def until_decisive(
    inversions: Sequence[Generator[tuple[int, int], None, Inverted]],
    passes: Sequence[int],
    far_ahead: Callable[[], bool],
) -> Generator[tuple[int, int], None, Scan]:
    """Carries out one inversion after the other, until a form is decisive.

    Args:
        inversions: of the forms; each yields work done and work in all.
        passes: images that go through the network in each.
        far_ahead: whether the form under way seems to become decisive.

    Yields:
        as ``scan``. Where a form turns out not to settle the scan after all, the work in all is more than was expected,
        and the units done fall back: they are the share of what is expected now.
    """
    units, done_before = FORM_UNITS * len(inversions), 0
    forms: list[Inverted] = []
    for inversion, own in zip(inversions, passes, strict=True):
        search, expected = Returning(inversion), sum(passes)
        for step, (done, total) in enumerate(search):
            if step % FORECAST_EVERY == 0:
                expected = done_before + own if far_ahead() else sum(passes)
            if done < total:
                yield int(units * (done_before + own * done / total) / expected), units
        done_before += own
        forms.append(search.result)
        if _combined(tuple(forms)).decisive:
            break
    yield units, units
    return _combined(tuple(forms))


def _combined(forms: tuple[Inverted, ...]) -> Scan:
    score = suspicion(forms)
    return Scan(forms, score, int(score.argmax()))
