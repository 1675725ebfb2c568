from __future__ import annotations

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize
from torch import Tensor

from core.watch import nearest
from core.watch.detector import Watched, see


def test_distances_are_those_of_scikit_learn(watched: Watched, clean: tuple[Tensor, Tensor]) -> None:
    x, y = clean
    state = nearest.fit(watched, x[:200], y[:200], see(watched.model, x[:200]), 0)
    known, seen = see(watched.model, x[:200]).features, see(watched.model, x[200:])
    found = nearest.score(watched, state, x[200:], seen)
    for at in range(20):
        same = normalize(known[y[:200] == seen.answers[at]].numpy())
        trees = NearestNeighbors(n_neighbors=nearest.NEIGHBOUR).fit(same)
        distance, _ = trees.kneighbors(normalize(seen.features[at : at + 1].numpy()))
        np.testing.assert_allclose(found[at], distance[0, -1], atol=2e-3)


def test_a_class_with_few_images_or_none_has_a_distance_too(watched: Watched, clean: tuple[Tensor, Tensor]) -> None:
    x, y = clean
    seen = see(watched.model, x)
    group = int(seen.answers[0])
    alone = (y == group).nonzero()[:1, 0]
    one = nearest.fit(watched, x[alone], y[alone], see(watched.model, x[alone]), 0)
    found = nearest.score(watched, one, x, seen)
    assert (found[seen.answers == group] < 2).all()
    assert torch.equal(found[seen.answers != group], torch.full_like(found[seen.answers != group], 2.0))
