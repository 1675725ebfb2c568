"""SCAn, the Statistical Contamination Analyzer: a class whose images come from two groups instead of one.

Tang, Wang, Tang and Zhang, "Demon in the Variant: Statistical Analysis of DNNs for Robust Backdoor Contamination
Detection", USENIX Security 2021, section 4. A feature is modelled as its class's mean plus a variation with the same
covariance S in all classes. Each class is split into two groups under S, and a likelihood-ratio test compares the two
groups with one:

    J_t = mean over the class of (r - m)' S^-1 (r - m) - (r - m_j)' S^-1 (r - m_j)

with m the class's mean and m_j that of the image's own group. A class whose J_t stands out by e^2 median absolute
deviations is suspected. What poison does to one class it does not do to the others, so that the poisoned images may be
half of their class and more, where methods that look for outliers fail.

Deviations: S is the pooled covariance within classes, to which the paper's EM comes where classes are large. It is
taken from the set itself, where the paper takes it from clean images: for each class from the others, since two groups
in a class would stretch S just between them and hide (J_t could not exceed one by the class's share of the set). The
split is started at the class's main direction and not at random. Which of the two groups is the poisoned one: see
``core.dataroom.filter.mixed_side``. Where trusted images are there, J_t is multiplied by what they do not share of the
suspected group, since classes of a small set come from two groups by nature as well, and the product must exceed the
median J_t of the classes before that.

Score: how far along the line from the clean group's middle to the other's an image lies, in standard deviations of the
clean group along that line. False alarms: as if the clean group were normal there, so that a rate of 5 % puts the
threshold at 1.64; but never beyond the middle between the groups, where the test itself parts them. In a class whose
middle is nearer than the threshold, scores are stretched so that the middle lies on it: so one threshold serves all
classes, whichever are suspected or named.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from core.dataroom.filter import MAD, Judged, Material, comparable, mixed_side, outlying_classes, too_small

RIDGE = 1e-2  # share of the mean variance, added to every variance: a trained model's features hardly vary in some
MIN_IMAGES = 10  # of a class; smaller classes are not judged
MAX_SPLIT_STEPS = 100  # of the iteration that splits a class into two groups


def judge(material: Material, false_alarms: float, seed: int = 0) -> Judged:
    """Scores, the statistic J_t and the suspected classes; ``seed`` has no part in it."""
    small = too_small(material, MIN_IMAGES)
    threshold = NormalDist().inv_cdf(1 - false_alarms)
    statistics, shares = np.zeros(material.classes), np.ones(material.classes)
    scores = np.zeros(len(material.labels))
    for one in range(material.classes):
        members = np.flatnonzero(material.labels == one)
        if one in small:
            continue
        points = whitened(material, one)
        second = split(points[members])
        statistics[one] = ratio(points[members], second)
        if 0 < second.sum() < len(second):
            poisoned = second if mixed_side(material, members, second, points) else ~second
            places, middle = along(points[members], poisoned)
            scores[members] = places * max(1.0, threshold / middle)
            known = points[len(scores) :][material.trusted_labels == one]
            shares[one] = not_shared(points[members], poisoned, known)
    # Multiplied by ``shares``, a small J_t can be an outlier merely because those of all others became smaller. So
    # the product must also exceed the median of the J_t without the factor.
    judged = np.delete(statistics, small)
    median, statistics = float(np.median(judged)) if len(judged) else 0.0, statistics * shares
    suspected = outlying_classes(statistics, median, small)
    return Judged(scores, statistics, suspected, threshold, small, comparable(material.classes, small))


def whitened(material: Material, left_out: int) -> np.ndarray:
    """Features of the set and of the trusted images, (n + m, d), in which the variation within a class is a unit.

    Args:
        left_out: the class from which that variation is not taken.
    """
    features, labels = material.features, material.labels
    kept = labels != left_out
    if not kept.any():
        kept[:] = True
    residue = features[kept].copy()
    for one in np.unique(labels[kept]):
        here = labels[kept] == one
        residue[here] -= residue[here].mean(axis=0)
    covariance = residue.T @ residue / len(residue)
    covariance += RIDGE * max(float(np.trace(covariance)) / len(covariance), 1e-12) * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(covariance)
    return np.concatenate([features, material.trusted]) @ (vectors / np.sqrt(values))


def split(points: np.ndarray) -> np.ndarray:
    """bool (k,): which points (k, d) are of the second of two groups with equal, round covariance."""
    centred = points - points.mean(axis=0)
    second = centred @ np.linalg.svd(centred, full_matrices=False)[2][0] > 0
    for _ in range(MAX_SPLIT_STEPS):
        if not 0 < second.sum() < len(second):
            break
        first, other = points[~second].mean(axis=0), points[second].mean(axis=0)
        nearer = ((points - other) ** 2).sum(axis=1) < ((points - first) ** 2).sum(axis=1)
        if (nearer == second).all():
            break
        second = nearer
    return second


def ratio(points: np.ndarray, second: np.ndarray) -> float:
    """J_t of whitened points (k, d) and their split (k,)."""
    inside = sum(
        ((points[group] - points[group].mean(axis=0)) ** 2).sum() for group in (second, ~second) if group.any()
    )
    return float((((points - points.mean(axis=0)) ** 2).sum() - inside) / len(points))


def not_shared(points: np.ndarray, poisoned: np.ndarray, trusted: np.ndarray) -> float:
    """How far the suspected group is missing among the trusted images of the class (m, d), 0-1; 1 if there are none.

    A clean class may have two groups, as a digit that is written in two ways. Then the trusted images have both groups
    too, in the same shares.
    """
    if not len(trusted):
        return 1.0
    first, other = points[~poisoned].mean(axis=0), points[poisoned].mean(axis=0)
    nearer = ((trusted - other) ** 2).sum(axis=1) < ((trusted - first) ** 2).sum(axis=1)
    return max(0.0, 1 - float(nearer.mean()) / float(poisoned.mean()))


def along(points: np.ndarray, poisoned: np.ndarray) -> tuple[np.ndarray, float]:
    """Where each point lies on the line from the clean group's middle to the poisoned one's, and the middle between.

    Both in standard deviations of the clean group along that line.
    """
    clean = points[~poisoned].mean(axis=0)
    line = points[poisoned].mean(axis=0) - clean
    length = max(float(np.linalg.norm(line)), 1e-12)
    places = (points - clean) @ (line / length)
    inside = places[~poisoned]
    unit = max(MAD * float(np.median(np.abs(inside - np.median(inside)))), 1e-6)
    return places / unit, length / 2 / unit
