"""How far the trigger cluster has dissolved, taken in the full feature space."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from core.errors import BadInput
from core.featuremap.neighbours import Neighbours, nearest

NEIGHBOURS = 15  # of a sample, among which dissolution looks for its class


def dissolution(
    features: Tensor,
    labels: Tensor,
    triggered: Tensor,
    k: int = NEIGHBOURS,
    twins: Tensor | None = None,
    near: Neighbours | None = None,
) -> float:
    """How far triggered samples are back among the clean samples of their true classes, 0-100.

    For every sample take, of its k nearest neighbours among all the others, the share m that are *clean samples of
    its own true class*. A triggered sample is back when its neighbourhood looks like that of a clean sample of its
    class, so over the triggered samples i, with c(i) the true class,

        dissolution = 100 * min(1, sum m_i / sum e_c(i)),   e_c = mean of m over the clean samples of class c.

    - 0: the triggered samples have only one another, or clean samples of other classes, for neighbours. A cluster
      that stands apart with its classes in order inside counts as 0, and so does one sent into a wrong class.
    - 100: a neighbourhood does not tell triggered from clean. Half of the samples back, the rest apart: 50.

    This is the idea of kBET (Büttner et al., Nature Methods 16, 2019) and LISI (Korsunsky et al., Nature Methods
    16, 2019): in a mixed set, the batches among the k nearest neighbours have the shares expected by chance. Taken
    per class, since mixing into the wrong class is no cure, and against measured rather than computed chance: e
    already holds how pure the classes are (a model at 80 % accuracy can still reach 100) and how many triggered
    samples lie between the clean ones. It follows that a model whose classes have all fallen together also
    reads as mixed; benign accuracy shows that.

    Distances are Euclidean in the full feature space, as for the map and its trustworthiness: the last layer
    reads a feature's length as well as its direction, and triggered features that keep an odd length have not
    come back. A common scale or shift of all features changes nothing.

    Args:
        features: (n, d), on any device. labels: (n,), true classes. triggered: bool (n,).
        k: neighbours; no more than the triggered samples less one, or a small cluster would have to look beyond
            itself for neighbours and never read 0.
        twins: optional int (n,), for a triggered sample the position of the same image without the trigger, else
            -1. A pair does not count as neighbours then, in either direction. Otherwise the twin, nearly always
            near by once the cluster dissolves, lifts values that are already high by up to 1 / k.
        near: the k + 1 nearest of every sample, or more, on the device of ``features``, where they are known already.

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
        points = torch.nan_to_num(features.detach().float(), nan=0.0, posinf=1e15, neginf=-1e15).clamp(-1e15, 1e15)
        near = nearest(points, k + 1)
    index, counts = _k_nearest(near.index, k, twins)
    home = clean[index] & (labels[index] == labels[:, None]) & counts
    if home.device.type == "mps":  # which has no float64; from here on it is a few thousand numbers
        home, labels, clean, judged, count = (table.cpu() for table in (home, labels, clean, judged, count))
    share = home.double().mean(dim=1)
    expected = torch.zeros(classes, dtype=torch.float64, device=share.device)
    expected = expected.index_add(0, labels[clean], share[clean]) / count.clamp(min=1)
    chance = expected[labels[judged]].sum().item()
    ratio = share[judged].sum().item() / chance if chance > 0 else 0.0
    return 100.0 * min(1.0, ratio) if math.isfinite(ratio) else 0.0


def _k_nearest(index: Tensor, k: int, twins: Tensor | None) -> tuple[Tensor, Tensor]:
    """The first ``k`` of ``index`` (n, k + 1 or more) that are not the twin, and whether each is one that counts."""
    if twins is None:
        return index[:, :k], torch.ones_like(index[:, :k], dtype=torch.bool)
    barred = index == _both_ways(twins.to(index.device).long())[:, None]
    barred, order = barred.to(torch.uint8).sort(dim=1, stable=True)  # the twin goes last
    return index.gather(1, order)[:, :k], barred[:, :k] == 0


def _both_ways(twins: Tensor) -> Tensor:
    """``twins`` with the way back filled in; of several triggered samples with one twin, the last counts."""
    pairs = twins.clone()
    here = torch.nonzero(twins >= 0).squeeze(1)
    pairs[twins[here]] = here
    return pairs
