"""Reconstructed triggers as a run stores them, with numpy alone, since pages do not load torch.

``core.triggers.reconstructed`` is the counterpart in torch; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

FORMS = ("mask", "pixel", "smooth", "warp")


class KeptTriggers(NamedTuple):
    """The k reconstructed triggers, the most conspicuous one first.

    - ``forms``: int8 (k,), positions in ``FORMS``.
    - ``targets``: int32 (k,), classes.
    - ``push``: float32 (k,), the confidence as a number (``core.triggers.reconstructed.PUSH``).
    - ``masks``: float32 (k, 1, h, w), 0-1; zeros in forms other than "mask".
    - ``patterns``: float32 (k, 3, h, w), as ``core.triggers.reconstructed.Reconstructed.pattern``.
    """

    forms: np.ndarray
    targets: np.ndarray
    push: np.ndarray
    masks: np.ndarray
    patterns: np.ndarray

    @classmethod
    def of(cls, found: Sequence[tuple[str, int, float, Any, Any]]) -> KeptTriggers:
        """From a row per trigger, at least one: form, target, push, mask (1, h, w) or None, and pattern (3, h, w)."""
        patterns = np.stack([np.asarray(pattern, np.float32) for *_, pattern in found])
        blank = np.zeros((1, *patterns.shape[-2:]), np.float32)
        masks = [blank if mask is None else np.asarray(mask, np.float32) for *_, mask, _ in found]
        forms = np.array([FORMS.index(form) for form, *_ in found], np.int8)
        targets = np.array([target for _, target, *_ in found], np.int32)
        push = np.array([push for _, _, push, _, _ in found], np.float32)
        return cls(forms, targets, push, np.stack(masks), patterns)

    @property
    def form(self) -> str:
        """The form of the first trigger."""
        return FORMS[int(self.forms[0])]

    def on(self, image: np.ndarray) -> np.ndarray:
        """The image, float (h, w, 3), with the first trigger; not clipped to 0-1."""
        pattern = np.nan_to_num(self.patterns[0]).transpose(1, 2, 0)
        if self.form == "warp":
            return warp(image, pattern)
        if self.form != "mask":
            return image + pattern
        mask = np.nan_to_num(self.masks[0]).transpose(1, 2, 0)
        return (1 - mask) * image + mask * pattern

    @property
    def mask(self) -> np.ndarray:
        """The first trigger's opacity, (1, h, w), 0-1. Of an added pattern: its strength, scaled to 1; of a warp: 1."""
        if self.form == "mask":
            return self.masks[0]
        if self.form == "warp":
            return np.ones_like(self.patterns[0][:1])
        amount = np.abs(self.patterns[0]).max(0, keepdims=True)
        return amount / max(float(amount.max()), 1e-6)

    @property
    def pattern(self) -> np.ndarray:
        """The first trigger as a picture, (3, h, w), 0-1.

        An added pattern is shown on grey, scaled to the full range. A warp is shown on a grid of lines.
        """
        if self.form == "mask":
            return self.patterns[0]
        if self.form == "warp":
            return self.on(grid(*self.patterns[0].shape[1:])).transpose(2, 0, 1)
        return 0.5 + 0.5 * self.patterns[0] / max(float(np.abs(self.patterns[0]).max()), 1e-6)


def warp(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The image sampled at each place plus ``shift`` (h, w, 2 or more: right, down; pixels), bilinear, edges
    repeated."""
    h, w = image.shape[:2]
    rows, columns = np.mgrid[:h, :w]
    y, x = np.clip(rows + shift[..., 1], 0, h - 1), np.clip(columns + shift[..., 0], 0, w - 1)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    below, right = np.minimum(top + 1, h - 1), np.minimum(left + 1, w - 1)
    down, across = (y - top)[..., None], (x - left)[..., None]
    upper = (1 - across) * image[top, left] + across * image[top, right]
    lower = (1 - across) * image[below, left] + across * image[below, right]
    return (1 - down) * upper + down * lower


def grid(h: int, w: int) -> np.ndarray:
    """A grid of light lines on grey, float (h, w, 3)."""
    rows, columns = np.mgrid[:h, :w]
    lines = (rows % max(2, h // 8) == 0) | (columns % max(2, w // 8) == 0)
    return np.repeat(np.where(lines, 0.95, 0.35)[..., None], 3, 2)
