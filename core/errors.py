"""The one error that a user is meant to read."""

from __future__ import annotations


class BadInput(ValueError):
    """Something the user gave cannot be used; the message names the thing and what is allowed.

    Args:
        code: stable name of the fault, e.g. ``"budget_too_small"``. The dashboard looks up
            ``error.<code>`` in the reader's language and fills in ``facts``.
        message: one clear sentence in English, shown by the command line.
        facts: the values named in the sentence (plain str, int or float, so they survive JSON).
    """

    def __init__(self, code: str, message: str, **facts: str | int | float) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.facts = facts
