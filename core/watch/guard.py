"""The guard of a model in use: its answers, and which images look triggered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.data.imageset import as_float
from core.errors import BadInput
from core.models.classifier import Classifier
from core.watch.detector import Watched, see
from core.watch.fitting import scores, standardised
from core.watch.pictures import statistics
from core.watch.profile import PICTURES, Profile

BATCH = 256  # images at a time, which bounds the memory


@dataclass(frozen=True)
class Finding:
    """The guard's result for one image.

    ``answer``: the class that the model answers. ``confidence``: its probability, 0-1. ``score``: 0 for an ordinary
    clean image, 1 at the threshold. ``flagged``: whether it is above. ``why``: the detector with the highest score, ""
    if the image is not flagged. ``scores``: of each detector, standardised: 0 for an ordinary clean image, 1 for one
    in twenty. ``pictures``: brightness, contrast and sharpness (``core.watch.pictures``). ``axes``: where its features
    lie along the principal components of the profile's.
    """

    answer: int
    confidence: float
    score: float
    flagged: bool
    why: str
    scores: dict[str, float]
    pictures: dict[str, float]
    axes: tuple[float, ...]


class Guard:
    """Examines images with a model and its profile on clean images.

    Args:
        model: the one in use, on its device.
        profile: made from that model (``core.watch.fitting.fit_profile``, ``core.watch.profile.read_profile``).
        second: the run's other model, if the profile's detectors ask one.

    Raises:
        BadInput: ``profile_of_another_model``: its number of classes or features is another one, or ``second`` lacks.
    """

    def __init__(self, model: Classifier, profile: Profile, second: Classifier | None = None) -> None:
        fits = model.num_classes == len(profile.classes) and model.feature_size == len(profile.arrays["middle"])
        if not fits or ("disagreement" in profile.detectors and second is None):
            raise BadInput(
                "profile_of_another_model",
                "The profile was made from another model than the one to be watched; make one from this model.",
            )
        self.profile = profile
        self.watched = Watched(model, second)
        self._states = {
            name: {key: torch.from_numpy(value) for key, value in profile.state(name).items()}
            for name in profile.detectors
        }
        kept = ("centre", "spread", "axes", "middle")
        self._centre, self._spread, self._axes, self._middle = (torch.from_numpy(profile.arrays[k]) for k in kept)

    def look(self, images: Tensor | np.ndarray) -> list[Finding]:
        """One finding per image, in order.

        Args:
            images: (n, 3, h, w), uint8 or float in [0, 1]; an array may be (n, h, w, 3), as Pillow gives it.

        Raises:
            BadInput: ``images_not_for_the_guard``: another shape or size than the profile's.
        """
        pixels = self.checked(images)
        return [finding for part in pixels.split(BATCH) if len(part) for finding in self._look(part)]

    def checked(self, images: Tensor | np.ndarray) -> Tensor:
        """The images as a tensor (n, 3, h, w).

        Raises:
            BadInput: ``images_not_for_the_guard``.
        """
        pixels = torch.from_numpy(images) if isinstance(images, np.ndarray) else images
        height, width = self.profile.size
        if pixels.ndim == 4 and tuple(pixels.shape[1:]) == (height, width, 3) and isinstance(images, np.ndarray):
            pixels = pixels.permute(0, 3, 1, 2)
        if pixels.ndim != 4 or tuple(pixels.shape[1:]) != (3, height, width):
            shape = "x".join(str(side) for side in pixels.shape)
            raise BadInput(
                "images_not_for_the_guard",
                f"The images are of shape {shape}, and the guard looks at colour images of {width}x{height} pixels; "
                "bring them to that size first.",
                shape=shape, size=f"{width}x{height}",
            )  # fmt: skip
        return pixels

    @torch.inference_mode()
    def _look(self, images: Tensor) -> list[Finding]:
        seen = see(self.watched.model, images)
        each = standardised(scores(self.watched, self._states, images, seen), self._centre, self._spread)
        normal, threshold = self.profile.normal, self.profile.threshold
        total = each.mean(1)
        score = (total - normal) / max(threshold - normal, 1e-6)
        confidence = seen.logits.softmax(1).amax(1)
        axes = (seen.features - self._middle) @ self._axes.T
        pictures = statistics(as_float(images))
        found = []
        for at, answer in enumerate(seen.answers.tolist()):
            flagged = bool(total[at] > threshold)
            found.append(
                Finding(
                    answer=answer, confidence=float(confidence[at]), score=float(score[at]), flagged=flagged,
                    why=self.profile.detectors[int(each[at].argmax())] if flagged else "",
                    scores=dict(zip(self.profile.detectors, each[at].tolist(), strict=True)),
                    pictures=dict(zip(PICTURES, pictures[at].tolist(), strict=True)), axes=tuple(axes[at].tolist()),
                )
            )  # fmt: skip
        return found
