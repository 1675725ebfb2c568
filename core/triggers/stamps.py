"""Random stamps: what triggers of the kinds in the literature look like, drawn anew for each image.

A backdoor often answers to what is only of its trigger's kind. So stamps tell something of a model (``turned``); and
where no trigger is known to train against, a model that answers alike with and without stamps of many kinds answers
alike with most that an attacker may have chosen, without anybody having found it. No stamp is the attacker's own; only
the kinds are known.

Kinds and sources: patches (BadNets, arXiv 1708.06733), sparse pixels and noise added (Li et al., arXiv 1909.02742), a
picture that shines through (Blended, arXiv 1712.05526), waves (SIG, ICIP 2019), warps (WaNet, ICLR 2021).
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
from core.triggers.warping import bent

WAVES, WAVE = 10, (0.05, 0.2)  # across the picture at most; amplitude
NOISE = (0.05, 0.15)  # standard deviation
BLEND = (0.1, 0.3)  # how much shines through
CELLS = (4, 8, 16, 32)  # a side, of noise and pictures; few make smooth ones
SIDE = (1 / 16, 3 / 16)  # of a patch, shares of the picture's height
SPARSE = 0.012  # share of pixels
WARP = (0.5, 2.0)  # mean shift, pixels
TOGETHER = 25  # images whose noise and pictures are equally coarse where one kind alone is asked for
EVEN = 1 / 3  # of the stamps: so many are of kinds drawn alike


def stamped(images: Tensor, generator: Generator, shares: Tensor) -> Tensor:
    """Each image with a stamp of its own, the kind drawn too.

    Args:
        images: float, (n, 3, h, w), in [0, 1]; not changed.
        generator: on the CPU; the same state draws the same stamps on any device.
        shares: how often each of ``KINDS`` is drawn, (kinds,), on the CPU.

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


def turned(model: Classifier, images: Tensor, kinds: Iterable[str], seed: int = 0) -> Tensor:
    """How many images the stamps of each kind turn from the model's own answer to each class.

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
        parts = [KINDS[kind](as_float(part), generator).clamp(0, 1) for part in images.split(TOGETHER)]
        after = answers(model, torch.cat(parts))
        counts.append(after[after != before].bincount(minlength=model.num_classes))
    return torch.stack(counts).cpu().float()


def shares(counts: Tensor) -> Tensor:
    """How often each kind is to be drawn: some of each, the more of those that turn many images to one class.

    Args:
        counts: of all ``KINDS``, as from ``turned``.

    Returns:
        (kinds,), which sum to 1.
    """
    most = counts.amax(1)
    return EVEN / len(counts) + (1 - EVEN) * (most + 1) / (most + 1).sum()


def _within(limits: tuple[float, float], n: int, generator: Generator) -> Tensor:
    """One number for each image, (n, 1, 1, 1)."""
    low, high = limits
    return low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator)


def _grid(size: tuple[int, ...], generator: Generator, draw: Callable[..., Tensor]) -> Tensor:
    """Random colours on a grid, (n, 3, h, w), as coarse for all n: smooth if it is very coarse, else in blocks."""
    n, channels, h, w = size
    cells = CELLS[int(torch.randint(len(CELLS), (1,), generator=generator))]
    values = draw(n, channels, cells, cells, generator=generator)
    if cells <= 8:
        return F.interpolate(values, (h, w), mode="bicubic", align_corners=False)
    return F.interpolate(values, (h, w), mode="nearest")


def _waves(x: Tensor, generator: Generator) -> Tensor:
    """A sinusoid, the same in all colours; in half of the images along the rows or the columns."""
    n, _, h, w = x.shape
    angle = math.pi * torch.rand(n, 1, 1, generator=generator)
    straight = torch.rand(n, 1, 1, generator=generator) < 0.5
    angle = torch.where(straight, (angle > math.pi / 2) * (math.pi / 2), angle)
    frequency = 1 + (WAVES - 1) * torch.rand(n, 1, 1, generator=generator)
    rows, columns = torch.arange(h)[:, None] / h, torch.arange(w) / w
    along = frequency * (angle.cos() * columns + angle.sin() * rows) + torch.rand(n, 1, 1, generator=generator)
    return x + (_within(WAVE, n, generator) * torch.sin(2 * math.pi * along)[:, None]).to(x)


def _noise(x: Tensor, generator: Generator) -> Tensor:
    noise = _grid(tuple(x.shape), generator, torch.randn).clamp(-2, 2)
    return x + (_within(NOISE, len(x), generator) * noise).to(x)


def _blend(x: Tensor, generator: Generator) -> Tensor:
    share = _within(BLEND, len(x), generator).to(x)
    return x.lerp(_grid(tuple(x.shape), generator, torch.rand).to(x), share)


def _patch(x: Tensor, generator: Generator) -> Tensor:
    """A square anywhere, of one pure colour or of random ones."""
    n, channels, h, w = x.shape
    side = (_within(SIDE, n, generator) * h).round().clamp(min=1)
    corner = torch.rand(n, 2, 1, 1, generator=generator) * (torch.tensor([h, w]).view(1, 2, 1, 1) - side + 1)
    top, left = corner.floor().split(1, 1)
    rows, columns = torch.arange(h)[:, None], torch.arange(w)
    mask = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
    plain = torch.rand(n, 1, 1, 1, generator=generator) < 0.5
    one, many = (torch.rand(n, channels, *size, generator=generator).round() for size in ((1, 1), (h, w)))
    return torch.where(mask.to(x.device), torch.where(plain, one, many).to(x), x)


def _sparse(x: Tensor, generator: Generator) -> Tensor:
    n, _, h, w = x.shape
    mask = torch.rand(n, 1, h, w, generator=generator) < SPARSE
    return torch.where(mask.to(x.device), torch.rand(x.shape, generator=generator).round().to(x), x)


def shifts(n: int, size: tuple[int, int], generator: Generator) -> Tensor:
    """Smooth displacements that differ from place to place, (n, 2, h, w): right and down, pixels."""
    field = F.interpolate(2 * torch.rand(n, 2, 4, 4, generator=generator) - 1, size, mode="bicubic")
    return field / field.abs().mean((1, 2, 3), keepdim=True) * _within(WARP, n, generator)


def _warp(x: Tensor, generator: Generator) -> Tensor:
    n, _, h, w = x.shape
    return bent(x, shifts(n, (h, w), generator))


Kind = Callable[[Tensor, Generator], Tensor]
KINDS: dict[str, Kind] = {
    "waves": _waves, "noise": _noise, "blend": _blend, "patch": _patch, "sparse": _sparse, "warp": _warp
}  # fmt: skip
