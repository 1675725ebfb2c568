"""t-SNE whose frames go on from one another."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from core.featuremap.pca_frames import principal
from core.featuremap.projector import Projector, turned
from core.featuremap.umap_frames import freedom, graph_of

if TYPE_CHECKING:
    from core.featuremap.neighbours import Neighbours

PERPLEXITY = 30.0
FIRST_STEPS = 500
LATER_RATE = 1 / 32  # per point; scikit-learn's "auto" is n / 4 without exaggeration


class TsneFrames(Projector):
    """t-SNE (van der Maaten and Hinton, JMLR 9, 2008) by scikit-learn, Barnes-Hut.

    The first frame has a PCA start, early exaggeration and 500 steps. A later frame starts from the last one at its
    own scale, without exaggeration and with a lower learning rate; points torn from their neighbours start
    on the way to their neighbours' mean. It ends at scikit-learn's first two looks at the gradient, after 50 steps
    with momentum 0.5 and 50 with 0.8 (``max_iter`` cannot go below 250; ``min_grad_norm`` can stop it). It is then
    turned and shifted, never scaled, onto the last. In 3-D the far field is coarser (``angle=0.8``), since the
    tree costs several times as much. A second or more per frame at 2,000 points: slower than UMAP by far.
    """

    fewest = 4

    def _first(self, features: np.ndarray, near: Neighbours | None) -> np.ndarray:
        start = principal(features, self.dims)
        start *= 1e-4 / max(float(start[:, 0].std()), 1e-30)
        start += np.random.default_rng(self.seed).normal(scale=1e-6, size=start.shape)  # parts duplicates
        return self._fit(features, start, early_exaggeration=12.0, learning_rate="auto", min_grad_norm=1e-7)

    def _next(self, features: np.ndarray, last: np.ndarray, near: Neighbours | None) -> np.ndarray:
        rate = max(LATER_RATE * len(features), 1.0)
        graph = graph_of(features, near)
        torn = freedom(graph, last)[:, None]
        mean = (graph @ last) / np.asarray(graph.sum(axis=1))
        start = last + torn * (mean - last)
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
        # A few identical points can overflow scikit-learn's descent; the start is then the honest picture.
        return coords if np.isfinite(coords).all() else start
