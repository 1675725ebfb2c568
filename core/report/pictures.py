"""The reconstructed trigger, alone and on a test image, as pictures inside the page."""

from __future__ import annotations

import base64
import io

import numpy as np

from core.triggers.kept import KeptTriggers

MAX_SIDE = 96  # pixels a side, as kept in the page
GREY = 0.92  # behind a trigger that has a place


def trigger_alone(trigger: KeptTriggers, grey: float = GREY) -> str:
    """The first reconstructed trigger at its place in the picture, on grey, as a data URI.

    One that is added to every pixel is shown as strong as can be: it is faint by nature.

    Args:
        grey: 0-1, behind a trigger that has a place.
    """
    mask, pattern = (np.nan_to_num(part).transpose(1, 2, 0) for part in (trigger.mask, trigger.pattern))
    return data_uri(pattern if not trigger.has_place else (1 - mask) * grey + mask * pattern)


def trigger_on(trigger: KeptTriggers, image: np.ndarray) -> str:
    """The image, uint8 (h, w, 3), with the first reconstructed trigger on it, as a data URI."""
    return data_uri(trigger.on(image / 255))


def data_uri(pixels: np.ndarray) -> str:
    """An image, float (h, w, 3) with 0-1 or uint8, as a PNG in a data URI, no side longer than ``MAX_SIDE``."""
    if pixels.dtype != np.uint8:
        pixels = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return png_uri(pixels, largest=MAX_SIDE)


def png_uri(pixels: np.ndarray, colours: int | None = None, largest: int | None = None) -> str:
    """An image, uint8 (h, w, 3), as a PNG in a data URI.

    Args:
        colours: at most so many, which makes the file several times smaller. largest: pixels a side, at most.
    """
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    if largest:
        image.thumbnail((largest, largest))
    content = io.BytesIO()
    (image.quantize(colours) if colours else image).save(content, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
