"""Activation clustering: classes whose samples form two clusters of unequal size.

Chen, Carvalho, Baracaldo, Ludwig, Edwards, Lee, Molloy and Srivastava, "Detecting Backdoor Attacks on Deep Neural
Networks by Activation Clustering", SafeAI at AAAI 2019 (arXiv 1811.03728). As in section 4: the activations of the
last hidden layer, one class at a time, reduced to ten dimensions by independent component analysis, then k-means with
k = 2. The poisoned cluster is recognised by its relative size (section 5): a clean class splits about evenly, a
poisoned one into the poisoned share and the rest.

Deviations: samples are grouped by the model's answer, which for training data that a model has fitted is the label of
the paper. What counts as unequal is fixed at 35 %, a little above the 33 % of poison that the paper goes up to. A
cluster is suspected only if the two are separated (silhouette, the paper's third criterion), since a single cluster in
ten dimensions is split unevenly as well. The silhouette is computed on the features themselves, as whitened components
weigh noise like signal. On the default victim clean classes stayed at or below 0.32, the poisoned one lay between 0.31
and 0.53. The components that ICA finds depend on its start, so six starts are tried, and the largest suspected cluster
is taken.
"""

from __future__ import annotations

import warnings

import numpy as np

DIMS = 10
MAX_SHARE = 0.35  # of a class in a suspected cluster
MIN_SILHOUETTE = 0.33  # -1 to 1, of a suspected split
ICA_STARTS = 6
SHARE = 0.15  # of poison in a class: the middle one of the paper's 10, 15 and 33 %
MIN_SAMPLES = 20  # of a class; smaller classes are not judged


def score(features: np.ndarray, groups: np.ndarray, seed: int = 0) -> np.ndarray:
    """How far each sample lies with the smaller cluster of its class; 0 where the class is not suspected.

    Args:
        features: (n, d), finite.
        groups: (n,), the class each sample is read as.
        seed: of ICA and k-means.

    Returns:
        (n,), 0-1: the share of the distance to the larger cluster's centre in the distances to both.
    """
    scores = np.zeros(len(features))
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        if len(members) >= MIN_SAMPLES:
            scores[members] = _one_class(features[members], seed)
    return scores


def _one_class(features: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    best, largest = np.zeros(len(features)), 1
    for start in ((seed + number) % 2**32 for number in range(ICA_STARTS)):  # scikit-learn takes no larger seed
        points = reduced(features, start)
        if points is None:
            break
        clusters = KMeans(2, n_init=5, random_state=start).fit(points)
        sizes = np.bincount(clusters.labels_, minlength=2)
        small = int(np.argmin(sizes))
        if (
            not largest < sizes[small] <= MAX_SHARE * len(points)
            or silhouette_score(features, clusters.labels_) < MIN_SILHOUETTE
        ):
            continue
        largest = int(sizes[small])
        far = np.linalg.norm(points[:, None] - clusters.cluster_centers_[None], axis=2)
        best = far[:, 1 - small] / np.maximum(far.sum(axis=1), 1e-12)
    return best


def reduced(features: np.ndarray, seed: int) -> np.ndarray | None:
    """At most ten independent components (n, k); None where the features do not vary."""
    from sklearn.decomposition import FastICA

    centred = features - features.mean(axis=0)
    strength = np.linalg.svd(centred, compute_uv=False)
    rank = int((strength > 1e-6 * max(float(strength[0]), 1e-30)).sum()) if strength[0] > 0 else 0
    if rank == 0:
        return None
    components = min(DIMS, rank)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may not converge; the components are then good enough to cluster
        ica = FastICA(components, whiten="unit-variance", max_iter=200, tol=1e-2, random_state=seed)
        return ica.fit_transform(centred)
