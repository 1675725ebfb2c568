"""The roll-out on the page "Watch": its stage, figures, pictures, and the buttons of a person."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.report import account as accounts
from core.rollout import begin, place
from core.rollout.rule import Rule
from core.rollout.state import State
from core.runs.record import Run
from dashboard.i18n import catalogue
from tests.conftest import Started
from tests.dashboard.conftest import CLASSES, words

Open = Callable[..., AppTest]
Make = Callable[..., Run]
BOTH = pytest.mark.parametrize("lang", ["en", "ja"])
PAGE = """
from dashboard.components import frame
frame.dress()
from dashboard.components import {component}
from dashboard import data
{component}.show(data.find("one"))
"""


@pytest.fixture
def run(make_run: Make) -> Run:
    made = make_run("one", "done")
    (made.folder / "model.safetensors").write_bytes(b"weights")
    return made


@pytest.fixture
def show(home: Path) -> Callable[..., AppTest]:
    """Draws one component alone."""

    def draw(lang: str = "en", component: str = "rollout") -> AppTest:
        app = AppTest.from_string(PAGE.format(component=component), default_timeout=60)
        app.context = {"locale": "en-GB", "timezone": "UTC"}
        app.query_params["lang"] = lang
        return app.run()

    return draw


def make_rollout(run: Run, images: int = 400, rule: Rule | None = None) -> Path:
    """A roll-out in shadow: one ordinary image and one that looks triggered are answered otherwise."""
    start: dict[str, Any] = {
        "kind": "start", "t": 1000.0, "rule": asdict(rule or Rule()), "models": {"original": "a", "purified": "b"},
        "anew": True, "classes": list(CLASSES),
    }  # fmt: skip
    entries = [start]
    for number in range(images):
        differs, flagged = number in (3, 5), number == 5
        entries.append(
            {
                "kind": "image", "t": 1001.0, "key": f"{number:016x}", "original": 0, "purified": 2 * differs,
                "used": "original", "flagged": flagged,
            }
        )  # fmt: skip
    folder = place.folder_of(run)
    (folder / place.PICTURES).mkdir(parents=True)
    Image.fromarray(np.full((8, 8, 3), 200, np.uint8)).save(folder / place.PICTURES / f"{3:016x}.png")
    (folder / place.LOG).write_bytes(b"".join(map(place.line, entries)))
    state, digest, length, _ = place.replay(folder)
    place.write_state(folder, state, {"bytes": length, "sha256": digest.hexdigest()})
    return folder


def kept(run: Run) -> State:
    state = place.read_state(place.folder_of(run))
    assert state is not None
    return state


@BOTH
def test_it_shows_stage_figures_reasons_and_pictures(run: Run, show: Callable[..., AppTest], lang: str) -> None:
    make_rollout(run)
    app = show(lang)
    assert not app.exception
    text, say = words(app), catalogue(lang)
    for key in ("rollout.stage.shadow", "rollout.decision.on", "rollout.differing.title", "rollout.averted.title"):
        assert say[key] in text
    assert app.metric[0].value == "399"
    assert say["rollout.gone"] in text, "one picture is not kept"


def test_a_person_goes_on_and_back(run: Run, show: Callable[..., AppTest]) -> None:
    make_rollout(run)
    app = show()
    app.button(key="rollout_on").click().run()
    assert not app.exception
    assert (kept(run).stage, kept(run).moves[-1]["by"]) == ("share", "person")
    app.button(key="rollout_back").click().run()
    app.button(key="rollout_back").click().run()
    assert kept(run).stage == "off"
    assert app.button(key="rollout_back").disabled
    assert app.warning


def test_what_was_tampered_with_is_said(run: Run, show: Callable[..., AppTest]) -> None:
    path = make_rollout(run) / place.STATE
    path.write_text(path.read_text().replace('"stage": "shadow"', '"stage": "all"'))
    app = show()
    assert not app.exception
    assert "damaged or was changed" in app.error[0].value


@BOTH
def test_one_is_begun_with_its_rule(
    run: Run, show: Callable[..., AppTest], lang: str, no_worker_starts: Started, tmp_path: Path
) -> None:
    app = show(lang)
    assert app.button(key="rollout_start").disabled
    app.text_input(key="rollout_inbox").set_value(str(tmp_path)).run()
    app.number_input(key="rollout_images").set_value(50).run()
    app.button(key="rollout_start").click().run()
    assert not app.exception
    (command,) = no_worker_starts
    assert command[:2] == ["core", "rollout"]
    assert command[command.index("--inbox") + 1] == str(tmp_path)
    assert command[command.index("--images") + 1] == "50"


def test_a_folder_that_is_not_there_is_said(run: Run, show: Callable[..., AppTest], tmp_path: Path) -> None:
    app = show()
    app.text_input(key="rollout_inbox").set_value(str(tmp_path / "none")).run()
    app.button(key="rollout_start").click().run()
    assert "There is no folder" in app.error[0].value
    assert begin.inbox_of(run) is None


@BOTH
def test_the_page_turns_to_it_by_its_address(run: Run, open_page: Open, lang: str) -> None:
    app = AppTest.from_string(
        "from dashboard.components import frame\nframe.dress()\nfrom dashboard.views import watch\nwatch.page()",
        default_timeout=60,
    )
    app.context = {"locale": "en-GB", "timezone": "UTC"}
    app.query_params.update({"lang": lang, "view": "account", "run": "one"})
    app.run()
    assert not app.exception
    assert catalogue(lang)["account.purified"] in words(app)


@BOTH
def test_the_account_takes_rates_and_keeps_them(run: Run, show: Callable[..., AppTest], lang: str) -> None:
    app = show(lang, "account")
    assert not app.exception
    assert catalogue(lang)["account.step_none"] in words(app).replace("\\", "")
    app.number_input(key="account_image_one").set_value(0.5).run()
    app.text_input(key="account_currency_one").set_value("¥").run()
    assert not app.exception
    found = json.loads((run.folder / "account.json").read_bytes())
    assert (found["given"]["image"], found["given"]["currency"], found["step"]) == (0.5, "¥", None)


def test_figures_that_the_command_line_takes_are_shown(run: Run, show: Callable[..., AppTest]) -> None:
    given = accounts.Given(image=float(accounts.MOST), epochs=accounts.MOST, training_images=accounts.MOST)
    accounts.keep(run, given, None)
    assert not show(component="account").exception
    assert accounts.kept(run) == (given, None)


def test_a_step_is_measured_in_a_process_of_its_own(
    run: Run, show: Callable[..., AppTest], no_worker_starts: Started
) -> None:
    app = show(component="account")
    app.button(key="account_measure").click().run()
    assert not app.exception
    assert no_worker_starts == [["core", "account", str(run.folder.resolve()), "--measure", "--note"]]
