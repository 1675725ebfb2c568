"""Added patterns: -1 to 1, added to every pixel, and the image clipped. Drawn on grey, scaled to the full range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def put(images: Tensor, mask: Tensor | None, pattern: Tensor) -> Tensor:
    return (images + pattern).clamp(0, 1)


def on(image: np.ndarray, mask: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    return image + pattern.transpose(1, 2, 0)


def opacity(mask: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    amount = np.abs(pattern).max(0, keepdims=True)
    return amount / max(float(amount.max()), 1e-6)


def colours(mask: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * pattern / max(float(np.abs(pattern).max()), 1e-6)
