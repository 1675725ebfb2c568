"""Calibration: the distance of a model's confidence from its accuracy.

Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, section 2: the expected
calibration error over 15 bins of equal width.
"""

from __future__ import annotations

import torch
from torch import Tensor

BINS = 15


def calibration_error(confidence: Tensor, right: Tensor, bins: int = BINS) -> float:
    """ECE in percentage points, 0-100: the mean distance of accuracy from confidence, bin by bin.

    Args:
        confidence: of the answers, (n,), 0-1. right: bool (n,), whether they are.

    Returns:
        NaN where there is no answer.
    """
    if not len(confidence):
        return float("nan")
    confidence, right = confidence.cpu().double(), right.cpu().double()
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    place = torch.bucketize(confidence, edges[1:-1])  # a bin holds its upper edge, as in the paper
    sums = torch.zeros(bins, dtype=torch.float64).index_add(0, place, confidence - right)
    return 100 * sums.abs().sum().item() / len(confidence)
