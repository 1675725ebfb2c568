"""Images that were drawn are kept in the cache folder; a cache that cannot be read or written is done without."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


def read_drawn(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor] | None:
    """The images that are kept in a file, by the name of their part; None if it does not hold them soundly.

    Args:
        shapes: of each part, whose images are uint8.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            images = {part: torch.from_numpy(file[part]) for part in shapes}
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        return None
    if any(images[part].dtype != torch.uint8 or images[part].shape != shape for part, shape in shapes.items()):
        return None
    return images


def keep_drawn(path: Path, images: Mapping[str, Tensor]) -> None:
    """Written beside and renamed into place, so that no reader ever sees half a file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **{part: pixels.numpy() for part, pixels in images.items()})  # type: ignore[arg-type]
        os.replace(beside, path)
    except OSError:
        Path(beside).unlink(missing_ok=True)
