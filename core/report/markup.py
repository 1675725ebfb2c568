"""Builds HTML and SVG in which plain text is always escaped, so that no content can inject markup."""

from __future__ import annotations

from html import escape

VOID = ("br", "img", "meta", "link")


class Markup(str):
    """A string that is markup already. Every other string is escaped when it becomes part of an element."""

    __slots__ = ()


def el(name: str, /, *children: str | None, **attributes: str | float | None) -> Markup:
    """An element. Children that are not ``Markup`` are escaped, and so are all attributes; None is left out.

    Args:
        name: of the element, a constant of ours.
        attributes: ``cls`` becomes ``class``, other underlines become hyphens.
    """
    head = "".join(
        f' {"class" if key == "cls" else key.replace("_", "-")}="{escape(_number(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{head}>")
    return Markup(f"<{name}{head}>{join(*children)}</{name}>")


def join(*children: str | None) -> Markup:
    """Several pieces side by side, escaped where they are plain text."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in children if part is not None))


def _number(value: str | float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
