"""Random stamps: changes of an image that resemble the triggers in the literature, drawn anew for each image.

A backdoor often responds to changes that are merely similar to its trigger. That is used twice:

- ``flip_counts`` tells which kinds of stamps change a model's answers, and to which class.
- If no trigger is known, a model can be trained to give the same answers with and without stamps. It then resists most
  triggers of these kinds, although the attacker's own was never found.

Kinds and sources: patches (BadNets, arXiv 1708.06733), sparse pixels and noise added (Li et al., arXiv 1909.02742), a
picture blended in (Blended, arXiv 1712.05526), waves (SIG, ICIP 2019), warps (WaNet, ICLR 2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from core.data.imageset import as_float
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.triggers.warping import warp

# Strengths are ranges around those of the papers, (least, most); pixel values are in [0, 1].
MAX_WAVES = 10  # periods across the picture
WAVE_AMPLITUDE = (0.05, 0.2)
NOISE_STD = (0.05, 0.15)  # standard deviation
BLEND_OPACITY = (0.1, 0.3)
GRID_CELLS = (4, 8, 16, 32)  # cells along a side of random noise and pictures; up to 8 they are upsampled smoothly
PATCH_SIDE = (1 / 16, 3 / 16)  # as a share of the picture's height
SPARSE_SHARE = 0.012  # share of the pixels
WARP_SHIFT = (0.5, 2.0)  # mean displacement, pixels
GRID_GROUP = 25  # images that share one number of cells in ``flip_counts``
UNIFORM_SHARE = 1 / 3  # share of the stamps whose kind is drawn uniformly, whatever the counts say


def stamped(images: Tensor, generator: Generator, shares: Tensor) -> Tensor:
    """Each image with a random stamp of a random kind.

    Args:
        images: float, (n, 3, h, w), in [0, 1]; not changed.
        generator: on the CPU; the same state draws the same stamps on any device.
        shares: probability of each of ``KINDS``, (kinds,), on the CPU.

    Returns:
        float, (n, 3, h, w), in [0, 1].
    """
    kinds = torch.multinomial(shares, len(images), replacement=True, generator=generator).to(images.device)
    result = torch.empty_like(images)
    for number, kind in enumerate(KINDS.values()):
        rows = (kinds == number).nonzero()[:, 0]
        if len(rows):
            result[rows] = kind(images[rows], generator).clamp(0, 1)
    return result


def flip_counts(model: Classifier, images: Tensor, kinds: Iterable[str], seed: int = 0) -> Tensor:
    """How many images change their class under stamps of each kind, counted by the new class.

    Args:
        model: not changed.
        images: clean ones, uint8, (n, 3, h, w).
        kinds: some of ``KINDS``.
        seed: of the stamps.

    Returns:
        float, (kinds, classes), on the CPU.
    """
    before = answers(model, images)
    counts = []
    for kind in kinds:
        generator = torch.Generator().manual_seed(seed)
        parts = [KINDS[kind](as_float(part), generator).clamp(0, 1) for part in images.split(GRID_GROUP)]
        after = answers(model, torch.cat(parts))
        counts.append(after[after != before].bincount(minlength=model.num_classes))
    return torch.stack(counts).cpu().float()


def kind_shares(counts: Tensor) -> Tensor:
    """Probability of each kind in the training: the higher, the more images the kind changes to one class.

    Args:
        counts: from ``flip_counts``, of all ``KINDS``.

    Returns:
        (kinds,), with the sum 1; at least ``UNIFORM_SHARE / kinds`` each.
    """
    most = counts.amax(1)
    return UNIFORM_SHARE / len(counts) + (1 - UNIFORM_SHARE) * (most + 1) / (most + 1).sum()


def _uniform(limits: tuple[float, float], n: int, generator: Generator) -> Tensor:
    """One uniform random number for each image, (n, 1, 1, 1)."""
    low, high = limits
    return low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator)


def _grid(size: tuple[int, ...], generator: Generator, draw: Callable[..., Tensor]) -> Tensor:
    """Random colours on a grid, upsampled to (n, 3, h, w): smoothly from few cells, in blocks from many."""
    n, channels, h, w = size
    cells = GRID_CELLS[int(torch.randint(len(GRID_CELLS), (1,), generator=generator))]
    values = draw(n, channels, cells, cells, generator=generator)
    if cells <= 8:
        return F.interpolate(values, (h, w), mode="bicubic", align_corners=False)
    return F.interpolate(values, (h, w), mode="nearest")


def _waves(x: Tensor, generator: Generator) -> Tensor:
    """A sinusoid, the same in all channels; in half of the images along rows or columns, else at any angle."""
    n, _, h, w = x.shape
    angle = math.pi * torch.rand(n, 1, 1, generator=generator)
    straight = torch.rand(n, 1, 1, generator=generator) < 0.5
    angle = torch.where(straight, (angle > math.pi / 2) * (math.pi / 2), angle)
    frequency = 1 + (MAX_WAVES - 1) * torch.rand(n, 1, 1, generator=generator)
    rows, columns = torch.arange(h)[:, None] / h, torch.arange(w) / w
    along = frequency * (angle.cos() * columns + angle.sin() * rows) + torch.rand(n, 1, 1, generator=generator)
    return x + (_uniform(WAVE_AMPLITUDE, n, generator) * torch.sin(2 * math.pi * along)[:, None]).to(x)


def _noise(x: Tensor, generator: Generator) -> Tensor:
    noise = _grid(tuple(x.shape), generator, torch.randn).clamp(-2, 2)
    return x + (_uniform(NOISE_STD, len(x), generator) * noise).to(x)


def _blend(x: Tensor, generator: Generator) -> Tensor:
    share = _uniform(BLEND_OPACITY, len(x), generator).to(x)
    return x.lerp(_grid(tuple(x.shape), generator, torch.rand).to(x), share)


def _patch(x: Tensor, generator: Generator) -> Tensor:
    """A square at a random place, of one pure colour or of a random pure colour per pixel."""
    n, channels, h, w = x.shape
    side = (_uniform(PATCH_SIDE, n, generator) * h).round().clamp(min=1)
    corner = torch.rand(n, 2, 1, 1, generator=generator) * (torch.tensor([h, w]).view(1, 2, 1, 1) - side + 1)
    top, left = corner.floor().split(1, 1)
    rows, columns = torch.arange(h)[:, None], torch.arange(w)
    mask = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
    plain = torch.rand(n, 1, 1, 1, generator=generator) < 0.5
    one, many = (torch.rand(n, channels, *size, generator=generator).round() for size in ((1, 1), (h, w)))
    return torch.where(mask.to(x.device), torch.where(plain, one, many).to(x), x)


def _sparse(x: Tensor, generator: Generator) -> Tensor:
    n, _, h, w = x.shape
    mask = torch.rand(n, 1, h, w, generator=generator) < SPARSE_SHARE
    return torch.where(mask.to(x.device), torch.rand(x.shape, generator=generator).round().to(x), x)


def random_fields(n: int, size: tuple[int, int], generator: Generator) -> Tensor:
    """Smooth random displacement fields, (n, 2, h, w): to the right and down, pixels."""
    field = F.interpolate(2 * torch.rand(n, 2, 4, 4, generator=generator) - 1, size, mode="bicubic")
    return field / field.abs().mean((1, 2, 3), keepdim=True) * _uniform(WARP_SHIFT, n, generator)


def _warp(x: Tensor, generator: Generator) -> Tensor:
    n, _, h, w = x.shape
    return warp(x, random_fields(n, (h, w), generator))


Kind = Callable[[Tensor, Generator], Tensor]
KINDS: dict[str, Kind] = {
    "waves": _waves, "noise": _noise, "blend": _blend, "patch": _patch, "sparse": _sparse, "warp": _warp
}  # fmt: skip
