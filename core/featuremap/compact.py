"""Features of the map's points in little room, for as long as other maps may be drawn from them."""

from __future__ import annotations

import numpy as np

from core.featuremap.projector import tidy

COLUMNS = 64  # of the features that are kept; a classifier's points hardly spread beyond its number of classes
TURNS = 3  # of the subspace iteration
MAX_FEATURE = 60_000.0  # of the features in float16, whose range ends at 65,504


def compact(features: np.ndarray) -> np.ndarray:
    """Features as float16 (n, at most ``COLUMNS``), with nearly the distances that they had.

    More columns are projected onto the space of their first principal directions, which scikit-learn finds by subspace
    iteration from a random start (Halko, Martinsson and Tropp, SIAM Review 53, 2011, section 4.5): the full
    decomposition of 512 columns would take longer than the drawing of a frame.

    Args:
        features: (n, d); values that are not finite count as the mean of their column.
    """
    from sklearn.utils.extmath import randomized_range_finder

    table = tidy(features)
    if table.shape[1] > COLUMNS:
        unit = table / max(float(np.abs(table).max(initial=0.0)), 1e-30)  # whose products do not overflow
        table = table @ randomized_range_finder(unit.T, size=COLUMNS, n_iter=TURNS, random_state=0)
    return half(table)


def half(features: np.ndarray) -> np.ndarray:
    """As float16, scaled down as a whole where its range would not do; distances keep their proportions."""
    largest = float(np.abs(features).max(initial=0.0))
    return (features * min(1.0, MAX_FEATURE / max(largest, 1e-30))).astype(np.float16)
