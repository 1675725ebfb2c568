"""Masked patterns: ``(1 - m) x + m p``, with the pattern p under the mask m, all in [0, 1]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def put(images: Tensor, mask: Tensor, pattern: Tensor) -> Tensor:
    return images + mask * (pattern - images)


def on(image: np.ndarray, mask: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    alpha, colour = (part.transpose(1, 2, 0) for part in (mask, pattern))
    return (1 - alpha) * image + alpha * colour


def opacity(mask: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    return mask


def colours(mask: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    return pattern
