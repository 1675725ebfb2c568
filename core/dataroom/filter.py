"""What a filter of the data room gets, and what it says: scores per image, a statistic per class, a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ANOMALOUS = float(np.exp(2))  # times the deviation of the other classes: the bar of SCAn and of Beatrix
RIVAL = 0.5  # of the highest statistic: what a further class has to reach to be suspected
FEWEST_CLASSES = 4  # to be compared: of two or three statistics none can lie above the bar, or any may by chance
MAD = 1.4826  # the median deviation of normal numbers, turned into their standard deviation


@dataclass(frozen=True)
class Material:
    """A training set as a model sees it.

    Attributes:
        features: float64 (n, d), penultimate.
        maps: float16 (n, channels, places), of the last layer that still has places; (n, d, 1) where none has.
        looks: float32 (n, k), the images themselves, made small, 0-1.
        labels: int (n,), as the set has them; any of them may be a lie.
        classes: how many there are.
        trusted, trusted_maps, trusted_labels: the same of images that are known to be clean; there may be none.
    """

    features: np.ndarray
    maps: np.ndarray
    looks: np.ndarray
    labels: np.ndarray
    classes: int
    trusted: np.ndarray
    trusted_maps: np.ndarray
    trusted_labels: np.ndarray


@dataclass(frozen=True)
class Judged:
    """What a filter says.

    Attributes:
        scores: float64 (n,), the higher the more suspicious; on a scale of the method's own.
        statistics: float64 (classes,), the higher the more like a target; None where the method has none.
        suspected: the classes that look poisoned, the likeliest target first; images of other classes are not flagged.
        threshold: the score from which on an image of a suspected class is flagged.
        small: the classes that have too few images for the method; those images have no score of theirs.
        able: False where there are too few classes to say anything of any of them; that is no finding.
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
    return classes - len(small) >= FEWEST_CLASSES


def standing_out(statistics: np.ndarray, least: float = -np.inf, small: tuple[int, ...] = ()) -> tuple[int, ...]:
    """The classes whose statistic stands out above those of the others, and above ``least``, the highest first.

    By the median absolute deviation, at e^2 of it, as SCAn (section 4.3) and Beatrix (section IV-D) have it. Beside the
    first class, only those count that reach half of its statistic: an attack with several targets treats them alike.
    Those of ``small``, which have no statistic, are no part of it; of fewer than ``FEWEST_CLASSES`` none stands out.
    """
    if not comparable(len(statistics), small):
        return ()
    statistics = statistics.astype(float)
    statistics[list(small)] = -np.inf
    known = statistics[np.isfinite(statistics)]
    middle = float(np.median(known))
    spread = MAD * float(np.median(np.abs(known - middle)))
    bar = max(middle + ANOMALOUS * max(spread, 1e-12), least)
    return tuple(
        int(one)
        for one in np.argsort(-statistics, kind="stable")
        if statistics[one] > max(bar, RIVAL * statistics.max())
    )


def usual(scores: np.ndarray, labels: np.ndarray, false_alarms: float) -> float:
    """The score that a share ``false_alarms`` of a class reaches, the median over the classes; above it, not at it.

    Fewer than half of the classes may be poisoned; those that are raise their own quantile, and not the median.
    """
    quantiles = [np.quantile(scores[labels == one], 1 - false_alarms) for one in np.unique(labels)]
    return float(np.nextafter(np.median(quantiles), np.inf))


def mixed_side(material: Material, members: np.ndarray, second: np.ndarray, whitened: np.ndarray | None = None) -> bool:
    """Whether of the two groups of a class the second is the poisoned one.

    Where trusted images of the class are there, the group farther from their mean. Otherwise the smaller, if it is
    clearly smaller; of two groups about as large, the one whose images differ more among one another, as those that
    came from many classes do. The second rule is no published one.

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
    spread = [float(material.looks[members[group]].var(axis=0).sum()) for group in (~second, second)]
    return spread[1] > spread[0]


CLEARLY_SMALLER = 0.25  # of a class
