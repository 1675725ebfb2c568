"""Findings about a user's files that are reported beside the figures."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Found:
    """A finding about a file. ``code``: the catalogue's ``found.<code>``; ``message``: in English."""

    code: str
    message: str
    facts: dict[str, str | int | float] = field(default_factory=dict)
