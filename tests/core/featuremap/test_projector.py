import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.featuremap import METHODS, make_projector, warm_up
from core.featuremap.neighbours import neighbours_of
from core.featuremap.projector import tidy, turned
from tests.core.featuremap.scenes import scene

ROOT = Path(__file__).parents[3]
FAST = ("umap", "pca")


def test_package_is_light_to_import():
    code = (
        "import sys, core.featuremap; heavy = {'torch', 'umap', 'numba', 'sklearn', 'scipy'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_umap_frames_need_nothing_compiled():
    code = (
        "import sys, numpy as np; from core.featuremap import make_projector;"
        "make_projector('umap', 2, 0).project(np.random.rand(50, 4));"
        "heavy = {'umap', 'numba', 'sklearn'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("method", "dims", "code"), [("isomap", 2, "unknown_projection"), ("umap", 4, "projection_dims")]
)
def test_unknown_choices_are_named(method, dims, code):
    with pytest.raises(BadInput) as caught:
        make_projector(method, dims, 0)
    assert caught.value.code == code
    assert str(method if code == "unknown_projection" else dims) in caught.value.message


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dims", [2, 3])
def test_frames_have_the_promised_shape_and_start_gives_a_later_frame(method, dims):
    _, features, _, _ = scene(clean=60, triggered=20, d=8)
    projector = make_projector(method, dims, seed=1)
    assert projector.coords is None
    first = projector.project(features)
    assert first.shape == (80, dims)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert np.ptp(first, axis=0).min() > 0
    first[:] = 0  # the caller's copy is the caller's
    kept = projector.coords.copy()
    assert np.ptp(kept) > 0
    resumed = make_projector(method, dims, seed=1, start=kept).project(features)
    np.testing.assert_array_equal(resumed, projector.project(features))


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_frames(method):
    home, apart, _, _ = scene(clean=90, triggered=30, d=8)
    runs = []
    for _ in range(2):
        projector = make_projector(method, 2, seed=3)
        runs.append(np.stack([projector.project(apart), projector.project(home)]))
    np.testing.assert_array_equal(*runs)


def test_seed_reaches_the_layout():
    _, apart, _, _ = scene(clean=90, triggered=30, d=8)
    assert not np.allclose(make_projector("umap", 2, 0).project(apart), make_projector("umap", 2, 1).project(apart))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 16])
def test_any_number_of_samples(method, n):
    features = np.random.default_rng(n).normal(size=(n, 6))
    projector = make_projector(method, 2, 0)
    for _ in range(2):
        coords = projector.project(features)
        assert coords.shape == (n, 2)
        assert np.isfinite(coords).all()


ODD = st.sampled_from([0.0, 1.0, -2.5, 1e-30, 1e30, -1e300, float("nan"), float("inf")])


@settings(max_examples=40, deadline=None)
@given(data=st.data(), n=st.integers(1, 20), d=st.integers(0, 5), dims=st.sampled_from([2, 3]))
@pytest.mark.parametrize("method", FAST)
def test_odd_features_never_break_a_frame(method, data, n, d, dims):
    projector = make_projector(method, dims, 0)
    for _ in range(2):
        row = st.lists(ODD, min_size=d, max_size=d)
        features = np.array(data.draw(st.lists(row, min_size=n, max_size=n)), dtype=np.float64).reshape(n, d)
        coords = projector.project(features)
        assert coords.shape == (n, dims)
        assert np.isfinite(coords).all()


@pytest.mark.parametrize("kind", ["constant", "duplicates", "nan", "huge"])
@pytest.mark.parametrize("method", METHODS)
def test_degenerate_features(method, kind):
    features = np.random.default_rng(0).normal(size=(40, 5))
    if kind == "constant":
        features[:] = 3
    elif kind == "duplicates":
        features = np.repeat(features[:2], 20, axis=0)
    elif kind == "nan":
        features[3] = np.nan
    else:
        features *= 1e30
    projector = make_projector(method, 2, 0)
    for _ in range(2):
        assert np.isfinite(projector.project(features)).all()


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(n, 2\)"):
        make_projector("pca", 2, 0, start=np.zeros((5, 3)))
    projector = make_projector("pca", 2, 0, start=np.zeros((5, 2)))
    with pytest.raises(ValueError, match="holds 5 points"):
        projector.project(np.ones((4, 3)))


def test_warm_up_leaves_the_projector_as_it_was():
    projector = make_projector("umap", 2, 0)
    projector.warm_up()
    assert projector.coords is None
    warm_up("pca", 3)


def test_tidy_fills_gaps_with_the_mean_of_the_column():
    table = tidy(np.array([[1.0, 5.0], [3.0, np.nan], [np.inf, 7.0]]))
    np.testing.assert_allclose(table, [[-1, -1], [1, 0], [0, 1]])


@pytest.mark.parametrize("dims", [2, 3])
def test_turned_undoes_a_rigid_move_although_some_points_travel(dims):
    random = np.random.default_rng(0)
    last = random.normal(size=(100, dims))
    turn = np.linalg.qr(random.normal(size=(dims, dims)))[0]
    turn[:, 0] *= np.linalg.det(turn)
    here = last.copy()
    here[:15] += 2.0  # travellers
    back = turned(here @ turn + 5.0, last)
    np.testing.assert_allclose(back[15:], last[15:], atol=1e-6)
    np.testing.assert_allclose(back[:15], here[:15], atol=1e-6)


def test_turned_mirrors_only_when_told_and_never_scales():
    last = np.random.default_rng(0).normal(size=(50, 2))
    flipped = last * [1, -1] * 3.0
    assert np.abs(turned(flipped, last) / 3 - last).max() > 0.1
    straight = turned(flipped, last, mirror=True)
    np.testing.assert_allclose(straight - straight.mean(0), 3 * (last - last.mean(0)), atol=1e-6)


@pytest.mark.parametrize("method", ["umap", "tsne", "pca"])
def test_neighbours_that_are_known_give_the_same_frames(method):
    _, apart, _, _ = scene(clean=90, triggered=30, d=8)
    alone, given_them = make_projector(method), make_projector(method)
    for features in (apart, apart + 0.01):
        expected = alone.project(features)
        np.testing.assert_allclose(given_them.project(features, neighbours_of(features, 20)), expected, atol=1e-3)
