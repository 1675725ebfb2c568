"""What random warps turn clean images to: one class, where a backdoor answers to warps.

A warp (WaNet, Nguyen and Tran, ICLR 2021, arXiv 2102.10369) adds nothing to a picture, so an inversion that looks for
something small to add finds a poor copy of it at best. But a model that was taught one warp mostly answers to others
like it as well: of the images that random warps turn from the model's answer, most go to the target. An honest model
loses as many images to warps, but to many classes (figures are in NOTES.md beside this file).

Of the other kinds of stamps none tells as much: noise and waves turn the images of honest networks to one class, too.
"""

from __future__ import annotations

from torch import Tensor

from core.inversion.scan import FEW
from core.models.classifier import Classifier
from core.stamps import turned

WATCHED = 1000  # clean images
LEAST = 50  # turned ones: of fewer, the shares are chance
CLEAR = 0.55  # share of the turned images from which on one class is a sign,
APART = 3.0  # if it is at least so many times that of any other


def warped(model: Classifier, images: Tensor, seed: int = 0) -> tuple[int, float] | None:
    """The class that random warps lead to, and the share of the images they turn that go there, 0-1; or None.

    Args:
        model: the suspect; not changed.
        images: clean images, uint8, (n, 3, h, w).
        seed: of the warps; the same on a CPU gives the same answer.

    Returns:
        None where no class is clear, and where classes or turned images are too few to tell.
    """
    if model.num_classes < FEW:
        return None
    (counts,) = turned(model, images[:WATCHED], ["warp"], seed)
    every, (first, second) = float(counts.sum()), counts.topk(2).values.tolist()
    clear = every >= LEAST and first >= max(CLEAR * every, APART * second)
    return (int(counts.argmax()), first / every) if clear else None
