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
FIRST_STEPS, LATER_STEPS = 500, 30
ANGLE, COARSE_ANGLE = 0.5, 0.8  # of the far field: scikit-learn's default, and where a finer one costs too much
LATER_RATE = 1 / 4  # learning rate of later frames, per point: scikit-learn's "auto" without exaggeration


class TsneFrames(Projector):
    """t-SNE (van der Maaten and Hinton, JMLR 9, 2008) by scikit-learn, Barnes-Hut.

    The first frame has a PCA start, early exaggeration and 500 steps. A later frame starts from the last one, without
    exaggeration. Points far from their neighbours on the map start between their last place and the mean of their
    neighbours. The frame ends after 15 steps with momentum 0.5 and 15 with 0.8, which are
    scikit-learn's first two checks of the gradient (``max_iter`` cannot be below 250; ``min_grad_norm`` ends it, and it
    is checked more often than usual). It is then rotated and shifted to fit the last frame, and not scaled. The far
    field of later frames and in 3-D is coarser (``angle=0.8``), since the tree costs several times as much.
    """

    min_samples = 4

    def _first(self, features: np.ndarray, near: Neighbours | None) -> np.ndarray:
        start = principal(features, self.dims)
        start *= 1e-4 / max(float(start[:, 0].std()), 1e-30)
        start += np.random.default_rng(self.seed).normal(scale=1e-6, size=start.shape)  # separates duplicates
        angle = ANGLE if self.dims == 2 else COARSE_ANGLE
        return self._fit(
            features, start, angle=angle, early_exaggeration=12.0, learning_rate="auto", min_grad_norm=1e-7
        )

    def _next(self, features: np.ndarray, last: np.ndarray, near: Neighbours | None) -> np.ndarray:
        rate = max(LATER_RATE * len(features), 1.0)
        graph = graph_of(features, near)
        displaced = displacement(graph, last)[:, None]
        mean = (graph @ last) / np.asarray(graph.sum(axis=1))
        start = last + displaced * (mean - last)
        coords = self._fit(
            features, start, LATER_STEPS // 2, angle=COARSE_ANGLE, early_exaggeration=1.0, learning_rate=rate,
            min_grad_norm=1e30,
        )  # fmt: skip
        return turned(coords, last)

    def _fit(self, features: np.ndarray, start: np.ndarray, check: int | None = None, **settings) -> np.ndarray:
        """``check``: after how many steps the gradient is checked, and again; scikit-learn's 50 if not given."""
        from sklearn.manifold import TSNE

        size = np.abs(features).max(initial=0.0)
        n = len(features)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fewer distinct points than neighbours
            model = TSNE(
                n_components=self.dims,
                perplexity=min(PERPLEXITY, (n - 1) / 3),
                max_iter=FIRST_STEPS,
                init=start.astype(np.float32),
                random_state=self.seed,
                **settings,
            )
            if check is not None:
                model._N_ITER_CHECK = check  # its only way to a shorter frame; without it, a frame takes 100 steps
            coords = model.fit_transform(features / size if size > 0 else features)
        # scikit-learn's descent can overflow on a few identical points; the start is returned then
        return coords if np.isfinite(coords).all() else start
