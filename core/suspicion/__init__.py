"""Which samples look poisoned, by features alone: one published method per file, and what they are worth.

A method is a module with ``score(features, groups) -> scores``: float64 (n, d) and int (n,) in, float64 (n,) out, 0-1,
suspected from 0.5 on; and ``SHARE``, the share of poison in a class that it was published for. It is told which class
each sample is read as, never which samples carry a trigger. Importing this package pulls in nothing heavy.
"""

from __future__ import annotations

METHODS: dict[str, str] = {
    "ac": "core.suspicion.activation_clustering",
    "ss": "core.suspicion.spectral_signatures",
}
"""The module of each, in the order in which results keep them: a new one comes last."""

NAMES: dict[str, str] = {method: place.rpartition(".")[2] for method, place in METHODS.items()}
"""What each is called in tables, in figures and in the glossary."""
