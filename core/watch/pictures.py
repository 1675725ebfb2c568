"""Three statistics of an image that depend on the camera: brightness, contrast, sharpness."""

from __future__ import annotations

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.watch.profile import PICTURES

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_PIECE = 1024  # images at a time: of large ones, a float copy of all would not fit


def statistics(images: Tensor) -> Tensor:
    """Brightness (mean luminance, 0-1), contrast (its standard deviation, 0-0.5) and sharpness of each image.

    Sharpness is the mean absolute difference of neighbouring pixels over the contrast, so that a darker picture is not
    taken for a blurred one; 0 for a picture of one colour.

    Args:
        images: uint8 or float in [0, 1], (n, 3, h, w).

    Returns:
        float (n, 3), in the order of ``core.watch.profile.PICTURES``, on the CPU.
    """
    if not len(images):
        return torch.zeros(0, len(PICTURES))
    return torch.cat([_statistics(as_float(part)) for part in images.split(_PIECE)]).cpu()


def _statistics(images: Tensor) -> Tensor:
    grey = (images * images.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1)
    contrast = grey.flatten(1).std(1, correction=0)
    steps = (grey.diff(dim=1).abs().flatten(1).mean(1) + grey.diff(dim=2).abs().flatten(1).mean(1)) / 2
    sharpness = torch.where(contrast > 1e-4, steps / contrast.clamp_min(1e-4), torch.zeros_like(steps))
    return torch.stack([grey.flatten(1).mean(1), contrast, sharpness], 1)
