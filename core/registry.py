"""What is chosen by name (defences, attacks, forms, filters, commands) is listed by its place, ``module:name``.

A module is imported when its entry is asked for, so the lists stay light.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def loaded(place: str) -> Any:
    """What stands at ``module:name``, or the module itself, where the place is ``module`` alone."""
    module, _, name = place.partition(":")
    found = import_module(module)
    return getattr(found, name) if name else found
