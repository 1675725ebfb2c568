"""What every trigger is."""

from __future__ import annotations

from typing import ClassVar, Protocol

from torch import Tensor


class Trigger(Protocol):
    """Puts the trigger into images.

    ``clean_label`` attacks poison only images of the target class and leave every label true.
    """

    clean_label: ClassVar[bool]

    def __call__(self, images: Tensor) -> Tensor:
        """Triggered copies of float images in [0, 1], shape (n, 3, h, w); same shape, same range."""
        ...
