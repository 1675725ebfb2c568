"""What every trigger is, and what poisoning asks of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple, Protocol

from torch import Generator, Tensor

from core.attacks.training import Epoch, TrainSettings, train
from core.models.classifier import Classifier


class Poisoned(NamedTuple):
    """A poisoned training set: ``images``, uint8 (n, 3, h, w), ``labels``, int64 (n,), positions of the poisoned."""

    images: Tensor
    labels: Tensor
    chosen: Tensor


class Trigger(Protocol):
    """Puts the trigger into images.

    An attack is a class that inherits from this one and overrides what it does differently. Most need ``__call__``
    alone: what they put into training images is what they put into images at test time, and there are no covers.

    Attributes:
        clean_label: whether only images of the target class are poisoned, so that every label stays true.
    """

    clean_label: ClassVar[bool]

    @property
    def cover_rate(self) -> float:
        """Cover images for each poisoned image; 0 where the attack has none."""
        return 0.0

    def __call__(self, images: Tensor) -> Tensor:
        """Images with the trigger as it is used at test time.

        Args:
            images: float, (n, 3, h, w), in [0, 1]; left as they are.

        Returns:
            the same shape and range; an image's result depends on that image alone.
        """
        ...

    def planted(self, images: Tensor, generator: Generator) -> Tensor:
        """Images as they are poisoned for training, where they get the label of the target.

        Args:
            images: float, (n, 3, h, w), in [0, 1]; left as they are.
            generator: on the CPU; of what differs from image to image.
        """
        return self(images)

    def covers(self, images: Tensor, generator: Generator) -> Tensor:
        """Images that carry something of the trigger, or something like it, and keep their true label.

        They are asked for only where ``cover_rate`` is above 0; the arguments are those of ``planted``.
        """
        return images

    def train(
        self, model: Classifier, data: Poisoned, target: int, settings: TrainSettings, seed: int
    ) -> Iterator[Epoch]:
        """Trains the victim in place, and leaves it in evaluation mode; yields the progress.

        Ordinary training on the poisoned set, unless the attacker is who trains. In the data room the defender trains,
        and this is not asked.

        Args:
            model: untrained; ``data`` is on its device.
            target: the class of the poisoned images.
            settings, seed: of the training.
        """
        yield from train(model, data.images, data.labels, settings, seed)
