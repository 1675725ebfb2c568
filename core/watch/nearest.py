"""Distance to the nearest clean images of the class that an image is answered as, in normalised penultimate features.

Y. Sun, Y. Ming, X. Zhu, Y. Li: "Out-of-Distribution Detection with Deep Nearest Neighbors", ICML 2022, section 3: the
distance to the k-th nearest neighbour, of features of length one.

Deviation: neighbours are searched among the class that is answered, since a trigger moves an image
into a class where it does not lie.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.watch.detector import Seen, State, Watched

NEIGHBOUR = 3  # k: the third nearest; the farthest of a class with fewer images
_PIECE = 4096  # images at a time, so that memory does not grow with them


def fit(watched: Watched, images: Tensor, labels: Tensor, seen: Seen, seed: int) -> State:
    """``features`` (n, d), of length one, and ``labels`` (n,)."""
    return {"features": F.normalize(seen.features, dim=1), "labels": labels.clone()}


def score(watched: Watched, state: State, images: Tensor, seen: Seen) -> Tensor:
    """Distance, 0-2; 2 where the class has no clean image."""
    answers, found = seen.answers, torch.full((len(seen.features),), 2.0)
    for group in answers.unique().tolist():
        clean = state["features"][state["labels"] == group]
        if not len(clean):
            continue
        for here in (answers == group).nonzero()[:, 0].split(_PIECE):
            distance = torch.cdist(F.normalize(seen.features[here], dim=1), clean)
            nearest = distance.topk(min(NEIGHBOUR, len(clean)), largest=False).values
            found[here] = nearest[:, -1]
    return found
