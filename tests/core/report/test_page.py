"""The whole file: self-contained, safe whatever a user calls things, and small."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import report
from core.report.page import POLICY, build
from core.runs.spec import Spec
from core.words import LANGUAGES, Words
from tests.core.report.conftest import Make, story
from tests.core.report.test_wording import STATES

OURS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "footer", "section", "div", "span", "p", "b",
    "h1", "h2", "small", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "img", "dl", "dt", "dd",
    "ul", "ol", "li", "code", "svg", "g", "path", "circle", "rect", "line",
}  # fmt: skip
HOSTILE = "</style></title></svg><script>alert(1)</script><img src=x onerror=alert(1)>\"'&lt;{0}"


class Seen(HTMLParser):
    """The elements, attributes and text of a page, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def check(page: str) -> Seen:
    """Nothing but our own elements, nothing that runs, nothing that is fetched."""
    seen = Seen(page)
    assert seen.tags <= OURS
    for name, value in seen.attributes:
        assert not name.startswith("on")
        assert name not in ("href", "srcset", "action", "style")
        assert name != "src" or value.startswith("data:image/png;base64,")
        assert name != "xmlns" or value == "http://www.w3.org/2000/svg"  # a name, which nothing fetches
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in style
    return seen


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", STATES)
def test_every_state_of_a_run_makes_a_page_that_needs_nothing_else(make_run: Make, state: str, language: str) -> None:
    page = report.html(make_run(**STATES[state]), language)
    seen = check(page)
    assert ("lang", language) in seen.attributes
    assert ("content", POLICY) in seen.attributes
    assert len(page) < 150_000
    assert not re.search(r"\bNone\b|\bnan\b", seen.text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_names_are_shown_and_do_nothing(make_run: Make, language: str) -> None:
    run = make_run(
        story(kind="estimated"),
        spec=Spec(
            weights=f"/somewhere/{HOSTILE.replace('/', '|')}",
            images=HOSTILE,
            settings={HOSTILE: HOSTILE},
            preset=HOSTILE,
        ),
        classes=[HOSTILE] * 4,
        machine={"cpu": HOSTILE, "platform": HOSTILE, "cores": HOSTILE, "memory_gb": HOSTILE},
        versions={"torch": HOSTILE},
        git_commit=HOSTILE,
        title=HOSTILE,
    )
    seen = check(report.html(run, language))
    assert seen.text.count(HOSTILE) >= 6


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_no_class_name_breaks_out(make_run: Make, run_cache: dict[str, Any], name: str) -> None:
    if not run_cache:
        run = make_run(story(kind="estimated"), spec=Spec(weights="a.pth", images="photos"))
        run_cache.update(run=run, facts=report.gather(run))
    facts = run_cache["facts"]
    renamed = type(facts)(**{**vars(facts), "classes": (name,) * 4})
    assert name in check(build(run_cache["run"], renamed, Words("en"))).text


@pytest.fixture
def run_cache() -> dict[str, Any]:
    return {}


def test_the_same_record_makes_the_same_file(make_run: Make) -> None:
    run = make_run()
    assert report.html(run) == report.html(run)


def test_how_a_run_stands_is_said_on_top(make_run: Make) -> None:
    failure = {"code": "it_<broke>", "message": "It broke in /home/somebody.", "facts": {"path": "/home/somebody"}}
    failed = make_run([], status="failed", failure=failure, name="failed")
    for language in LANGUAGES:
        page = report.html(failed, language)
        assert "it_&lt;broke&gt;" in page
        assert "somebody" not in page, "where things lie on this machine stays on it"
    assert "stopped before its end" in report.html(make_run([], status="stopped", name="stopped"))
