"""STRIP: the entropy of the answers when other images are laid over an image; low entropy is suspicious.

Y. Gao, C. Xu, D. Wang, S. Chen, D. C. Ranasinghe, S. Nepal: "STRIP: A Defence Against Trojan Attacks on Deep Neural
Networks", ACSAC 2019, section 4 and equations 3 and 4: the mean entropy of the answers over perturbed copies; a
triggered image keeps its answer, so low entropy is suspicious. Copies are the sum of image and overlay, as in the
authors' code (``cv2.addWeighted`` with weights 1 and 1).

It departs from it in the number of overlays, ``OVERLAYS`` instead of 100, for speed.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.models.evaluate import features_and_logits
from core.watch.detector import Seen, State, Watched

OVERLAYS = 16


def fit(watched: Watched, images: Tensor, labels: Tensor, seen: Seen, seed: int) -> State:
    """``overlays``: clean images drawn at random, uint8 (k, 3, h, w)."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return {"overlays": images[order[:OVERLAYS]].clone()}


def score(watched: Watched, state: State, images: Tensor, seen: Seen) -> Tensor:
    """The mean entropy in nats, negated: -log(classes) to 0."""
    device = watched.model.mean.device
    total = torch.zeros(len(images))
    for overlay in state["overlays"]:
        laid_over = partial(_laid_over, overlay=as_float(overlay).to(device))
        logits = features_and_logits(watched.model, images, laid_over)[1].float().cpu()
        likely = logits.softmax(1)
        total += (likely * likely.clamp_min(1e-12).log()).sum(1)
    return total / len(state["overlays"])


def _laid_over(x: Tensor, overlay: Tensor) -> Tensor:
    return (x + overlay).clamp(0, 1)
