"""The play head's arithmetic: a replay spends its time where things happen. Its script runs in the browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from dashboard.components.stage import ASSETS

pytestmark = pytest.mark.browser
PLAY = """([frames, spans]) => {
  const {Player, paceOf} = window.made;
  const pace = paceOf(frames.map(([x, answer]) => ({coords: [x], answers: [answer]})), 10);
  const player = new Player({count: frames.length, live: false, replay: true, still: false, pace});
  const seen = [];
  const wait = (ms) => { for (let left = ms; left > 0; left -= 50) player.tick(50); };
  for (const span of spans) {
    if (span === "again") player.replay(); else wait(span);
    seen.push([player.position, player.playing]);
  }
  return {pace, seen};
}"""


@pytest.fixture(scope="module")
def play(browser: Browser) -> Iterator[Callable[[list, list], Any]]:
    page = browser.new_page()
    page.goto("about:blank")
    page.evaluate(
        "async (code) => { const blob = new Blob([code], {type: 'text/javascript'});"
        "window.made = await import(URL.createObjectURL(blob)) }",
        (ASSETS / "player.js").read_text(encoding="utf-8"),
    )
    yield lambda frames, spans: page.evaluate(PLAY, [frames, spans])
    page.close()


def test_most_of_the_time_goes_where_points_travel(play) -> None:
    frames = [[0, 0], [8, 0], [8.1, 0], *([8.2, 0] for _ in range(20))]
    pace = play(frames, [])["pace"]
    assert pace[0] > 0.7 * sum(pace)
    assert 3000 <= sum(pace) <= 9001
    assert min(pace) > 0


def test_an_answer_that_turns_counts_too_and_without_any_change_all_are_alike(play) -> None:
    turned = play([[0, 0], [0, 0], [0, 1]], [])["pace"]
    assert turned[1] > 10 * turned[0]
    still = play([[0, 0]] * 4, [])["pace"]
    assert still == pytest.approx([still[0]] * 3)


def test_it_rests_at_the_start_plays_to_the_end_and_plays_again_when_asked(play) -> None:
    frames = [[0, 0], [5, 0], [6, 0]]
    seen = play(frames, [1000, 30_000, 50, "again", 1000, 30_000])["seen"]
    assert seen == [[0, True], [2, False], [2, False], [0, True], [0, True], [2, False]]
