"""Which class is the target: an outlier test on the sizes of the reconstructed masks."""

from __future__ import annotations

import torch
from torch import Tensor


def anomaly_index(sizes: Tensor) -> Tensor:
    """How many (consistent) deviations each class's mask lies *below* the median.

    Neural Cleanse (Wang et al., IEEE S&P 2019, section IV-A): the median absolute deviation, times
    1.4826 to agree with a normal distribution's standard deviation. Above 2 is an outlier at 95 %.

    Args:
        sizes: L1 size per class, (classes,), infinite where no trigger succeeded, NaN where none was looked for.

    Returns:
        (classes,), float; negative for triggers above the median; 0 for all where the deviation vanishes, and for
        classes that were not looked at.
    """
    looked = ~sizes.isnan()
    if not bool(looked.all()):
        found = torch.zeros_like(sizes)
        found[looked] = anomaly_index(sizes[looked])
        return found
    # a class that no trigger reached is as far above the median as the largest mask found, not infinitely far
    finite = sizes[sizes.isfinite()]
    if len(finite) < 2:
        return torch.zeros_like(sizes)
    sizes = torch.where(sizes.isfinite(), sizes, finite.max())
    median = sizes.quantile(0.5)
    deviation = 1.4826 * (sizes - median).abs().quantile(0.5)
    return (median - sizes) / deviation if deviation > 0 else torch.zeros_like(sizes)
