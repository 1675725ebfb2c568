"""The scan: trigger inversion in several forms, the suspicion of each class, and the verdict.

A form that is inverted for all classes at once is a module with ``SETTINGS`` and ``start``, as ``core.scan.form.Form``
says. This package imports nothing heavy.
"""

from __future__ import annotations

FORMS: dict[str, str] = {
    "mask": "core.scan.mask_pattern",
    "pixel": "core.scan.additive",
    "smooth": "core.scan.smooth",
}
"""The module of each form, in the order of the scan; names as in ``core.triggers.FORMS``."""
