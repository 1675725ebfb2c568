"""t-SNE in frames that continue one another."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from core.featuremap.pca_frames import principal
from core.featuremap.projector import Projector, turned
from core.featuremap.umap_frames import displacement, graph_of

if TYPE_CHECKING:
    from core.featuremap.neighbours import Neighbours

PERPLEXITY = 30.0  # scikit-learn's default
FIRST_STEPS = 500
LATER_RATE = 1 / 32  # learning rate of later frames, per point; scikit-learn's "auto" is n / 4 without exaggeration


class TsneFrames(Projector):
    """t-SNE (van der Maaten and Hinton, JMLR 9, 2008) by scikit-learn, Barnes-Hut.

    The first frame has a PCA start, early exaggeration and 500 steps. A later frame starts from the last one, without
    exaggeration and with a lower learning rate. Points far from their neighbours on the map start between their last
    place and the mean of their neighbours. The frame ends after 50 steps with momentum 0.5 and 50 with 0.8, which are
    scikit-learn's first two checks of the gradient (``max_iter`` cannot be below 250; ``min_grad_norm`` ends it). It is
    then rotated and shifted to fit the last frame, and not scaled. In 3-D the far field is coarser (``angle=0.8``),
    since the tree costs several times as much. A frame of 2,000 points takes a second or more, far longer than UMAP.
    """

    min_samples = 4

    def _first(self, features: np.ndarray, near: Neighbours | None) -> np.ndarray:
        start = principal(features, self.dims)
        start *= 1e-4 / max(float(start[:, 0].std()), 1e-30)
        start += np.random.default_rng(self.seed).normal(scale=1e-6, size=start.shape)  # separates duplicates
        return self._fit(features, start, early_exaggeration=12.0, learning_rate="auto", min_grad_norm=1e-7)

    def _next(self, features: np.ndarray, last: np.ndarray, near: Neighbours | None) -> np.ndarray:
        rate = max(LATER_RATE * len(features), 1.0)
        graph = graph_of(features, near)
        displaced = displacement(graph, last)[:, None]
        mean = (graph @ last) / np.asarray(graph.sum(axis=1))
        start = last + displaced * (mean - last)
        coords = self._fit(features, start, early_exaggeration=1.0, learning_rate=rate, min_grad_norm=1e30)
        return turned(coords, last)

    def _fit(self, features: np.ndarray, start: np.ndarray, **settings) -> np.ndarray:
        from sklearn.manifold import TSNE

        size = np.abs(features).max(initial=0.0)
        n = len(features)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fewer distinct points than neighbours
            model = TSNE(
                n_components=self.dims,
                perplexity=min(PERPLEXITY, (n - 1) / 3),
                max_iter=FIRST_STEPS,
                angle=0.5 if self.dims == 2 else 0.8,
                init=start.astype(np.float32),
                random_state=self.seed,
                **settings,
            )
            coords = model.fit_transform(features / size if size > 0 else features)
        # scikit-learn's descent can overflow on a few identical points; the start is returned then
        return coords if np.isfinite(coords).all() else start
