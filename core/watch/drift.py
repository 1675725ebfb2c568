"""Drift: whether a stream of images still has the distribution that the profile was made from; two-sample tests.

Chi-square for the shares of answers, Kolmogorov-Smirnov for confidence, features and image statistics, after S.
Rabanser, S. Guennemann, Z. Lipton: "Failing Loudly: An Empirical Study of Methods for Detecting Dataset Shift",
NeurIPS 2019, section 3: univariate tests with a Bonferroni correction. In a large window the smallest difference is
significant. So a shift must also be large (``MIN_STATISTIC``): the clean budget are training images, on which the model
is slightly more confident than on others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.watch.profile import PICTURES, Profile

SIGNIFICANCE = 0.01  # significance level of all tests of a window together
MIN_STATISTIC = 0.2  # of a drift: KS distance, or Cramer's V for the answers, 0-1
MIN_WINDOW = 30  # images; with fewer, nothing is tested
WINDOW = 200  # last images, at most, that are compared with the profile


@dataclass(frozen=True)
class Shift:
    """One quantity: ``statistic`` (KS distance, or Cramer's V for the answers, 0-1), ``p``, and whether it drifted."""

    statistic: float
    p: float
    drifted: bool


def drift(profile: Profile, window: Sequence[Mapping[str, Any]]) -> dict[str, Shift]:
    """Each quantity of the window compared with the profile; empty if the window has fewer than ``MIN_WINDOW`` images.

    Args:
        window: the log's entries of images, with ``answer``, ``confidence``, ``pictures``, ``axes``.
    """
    if len(window) < MIN_WINDOW:
        return {}
    from scipy.stats import ks_2samp

    reference: dict[str, np.ndarray] = {"confidence": profile.arrays["stream.confidence"]}
    now: dict[str, np.ndarray] = {"confidence": np.array([entry["confidence"] for entry in window])}
    for at, name in enumerate(PICTURES):
        reference[name] = profile.arrays["stream.pictures"][:, at]
        now[name] = np.array([entry["pictures"][name] for entry in window])
    axes = np.array([entry["axes"] for entry in window])
    for at in range(axes.shape[1]):
        reference[f"feature_{at + 1}"] = profile.arrays["stream.features"][:, at]
        now[f"feature_{at + 1}"] = axes[:, at]
    level = SIGNIFICANCE / (len(now) + 1)
    found = {"answers": _shares(profile, np.array([entry["answer"] for entry in window]), level)}
    for name, values in now.items():
        test = ks_2samp(reference[name], values, method="asymp")
        found[name] = _shift(float(test.statistic), float(test.pvalue), level)
    return found


def _shares(profile: Profile, answers: np.ndarray, level: float) -> Shift:
    """Chi-square of the table of answers, 2 x classes; a class that neither has is left out."""
    from scipy.stats import chi2_contingency

    classes = len(profile.classes)
    table = np.stack([np.bincount(part, minlength=classes) for part in (profile.arrays["stream.answers"], answers)])
    table = table[:, table.sum(0) > 0]
    if table.shape[1] < 2:
        return Shift(0.0, 1.0, False)
    test = chi2_contingency(table)
    return _shift(float(np.sqrt(test.statistic / table.sum())), float(test.pvalue), level)


def _shift(statistic: float, p: float, level: float) -> Shift:
    return Shift(round(statistic, 4), p, bool(p < level and statistic >= MIN_STATISTIC))
