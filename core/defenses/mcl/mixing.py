"""Clean images mixed in pairs: more inputs on which the victim's answers are kept.

A network soon fits the victim's answers on a few hundred clean images and still changes everywhere else. Mixtures of
these images are further inputs, as many as are wanted. Half of a batch is blended (mixup), the other half gets a
rectangle of the partner (CutMix). Blended images resemble blended triggers and rectangles resemble patches. Either kind
alone would preserve the backdoors that it resembles (trials: tests/benchmarks/MCL_LOG.md).

Sources: mixup (Zhang et al., ICLR 2018) and CutMix (Yun et al., ICCV 2019), both with labels mixed like the images; as
inputs for distillation: Beyer et al., CVPR 2022, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor


def mixed(
    images: Tensor, labels: Tensor, others: Tensor, other_labels: Tensor, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Each image mixed with a random partner, in a proportion of its own, uniform in [0, 1].

    Args:
        images: float, (n, 3, h, w).
        labels: class shares of each image, float, (n, classes).
        others: images from which the partners are drawn, (m, 3, h, w).
        other_labels: their class shares, (m, classes).
        generator: on the CPU; the same state draws the same on any device.

    Returns:
        images and labels of the same shapes. The first half is blended, the rest has a rectangle of the partner.
    """
    n, _, h, w = images.shape
    partners = torch.randint(len(others), (n,), generator=generator).to(images.device)
    share = torch.rand(n, 1, 1, 1, generator=generator)
    rectangles = _rectangles(share[n // 2 :], h, w, generator)
    opacity = torch.cat([share[: n // 2].expand(-1, 1, h, w), rectangles]).to(images)
    return (
        images.lerp(others[partners], opacity.expand_as(images)),
        labels.lerp(other_labels[partners], opacity.mean((2, 3))),
    )


def mixed_within(images: Tensor, labels: Tensor, classes: Sequence[int], count: int, generator: Generator) -> Tensor:
    """Images that are mixed with another one of their own class, as many of each of ``classes``.

    Args:
        images: float, (n, 3, h, w).
        labels: their classes, (n,).
        classes: one without images is left out.
        count: images in all, rounded up to the same number for each class.
        generator: on the CPU; the same state draws the same on any device.

    Returns:
        (m, 3, h, w), mixed as by ``mixed``.
    """
    each = -(-count // len(classes))
    made = [images[:0]]
    for own in (images[labels == label] for label in classes):
        if len(own):
            first = own[torch.randint(len(own), (each,), generator=generator).to(own.device)]
            no_labels = images.new_zeros(max(each, len(own)), 0)
            made.append(mixed(first, no_labels[:each], own, no_labels[: len(own)], generator)[0])
    return torch.cat(made)


def _rectangles(share: Tensor, h: int, w: int, generator: Generator) -> Tensor:
    """Masks (n, 1, h, w), 0 or 1: a rectangle at a random place that covers about ``share`` (n, 1, 1, 1) of the
    image."""
    size = torch.tensor([h, w]).view(2, 1, 1)
    sides = share.sqrt() * size
    corner = torch.rand(len(share), 2, 1, 1, generator=generator) * (size - sides)
    (top, left), (bottom, right) = (ends.round().split(1, 1) for ends in (corner, corner + sides))
    rows, columns = torch.arange(h)[:, None], torch.arange(w)
    return ((rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)).float()
