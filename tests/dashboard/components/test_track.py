from __future__ import annotations

import re

from core.events import Progress, StageStarted
from dashboard.components.track import markup
from dashboard.digest import digest


def states(html: str) -> list[str]:
    return re.findall(r'<li class="(\w+)"', html)


def test_a_run_that_is_going_on() -> None:
    events = [StageStarted("measure"), StageStarted("scan"), Progress("scan", 3, 4, 5.0)]
    html = markup(digest((float(k), event) for k, event in enumerate(events)), over=False, whole=False)
    assert states(html) == ["done", "now", "todo", "todo"]
    assert html.count('aria-current="step"') == 1
    assert "width:75%" in html
    assert "0:05" in html


def test_loading_counts_as_the_start_of_measuring() -> None:
    html = markup(digest([(0.0, StageStarted("load"))]), over=False, whole=False)
    assert states(html)[0] == "now"
    assert "<span>loading</span>" in html
    events = [(0.0, StageStarted("load")), (40.0, StageStarted("measure")), (43.0, StageStarted("scan"))]
    assert "<span>43 s</span>" in markup(digest(events), over=False, whole=False)


def test_a_run_that_ended_early_and_one_that_is_whole() -> None:
    found = digest([(0.0, StageStarted("measure")), (1.0, StageStarted("scan"))])
    assert states(markup(found, over=True, whole=False)) == ["done", "halted", "todo", "todo"]
    assert states(markup(found, over=True, whole=True)) == ["done"] * 4
