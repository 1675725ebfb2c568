import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from core.projection import neighbours
from core.projection.neighbours import nearest


@pytest.mark.parametrize("block", [1 << 23, 500])
def test_agrees_with_scikit_learn(block, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", block)  # 500: a few rows at a time
    points = np.random.default_rng(0).normal(size=(150, 12)).astype(np.float32) + 100
    distance, index = nearest(torch.from_numpy(points), 10)
    expected, where = NearestNeighbors(n_neighbors=10).fit(points.astype(np.float64)).kneighbors()
    np.testing.assert_array_equal(index.numpy(), where)
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


def test_one_more_point_can_be_barred():
    points = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert nearest(points, 1)[1].squeeze(1).tolist() == [1, 0, 1, 2]
    distance, index = nearest(points, 2, torch.tensor([1, 0, -1, -1]))
    assert index[0].tolist() == [2, 3]
    assert index[1].tolist() == [2, 3]
    assert index[2].tolist() == [1, 0]
    assert nearest(points, 3, torch.tensor([1, 0, -1, -1]))[0][0, 2] == torch.inf
    assert distance.isfinite().all()
