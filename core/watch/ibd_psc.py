"""IBD-PSC: the confidence in the answer when the model's batch norms are amplified.

L. Hou, R. Feng, Z. Hua, W. Luo, L. Y. Zhang, Y. Li: "IBD-PSC: Input-level Backdoor Detection via Parameter-oriented
Scaling Consistency", ICML 2024, section 4 and algorithm 1: weight and bias of the last k batch norms times ``OMEGA``,
k from the first for which at least ``ERROR`` of the clean images are answered wrongly; the score is the mean
probability that ``COPIES`` such models, of k, k + 1, ..., give to the original answer.

Deviations, for small networks: with fewer batch norms than needed, the last copy amplifies all of them. If no k makes
the error large enough, the last ``COPIES`` values of k are used. A network without batch norm has the score 0.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from core.models.classifier import Classifier
from core.models.evaluate import answers, features_and_logits
from core.watch.detector import Seen, State, Watched

OMEGA = 1.5  # factor of weight and bias; the paper's
ERROR = 0.6  # share of clean images that must be answered wrongly; the paper's
COPIES = 5  # amplified models; the paper's


def fit(watched: Watched, images: Tensor, labels: Tensor, seen: Seen, seed: int) -> State:
    """``last``: how many of the last batch norms each copy amplifies, int64 (copies,)."""
    count = len(_norms(watched.model))
    first = max(1, count - COPIES + 1)
    for k in range(1, count + 1):
        wrong = answers(_amplified(watched.model, k), images).cpu() != labels
        if float(wrong.float().mean()) >= ERROR:
            first = k
            break
    return {"last": torch.arange(first, min(first + COPIES, count + 1)) if count else torch.zeros(0).long()}


def score(watched: Watched, state: State, images: Tensor, seen: Seen) -> Tensor:
    """Mean probability, 0-1."""
    total, answer = torch.zeros(len(images)), seen.answers[:, None]
    for k in state["last"].tolist():
        logits = features_and_logits(_amplified(watched.model, k), images)[1].float().cpu()
        total += logits.softmax(1).gather(1, answer)[:, 0]
    return total / max(1, len(state["last"]))


def _norms(model: nn.Module) -> list[nn.Module]:
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d)
    return [part for part in model.modules() if isinstance(part, kinds) and part.affine]


def _amplified(model: Classifier, last: int) -> Classifier:
    """A copy whose last batch norms, in the order in which they were registered, are amplified."""
    copy = deepcopy(model).eval()
    with torch.no_grad():
        for norm in _norms(copy)[-last:]:
            norm.weight.mul_(OMEGA)  # type: ignore[operator, union-attr]
            norm.bias.mul_(OMEGA)  # type: ignore[operator, union-attr]
    return copy
