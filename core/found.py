"""What is worth saying of a user's files beside the figures."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Found:
    """Something worth saying about a file. ``code``: the catalogue's ``found.<code>``; ``message``: in English."""

    code: str
    message: str
    facts: dict[str, str | int | float] = field(default_factory=dict)
