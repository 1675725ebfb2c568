"""A model in use is watched: images that look triggered, a stream that drifts, a file that changes, and alerts.

One published detector per file, each with two functions: ``fit(watched, images, labels, seen, seed)`` gives its
``State``, ``score(watched, state, images, seen)`` a suspicion per image, float (n,); the higher, the more suspicious.
Importing this package pulls in nothing heavy.
"""

from __future__ import annotations

DETECTORS: dict[str, str] = {
    "mahalanobis": "core.watch.mahalanobis",
    "relative": "core.watch.relative",
    "nearest": "core.watch.nearest",
    "disagreement": "core.watch.disagreement",
    "strip": "core.watch.strip",
    "scale_up": "core.watch.scale_up",
    "ibd_psc": "core.watch.ibd_psc",
}
"""The module of each."""

DEFAULT = ("mahalanobis", "relative", "nearest")  # what was judged best together: NOTES.md
WITH_SECOND = ("disagreement",)  # beside them where there is a second model to ask
