"""Corruptions at five strengths, after ImageNet-C and CIFAR-10-C.

Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations", ICLR 2019:
four groups (noise, blur, weather, digital: a module each), five strengths each, as published for pictures of 32 and of
224 pixels a side.

What departs from the paper:

- Gaussian blur, one of the paper's four extra corruptions, stands in for defocus: on small pictures a disc narrower
  than a pixel does nothing. Glass blur is left out.
- Frost needs photographs of the authors'. ``rain`` stands in for it, and ``dead_pixels``, the fault of a sensor, for
  glass blur; the strengths of both are ours.
- Motion blur and the streaks of snow are centred, where ImageMagick's trail to one side, so that no object moves.
- Contrast pulls towards the mean grey of a picture (torchvision), not towards the mean of each channel.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.registry import loaded
from core.stress.corruption import Corruption
from core.stress.settings import CORRUPTIONS, STRENGTHS


def corrupt(images: Tensor, name: str, strength: int, seed: int = 0) -> Tensor:
    """Corrupted images; the same images in the same number, with the same seed, give the same result.

    Args:
        images: (n, c, h, w), c 1 or 3, uint8 or float in [0, 1]; 8 to about 500 pixels a side. On the CPU.
        name: a key of ``CORRUPTIONS``. strength: 1-5. seed: of everything drawn.

    Returns:
        of the same shape and type.

    Raises:
        ValueError: there is no such corruption or strength.
    """
    if name not in CORRUPTIONS or strength not in STRENGTHS:
        raise ValueError(f"there is no corruption {name!r} of strength {strength}")
    corruption: Corruption = loaded(CORRUPTIONS[name])
    level = corruption.level(strength, min(images.shape[-2:]))
    own = int.from_bytes(hashlib.blake2b(f"{seed} {name} {strength}".encode(), digest_size=7).digest())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(own)
        made = corruption.make(as_float(images), *level).clamp(0, 1)
    return made.mul(255).round().to(torch.uint8) if images.dtype == torch.uint8 else made
