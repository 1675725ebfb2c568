import numpy as np
import pytest
import sklearn.manifold

from core.featuremap import trustworthiness
from core.featuremap.quality import JUDGED_POINTS


@pytest.mark.parametrize("n", [8, 60, 400])
def test_is_scikit_learns_figure(n):
    random = np.random.default_rng(n)
    features = random.normal(size=(n, 6)).astype(np.float32)
    for coords in (features[:, :2], random.normal(size=(n, 2))):
        k = min(15, (n - 1) // 2)
        expected = sklearn.manifold.trustworthiness(features, coords, n_neighbors=k)
        assert trustworthiness(features, coords) == pytest.approx(expected, abs=1e-4)


def test_a_faithful_map_scores_one_and_a_shuffled_one_about_a_half():
    features = np.random.default_rng(0).normal(size=(300, 2))
    assert trustworthiness(features, features * 7) == pytest.approx(1.0)
    assert 0.4 < trustworthiness(features, np.random.default_rng(1).permutation(features)) < 0.6


def test_in_large_sets_some_points_stand_for_all():
    features = np.random.default_rng(0).normal(size=(3 * JUDGED_POINTS, 6))
    whole = sklearn.manifold.trustworthiness(features, features[:, :2], n_neighbors=15)
    part = trustworthiness(features, features[:, :2])
    assert part != whole
    assert part == pytest.approx(whole, abs=0.02)
    assert trustworthiness(features, features) == pytest.approx(1.0)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_nothing_to_get_wrong(n):
    assert trustworthiness(np.zeros((n, 3)), np.zeros((n, 2))) == 1.0
