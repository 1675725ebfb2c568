"""Both hints stand on the page, and the pointer decides which is seen, whatever the window's width."""

from __future__ import annotations

import re

import pytest

from dashboard.components import frame, hints
from dashboard.i18n import catalogue

NAMES = ("map", "compare")


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("name", NAMES)
def test_a_mouse_and_a_finger_are_told_different_things(session: dict[str, str], name: str, lang: str) -> None:
    session["lang"] = lang
    fine, coarse = re.findall(r'<span class="dz-(?:fine|coarse)">([^<]+)</span>', hints.markup(name))
    assert (fine, coarse) == (catalogue(lang)[f"hint.{name}"], catalogue(lang)[f"hint.{name}_touch"])
    assert {"en": "Tap", "ja": "タップ"}[lang] in coarse
    assert {"en": "Tap", "ja": "タップ"}[lang] not in fine


def test_the_style_sheet_asks_for_the_pointer() -> None:
    css = (frame.HERE / "theme.css").read_text(encoding="utf-8")
    assert "@media (pointer: coarse) { .dz-fine { display: none; } .dz-coarse { display: inline; } }" in css
