"""Suspicion of every point of a map by a published detector, with its precision and recall.

The detectors assume that poison is the smaller part of a class. On a map it is not: a quarter of the points carry the
trigger, and nearly all of those are answered with one class. So the triggered points are judged in small parts, each
together with all clean points. In each part, their share of the class is about the one the methods were published for.
Which points are triggered is used for this arrangement and for precision and recall; the methods do not know it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np

SUSPECTED = 0.5  # score from which on a sample is suspected
MAX_PARTS = 40  # with more triggered points, the parts are larger

Method = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Judgement:
    """``scores`` (n,), 0-1: of a clean point, its mean over the parts. ``precision``, ``recall``: percent, over all
    parts; ``precision`` is None where nothing was suspected, ``recall`` where nothing carries the trigger.
    ``share``: of all that was judged, as in these two, what carries the trigger, percent: the precision of chance."""

    scores: np.ndarray
    precision: float | None
    recall: float | None
    share: float


def parts_of(groups: np.ndarray, triggered: np.ndarray, share: float, seed: int = 0) -> list[np.ndarray]:
    """Positions of the triggered points in parts: in each, about ``share`` of the class they are read as are triggered.

    Args:
        groups: (n,), the class each point is read as. triggered: bool (n,).
    """
    positions = np.flatnonzero(triggered)
    if not len(positions):
        return []
    positions = np.random.default_rng(seed).permutation(positions)
    most = int(np.bincount(groups[positions]).argmax())
    clean = int(((groups == most) & ~triggered).sum())
    together = max(3, round(share / (1 - share) * clean))
    crowd = int((groups[positions] == most).sum())
    count = min(MAX_PARTS, max(1, round(crowd / together)))
    return np.array_split(positions, count)


def judge(
    method: Method, features: np.ndarray, groups: np.ndarray, triggered: np.ndarray, share: float, seed: int = 0
) -> Generator[tuple[int, int], None, Judgement]:
    """Judges part after part.

    Args:
        method: see ``core.suspicion``.
        features: (n, d). groups: (n,). triggered: bool (n,).
        share: of the images read as one class that may carry the trigger at a time, 0-1.

    Yields:
        parts done, and parts in all.
    """
    clean = np.flatnonzero(~triggered)
    parts = parts_of(groups, triggered, share, seed) or [np.zeros(0, int)]
    known: dict[bytes, np.ndarray] = {}
    total = np.zeros(len(features))
    times = np.zeros(len(features))
    caught = suspected = carried = seen = 0
    for done, part in enumerate(parts, 1):
        members = np.concatenate([clean, part])
        scores = _by_class(method, features[members], groups[members], members, known)
        total[members] += scores
        times[members] += 1
        flags = scores >= SUSPECTED
        caught += int(flags[len(clean) :].sum())
        suspected += int(flags.sum())
        carried += len(part)
        seen += len(members)
        yield done, len(parts)
    return Judgement(
        total / np.maximum(times, 1),
        100 * caught / suspected if suspected else None,
        100 * caught / carried if carried else None,
        100 * carried / seen if seen else 0.0,
    )


def _by_class(
    method: Method, features: np.ndarray, groups: np.ndarray, members: np.ndarray, known: dict[bytes, np.ndarray]
) -> np.ndarray:
    """``method`` on each class alone; a class of the same members as before need not be judged again."""
    scores = np.zeros(len(features))
    for group in np.unique(groups):
        here = np.flatnonzero(groups == group)
        name = members[here].tobytes()
        if name not in known:
            known[name] = method(features[here], groups[here])
        scores[here] = known[name]
    return scores
