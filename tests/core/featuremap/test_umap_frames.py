import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from core.featuremap import make_projector, trustworthiness
from core.featuremap.neighbours import nearest
from core.featuremap.umap_frames import A, B, fuzzy_graph, graph_of
from tests.core.featuremap.scenes import moved, scene

# umap-learn compiles for a minute on a busy machine; on few points it is quicker uncompiled, in a process of its own.
ORACLE = """
import sys, numpy, umap.umap_ as umap
data = dict(numpy.load(sys.argv[1]))
for kind in ("classes", "duplicates", "few"):
    features, index, distance = (data[f"{kind}_{part}"] for part in ("features", "index", "distance"))
    graph, _, _ = umap.fuzzy_simplicial_set(features, index.shape[1], numpy.random.RandomState(0), "euclidean",
                                            knn_indices=index, knn_dists=distance)
    data[f"{kind}_graph"] = graph.toarray()
numpy.savez(sys.argv[1], curve=umap.find_ab_params(1.0, 0.1), **data)
"""


def test_graph_and_curve_are_umap_learns(tmp_path):
    _, features, _, _ = scene(clean=150, triggered=50, d=16)
    doubled = features.copy()
    doubled[:50] = doubled[50:100]
    data, graphs = {}, {}
    for kind, points in (("classes", features), ("duplicates", doubled), ("few", features[:9])):
        k = min(15, len(points))
        distance, index = (part.numpy() for part in nearest(torch.from_numpy(points), k - 1))
        graphs[kind] = fuzzy_graph(distance, index, k)
        itself = np.arange(len(points))[:, None]  # umap-learn counts the point itself
        data[f"{kind}_features"] = points
        data[f"{kind}_index"] = np.hstack((itself, index))
        data[f"{kind}_distance"] = np.hstack((np.zeros_like(distance[:, :1]), distance))
    path = tmp_path / "oracle.npz"
    np.savez(path, **data)
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "ignore"}
    subprocess.run([sys.executable, "-c", ORACLE, str(path)], check=True, env=environment)
    theirs = np.load(path)
    assert theirs["curve"] == pytest.approx((A, B), rel=1e-4)
    for kind, graph in graphs.items():
        assert np.abs(graph.toarray() - theirs[f"{kind}_graph"]).max() < 1e-3, kind
        assert abs(graph - graph.T).max() < 1e-6


@pytest.mark.parametrize("dims", [2, 3])
def test_layout_is_as_trustworthy_as_umap_learns(dims):
    umap = pytest.importorskip("umap")
    digits = load_digits().data[:800]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = umap.UMAP(n_components=dims, random_state=0, n_epochs=200).fit_transform(digits)
    ours = make_projector("umap", dims, 0).project(digits)
    assert trustworthiness(digits, ours) > trustworthiness(digits, theirs) - 0.01
    assert 0.3 < np.ptp(ours) / np.ptp(theirs) < 3


@pytest.mark.parametrize("dims", [2, 3])
def test_unchanged_features_hold_still(dims):
    _, features, _, _ = scene()
    projector = make_projector("umap", dims, 0)
    first = last = projector.project(features)
    drifts = []
    for _ in range(10):
        coords = projector.project(features)
        drifts.append(np.median(moved(coords, last)))
        last = coords
    assert max(drifts) <= 1.0
    assert np.linalg.norm(np.ptp(last, axis=0)) == pytest.approx(np.linalg.norm(np.ptp(first, axis=0)), rel=0.15)
    assert trustworthiness(features, last) > trustworthiness(features, first) - 0.01


def test_the_trigger_cluster_dissolves_into_its_true_classes_and_the_rest_stays():
    home, apart, label, triggered = scene()
    projector = make_projector("umap", 2, 0)
    before = projector.project(apart)
    assert _home_share(before, label, triggered) < 0.02
    rest = []
    for step in range(1, 11):
        last = projector.coords
        coords = projector.project(apart + step / 10 * (home - apart))
        rest.append(np.median(moved(coords, last)[~triggered]))
    for _ in range(2):
        coords = projector.project(home)
    assert _home_share(coords, label, triggered) > 0.6  # 0.75 if perfectly mixed
    assert max(rest) < 5
    assert np.median(moved(coords, before)[triggered]) > 3 * np.median(moved(coords, before)[~triggered])


def test_many_small_changes_do_not_let_the_map_creep():
    _, features, _, _ = scene()
    random = np.random.default_rng(1)
    projector = make_projector("umap", 2, 0)
    projector.project(features)
    settled = projector.project(features)
    for _ in range(15):
        coords = projector.project(features + random.normal(size=features.shape) * 0.05)
    assert np.median(moved(coords, settled)) < 4
    assert np.linalg.norm(np.ptp(coords, axis=0)) == pytest.approx(np.linalg.norm(np.ptp(settled, axis=0)), rel=0.2)


def test_graph_does_not_change_with_scale():
    _, features, _, _ = scene(clean=100, triggered=30, d=8)
    assert abs(graph_of(features) - graph_of(features * 1000)).max() < 1e-3


def _home_share(coords: np.ndarray, label: np.ndarray, triggered: np.ndarray) -> float:
    """Share, among the 15 neighbours on the map of a triggered point, of clean points of its class."""
    index = nearest(torch.from_numpy(coords), 15)[1].numpy()
    return ((label[index] == label[:, None]) & ~triggered[index])[triggered].mean()
