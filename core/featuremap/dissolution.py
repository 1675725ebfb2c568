"""Dissolution: how far the trigger cluster has mixed with the clean samples, in the full feature space."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from core.errors import BadInput
from core.featuremap.neighbours import Neighbours, nearest

NEIGHBOURS = 15  # nearest neighbours of a sample that are counted
MAX_FEATURE = 1e15  # of a feature; squares of larger ones overflow in float32


def dissolution(
    features: Tensor,
    labels: Tensor,
    triggered: Tensor,
    k: int = NEIGHBOURS,
    twins: Tensor | None = None,
    near: Neighbours | None = None,
) -> float:
    """How far triggered samples have mixed with the clean samples of their true classes, 0-100.

    For every sample, m is the share of *clean samples of its own true class* among its k nearest neighbours. A
    triggered sample is fully mixed if its m is that of a clean sample of its class. Over the triggered samples i with
    the true classes c(i),

        dissolution = 100 * min(1, sum m_i / sum e_c(i)),   e_c = mean of m over the clean samples of class c.

    - 0: all neighbours of triggered samples are triggered, or clean samples of other classes. So a separate cluster
      counts as 0 even if its classes are in order inside, and so does one that moved into a wrong class.
    - 100: the neighbourhoods of triggered and clean samples do not differ.
    - 50, for example: half of the triggered samples are fully mixed, the rest are separate.

    The idea is that of kBET (Büttner et al., Nature Methods 16, 2019) and LISI (Korsunsky et al., Nature Methods 16,
    2019): in a mixed set, the batches have their expected shares among the k nearest neighbours. Here the shares are
    counted by class, since mixing with a wrong class is no cure. The expected share e is measured on the clean samples.
    It already includes how pure the classes are (a model of 80 % accuracy can reach 100) and how many triggered samples
    lie among the clean ones. A model whose classes have all collapsed also reads as mixed; its benign accuracy shows
    it.

    Distances are Euclidean in the full feature space, as for the map and its trustworthiness. The last layer uses the
    norm of a feature as well as its direction, so triggered features of unusual norm are not mixed. A common scale or
    shift of all features changes nothing.

    Args:
        features: (n, d), on any device. labels: (n,), true classes. triggered: bool (n,).
        k: number of neighbours; at most the number of triggered samples less one. With more, a small separate cluster
            would have neighbours outside and never read 0.
        twins: int (n,), optional: for a triggered sample the position of the same image without the trigger, else -1.
            The two then do not count as neighbours of each other. Otherwise twins, which are near each other in a
            dissolved cluster, raise high values by up to 1 / k.
        near: the k + 1 nearest neighbours of every sample, or more, on the device of ``features``, if they are known.

    Raises:
        BadInput: ``no_triggered_samples`` if no triggered sample has clean samples of its true class.
    """
    triggered = triggered.to(features.device).bool()
    labels = labels.to(features.device).long()
    clean = ~triggered
    classes = int(labels.max()) + 1 if len(labels) else 0
    count = torch.bincount(labels[clean], minlength=classes)
    judged = triggered & (count[labels] > 0)
    if not judged.any():
        raise BadInput(
            "no_triggered_samples",
            "Dissolution needs triggered samples and clean samples of their true classes, and there are none.",
        )
    k = min(k, max(1, int(triggered.sum()) - 1))
    if near is None:
        points = torch.nan_to_num(features.detach().float(), nan=0.0, posinf=MAX_FEATURE, neginf=-MAX_FEATURE).clamp(
            -MAX_FEATURE, MAX_FEATURE
        )
        near = nearest(points, k + 1)
    index, counts = _k_nearest(near.index, k, twins)
    mixed = clean[index] & (labels[index] == labels[:, None]) & counts
    if mixed.device.type == "mps":  # has no float64
        mixed, labels, clean, judged, count = (table.cpu() for table in (mixed, labels, clean, judged, count))
    share = mixed.double().mean(dim=1)
    expected = torch.zeros(classes, dtype=torch.float64, device=share.device)
    expected = expected.index_add(0, labels[clean], share[clean]) / count.clamp(min=1)
    chance = expected[labels[judged]].sum().item()
    ratio = share[judged].sum().item() / chance if chance > 0 else 0.0
    return 100.0 * min(1.0, ratio) if math.isfinite(ratio) else 0.0


def _k_nearest(index: Tensor, k: int, twins: Tensor | None) -> tuple[Tensor, Tensor]:
    """The first ``k`` of ``index`` (n, k + 1 or more), twins last, and whether each counts: it is not the twin."""
    if twins is None:
        return index[:, :k], torch.ones_like(index[:, :k], dtype=torch.bool)
    barred = index == _both_ways(twins.to(index.device).long())[:, None]
    barred, order = barred.to(torch.uint8).sort(dim=1, stable=True)  # the twin goes last
    return index.gather(1, order)[:, :k], barred[:, :k] == 0


def _both_ways(twins: Tensor) -> Tensor:
    """``twins`` in both directions; of several triggered samples with one twin, the last counts."""
    pairs = twins.clone()
    here = torch.nonzero(twins >= 0).squeeze(1)
    pairs[twins[here]] = here
    return pairs
