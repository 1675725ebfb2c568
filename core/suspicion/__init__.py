"""Which samples look poisoned, by features alone: one published method per file, and what they are worth.

A method is ``score(features, groups) -> scores``: float64 (n, d) and int (n,) in, float64 (n,) out, 0-1, suspected
from 0.5 on. It is told which class each sample is read as, never which samples carry a trigger.
"""

from __future__ import annotations
