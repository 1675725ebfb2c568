"""``BadInput``, the error for everything that a user can cause and should read."""

from __future__ import annotations

import unicodedata


class BadInput(ValueError):
    """An input of the user cannot be used; the message names it and says what is allowed.

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
    """``text`` with control characters as escapes, since names in an untrusted file could control a terminal."""
    if text.isprintable():
        return text
    return "".join(character if _is_shown(character) else ascii(character)[1:-1] for character in text)


def _is_shown(character: str) -> bool:
    return unicodedata.category(character)[0] != "C" and character not in "\u2028\u2029"
