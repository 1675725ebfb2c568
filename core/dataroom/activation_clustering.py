"""Activation clustering (``core.suspicion.activation_clustering``) as a filter: grouped by label, as in the paper.

Statistic: the share of its class that the suspected cluster holds. The method knows no false-alarm rate: an image is
flagged if it is nearer to the suspected cluster than to the other, whatever the rate asked for.
"""

from __future__ import annotations

import numpy as np

from core.dataroom.filter import Judged, Material, too_small
from core.suspicion import activation_clustering

FLAGGED_FROM = 0.5  # score of an image as near to the suspected cluster as to the other


def judge(material: Material, false_alarms: float, seed: int = 0) -> Judged:
    """Scores 0-1 by class, 0 where it is not suspected; ``seed`` of ICA and k-means."""
    scores = activation_clustering.score(material.features, material.labels, seed)
    flags = scores >= FLAGGED_FROM
    statistics = np.array(
        [
            flags[material.labels == one].mean() if (material.labels == one).any() else 0.0
            for one in range(material.classes)
        ]
    )
    suspected = tuple(int(one) for one in np.argsort(-statistics, kind="stable") if statistics[one] > 0)
    small = too_small(material, activation_clustering.MIN_SAMPLES)
    return Judged(scores, statistics, suspected, FLAGGED_FROM, small, len(small) < material.classes)
