"""A made-up training set as a model sees it: ten classes of normal features, one of them with a second group."""

from __future__ import annotations

import numpy as np

from core.dataroom.filter import Material

CLASSES, TARGET = 10, 4


def made_up(
    poison: int = 50, clean: int = 60, trusted: int = 0, apart: float = 8.0, dims: int = 12, classes: int = CLASSES,
    target: int = TARGET,
) -> Material:  # fmt: skip
    """``poison`` images called ``target`` lie ``apart`` from its others, in features, maps and looks."""
    rng = np.random.default_rng(0)
    centres = 5 * rng.normal(size=(classes, dims))
    stretch = 0.5 + rng.random(dims)

    def some(labels: np.ndarray) -> np.ndarray:
        return centres[labels] + stretch * rng.normal(size=(len(labels), dims))

    labels = np.repeat([*range(classes), target], [*[clean] * classes, poison])
    features = some(labels)
    poisoned = np.arange(len(labels)) >= classes * clean
    features[poisoned, 0] += apart
    known = np.repeat(np.arange(classes), trusted)
    looks = np.where(poisoned[:, None], rng.random((len(labels), 20)), 0.5).astype(np.float32)

    def maps(many: int, odd: np.ndarray) -> np.ndarray:
        found = 1 + 0.05 * rng.random((many, 6, 9))
        found[odd, 2] *= 3
        return found.astype(np.float16)

    nobody = np.zeros(len(known), bool)
    seen, trusted = maps(len(labels), poisoned), maps(len(known), nobody)
    own = some(known)
    return Material(features, features[:, :0], seen, looks, labels, classes, own, own[:, :0], trusted, known)


def poisoned(material: Material, clean: int = 60) -> np.ndarray:
    return np.arange(len(material.labels)) >= CLASSES * clean
