"""The anomaly index of Neural Cleanse: an outlier test on the sizes of the reconstructed triggers."""

from __future__ import annotations

import torch
from torch import Tensor


def anomaly_index(sizes: Tensor) -> Tensor:
    """How many median absolute deviations each class's trigger size lies *below* the median of all classes.

    Neural Cleanse (Wang et al., IEEE S&P 2019, section IV-A): the deviation is multiplied by 1.4826, which makes it the
    standard deviation of a normal distribution. Above 2 is an outlier at 95 %.

    Args:
        sizes: L1 size per class, (classes,), infinite if no trigger succeeded, NaN if none was searched for.

    Returns:
        (classes,), float; negative above the median; 0 for all if the deviation is 0, and for classes of size NaN.
    """
    searched = ~sizes.isnan()
    if not bool(searched.all()):
        index = torch.zeros_like(sizes)
        index[searched] = anomaly_index(sizes[searched])
        return index
    # a class without a successful trigger counts as the largest trigger found, not as an infinite one
    finite = sizes[sizes.isfinite()]
    if len(finite) < 2:
        return torch.zeros_like(sizes)
    sizes = torch.where(sizes.isfinite(), sizes, finite.max())
    median = sizes.quantile(0.5)
    deviation = 1.4826 * (sizes - median).abs().quantile(0.5)
    return (median - sizes) / deviation if deviation > 0 else torch.zeros_like(sizes)
