"""What a manager comes for: the shipped victim, one press, and the infection is gone at the end of the run."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from core import victims
from core.runs.record import Run
from core.runs.spec import Spec
from dashboard.palette import ATTACK
from tests.browser.visit import (
    assert_cured,
    frames,
    settled,
    stage,
    started,
    wait_for_status,
    wait_until_drawn,
    words,
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NEAR = 60  # of 441, the distance from black to white: rings are thin, and their edges mix with what is beside them
# Words in the attack's colour, save the keys of the map, which say what the colour means.
ALARMED = """colour => {
  const probe = document.createElement("i");
  probe.className = "dz-attack";
  document.querySelector(".stApp").append(probe);
  const alarm = [colour, getComputedStyle(probe).color];
  probe.remove();
  const words = (node) => [...node.childNodes].some((one) => one.nodeType === 3 && one.textContent.trim());
  return [...document.querySelectorAll("[data-testid=stMain] *")]
    .filter((node) => node.checkVisibility() && words(node) && alarm.includes(getComputedStyle(node).color))
    .map((node) => node.textContent.trim());
}"""


def test_one_press_and_the_infection_is_gone(page: Page, begun: list[Run]) -> None:
    card = victims.card_of(victims.DEFAULT)
    page.goto("/purify")
    wait_until_drawn(page)
    settled(page)
    infected = alarm_on_the_map(page)

    run = started(page)
    begun.append(run)
    assert run.spec == Spec(victim=card.name, images=card.data)

    wait_for_status(page, "done")
    assert_cured(page, run)
    expect(page.locator(".st-key-cure")).to_contain_text(words("cure.holds"))
    expect(page.locator(".st-key-proof_holds")).to_contain_text(words("cure.holds"))
    for offered in ("report.do.html", "act.download"):
        expect(page.get_by_role("button", name=words(offered)).first).to_be_enabled()

    stage(page).press("End")
    expect(stage(page)).to_have_attribute("data-frame", str(frames(page) - 1))
    named = page.get_by_test_id("cluster-name")
    expect(named).to_have_attribute("data-tone", "clean")
    expect(page.get_by_test_id("outline")).to_have_css("opacity", "0")
    settled(page)
    cured = alarm_on_the_map(page)
    assert infected > 0.005, f"{infected:.2%} of the map in the colour of the attack before"
    assert cured < infected / 5, f"{infected:.2%} of the map in the colour of the attack before, {cured:.2%} after"

    examples = page.get_by_test_id("example")
    expect(examples).to_have_count(8)
    expect(page.locator("[data-testid=example][data-fooled=true]")).to_have_count(0)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    assert page.evaluate(ALARMED, rgb_of(ATTACK)) == []


def rgb_of(hexadecimal: str) -> str:
    """``#D55E00`` as a browser writes it."""
    return f"rgb({', '.join(str(part) for part in bytes.fromhex(hexadecimal[1:]))})"


def alarm_on_the_map(page: Page) -> float:
    """Share of the map's pixels (0 to 1) that have the attack's colour, or nearly so."""
    field = page.get_by_test_id("map")
    expect(field).to_be_visible()
    pixels = np.asarray(Image.open(io.BytesIO(field.screenshot())).convert("RGB"), dtype=float)
    away = np.linalg.norm(pixels - [int(part) for part in re.findall(r"\d+", rgb_of(ATTACK))], axis=2)
    return float((away < NEAR).mean())
