"""Presets of settings, and the check of single values that a user changes.

A setting is a number, or a tuple of numbers, of 0 or more. A settings class names those of a narrower range in
``ABOVE_0``, ``BELOW_1`` and ``AT_MOST_1``; it inherits the names of the class that it extends. What it inherits and
never uses it names in ``UNUSED``: a user cannot change it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from core.errors import BadInput

Settings = TypeVar("Settings")


def from_preset(method: str, presets: Mapping[str, Settings], preset: str, **changes: Any) -> Settings:
    """The settings of a preset with single values changed.

    Where ``epochs`` is changed, it is held to: the ``least`` steps that a small budget gets are given up, unless they
    are changed too.

    Args:
        method: its name in the sentences of an error.
        presets: frozen dataclasses of numbers and tuples of numbers.

    Raises:
        BadInput: no such preset or setting, or a value the setting cannot have.
    """
    if preset not in presets:
        allowed = ", ".join(presets)
        raise BadInput(
            "unknown_preset",
            f"There is no preset called {preset!r}; use one of {allowed}.",
            preset=preset,
            allowed=allowed,
        )
    settings = presets[preset]
    if "epochs" in changes and hasattr(settings, "least"):
        changes = {"least": 0} | changes
    for name, value in changes.items():
        settings = replace(settings, **{name: _checked(method, settings, name, value)})  # type: ignore[type-var]
    return settings


def _checked(method: str, default: Any, name: str, value: Any) -> Any:
    """A setting's new value in the type it has to have."""
    names = [f.name for f in fields(default) if not _is_named(default, f.name, "UNUSED")]
    if name not in names:
        allowed = ", ".join(names)
        raise BadInput(
            "unknown_setting", f"{method} has no setting {name!r}; it has {allowed}.", name=name, allowed=allowed
        )
    above_0, below_1, at_most_1 = (_is_named(default, name, of) for of in ("ABOVE_0", "BELOW_1", "AT_MOST_1"))
    now = getattr(default, name)
    several = isinstance(now, tuple)
    kind = type(now[0] if several else now)
    parts = list(value) if isinstance(value, (list, tuple)) else [value]
    if (
        not parts
        or (len(parts) > 1 and not several)
        or not all(isinstance(part, (int, float)) and not isinstance(part, bool) for part in parts)
        or not all(math.isfinite(part) and part >= 0 and part == kind(part) for part in parts)
        or (above_0 and min(parts) == 0)
        or (below_1 and max(parts) >= 1)
        or (at_most_1 and max(parts) > 1)
    ):
        whole = "whole " if kind is int else ""
        what = f"{whole}numbers" if several else f"one {whole}number"
        least = "above 0" if above_0 else "of 0 or more"
        most = " and below 1" if below_1 else " and at most 1" if at_most_1 else ""
        raise BadInput(
            "bad_setting", f"The setting {name} must be {what} {least}{most}, not {value!r}.",
            name=name, value=str(value),
        )  # fmt: skip
    return tuple(kind(part) for part in parts) if several else kind(parts[0])


def _is_named(settings: Any, name: str, of: str) -> bool:
    """Whether the settings' class, or one that it extends, names a setting in the tuple ``of``."""
    return any(name in vars(kind).get(of, ()) for kind in type(settings).__mro__)
