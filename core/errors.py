"""The one error that a user is meant to read."""

from __future__ import annotations

import unicodedata


class BadInput(ValueError):
    """Something the user gave cannot be used; the message names the thing and what is allowed.

    Args:
        code: stable name of the fault, e.g. ``"budget_too_small"``. The dashboard looks up
            ``error.<code>`` in the reader's language and fills in ``facts``.
        message: one clear sentence in English, shown by the command line; control characters become escapes.
        facts: the values named in the sentence (plain str, int or float, so they survive JSON).
    """

    def __init__(self, code: str, message: str, **facts: str | int | float) -> None:
        self.code = code
        self.message = printable(message)
        self.facts = {name: printable(value) if isinstance(value, str) else value for name, value in facts.items()}
        super().__init__(self.message)


def printable(text: str) -> str:
    """``text`` on one line, with control characters as escapes: names in a stranger's file may steer a terminal."""
    if text.isprintable():
        return text
    return "".join(character if _is_shown(character) else ascii(character)[1:-1] for character in text)


def _is_shown(character: str) -> bool:
    return unicodedata.category(character)[0] != "C" and character not in "\u2028\u2029"
