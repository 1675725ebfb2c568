"""The scan: one form of inversion after the other over all classes, and the class that looks most like a target."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.registry import loaded
from core.scan import FORMS
from core.scan.anomaly import anomaly_index
from core.scan.race import Inverted
from core.scan.sought import Sought
from core.scan.thresholds import (
    AGAINST,
    EARLY_DEVIATIONS,
    LEAST_CLASSES,
    MOST_LEAD,
    NEARLY_AS_CLEAR,
    SETTLING_GAP,
    SETTLING_SIZE,
    WORKING_RATE,
)
from core.triggers.reconstructed import Reconstructed


@dataclass(frozen=True)
class Scan:
    """What the forms found.

    Attributes:
        forms: one ``Inverted`` each, as many as it took, in the order of ``core.runs.arrays.FORMS``.
        suspicion: (classes,), see ``suspicion``.
        target: the most suspicious class.
    """

    forms: tuple[Inverted, ...]
    suspicion: Tensor
    target: int

    def of(self, target: int) -> Scan:
        """What the same forms say of another class, for example of one that the user knows to be the target."""
        return replace(self, target=target)

    def index(self, form: Inverted) -> float:
        """The anomaly index of the target in one form."""
        return float(anomaly_index(form.sizes)[self.target])

    def gap(self, form: Inverted) -> float:
        """How many times larger than the target's the smallest trigger of any other class is; 0 where it has none.

        Where no other class was reached, the whole picture stands for their triggers; 10 at most.
        """
        sizes = form.sizes.clone()
        own = float(sizes[self.target])
        sizes[self.target] = math.inf
        other = float(sizes.nan_to_num(math.inf, math.inf).min())
        other = other if math.isfinite(other) else _pixels(form)
        return min(10.0, other / max(own, 1.0)) if math.isfinite(own) else 0.0

    @property
    def lead(self) -> float:
        """How much sooner the target was reached than any other class, octaves, summed over the forms."""
        return float(sum(lead(form)[self.target] for form in self.forms))

    @property
    def sooner(self) -> float:
        """How many times sooner than any other class the target was reached, in the form that shows it best; or 1."""
        return float(2 ** max(lead(form)[self.target] for form in self.forms))

    @property
    def main(self) -> Inverted:
        """The form in which the target stands out most."""
        return max(self.forms, key=self.gap)

    @property
    def settled(self) -> bool:
        """Whether the target stands out so far that further forms would add nothing but time.

        A large trigger says little, however hard the other classes are to reach.
        """
        form = self.main
        return self.gap(form) >= SETTLING_GAP and float(form.sizes[self.target]) <= SETTLING_SIZE * _pixels(form)

    @property
    def works(self) -> bool:
        """Whether any form turned enough images to the target."""
        return any(float(form.attack_rates[self.target]) >= WORKING_RATE for form in self.forms)

    def triggers(self) -> list[Reconstructed]:
        """The reconstructed triggers of the target, the main form first.

        Only such as work, in the forms in which the target stands out: any network has some trigger for any class, and
        training against one that is nothing special costs BA and takes room from those that are.
        """
        ordered = sorted(self.forms, key=lambda form: form is not self.main)
        others = [form for form in ordered[1:] if self.gap(form) >= NEARLY_AS_CLEAR * self.gap(self.main)]
        working = [form for form in (ordered[0], *others) if form.attack_rates[self.target] >= WORKING_RATE]
        return [form.trigger(self.target) for form in working or ordered[:1]]


def _pixels(form: Inverted) -> float:
    """Of a picture: no trigger needs to be larger."""
    return float(math.prod(form.patterns.shape[-2:]))


def lead(form: Inverted) -> Tensor:
    """How much sooner a class was reached than any other, octaves of the early cross-entropy, (classes,).

    A trigger that is spread over the picture need not be small, but whatever points its way works at once. Above 0 for
    one class at most, and only if that lies far below the median.
    """
    found = torch.zeros_like(form.sizes)
    if form.early is None or len(form.early) < LEAST_CLASSES:
        return found
    levels = form.early.clamp(min=1e-3).log2()
    median = levels.quantile(0.5)
    deviation = 1.4826 * (levels - median).abs().quantile(0.5)
    (first, second), (top, _) = levels.topk(2, largest=False)
    if median - first >= EARLY_DEVIATIONS * deviation:
        found[top] = (second - first).clamp(max=MOST_LEAD)
    return found


def suspicion(forms: tuple[Inverted, ...]) -> Tensor:
    """How small a class's triggers are beside those of the others, and how much sooner they work, (classes,).

    In octaves, summed over the forms.

    A backdoor shows in the forms that suit it: a patch leaves no small smooth trigger, a blend no small mask. So a form
    in which a class is nothing special counts little against it.
    """
    total = torch.zeros_like(forms[0].sizes)
    for form in forms:
        finite = form.sizes[form.sizes.isfinite()]
        if len(finite) == 0:
            continue
        # a class that no trigger reached, or that was out before the race, is no more suspect than the largest found
        largest = finite.max() if len(finite) > 1 else finite.new_tensor(_pixels(form))
        sizes = torch.where(form.sizes.isfinite(), form.sizes, largest).clamp(min=1.0)
        ran = sizes[~form.sizes.isnan()]
        total += (ran.median() / sizes).log2().clamp(min=AGAINST) + lead(form)
    return total


def scan(
    model: Classifier, images: Tensor, seed: int = 0, sought: Sought | None = None
) -> Iterator[tuple[int, int, Scan | None]]:
    """Inverts one form after the other for all classes, until one class stands out beyond doubt.

    Args:
        model: the suspect; not changed.
        images: clean images, uint8 or float in [0, 1], shape (n, 3, h, w), any classes.
        seed: of what is drawn at random; the same on a CPU gives the same result.
        sought: is kept up to date, for whoever wants to see how far each class is.

    Yields:
        percent done, summed over the forms, of how many, and the result with the last one (None before).
    """
    ways = [loaded(place).invert(model, images, seed=seed, sought=sought) for place in FORMS.values()]
    forms: list[Inverted] = []
    for number, way in enumerate(ways):
        for done, total, found in way:
            # every step takes about as long; the forms differ a little in how many they take
            share = round(100 * (number + done / total))
            if found is None:
                yield share, 100 * len(ways), None
            else:
                forms.append(found)
        if _of(tuple(forms)).settled:
            break
    all_forms = tuple(forms)
    yield 100 * len(ways), 100 * len(ways), _of(all_forms)


def _of(forms: tuple[Inverted, ...]) -> Scan:
    score = suspicion(forms)
    return Scan(forms, score, int(score.argmax()))
