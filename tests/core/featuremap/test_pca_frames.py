import numpy as np
import pytest
from sklearn.decomposition import PCA

from core.featuremap import make_projector
from core.featuremap.pca_frames import principal


@pytest.mark.parametrize(("n", "d"), [(80, 10), (60, 300), (5, 20)])
def test_first_frame_is_a_pca(n, d):
    features = np.random.default_rng(0).normal(size=(n, d)) * np.linspace(3, 0.5, d)
    coords = make_projector("pca", 3, 0).project(features)
    expected = PCA(3, svd_solver="full").fit_transform(features)
    np.testing.assert_allclose(np.abs(coords), np.abs(expected), rtol=1e-3, atol=1e-3)


def test_later_frames_do_not_flip_and_keep_the_distances_of_a_pca():
    random = np.random.default_rng(0)
    features = random.normal(size=(100, 6)) * [5, 4.9, 1, 1, 1, 1]
    projector = make_projector("pca", 2, 0)
    first = projector.project(features)
    swapped = features * [-0.95, 1.05, 1, 1, 1, 1]  # the second direction becomes the first, and one is mirrored
    features[:, 0] *= 0.95
    features[:, 1] *= 1.05
    second = projector.project(features)
    assert np.median(np.linalg.norm(second - first, axis=1)) < 0.1 * np.ptp(first)
    fresh = principal((features - features.mean(0)).astype(np.float32), 2)
    distances = [np.linalg.norm(x[:, None] - x, axis=2) for x in (second, fresh)]
    np.testing.assert_allclose(*distances, rtol=1e-3, atol=1e-3)
    mirrored = make_projector("pca", 2, 0, start=second).project(swapped)
    np.testing.assert_allclose(mirrored, second, atol=1e-3)  # only signs differ: a mirrored feature is no move


def test_directions_the_data_do_not_have_are_zero():
    coords = make_projector("pca", 3, 0).project(np.arange(10.0)[:, None])
    assert np.ptp(coords[:, 0]) == pytest.approx(9)
    assert (coords[:, 1:] == 0).all()
