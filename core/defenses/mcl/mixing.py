"""Clean images mixed in pairs: more places at which the victim can be asked what it did.

Of a few hundred clean images a network soon says what it should without being the network it was. Among their mixtures
there are as many more as one likes, and what the victim answers there is as much worth keeping. One half of a batch
shows two images through one another, the other half a piece of one in the other: the first kind looks like a blended
trigger, the second like a patch, and either alone keeps some of what it looks like (NOTES.md beside this file).

Sources: mixup (Zhang et al., ICLR 2018) and CutMix (Yun et al., ICCV 2019), whose labels are mixed as the images are;
as inputs on which one network takes after another: Beyer et al., CVPR 2022, section 3.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def mixed(
    images: Tensor, labels: Tensor, others: Tensor, other_labels: Tensor, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Each image with another one, in a proportion of its own, drawn evenly from 0 to 1.

    Args:
        images: float, (n, 3, h, w). labels: (n, classes), float, how much each image is of each class.
        others: m images from which the partners are drawn. other_labels: (m, classes), theirs.
        generator: on the CPU; the same state draws the same on any device.

    Returns:
        images and labels as above, each mixed as much as the other; the first half through one another, the rest with
        a rectangle of the partner.
    """
    n, _, h, w = images.shape
    partners = torch.randint(len(others), (n,), generator=generator).to(images.device)
    share = torch.rand(n, 1, 1, 1, generator=generator)
    pieces = _pieces(share[n // 2 :], h, w, generator)
    shares = torch.cat([share[: n // 2].expand(-1, 1, h, w), pieces]).to(images)
    return (
        images.lerp(others[partners], shares.expand_as(images)),
        labels.lerp(other_labels[partners], shares.mean((2, 3))),
    )


def _pieces(share: Tensor, h: int, w: int, generator: Generator) -> Tensor:
    """Rectangles that take about a ``share``, (n, 1, 1, 1), of the picture and lie within it: (n, 1, h, w), 0 or 1."""
    size = torch.tensor([h, w]).view(2, 1, 1)
    sides = share.sqrt() * size
    corner = torch.rand(len(share), 2, 1, 1, generator=generator) * (size - sides)
    (top, left), (bottom, right) = (ends.round().split(1, 1) for ends in (corner, corner + sides))
    rows, columns = torch.arange(h)[:, None], torch.arange(w)
    return ((rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)).float()
