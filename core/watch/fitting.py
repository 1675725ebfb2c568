"""Makes a profile from the clean budget: fits detectors, calibrates scores, and describes the expected stream."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from core import __version__
from core.runs.record import now
from core.watch import DEFAULT, WITH_SECOND
from core.watch.detector import Seen, State, Watched, detector, see
from core.watch.pictures import statistics
from core.watch.profile import Profile, state_name
from core.watch.variations import varied

FALSE_ALARM_RATE = 0.01  # false alarms aimed at, as a share of clean images
FOLDS = 5  # parts of the clean budget: each is scored by detectors that were fitted to the others
STREAM_AXES = 3  # principal components of the features, in which the stream is compared
MAX_SCORE = 20.0  # largest standardised score of a detector, so that none outweighs all others
Progress = Callable[[int, int], None]


def fit_profile(
    watched: Watched,
    images: Tensor,
    labels: Tensor,
    classes: Sequence[str],
    *,
    which: str = "victim",
    model_sha256: str = "",
    second_sha256: str = "",
    detectors: Sequence[str] | None = None,
    rate: float = FALSE_ALARM_RATE,
    seed: int = 0,
    bits: int | None = None,
    progress: Progress | None = None,
) -> Profile:
    """The profile of a model on clean images.

    Every image is scored by detectors that were fitted without it (cross-fitting in ``FOLDS`` parts). The threshold is
    the score that at most ``rate`` of such images exceed, counted as in split conformal prediction: the ceil((1 -
    rate)(n + 1))-th smallest, or the largest where there are too few images for that.

    Args:
        watched: on its device.
        images: uint8 (n, 3, h, w). labels: their true classes (n,).
        detectors: names; by default those that NOTES.md argues for.
        bits: as ``ImageSet.bits``.
        progress: called with (steps done, steps in all).
    """
    names = tuple(detectors or (DEFAULT if watched.second is None else (*DEFAULT, *WITH_SECOND)))
    both = _Clean(watched, images, labels, seed)
    raw = _held_out(both, names, progress)
    centre, spread = standard(raw)
    calibration = combined(raw, centre, spread).numpy()
    arrays: dict[str, np.ndarray] = {}
    everything = torch.ones(len(both.labels), dtype=torch.bool)
    for name, state in both.fitted(names, everything).items():
        arrays |= {state_name(name, key): value.numpy() for key, value in state.items()}
    if progress:
        progress(FOLDS + 1, FOLDS + 1)
    return Profile(
        model_sha256=model_sha256, images_sha256=hash_of(images, labels), which=which, second_sha256=second_sha256,
        detectors=names, rate=rate, threshold=_threshold(calibration, rate), images=len(images),
        size=(int(images.shape[-2]), int(images.shape[-1])), bits=bits, classes=tuple(classes), seed=seed, made=now(),
        version=__version__,
        arrays=arrays | _stream(Seen(*(part[: len(images)] for part in both.seen)), images)
        | {"calibration": calibration, "centre": centre.numpy(), "spread": spread.numpy()},
    )  # fmt: skip


def standard(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and spread of each column of scores: the median, and from there to the 95th percentile.

    Args:
        raw: float (n, k).
    """
    ordered = raw.sort(0).values
    centre, high = ordered[len(raw) // 2], ordered[int(0.95 * (len(raw) - 1))]
    spread = torch.maximum(high - centre, (ordered[-1] - centre) / 4)
    return centre, spread.clamp_min(1e-6)


def combined(raw: Tensor, centre: Tensor, spread: Tensor) -> Tensor:
    """One score per image: the mean of the standardised scores, (n,)."""
    return standardised(raw, centre, spread).mean(1)


def standardised(raw: Tensor, centre: Tensor, spread: Tensor) -> Tensor:
    """Scores of median 0 and 95th percentile 1 on clean images, capped at ``MAX_SCORE``, (n, k)."""
    return (
        ((raw - centre) / spread)
        .nan_to_num(nan=MAX_SCORE, posinf=MAX_SCORE, neginf=-MAX_SCORE)
        .clamp(-MAX_SCORE, MAX_SCORE)
    )


def scores(watched: Watched, states: dict[str, State], images: Tensor, seen: Seen) -> Tensor:
    """The raw scores of several detectors, float (n, k)."""
    columns = [detector(name).score(watched, state, images, seen) for name, state in states.items()]
    return torch.stack([column.float().cpu() for column in columns], 1)


class _Clean:
    """The clean images and a varied copy of each (``core.watch.variations``), and what the model made of them."""

    def __init__(self, watched: Watched, images: Tensor, labels: Tensor, seed: int) -> None:
        self.watched, self.seed = watched, seed
        self.images, self.labels = torch.cat([images, varied(images, seed)]), torch.cat([labels, labels])
        self.seen = see(watched.model, self.images)

    def fitted(self, names: Sequence[str], chosen: Tensor) -> dict[str, State]:
        """Detectors fitted to those of the images that are ``chosen``, bool (2n,)."""
        x, y, seen = self.images[chosen], self.labels[chosen], self._seen(chosen)
        return {name: detector(name).fit(self.watched, x, y, seen, self.seed) for name in names}

    def scored(self, states: dict[str, State], chosen: Tensor) -> Tensor:
        return scores(self.watched, states, self.images[chosen], self._seen(chosen))

    def _seen(self, chosen: Tensor) -> Seen:
        return Seen(*(part[chosen] for part in self.seen))


def _held_out(clean: _Clean, names: Sequence[str], progress: Progress | None) -> Tensor:
    """Scores of every image and copy by detectors that were fitted without that image and its copy."""
    count = len(clean.labels) // 2
    order = torch.randperm(count, generator=torch.Generator().manual_seed(clean.seed))
    found = []
    for number, part in enumerate(order.chunk(FOLDS), 1):
        left = torch.zeros(2, count, dtype=torch.bool)
        left[:, part] = True
        left = left.flatten()
        found.append(clean.scored(clean.fitted(names, ~left), left))
        if progress:
            progress(number, FOLDS + 1)
    return torch.cat(found)


def _threshold(calibration: np.ndarray, rate: float) -> float:
    ordered = np.sort(calibration)
    return float(ordered[min(len(ordered), math.ceil((1 - rate) * (len(ordered) + 1))) - 1])


def _stream(seen: Seen, images: Tensor) -> dict[str, np.ndarray]:
    """What a stream of clean images looks like to the model, one row per image."""
    middle = seen.features.mean(0)
    _, _, axes = torch.linalg.svd(seen.features - middle, full_matrices=False)
    axes = axes[:STREAM_AXES]
    return {
        "stream.answers": seen.answers.numpy(),
        "stream.confidence": seen.logits.softmax(1).amax(1).numpy(),
        "stream.pictures": statistics(images).numpy(),
        "stream.features": ((seen.features - middle) @ axes.T).numpy(),
        "axes": axes.numpy(), "middle": middle.numpy(),
    }  # fmt: skip


def hash_of(images: Tensor, labels: Tensor) -> str:
    """SHA-256 of clean images and their classes, in hexadecimal."""
    whole = hashlib.sha256(np.ascontiguousarray(images.cpu().numpy()).tobytes())
    whole.update(labels.cpu().numpy().astype("<i8").tobytes())
    return whole.hexdigest()
