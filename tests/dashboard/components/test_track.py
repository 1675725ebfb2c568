from __future__ import annotations

import re

from core.events import Event, Finished, Progress, Repeated, StageStarted
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


FIRST: list[Event] = [StageStarted(stage) for stage in ("measure", "scan", "purify", "verify")]  # type: ignore[arg-type]


def test_a_further_purification_has_a_line_of_its_own_under_its_class() -> None:
    told = [*FIRST, Repeated(2, 1), StageStarted("scan"), StageStarted("purify"), Progress("purify", 1, 2, 9.0)]
    found = digest((10.0 * k, event) for k, event in enumerate(told))
    html = markup(found, over=False, whole=False, names=["stop", "give <way>"])
    assert states(html) == ["done"] * 4 + ["done", "now", "todo"]
    assert html.count('aria-current="step"') == 1
    assert html.count("<ol") == 2
    assert "give &lt;way&gt;" in html
    assert html.count("<span>10 s</span>") == 5, "each line has its own times"
    assert "0:09" in html
    assert states(markup(found, over=True, whole=False)) == ["done"] * 5 + ["halted", "todo"]
    over = digest((10.0 * k, event) for k, event in enumerate([*told, StageStarted("verify"), Finished({})]))
    assert states(markup(over, over=True, whole=True)) == ["done"] * 7


def test_a_further_purification_that_was_begun_and_not_made_is_not_called_done() -> None:
    told = [*FIRST, Repeated(2, 1), StageStarted("scan"), Finished({})]
    html = markup(digest((10.0 * k, event) for k, event in enumerate(told)), over=True, whole=True)
    assert states(html) == ["done"] * 5 + ["todo"] * 2
    assert html.count("<span>not made</span>") == 2


def test_a_worker_that_goes_on_in_the_second_purification_adds_no_line() -> None:
    told = [*FIRST, Repeated(2, 1), *FIRST[:2], Repeated(2, 1), StageStarted("scan")]
    html = markup(digest((float(k), event) for k, event in enumerate(told)), over=False, whole=False)
    assert html.count("<ol") == 2
    assert states(html) == ["done"] * 4 + ["now", "todo", "todo"]
