"""The interface of detectors, and access to one by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

from torch import Tensor

from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits
from core.registry import loaded
from core.watch import DETECTORS

State = dict[str, Tensor]
"""What a detector keeps of the clean images, on the CPU; it is stored with the profile."""


@dataclass(frozen=True)
class Watched:
    """``model``: the model in use. ``second``: the other model of the run (victim or purified), if it is kept."""

    model: Classifier
    second: Classifier | None = None


class Seen(NamedTuple):
    """The watched model's penultimate features (n, d) and logits (n, classes) of some images."""

    features: Tensor
    logits: Tensor

    @property
    def answers(self) -> Tensor:
        """Class of each image, int64 (n,)."""
        return self.logits.argmax(1)


class Detector(Protocol):
    """A module of ``DETECTORS``."""

    def fit(self, watched: Watched, images: Tensor, labels: Tensor, seen: Seen, seed: int) -> State:
        """Args:
        images: clean, uint8 (n, 3, h, w). labels: their classes (n,). seen: what ``watched.model`` made of them.
        seed: of what is drawn at random.
        """
        ...

    def score(self, watched: Watched, state: State, images: Tensor, seen: Seen) -> Tensor:
        """Suspicion of each image, float (n,), on the CPU.

        Args:
            images: uint8 or float in [0, 1], (n, 3, h, w). seen: what ``watched.model`` made of them.
        """
        ...


def detector(name: str) -> Detector:
    """The detector of that name, one of ``DETECTORS``."""
    return cast(Detector, loaded(DETECTORS[name]))


def see(model: Classifier, images: Tensor) -> Seen:
    """Features and logits of images, on the CPU; features that are not finite are replaced by large numbers."""
    features, logits = features_and_logits(model, images)
    return Seen(
        features.float().cpu().nan_to_num(nan=0.0, posinf=1e15, neginf=-1e15), logits.float().cpu().nan_to_num(0.0)
    )
