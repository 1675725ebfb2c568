"""Reading many image files into one array."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.compute.free_memory import free_memory
from core.errors import BadInput
from core.file_kinds import kind_of, refusal

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".tif", ".tiff",
)  # fmt: skip
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM", "TIFF")
_TIFF_PACKINGS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "jpeg")  # no rare decoder is run
_ORIENTATION = 0x0112  # of EXIF
_TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip
DEPTHS = (8, 10, 12, 14, 16)  # bits that a 16-bit picture may hold
_DIMMEST = 64  # of 256: 16-bit colours below this have 14 bits at most, of which Pillow keeps the upper half
LARGEST_SIDE = 2048
LARGEST_SET = 8 << 30  # bytes of a whole set: 50,000 pictures of 224x224
_LABEL = 16  # bytes of an image's label, as read and as stored, which matter for tiny images
_BATCH = 256


@dataclass
class Seen:
    """What was met while images were decoded. ``turned``: files turned upright; ``paged``: files of several pages;
    ``deep``: positions of grey pictures of 16 bits; ``most``: the largest value in these; ``colours``: of each
    colour picture of 16 bits, its largest value, 0-255; ``bits``: taken of each value in ``deep``."""

    turned: list[Path] = field(default_factory=list)
    paged: list[Path] = field(default_factory=list)
    deep: list[int] = field(default_factory=list)
    most: list[int] = field(default_factory=list)
    colours: list[int] = field(default_factory=list)
    bits: int = 16


def check_set_size(images: int, height: int, width: int, name: str) -> None:
    """Refuses a set before any of it is read if it would take more than ``LARGEST_SET`` or half the free memory.

    Half, because readers hold a set twice for a moment: as it came, and in the order that networks take it in.

    Args:
        images: of the whole set, training and test.
    """
    limit = min(LARGEST_SET, free_memory() // 2)
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
    seen: Seen | None = None,
    bits: int | None = None,
) -> np.ndarray:
    """All files as uint8 RGB, (n, height, width, 3); grey, palette and transparent pictures become RGB.

    Pictures are turned as their EXIF data says. Grey ones of 16 bits a pixel are taken for the fewest bits of
    ``DEPTHS`` that hold the values of all of them: cameras write 12 bits into 16. A picture that comes later has to be
    read as those of its set were, so that a dark one is not taken for one of fewer bits.

    Args:
        files: at least one.
        name: of the set, for errors.
        resize: (height, width) that every picture is brought to; without it all must have the same size.
        progress: called with (files read, files in all).
        seen: is told what was met.
        bits: of grey pictures of 16 bits, where that is known of their set (``ImageSet.bits``).

    Raises:
        BadInput: ``unreadable_image``, ``file_not_opened`` or as :func:`core.file_kinds.refusal`; ``image_too_large``,
            ``mixed_sizes``, ``image_set_too_large``, ``image_of_fractions``, ``image_beyond_16_bits`` or
            ``colours_too_dark``.
    """
    seen = Seen() if seen is None else seen
    seen.bits = bits or seen.bits
    height, width = resize or _read(files[0], None, Seen()).shape[:2]
    check_set_size(len(files), height, width, name)
    out = np.empty((len(files), height, width, 3), np.uint8)

    def batch(start: int) -> None:
        for position in range(start, min(start + _BATCH, len(files))):
            pixels = _read(files[position], resize, seen, position)
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
    if seen.colours and max(seen.colours) < _DIMMEST:
        raise BadInput(
            "colours_too_dark",
            f"The 16-bit colour pictures of {name} use only the lowest values, as of cameras with 10 to 14 bits; write "
            "them as 8-bit pictures.",
            name=name,
        )
    if seen.deep and bits is None:
        seen.bits = next(bits for bits in DEPTHS if max(seen.most) < 1 << bits)
        for position in seen.deep if seen.bits < 16 else ():
            out[position] = _read(files[position], resize, Seen(bits=seen.bits))
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


def _read(file: Path, resize: tuple[int, int] | None, seen: Seen, position: int = 0) -> np.ndarray:
    from PIL import Image

    try:
        if not file.is_file():  # opening a pipe would block for ever
            raise FileNotFoundError(file)
        with Image.open(file, formats=FORMATS) as image:
            if max(image.size) > LARGEST_SIDE:  # the header is read, the pixels are not yet
                raise _too_large(file, f"{image.width}x{image.height}")
            if image.format == "TIFF" and image.info.get("compression") not in _TIFF_PACKINGS:
                raise ValueError("packed in a way that is not read")
            if getattr(image, "n_frames", 1) > 1:
                seen.paged.append(file)
            deep_colour = _is_deep_colour(image)
            stored = _orientation(image)
            image.load()
            image.info.pop("transparency", None)  # of palettes, about which Pillow warns; the colours are the same
            rgb = _rgb(file, image, seen, position)
            if deep_colour:
                seen.colours.append(int(np.asarray(rgb).max()))
            if (left := _orientation(image)) in _TURNS:  # of TIFF, Pillow has done so already
                rgb = rgb.transpose(Image.Transpose[_TURNS[left]])
            if stored in _TURNS:
                seen.turned.append(file)
            if resize and rgb.size != (resize[1], resize[0]):
                rgb = rgb.resize((resize[1], resize[0]), Image.Resampling.BILINEAR)
            return np.asarray(rgb)
    except BadInput:
        raise
    except Image.DecompressionBombError:
        raise _too_large(file, "very many") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as error:
        raise _unreadable(file) from error


def _unreadable(file: Path) -> BadInput:
    """Why a file is no picture that is read: the system's reason, what else it is, or that it is damaged."""
    try:
        kind = kind_of(file) if file.is_file() else None
    except OSError as closed:
        return BadInput(
            "file_not_opened",
            f"{file} cannot be opened or read ({closed.strerror}); give one that you may read.",
            file=str(file),
            reason=str(closed.strerror),
        )
    if kind is not None and kind.name.upper() not in FORMATS:
        return refusal(kind, str(file), "images")
    return BadInput(
        "unreadable_image",
        f"{file} cannot be read as an image; allowed are whole {', '.join(FORMATS)} files.",
        file=str(file),
        formats=", ".join(FORMATS),
    )


def _rgb(file: Path, image: Image.Image, seen: Seen, position: int) -> Image.Image:
    from PIL import Image

    if image.mode == "F":
        raise BadInput(
            "image_of_fractions",
            f"{file} holds fractions whose range is unknown; write it with 8 or 16 bits a pixel.",
            file=str(file),
        )
    if not image.mode.startswith("I"):
        return image.convert("RGB")
    values = np.asarray(image).astype(np.int64)  # 16 bits per pixel
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise BadInput(
            "image_beyond_16_bits",
            f"{file} holds values from {low} to {high}, outside the range of 16 bits (0 to 65535); "
            "write it with 8 or 16 bits a pixel.",
            file=str(file), low=low, high=high,
        )  # fmt: skip
    seen.deep.append(position)
    seen.most.append(high)
    return Image.fromarray((values >> (seen.bits - 8)).clip(0, 255).astype(np.uint8)).convert("RGB")


def _is_deep_colour(image: Image.Image) -> bool:
    """Whether a picture has 16 bits a channel, of which Pillow keeps the upper eight; to be asked before it is read."""
    packed = getattr(image, "tile", [])[:1]  # how the first piece of the file is laid out
    plain = not image.mode.startswith(("I", "F"))
    return image.format in ("PNG", "TIFF") and plain and any(";16" in str(part[3]) for part in packed)


def _orientation(image: Image.Image) -> int:
    """How a picture lies, to go by its EXIF data; 1, upright, where they cannot be read."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a stranger's data, of which only this one number is wanted
        return 1


def _too_large(file: Path, size: str) -> BadInput:
    return BadInput(
        "image_too_large",
        f"{file} is {size} pixels; an image may be at most {LARGEST_SIDE} pixels wide and high.",
        file=str(file),
        size=size,
        limit=LARGEST_SIDE,
    )
