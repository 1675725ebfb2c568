"""Spectral signatures: samples far out along the direction in which their class varies most.

Tran, Li and Madry, "Spectral Signatures in Backdoor Attacks", NeurIPS 2018, algorithm 1: for every class, centre the
features, take the top right singular vector v, score each sample by its squared projection on v, and drop the
1.5 * epsilon of the class that score highest, where epsilon bounds the share of poison.

The method drops that share of *every* class, poisoned or not: its precision is low by design, and what counts is
whether the poisoned are among those dropped. Deviation: samples are grouped by the model's answer, not by the label of
the training data; on data that a model has fitted the two are the same.
"""

from __future__ import annotations

import numpy as np

SHARE = 0.1  # of poison in a class: the larger of the paper's two, 5 and 10 %
EPSILON = SHARE
MIN_SAMPLES = 10  # of a class; smaller classes are not judged


def score(features: np.ndarray, groups: np.ndarray, epsilon: float = EPSILON) -> np.ndarray:
    """The outlier score of each sample against the bar of its class.

    Args:
        features: (n, d), finite.
        groups: (n,), the class each sample is read as.
        epsilon: upper bound on the share of poison in a class, 0-1.

    Returns:
        (n,), 0-1: score / (score + bar), where the bar parts the 1.5 * epsilon highest of the class from the rest, so
        that 0.5 and more means dropped.
    """
    scores = np.zeros(len(features))
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        if len(members) >= MIN_SAMPLES:
            scores[members] = _one_class(features[members], epsilon)
    return scores


def outlier_scores(features: np.ndarray) -> np.ndarray:
    """The squared projections of centred features (n, d) on their top right singular vector, (n,)."""
    centred = features - features.mean(axis=0)
    direction = np.linalg.svd(centred, full_matrices=False)[2][0]
    return np.square(centred @ direction)


def _one_class(features: np.ndarray, epsilon: float) -> np.ndarray:
    raw = outlier_scores(features)
    dropped = min(len(raw) - 1, round(1.5 * epsilon * len(raw)))
    if dropped < 1 or raw.max() <= 1e-12:
        return np.zeros(len(raw))
    ordered = np.sort(raw)[::-1]
    bar = (ordered[dropped - 1] + ordered[dropped]) / 2
    return raw / np.maximum(raw + bar, 1e-30)
