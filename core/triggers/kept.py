"""Reconstructed triggers as a run keeps them, put into images and drawn without torch.

``core.triggers.reconstructed`` is the same for the engine; a test holds the two together.
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
    """The reconstructed triggers, the one that shows the backdoor best first.

    ``forms`` int8 (k,), positions in ``FORMS``; ``targets`` int32 (k,); ``push`` float32 (k,), 0 or more; ``masks``
    float32 (k, 1, h, w), 0-1, used by the form that has one alone; ``patterns`` float32 (k, 3, h, w): colours 0-1 under
    a mask, what is added, -1 to 1, or how far to the right and down a warp takes each pixel from, in pixels (and 0).
    """

    forms: np.ndarray
    targets: np.ndarray
    push: np.ndarray
    masks: np.ndarray
    patterns: np.ndarray

    @classmethod
    def of(cls, found: Sequence[tuple[str, int, float, Any, Any]]) -> KeptTriggers:
        """Of form, target, push, mask (1, h, w) or None, and pattern (3, h, w) of each, at least one."""
        patterns = np.stack([np.asarray(pattern, np.float32) for *_, pattern in found])
        blank = np.zeros((1, *patterns.shape[-2:]), np.float32)
        masks = [blank if mask is None else np.asarray(mask, np.float32) for *_, mask, _ in found]
        forms = np.array([FORMS.index(form) for form, *_ in found], np.int8)
        targets = np.array([target for _, target, *_ in found], np.int32)
        push = np.array([sure for _, _, sure, _, _ in found], np.float32)
        return cls(forms, targets, push, np.stack(masks), patterns)

    @property
    def form(self) -> str:
        """The first trigger's."""
        return FORMS[int(self.forms[0])]

    def on(self, image: np.ndarray) -> np.ndarray:
        """The image, float (h, w, 3), with the first trigger on it; what is added may lead out of 0-1."""
        found: np.ndarray = self._drawn.on(image, np.nan_to_num(self.masks[0]), np.nan_to_num(self.patterns[0]))
        return found

    @property
    def mask(self) -> np.ndarray:
        """The first trigger's opacity, (1, h, w), 0-1: for one without a mask, how much of it there is."""
        found: np.ndarray = self._drawn.opacity(self.masks[0], self.patterns[0])
        return found

    @property
    def pattern(self) -> np.ndarray:
        """What the first trigger looks like, (3, h, w), 0-1."""
        found: np.ndarray = self._drawn.colours(self.masks[0], self.patterns[0])
        return found

    @property
    def has_place(self) -> bool:
        """Whether the first trigger lies under a mask, and does not change the whole picture."""
        return PLACES[self.form] == MASKED

    @property
    def _drawn(self) -> Any:
        return loaded(PLACES[self.form])
