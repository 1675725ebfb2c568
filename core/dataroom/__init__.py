"""The data room: a training set that may be poisoned, filters that say which of its images are suspicious, lists.

A filter is a module with ``judge(material, false_alarms, seed) -> Judged`` (``core.dataroom.filter``), one published
method each. Nothing is ever deleted: what comes out are lists (``core.dataroom.written``).
"""

from __future__ import annotations

FILTERS: dict[str, str] = {
    "contamination": "core.dataroom.contamination:judge",
    "beatrix": "core.dataroom.beatrix:judge",
    "ac": "core.dataroom.activation_clustering:judge",
    "ss": "core.dataroom.spectral_signatures:judge",
}
"""``judge`` of each filter, the recommended one first: the figures are in NOTES.md beside this file.

``contamination`` is SCAn, the Statistical Contamination Analyzer; ``ac`` is activation clustering, ``ss`` spectral
signatures.
"""

ALONE = "ac"
"""The filter that judges each class by itself; the others compare classes, and need some."""

THEN = ("retrain", "purify", "suppress", "split")
"""What may be done next."""

NEED_TRUSTED = ("split",)
"""The ways that trusted images of each class are needed for."""
