from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from core.featuremap.compact import COLUMNS, compact


def spread(n: int, d: int, rank: int) -> np.ndarray:
    """Points that spread in ``rank`` directions of ``d``, each less than the one before, and a little in all others."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(d, rank)))[0] * 0.9 ** np.arange(rank)
    return (rng.normal(size=(n, rank)) @ directions.T + 1e-3 * rng.normal(size=(n, d)) + 7).astype(np.float32)


@pytest.mark.parametrize("columns", [3, COLUMNS, 300])
def test_distances_stay_in_little_room(columns: int) -> None:
    features = spread(120, columns, min(columns, 40))
    kept = compact(features)
    assert kept.dtype == np.float16
    assert kept.shape == (120, min(columns, COLUMNS))
    np.testing.assert_allclose(pdist(kept.astype(float)), pdist(features.astype(float)), rtol=0.02)
    np.testing.assert_array_equal(compact(features), kept)


@pytest.mark.parametrize("columns", [4, 100])
def test_features_of_any_size_and_none_fit(columns: int) -> None:
    features = spread(30, columns, 4) * 1e12
    features[3, 2], features[4, 1] = np.nan, np.inf
    kept = compact(features)
    assert np.isfinite(kept).all()
    sound = np.arange(30) > 4
    ratio = pdist(kept[sound].astype(float)) / pdist(features[sound].astype(float))
    assert np.ptp(ratio) < 0.02 * ratio.mean(), "scaled as a whole"
