"""Beatrix: images whose channels are correlated differently from those of the clean images of their class.

Ma, Wang, Sun, Wang, Xiang and Zhang, "The 'Beatrix' Resurrections: Robust Backdoor Detection via Gram Matrices", NDSS
2023, sections IV-B to IV-D. The Gram matrices of order p, (F^p F^p')^(1/p), of the feature maps F (channels, places)
say how the channels vary together. Of the clean images of a class, median and median absolute deviation of every entry
give the range in which it may lie; an image's deviation is how far its entries lie outside, each in units of the bound.
A class is suspected where the images that deviate and the rest are far apart in feature space (kernel maximum mean
discrepancy) by e^2 median absolute deviations over the classes.

Deviations: the orders are 1, 2, 4 and 8 of the paper's 1 to 9, and at most 64 channels are taken, those that vary most,
for memory's sake. A deviation is measured in the bound that is passed, but not in less than a tenth of the mean entry:
behind a ReLU many bounds are 0, and these entries alone would decide. The discrepancy is weighted by 4 s (1 - s), with
s the share of the class that deviates, since a handful of outliers is always far from the rest. Where no trusted images
of a class are there, median and deviation are those of all images called so, which holds as long as fewer than half of
them are poisoned.

False alarms: the threshold is the deviation that such a share of a class exceeds, as the median over the classes; the
paper takes the quantile from clean images held back.
"""

from __future__ import annotations

import numpy as np

from core.dataroom.filter import Judged, Material, clean_quantile, comparable, outlying_classes, too_small

ORDERS = (1, 2, 4, 8)
CHANNELS = 64
BOUND = 10.0  # median absolute deviations to either side (the authors' code)
FLOOR = 0.1  # least unit of a deviation, as a share of the mean entry
MIN_IMAGES = 5  # of a class, or of a side of it; with fewer there is no range and no discrepancy
DISCREPANCY_IMAGES = 300  # of each side, at most


def judge(material: Material, false_alarms: float, seed: int = 0) -> Judged:
    """Scores, the discrepancy of each class and the suspected classes; ``seed`` of the images it is taken of."""
    channels = _varying(material.maps)
    scores = np.zeros(len(material.labels))
    for one in range(material.classes):
        members = np.flatnonzero(material.labels == one)
        if len(members) < MIN_IMAGES:
            continue
        known = np.flatnonzero(material.trusted_labels == one)
        own = grams(material.maps[members][:, channels])
        reference = grams(material.trusted_maps[known][:, channels]) if len(known) >= MIN_IMAGES else own
        scores[members] = deviations(own, reference)
    threshold = clean_quantile(scores, material.labels, false_alarms)
    statistics = np.zeros(material.classes)
    draw = np.random.default_rng(seed)
    for one in range(material.classes):
        members = np.flatnonzero(material.labels == one)
        apart, rest = members[scores[members] > threshold], members[scores[members] <= threshold]
        if min(len(apart), len(rest)) >= MIN_IMAGES:
            sides = [draw.permutation(side)[:DISCREPANCY_IMAGES] for side in (apart, rest)]
            share = len(apart) / len(members)
            apart_by = discrepancy(material.features[sides[0]], material.features[sides[1]])
            statistics[one] = 4 * share * (1 - share) * apart_by
    small = too_small(material, MIN_IMAGES)
    suspected = outlying_classes(statistics, small=small)
    return Judged(scores, statistics, suspected, threshold, small, comparable(material.classes, small))


def _varying(maps: np.ndarray) -> np.ndarray:
    """The channels that vary most from image to image, ascending."""
    spread = maps.mean(axis=2, dtype=np.float32).var(axis=0)
    return np.sort(np.argsort(-spread, kind="stable")[:CHANNELS])


def grams(maps: np.ndarray) -> np.ndarray:
    """float32 (n, orders * c (c + 1) / 2): the upper triangles of the Gram matrices of maps (n, c, places)."""
    rows, columns = np.triu_indices(maps.shape[1])
    parts = []
    for order in ORDERS:
        powers = maps.astype(np.float32) ** order
        gram = (powers @ powers.transpose(0, 2, 1))[:, rows, columns]
        parts.append(np.sign(gram) * np.abs(gram) ** (1 / order))
    return np.concatenate(parts, axis=1)


def deviations(own: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(n,): how far entries (n, k) lie outside of the range that those of the reference (m, k) give, summed."""
    middle = np.median(reference, axis=0)
    reach = BOUND * np.median(np.abs(reference - middle), axis=0)
    low, high = middle - reach, middle + reach
    least = FLOOR * max(float(np.abs(middle).mean()), 1e-6)
    under = np.maximum(low - own, 0) / np.maximum(np.abs(low), least)
    over = np.maximum(own - high, 0) / np.maximum(np.abs(high), least)
    return (under + over).sum(axis=1, dtype=np.float64)


def discrepancy(first: np.ndarray, second: np.ndarray) -> float:
    """The squared maximum mean discrepancy of two samples (n, d) and (m, d), Gaussian kernel of median width."""
    points = np.concatenate([first, second])
    squares = (points**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None] - 2 * points @ points.T, 0)
    kernel = np.exp(-distances / max(float(np.median(distances)), 1e-12))
    n = len(first)
    return float(kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean())
