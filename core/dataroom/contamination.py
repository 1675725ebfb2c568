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
in a class would stretch S just between them and hide (J_t could not exceed one by the class's share of the set). Where
trusted images of the class are there, their covariance is mixed in: a class of a small set comes from two groups by
nature too, trusted images show that division and never the poison's, and what S holds is no longer a division. Images
are described by two depths of the network, not by its last one alone. The split is started at the class's main
direction and not at random. Which of the two groups is the poisoned one: see ``core.dataroom.filter.mixed_side``.

The statistic is J_t over what the split of so many normally distributed points would reach: the fewer images, the more.

Score: how far along the line from the clean group's median to the other group an image lies, in standard deviations of
the clean group along that line, taken on the far side from the poison, some of which is left in that group. False
alarms: as if the clean group were normal there, so that a rate of 5 % puts the threshold at 1.64; but never beyond the
middle between the groups, where the test itself parts them. In a class whose middle is nearer than the threshold,
scores are stretched so that the middle lies on it: so one threshold serves all classes, whichever are suspected or
named.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from core.dataroom.filter import MAD, Judged, Material, comparable, mixed_side, outlying_classes, too_small

RIDGE = 1e-2  # share of the mean variance, added to every variance: a trained model's features hardly vary in some
MIN_IMAGES = 10  # of a class; smaller classes are not judged
EVEN_IMAGES = 30  # trusted images of a class whose covariance counts as much as that of all other classes
MAX_SPLIT_STEPS = 100  # of the iteration that splits a class into two groups
LEAST_MIDDLE = 0.05  # deviations: a middle at the clean median or before it parts nothing, and must not divide


def judge(material: Material, false_alarms: float, seed: int = 0) -> Judged:
    """Scores, the statistic J_t and the suspected classes; ``seed`` has no part in it."""
    small = too_small(material, MIN_IMAGES)
    threshold = NormalDist().inv_cdf(1 - false_alarms)
    statistics = np.zeros(material.classes)
    scores = np.zeros(len(material.labels))
    described = both_depths(material)
    for one in range(material.classes):
        members = np.flatnonzero(material.labels == one)
        if one in small:
            continue
        points = whitened(material, one, described)
        second = split(points[members])
        statistics[one] = ratio(points[members], second) / by_chance(len(members), points.shape[1])
        if 0 < second.sum() < len(second):
            poisoned = second if mixed_side(material, members, second, points) else ~second
            places, middle = along(points[members], poisoned)
            scores[members] = places * max(1.0, threshold / middle)
    suspected = outlying_classes(statistics, small=small)
    return Judged(scores, statistics, suspected, threshold, small, comparable(material.classes, small))


def both_depths(material: Material) -> np.ndarray:
    """Features of the set and of the trusted images side by side, (n + m, d), each depth with mean variance 1.

    That variance is the one within the classes of the set.
    """
    parts = []
    for own, trusted in ((material.features, material.trusted), (material.earlier, material.trusted_earlier)):
        if own.shape[1]:
            unit = np.sqrt(max(float(residues(own, material.labels).var()), 1e-12))
            parts.append(np.concatenate([own, trusted]) / unit)
    return np.concatenate(parts, axis=1)


def residues(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What features (n, d) differ by from the mean of their class, (n, d)."""
    found = features.copy()
    for one in np.unique(labels):
        here = labels == one
        found[here] -= found[here].mean(axis=0)
    return found


def whitened(material: Material, left_out: int, described: np.ndarray) -> np.ndarray:
    """``described``, (n + m, d), in coordinates in which the variation within a class is a unit.

    Args:
        left_out: the class from whose images in the set that variation is not taken, but from its trusted ones.
        described: as ``both_depths``.
    """
    labels = material.labels
    kept = labels != left_out
    if not kept.any():
        kept[:] = True
    residue = residues(described[: len(labels)][kept], labels[kept])
    covariance = residue.T @ residue / len(residue)
    known = described[len(labels) :][material.trusted_labels == left_out]
    if len(known) > 1:
        weight = len(known) / (len(known) + EVEN_IMAGES)
        covariance = (1 - weight) * covariance + weight * np.cov(known.T)
    covariance += RIDGE * max(float(np.trace(covariance)) / len(covariance), 1e-12) * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(covariance)
    return described @ (vectors / np.sqrt(values))


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


def by_chance(images: int, dims: int) -> float:
    """J_t of a class without a second group: about what the split of so many normally distributed points reaches.

    Their main direction has the variance (1 + sqrt(d / n))^2 (Marchenko and Pastur, 1967), of which a split at the mean
    explains 2 / pi.
    """
    return 2 / np.pi * (1 + np.sqrt(dims / images)) ** 2


def along(points: np.ndarray, poisoned: np.ndarray) -> tuple[np.ndarray, float]:
    """Where each point lies on the line from the clean group's median to the poisoned one, and the middle between.

    Both in standard deviations of the clean group along that line. These are taken on its near half: poisoned points
    that the split left among the clean ones lie on the other.
    """
    clean = points[~poisoned].mean(axis=0)
    line = points[poisoned].mean(axis=0) - clean
    length = max(float(np.linalg.norm(line)), 1e-12)
    places = (points - clean) @ (line / length)
    inside = places[~poisoned]
    centre = float(np.median(inside))
    unit = max(MAD * float(np.median(centre - inside[inside <= centre])), 1e-6)
    return (places - centre) / unit, max((length / 2 - centre) / unit, LEAST_MIDDLE)
