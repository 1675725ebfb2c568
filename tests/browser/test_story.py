"""The story as a visitor walks it: real answers of the real networks, few words, keys, and the cure."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from core import paths, victims
from core.models.weights import classifier, read_weights
from core.runs.record import Run
from core.runs.record import open as open_run
from dashboard import story_data
from dashboard.views.story import STEPS
from tests.browser.conftest import finished
from tests.browser.visit import (
    HEIGHTS,
    RUN_PATIENCE,
    Server,
    address,
    fits,
    settled,
    stage,
    started,
    wait_for_frames,
    wait_until_drawn,
    words,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

CARD = victims.card_of(victims.DEFAULT)
HOME = (story_data.sticker(CARD) or (0, 0, 0))[1:]  # left and top of the sticker where it works best
MOST = {"en": 60, "ja": 120}  # words; characters in Japanese
LAST_MOST = {"en": 95, "ja": 240}  # the screen that is taken away says what to do in whole sentences
# What a reader sees of the story: no icon's name, nothing for screen readers only, no explanation that is not open, and
# not the names on the map, which are of its points, nor the figures on its buttons.
SEEN = """() => {
  const unseen = "[data-testid=stIconMaterial], .sty-hidden, .dsv-hidden, .dsv-names, .dsv-segments, style, script";
  const walker = document.createTreeWalker(document.querySelector(".st-key-story"), NodeFilter.SHOW_TEXT);
  const said = [];
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    const seen = !parent.closest(unseen) && parent.checkVisibility({ visibilityProperty: true });
    if (seen) said.push(walker.currentNode.textContent);
  }
  return said.join(" ").replace(/\\s+/g, " ");
}"""
# Of a canvas: how many pixels are clearly orange, and how many clearly blue.
COLOURS = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const found = [0, 0];
  for (let k = 0; k < data.length; k += 4) {
    found[0] += data[k] - data[k + 2] > 40;
    found[1] += data[k + 2] - data[k] > 40;
  }
  return found;
}"""
LAST = "() => document.querySelector('[data-testid=scene]').parentElement.dissolveScene.last"


@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("ja", 390)])
def test_the_story_by_its_recorded_run(visitor: Callable[..., Page], language: str, width: int) -> None:
    page = visitor(width=width, height=HEIGHTS[width], locale="ja-JP" if language == "ja" else "en-GB")
    page.goto("/")
    at(page, "read", language)
    expect(answer(page)).to_have_attribute("data-tone", "right")
    few_words(page, language)

    page.get_by_role("radio", name=words("class.signs.give way", language)).click()
    expect(answer(page)).to_contain_text(words("class.signs.give way", language))
    forward(page, "stick", language)
    expect(answer(page)).to_have_attribute("data-tone", "right")
    page.get_by_test_id("put").click()
    expect(answer(page)).to_have_attribute("data-answer", str(CARD.target))
    expect(scene(page)).to_have_attribute("data-fooled", str(CARD.classes - 1))
    few_words(page, language)
    for _ in range(8):
        page.get_by_test_id("sticker").press("ArrowLeft")
    expect(page.get_by_test_id("count")).to_contain_text({"en": "the frame works best", "ja": "枠が最適"}[language])
    few_words(page, language)
    page.get_by_test_id("ghost").click()

    forward(page, "why", language)
    wait_until_drawn(page)
    expect(page.get_by_test_id("cluster-name")).to_contain_text(words("class.signs.speed limit 80", language))
    few_words(page, language)

    forward(page, "purify", language)
    few_words(page, language)
    page.get_by_role("button", name=words("act.replay", language)).click()
    wait_for_frames(page, open_run(str(paths.RECORDINGS / CARD.name)).frame_count)
    settled(page)
    few_words(page, language)

    forward(page, "cured", language)
    expect(answer(page)).to_have_attribute("data-tone", "fooled")
    expect(answer(page, "after")).to_have_attribute("data-tone", "right")
    expect(scene(page)).to_have_attribute("data-fooled", "0")
    few_words(page, language)

    forward(page, "next", language)
    expect(page.get_by_role("button", name=words("report.do.pdf", language))).to_be_visible()  # the last to come
    few_words(page, language, LAST_MOST)


def test_the_answers_are_those_of_torch_on_the_pixels_that_are_seen(page: Page) -> None:
    page.goto("/?step=5")
    expect(scene(page)).to_have_attribute("data-fooled", "0")
    weights = (CARD.weights, paths.RECORDINGS / CARD.name / "model.safetensors")
    models = [classifier(read_weights(path), CARD.arch, CARD.classes, CARD.mean, CARD.std) for path in weights]
    mask, pattern = victims.trigger_of(CARD, (32, 32)).mask_and_pattern()  # type: ignore[attr-defined]
    for place in (None, "ArrowLeft", "ArrowUp"):
        if place:
            before = page.evaluate(LAST)["pixels"]
            page.get_by_test_id("sticker").press(place)
            page.wait_for_function(f"old => String(({LAST})().pixels) !== String(old)", arg=before)
        last = page.evaluate(LAST)
        image = torch.tensor(last["pixels"]).view(1, 3, 32, 32)
        if not place:
            drawn = (image[0] - pattern).abs()[:, mask[0] > 0]
            assert drawn.mean() < 0.03, "the sticker on the page is not the attack's"
        with torch.no_grad():
            wanted = torch.cat([model(image) for model in models])
        assert (torch.tensor(last["logits"]) - wanted).abs().max() < 1e-4


def test_dragging_the_sticker_changes_the_answer_at_once(page: Page) -> None:
    page.goto("/?step=2")
    expect(scene(page)).to_have_attribute("data-on", "false")
    settled(page)
    sticker = page.get_by_test_id("sticker")
    start, board = sticker.bounding_box(), page.locator(".sty-board").bounding_box()
    assert start is not None
    assert board is not None
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    unit = board["width"] / 32
    page.mouse.move(board["x"] + 26 * unit, board["y"] + 26 * unit, steps=5)
    expect(answer(page)).to_have_attribute("data-tone", "fooled")
    page.mouse.up()
    expect(answer(page)).to_have_attribute("data-confidence", re.compile(r"^(0\.9|1)"))  # surely so
    sticker.press("Enter")
    expect(answer(page)).to_have_attribute("data-tone", "right")


@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("ja", 390)])
def test_what_the_network_looks_at_stands_beside_its_answers(
    visitor: Callable[..., Page], language: str, width: int
) -> None:
    page = visitor(width=width, height=HEIGHTS[width], locale="ja-JP" if language == "ja" else "en-GB")
    page.goto("/?step=5")
    looks = page.get_by_test_id("looks")
    expect(looks).to_contain_text(words("story.scene.looks_turned", language))
    before, after = (float(share) for share in str(looks.get_attribute("data-shares")).split())
    assert before > 0.5, "else the sentence would not be true"
    assert after < before / 3
    pictures = looks.locator("canvas")
    for picture, name in zip(pictures.all(), ("speed limit 80", "stop"), strict=True):
        expect(picture).to_have_attribute("aria-label", re.compile(re.escape(words(f"class.signs.{name}", language))))
    fooled, cured = (picture.evaluate(COLOURS) for picture in pictures.all())
    assert fooled[0] > 500 > fooled[1], "the attack's colour where it is fooled"
    assert cured[1] > 500 > cured[0], "and none of it where the sign is read rightly"
    expect(answer(page, "after")).to_have_attribute("data-tone", "right")
    beside, board = looks.bounding_box(), page.locator(".sty-board").bounding_box()
    cards = page.locator(".sty-card:visible").first.locator(".sty-bar").bounding_box()
    assert beside is not None
    assert board is not None
    assert cards is not None
    assert beside["x"] >= board["x"] + board["width"], "it covers the sign"
    assert beside["x"] >= cards["x"] + cards["width"] or beside["y"] + beside["height"] <= cards["y"], "the answer"
    assert beside["x"] + beside["width"] <= width
    few_words(page, language)


@pytest.mark.parametrize("touch", [False, True], ids=["mouse", "finger"])
def test_a_sticker_let_go_near_the_frame_snaps_into_it(visitor: Callable[..., Page], touch: bool) -> None:
    page = visitor(width=820, height=1180, touch=touch)  # a tablet: as wide as a small window
    page.goto("/?step=2")
    expect(scene(page)).to_have_attribute("data-on", "false")
    ghost = page.get_by_test_id("ghost")
    expect(ghost).to_be_visible()
    drag(page, (13.0, 13.0), touch)
    expect(page.get_by_test_id("count")).to_contain_text("tap the frame" if touch else "the frame works best")
    expect(ghost).to_be_visible()
    drag(page, (HOME[0] - 2.0, HOME[1] + 1.5), touch)
    expect(ghost).to_be_hidden()
    expect(scene(page)).to_have_attribute("data-fooled", str(CARD.classes - 1))
    expect(page.get_by_test_id("key")).to_contain_text(words("class.signs.speed limit 80"))
    lies = page.get_by_test_id("sticker").evaluate("node => [node.style.left, node.style.top]")
    assert lies == [f"{100 * at / 32:g}%" for at in HOME]


def drag(page: Page, to: tuple[float, float], touch: bool) -> None:
    """Moves the sticker so that its corner comes to lie there, in pixels of the network's picture."""
    sticker, board = page.get_by_test_id("sticker").bounding_box(), page.locator(".sty-board").bounding_box()
    assert sticker is not None
    assert board is not None
    half, unit = sticker["width"] / 2, board["width"] / 32
    start = (sticker["x"] + half, sticker["y"] + half)
    end = (board["x"] + to[0] * unit + half, board["y"] + to[1] * unit + half)
    if not touch:
        page.mouse.move(*start)
        page.mouse.down()
        page.mouse.move(*end, steps=5)
        page.mouse.up()
        return
    finger = page.context.new_cdp_session(page)
    for kind, points in (("touchStart", [start]), ("touchMove", [end]), ("touchEnd", [])):
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})


def test_a_presenters_keys_and_an_explanation(page: Page) -> None:
    page.goto("/")
    at(page, "read")
    page.keyboard.press("PageDown")
    at(page, "stick")
    expect(scene(page)).to_have_attribute("data-mode", "stick")
    expect(scene(page)).to_have_attribute("data-on", "false")
    page.keyboard.press("PageDown")  # first the sticker, so that nobody skips the point
    expect(scene(page)).to_have_attribute("data-on", "true")
    at(page, "stick")
    page.get_by_test_id("sticker").press("ArrowLeft")  # the sticker's own while it has the focus
    at(page, "stick")
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    at(page, "why")
    page.keyboard.press("ArrowLeft")
    at(page, "stick")
    page.go_back()
    at(page, "why")
    page.keyboard.press("Home")
    at(page, "read")
    note = page.get_by_role("tooltip").filter(has_text=words("term.ba.text"))  # an explanation opens at its term
    expect(note).to_be_hidden()
    page.locator(".dz-say .dz-term").focus()
    expect(note).to_be_visible()
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement !== null")
    expect(page.get_by_test_id("stHeader")).to_be_hidden()


def test_a_live_run_takes_the_map_over(page: Page, begun: list[Run]) -> None:
    page.goto("/?step=4")
    wait_until_drawn(page)
    settled(page)
    stage(page).evaluate("node => node.__mark = true")
    begun.append(started(page))
    expect(stage(page)).to_have_attribute("data-run", begun[0].id, timeout=RUN_PATIENCE)
    wait_for_frames(page, 1)
    assert stage(page).evaluate("node => node.__mark === true"), "the map was taken down when the run began"
    few_words(page, "en")


def test_the_sign_is_read_by_the_run_that_was_watched(page: Page, server: Server) -> None:
    page.goto(address("/", step="5", run=finished(server.home, CARD.name).id))
    expect(page.get_by_text(words("story.text.cured"))).to_be_visible()
    expect(answer(page, "after")).to_have_attribute("data-tone", "right")


def scene(page: Page) -> Locator:
    return page.get_by_test_id("scene")


def answer(page: Page, which: str = "before") -> Locator:
    return page.get_by_test_id(f"answer-{which}")


def at(page: Page, step: str, language: str = "en") -> None:
    expect(page.get_by_role("heading", level=1, name=words(f"story.title.{step}", language))).to_be_visible()
    current = page.locator(".sty-foot [aria-current=step]")
    expect(current).to_have_attribute("data-step", str(STEPS.index(step) + 1))
    settled(page)


def forward(page: Page, step: str, language: str) -> None:
    page.locator(".st-key-story_next").get_by_role("button", name=words("story.next", language)).click()
    at(page, step, language)


def few_words(page: Page, language: str, most: dict[str, int] = MOST) -> None:
    """No screen asks for more than a glance, and none is wider than the window, at both widths."""
    fits(page)
    said = page.evaluate(SEEN)
    count = len(said.split()) if language == "en" else len(said.replace(" ", ""))
    assert 0 < count <= most[language], said
