"""Label-consistent: a patch on images of the target class that are hard to recognise (Turner et al., arXiv 1912.02771).

Only images of the target class are poisoned, so no label is ever wrong (section 3). A network that recognises them
anyway has no use for a patch; so the paper makes them hard first, by adversarial perturbation of a robust model or by
interpolation in a GAN's latent space towards another class (section 4), and the patch becomes the easy feature.

Both need a second model, trained on the very images, and a victim could no longer be made again from its card. Here the
images are interpolated, too, but towards a picture that has the same spectrum and no content: the image with its phases
replaced. Colours and textures stay, contours fade. At the default, a clean PreActResNet-18 answered 54 % of such
images of CIFAR-10 rightly, and 84 % of the same without (250 images, any class). The price: unlike after an adversarial
perturbation, a person sees that something was done to the image, and does not recognise all of them.
At test time the patch alone is put on, as in the paper. The four corners (section 5) let it survive shifts and
mirroring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from core.attacks.badnets import grid
from core.attacks.trigger import Trigger


@dataclass(frozen=True)
class LabelConsistent(Trigger):
    """The 3x3 grid in each corner, turned towards it.

    Args:
        size: height and width of the images, pixels.
        amplitude: what is added to the grid's white pixels and taken from its black ones, 0-1 (1: opaque, as in the
            paper's main experiments; less is harder to see, section 5).
        hardness: how far poisoned images are moved towards a picture without content, 0-1.
    """

    size: tuple[int, int]
    amplitude: float = 1.0
    hardness: float = 0.4
    clean_label: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (0 <= self.amplitude <= 1 and 0 <= self.hardness <= 1 and min(self.size) >= 6):
            raise ValueError("amplitude and hardness are shares from 0 to 1, images have 6 pixels a side at least")

    def change(self) -> Tensor:
        """What is added, shape (3, h, w): ``amplitude``, minus ``amplitude`` or 0."""
        signs = grid()[0] * 2 - 1
        change = torch.zeros(3, *self.size)
        change[:, -3:, -3:] = signs
        change[:, -3:, :3] = signs.flip(2)
        change[:, :3, -3:] = signs.flip(1)
        change[:, :3, :3] = signs.flip(1, 2)
        return self.amplitude * change

    def __call__(self, images: Tensor) -> Tensor:
        return (images + self.change().to(images.device)).clamp(0, 1)

    def planted(self, images: Tensor, generator: Generator) -> Tensor:
        """Images that are hard to recognise, with the patch."""
        without = scrambled(images, generator)
        return self((images + self.hardness * (without - images)).clamp(0, 1))


def scrambled(images: Tensor, generator: Generator) -> Tensor:
    """Images with the same amplitude at every frequency and the phases of noise, (n, 3, h, w), not clipped.

    The noise is the same for the three colours of an image, so colours stay together.
    """
    noise = torch.randn(len(images), 1, *images.shape[-2:], generator=generator).to(images.device)
    turn = torch.fft.fft2(noise)
    turn = turn / turn.abs().clamp(min=1e-12)
    turn[..., 0, 0] = 1  # the mean colour stays
    return torch.fft.ifft2(torch.fft.fft2(images) * turn).real
