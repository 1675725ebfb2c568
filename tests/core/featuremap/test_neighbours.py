import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from core.featuremap.neighbours import BLOCK, nearest, neighbours_of


@pytest.mark.parametrize("count", [150, 3500])
def test_agrees_with_scikit_learn(count):
    assert (count**2 > BLOCK) is (count == 3500), "more than a block"
    points = np.random.default_rng(0).normal(size=(count, 12)).astype(np.float32) + 100
    distance, index = nearest(torch.from_numpy(points), 10)
    expected, where = NearestNeighbors(n_neighbors=10).fit(points.astype(np.float64)).kneighbors()
    assert (index.numpy() == where).mean() > 0.999, "but for neighbours that are equally far within rounding"
    np.testing.assert_allclose(distance.numpy(), expected, rtol=1e-4)


def test_duplicates_are_exactly_zero_apart_and_never_oneself():
    points = torch.rand(5, 3).repeat(4, 1)
    distance, index = nearest(points, 3)
    assert (distance == 0).all()
    assert (index != torch.arange(20)[:, None]).all()


@pytest.mark.parametrize(("n", "k", "kept"), [(0, 5, 0), (1, 5, 0), (3, 5, 2), (6, 5, 5)])
def test_fewer_points_than_neighbours(n, k, kept):
    distance, index = nearest(torch.rand(n, 4), k)
    assert distance.shape == index.shape == (n, kept)


def test_features_need_be_neither_finite_nor_centred():
    features = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    index = neighbours_of(features, 4).index
    assert torch.equal(neighbours_of(features + 5, 4).index, index)
    features[7, 2] = np.nan
    assert neighbours_of(features, 4).distance.isfinite().all()
