"""The bars of a scan at work: every class once, the nearest of very many, and names that are a stranger's."""

from __future__ import annotations

import re

import pytest

from core.events import Searched
from dashboard.components import search
from dashboard.digest import Digest

BAR = re.compile(
    r'<li( class="done")?><b title="[^"]*">([^<]*)</b><i><s style="width:(\d+)%"></s></i><span>([^<]*)</span>'
)


pytestmark = pytest.mark.usefixtures("session")


def bars(digest: Digest, names: list[str]) -> list[tuple[str, ...]]:
    return BAR.findall(search.markup(digest, names))


def test_before_the_first_step_every_bar_is_empty() -> None:
    assert bars(Digest(stage="scan"), ["a", "b"]) == [
        ("", "a", "0", "0\N{NO-BREAK SPACE}%"),
        ("", "b", "0", "0\N{NO-BREAK SPACE}%"),
    ]


def test_a_class_that_is_reached_shows_its_size_beside_the_largest() -> None:
    found = Searched("mask", 1, [62.4, 96.0, 99.0], [None, 10.0, 40.0])
    assert bars(Digest(stage="scan", searched=found), ["a", "b", "c"]) == [
        ("", "a", "62", "62\N{NO-BREAK SPACE}%"),
        (' class="done"', "b", "25", "✓ 10.0 px"),
        (' class="done"', "c", "100", "✓ 40.0 px"),
    ]


def test_of_very_many_classes_the_nearest_are_shown_in_their_order() -> None:
    count = search.MAX_BARS + 40
    found = Searched("mask", 1, [float(label % 100) for label in range(count)], [None] * count)
    names = [f"class {label}" for label in range(count)]
    shown = [name for _, name, _, _ in bars(Digest(stage="scan", searched=found), names)]
    assert shown == names[40:]
    assert "40 more classes" in search.markup(Digest(stage="scan", searched=found), names)


def test_a_strangers_class_names_make_no_markup() -> None:
    html = search.markup(Digest(stage="scan"), ['<img src="x" onerror="alert(1)">'])
    assert "<img" not in html
