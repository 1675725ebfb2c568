"""Spectral signatures (``core.suspicion.spectral_signatures``) as a filter: grouped by label, as in the paper.

The paper drops 1.5 epsilon of every class, poisoned or not, and names no target. Here the variance along a class's main
direction is the statistic, and classes in which it stands out by e^2 median absolute deviations are suspected, as in
SCAn and Beatrix. False alarms: the threshold is the score that such a share of a class exceeds, as the median over the
classes. Poison that is half of its class lies as far from the class's mean as the clean images do, and the method
cannot tell them apart.
"""

from __future__ import annotations

import numpy as np

from core.dataroom.filter import Judged, Material, clean_quantile, comparable, outlying_classes, too_small
from core.suspicion import spectral_signatures


def judge(material: Material, false_alarms: float, seed: int = 0) -> Judged:
    """Squared projections on the main direction of the class; ``seed`` has no part in it."""
    scores = np.zeros(len(material.labels))
    statistics = np.zeros(material.classes)
    for one in range(material.classes):
        members = np.flatnonzero(material.labels == one)
        if len(members) >= spectral_signatures.MIN_SAMPLES:
            scores[members] = spectral_signatures.outlier_scores(material.features[members])
            statistics[one] = scores[members].mean()
    small = too_small(material, spectral_signatures.MIN_SAMPLES)
    suspected, threshold = (
        outlying_classes(statistics, small=small),
        clean_quantile(scores, material.labels, false_alarms),
    )
    return Judged(scores, statistics, suspected, threshold, small, comparable(material.classes, small))
