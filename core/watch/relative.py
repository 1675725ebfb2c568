"""Distance to the class that an image is answered as, beyond its distance to clean images of whatever class.

J. Ren, S. Fort, J. Liu, A. Guha Roy, S. Padhy, B. Lakshminarayanan: "A Simple Fix to Mahalanobis Distance for
Improving Near-OOD Detection", 2021, section 3: from the distance of ``core.watch.mahalanobis`` that to one Gaussian
of all images is taken off, so that an image that is merely unlike all others is not suspected.

It departs from it as ``core.watch.mahalanobis`` does: the class is the one that is answered.
"""

from __future__ import annotations

from torch import Tensor

from core.watch import mahalanobis
from core.watch.detector import Seen, State, Watched


def fit(watched: Watched, images: Tensor, labels: Tensor, seen: Seen, seed: int) -> State:
    """As ``core.watch.mahalanobis.fit``, and of all images ``mean`` (d,) and ``whole`` (d, d)."""
    features = seen.features.double()
    mean = features.mean(0)
    own = {"mean": mean.float(), "whole": mahalanobis.inverse(features - mean)}
    return mahalanobis.fit(watched, images, labels, seen, seed) | own


def score(watched: Watched, state: State, images: Tensor, seen: Seen) -> Tensor:
    near = mahalanobis.score(watched, state, images, seen)
    return near - mahalanobis.square(seen.features - state["mean"], state["whole"])
