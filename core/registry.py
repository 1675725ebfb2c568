"""Methods by name, each in a module of its own that is loaded when it is asked for: a list of them stays light."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def loaded(place: str) -> Any:
    """What stands at ``module:name``, or the module itself, where the place is ``module`` alone."""
    module, _, name = place.partition(":")
    found = import_module(module)
    return getattr(found, name) if name else found
