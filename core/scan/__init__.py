"""The scan: triggers searched for in several forms, how suspicious each class is, and the verdict.

A form that is inverted for all classes at once is a module with ``SETTINGS`` (``core.scan.race.RaceSettings``),
``start(classes, shape, settings, seed)``, the race of these classes at its start, and
``invert(model, images, seed, sought)``, which yields as ``core.scan.race.run``.
Importing this package pulls in nothing heavy.
"""

from __future__ import annotations

FORMS: dict[str, str] = {
    "mask": "core.scan.mask_pattern",
    "pixel": "core.scan.additive",
    "smooth": "core.scan.smooth",
}
"""The module of each, in the order in which a scan takes them; names as in ``core.triggers.FORMS``."""
