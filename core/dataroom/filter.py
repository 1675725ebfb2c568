"""Input and output of a filter of the data room: scores per image, a statistic per class, a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ANOMALOUS = float(np.exp(2))  # median absolute deviations above the median: the threshold of SCAn and of Beatrix
SECOND_TARGET = 0.5  # share of the highest statistic that a further class must reach to be suspected too
MIN_CLASSES = 4  # to be compared; with two or three, none can exceed the threshold, or any may by chance
MAD = 1.4826  # makes a median absolute deviation the standard deviation of a normal distribution
CLEARLY_SMALLER = 0.25  # share of a class below which the smaller group counts as the poisoned one


@dataclass(frozen=True)
class Material:
    """A training set evaluated by a model.

    Attributes:
        features: float64 (n, d), penultimate.
        earlier: float64 (n, k), what flows into the last convolution, averaged over its places; k is 0 where the
            network has fewer than two convolutions.
        maps: float16 (n, channels, places), of the last layer that still has places; (n, d, 1) where none has.
        looks: float32 (n, k), the downscaled images, 0-1.
        labels: int (n,), as the set has them; poisoned images have wrong ones.
        classes: their number.
        trusted, trusted_earlier, trusted_maps, trusted_labels: the same of images that are known to be clean; there
            may be none.
    """

    features: np.ndarray
    earlier: np.ndarray
    maps: np.ndarray
    looks: np.ndarray
    labels: np.ndarray
    classes: int
    trusted: np.ndarray
    trusted_earlier: np.ndarray
    trusted_maps: np.ndarray
    trusted_labels: np.ndarray


@dataclass(frozen=True)
class Judged:
    """The result of a filter.

    Attributes:
        scores: float64 (n,), the higher the more suspicious; on a scale of the method's own.
        statistics: float64 (classes,), the higher the more like a target; None where the method has none.
        suspected: the classes that look poisoned, the likeliest target first; images of other classes are not flagged.
        threshold: the score from which on an image of a suspected class is flagged.
        small: classes with too few images for the method; their images have no score.
        able: False if there are too few classes to judge any of them.
    """

    scores: np.ndarray
    statistics: np.ndarray | None
    suspected: tuple[int, ...]
    threshold: float
    small: tuple[int, ...] = ()
    able: bool = True

    @property
    def target(self) -> int | None:
        return self.suspected[0] if self.suspected else None

    def flags(self, labels: np.ndarray, threshold: float | None = None) -> np.ndarray:
        """bool (n,): which images are flagged, at the filter's own threshold or at another one."""
        bar = self.threshold if threshold is None else threshold
        return np.isin(labels, self.suspected) & (self.scores >= bar)


def too_small(material: Material, fewest: int) -> tuple[int, ...]:
    """The classes with fewer than ``fewest`` images."""
    counts = np.bincount(material.labels, minlength=material.classes)
    return tuple(int(one) for one in np.flatnonzero(counts < fewest))


def comparable(classes: int, small: tuple[int, ...]) -> bool:
    """Whether there are enough classes that can be judged for one of them to stand out."""
    return classes - len(small) >= MIN_CLASSES


def outlying_classes(statistics: np.ndarray, small: tuple[int, ...] = ()) -> tuple[int, ...]:
    """The classes whose statistic is an outlier above the others, the highest first.

    The threshold is e^2 median absolute deviations above the median, as in SCAn (section 4.3) and Beatrix (section
    IV-D). Further classes count only if they reach half of the highest statistic, since an attack with several targets
    treats them alike. Classes of ``small`` have no statistic and are ignored; of fewer than ``MIN_CLASSES`` none is an
    outlier.
    """
    if not comparable(len(statistics), small):
        return ()
    statistics = statistics.astype(float)
    statistics[list(small)] = -np.inf
    known = statistics[np.isfinite(statistics)]
    middle = float(np.median(known))
    spread = MAD * float(np.median(np.abs(known - middle)))
    bar = middle + ANOMALOUS * max(spread, 1e-12)
    return tuple(
        int(one)
        for one in np.argsort(-statistics, kind="stable")
        if statistics[one] > max(bar, SECOND_TARGET * statistics.max())
    )


def clean_quantile(scores: np.ndarray, labels: np.ndarray, false_alarms: float) -> float:
    """The score that a share ``false_alarms`` of a clean class exceeds: the median over the classes of that quantile.

    Poison raises the quantile of its own class. The median is unaffected if fewer than half of the classes are
    poisoned. The result lies just above the quantile, so that scores equal to it are not flagged.
    """
    quantiles = [np.quantile(scores[labels == one], 1 - false_alarms) for one in np.unique(labels)]
    return float(np.nextafter(np.median(quantiles), np.inf))


def mixed_side(material: Material, members: np.ndarray, second: np.ndarray, whitened: np.ndarray | None = None) -> bool:
    """Whether the second of two groups of a class is the poisoned one.

    With trusted images of the class, the poisoned group is the one farther from their mean. Otherwise it is the smaller
    group, if it is clearly smaller. Of two groups of similar size it is the one that varies more, since its images come
    from many classes: in the features in which other classes vary by a unit, or else as pictures. The rules without
    trusted images are not from a paper.

    Args:
        members: int (k,), the class's images.
        second: bool (k,), which of them are of the second group.
        whitened: float64 (n + trusted, d), the features in which distances are taken; as they are, if not given.
    """
    points = np.concatenate([material.features, material.trusted]) if whitened is None else whitened
    label = material.labels[members[0]]
    known = len(material.labels) + np.flatnonzero(material.trusted_labels == label)
    if len(known):
        centre = points[known].mean(axis=0)
        far = [np.linalg.norm(points[members[group]].mean(axis=0) - centre) for group in (~second, second)]
        return bool(far[1] > far[0])
    share = second.mean()
    if min(share, 1 - share) < CLEARLY_SMALLER:
        return bool(share < 0.5)
    rows = material.looks if whitened is None else whitened
    spread = [float(rows[members[group]].var(axis=0).sum()) for group in (~second, second)]
    return spread[1] > spread[0]
