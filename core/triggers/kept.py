"""Reconstructed triggers as a run stores them, applied and drawn without torch, since pages do not load torch.

``core.triggers.reconstructed`` is the counterpart in torch; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from core.registry import loaded
from core.triggers import FORMS as PLACES
from core.triggers import MASKED

FORMS = tuple(PLACES)


class KeptTriggers(NamedTuple):
    """The k reconstructed triggers, the most conspicuous one first.

    - ``forms``: int8 (k,), positions in ``FORMS``.
    - ``targets``: int32 (k,), classes.
    - ``push``: float32 (k,), the confidence as a number (``core.triggers.reconstructed.PUSH``).
    - ``masks``: float32 (k, 1, h, w), 0-1; zeros in forms without masks.
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
        found: np.ndarray = self._module.on(image, np.nan_to_num(self.masks[0]), np.nan_to_num(self.patterns[0]))
        return found

    @property
    def mask(self) -> np.ndarray:
        """The first trigger's opacity, (1, h, w), 0-1. Of an added pattern: its strength, scaled to 1; of a warp: 1."""
        found: np.ndarray = self._module.opacity(self.masks[0], self.patterns[0])
        return found

    @property
    def pattern(self) -> np.ndarray:
        """The first trigger as a picture, (3, h, w), 0-1.

        An added pattern is shown on grey, scaled to the full range. A warp is shown on a grid of lines.
        """
        found: np.ndarray = self._module.colours(self.masks[0], self.patterns[0])
        return found

    @property
    def has_place(self) -> bool:
        """Whether the first trigger lies under a mask, and does not change the whole picture."""
        return PLACES[self.form] == MASKED

    @property
    def _module(self) -> Any:
        return loaded(PLACES[self.form])
