"""Reading many image files into one array."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil

from core.errors import BadInput

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm")
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM")
LARGEST_SIDE = 2048
LARGEST_SET = 8 << 30  # bytes of a whole set: 50,000 pictures of 224x224
_LABEL = 16  # bytes of an image's class number, as it came and as it is kept: counts where images are tiny
_BATCH = 256


def check_set_size(images: int, height: int, width: int, name: str) -> None:
    """Refuses a set before any of it is read if it would take more than ``LARGEST_SET`` or half the free memory.

    Half, because readers hold a set twice for a moment: as it came, and in the order that networks take it in.

    Args:
        images: of the whole set, training and test.
    """
    limit = min(LARGEST_SET, psutil.virtual_memory().available // 2)
    if images * (height * width * 3 + _LABEL) > limit:
        allowed = f"{limit / 2**30:.3g} GiB"
        raise BadInput(
            "image_set_too_large",
            f"{name} holds {images} images of {width}x{height}, more than the {allowed} that an image set may take in "
            "memory here; use fewer or smaller images.",
            name=name,
            images=images,
            size=f"{width}x{height}",
            limit=allowed,
        )


def decode(
    files: Sequence[Path],
    name: str,
    resize: tuple[int, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
    whole: int | None = None,
) -> np.ndarray:
    """All files as uint8 RGB, (n, height, width, 3); grey, palette and transparent pictures become RGB.

    Args:
        files: at least one.
        name: of the set, for errors.
        resize: (height, width) that every picture is brought to; without it all must have the same size.
        progress: called with (files read, files in all).
        whole: images of the set that these are a part of, for the limit on its size; by default they are all.

    Raises:
        BadInput: ``unreadable_image``, ``image_too_large``, ``mixed_sizes`` or ``image_set_too_large``.
    """
    height, width = resize or _read(files[0], None).shape[:2]
    check_set_size(whole or len(files), height, width, name)
    out = np.empty((len(files), height, width, 3), np.uint8)

    def batch(start: int) -> None:
        for position in range(start, min(start + _BATCH, len(files))):
            pixels = _read(files[position], resize)
            if pixels.shape[:2] != (height, width):
                raise mixed_sizes(str(files[position]), pixels.shape[:2], (height, width))
            out[position] = pixels

    starts = range(0, len(files), _BATCH)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        try:
            for start, _ in zip(starts, pool.map(batch, starts), strict=True):
                if progress is not None:
                    progress(min(start + _BATCH, len(files)), len(files))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return out


def mixed_sizes(name: str, size: tuple[int, ...], expected: tuple[int, ...]) -> BadInput:
    """The error for a picture, or part of a set, whose (height, width) is not that of the rest."""
    found, wanted = f"{size[1]}x{size[0]}", f"{expected[1]}x{expected[0]}"
    return BadInput(
        "mixed_sizes",
        f"{name} is {found} pixels while the images before it are {wanted}; all images of a set must have one size.",
        file=name,
        size=found,
        expected=wanted,
    )


def _read(file: Path, resize: tuple[int, int] | None) -> np.ndarray:
    from PIL import Image

    try:
        if not file.is_file():  # to open a pipe would be to wait for ever
            raise FileNotFoundError(file)
        with Image.open(file, formats=FORMATS) as image:
            if max(image.size) > LARGEST_SIDE:  # the header is read, the pixels are not yet
                raise _too_large(file, f"{image.width}x{image.height}")
            image.load()
            image.info.pop("transparency", None)  # of palettes, about which Pillow warns; the colours are the same
            if image.mode.startswith("I"):  # 16 bits per pixel
                rgb = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
                rgb = rgb.convert("RGB")
            else:
                rgb = image.convert("RGB")
            if resize and rgb.size != (resize[1], resize[0]):
                rgb = rgb.resize((resize[1], resize[0]), Image.Resampling.BILINEAR)
            return np.asarray(rgb)
    except BadInput:
        raise
    except Image.DecompressionBombError:
        raise _too_large(file, "very many") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as error:
        raise BadInput(
            "unreadable_image",
            f"{file} cannot be read as an image; allowed are whole {', '.join(FORMATS)} files.",
            file=str(file),
            formats=", ".join(FORMATS),
        ) from error


def _too_large(file: Path, size: str) -> BadInput:
    return BadInput(
        "image_too_large",
        f"{file} is {size} pixels; an image may be at most {LARGEST_SIDE} pixels wide and high.",
        file=str(file),
        size=size,
        limit=LARGEST_SIDE,
    )
