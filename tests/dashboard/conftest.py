"""Runs to look at, made by hand in a home of their own, and pages to look at them with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit import config
from streamlit.testing.v1 import AppTest

from core import paths, victims
from core.events import Event, Finished, Frame, Measured, Progress, Scanned, StageStarted
from core.files import write_json
from core.intake import inspection
from core.jobs.process import identity
from core.runs.event_log import EventWriter
from core.runs.record import FORMAT, Run
from core.runs.spec import Spec
from tests.conftest import Started
from tests.dashboard.examinations import KEY

Asked = Callable[[], list[Spec]]
ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("speed limit 80", "stop", "give way")
PAGE = """
from dashboard.components import frame
frame.dress()
from dashboard.views import {page}
{page}.page()
"""


@pytest.fixture(scope="session", autouse=True)
def nothing_is_swept_after_a_page() -> Iterator[None]:
    """After each run of a page Streamlit has Python look through all objects: beside torch that is the longest part."""
    before = config.get_option("runner.postScriptGC")
    config.set_option("runner.postScriptGC", False)
    yield
    config.set_option("runner.postScriptGC", before)


@pytest.fixture
def home(tmp_path: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home with two victims: one whose images we draw, one whose images are not ours to ship."""
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DISSOLVE_DATA", raising=False)
    for data in ("signs", "cifar10"):
        card = victims.Card(
            name=f"{data}-badnets", data=data, attack="badnets", attack_settings={}, target=0,
            target_name="speed limit 80" if data == "signs" else "airplane", arch="small", classes=3,
            mean=(0, 0, 0), std=(1, 1, 1), seed=0, poison_rate=0.1, training={}, train_images=1, ba=97.3, asr=98.9,
            sha256="",
        )  # fmt: skip
        (shipped / "victims" / f"{card.name}.json").write_text(json.dumps(asdict(card)))
    return tmp_path / "home"


@pytest.fixture
def session() -> Iterator[MutableMapping[Any, Any]]:
    """The state of a visit, for what is called outside a page: empty, and ``session["lang"]`` sets the language."""
    state = st.session_state
    state.clear()
    yield state
    state.clear()


def story(kind: str = "true", whole: bool = True) -> list[Event]:
    """The events of a run of two frames; ``whole``: to its proper end."""
    events: list[Event] = [
        StageStarted("measure"),
        Measured("before", 97.3, 97.1, 98.9, kind, 3000, 2750),  # type: ignore[arg-type]
        StageStarted("scan"),
        Scanned(0, 5.3, [8.5, 44.0, None], [1.0, 1.0, 0.2], "trigger.npz"),
        StageStarted("purify"),
        Frame(0, 0, "frames/00000.npz", 97.3, 98.9, kind, 0.0, 0.9),  # type: ignore[arg-type]
        Progress("purify", 1, 4, 12.0),
        Frame(1, 1, "frames/00001.npz", 96.9, 1.3, kind, 91.0, 0.9),  # type: ignore[arg-type]
    ]
    if whole:
        events += [StageStarted("verify"), Measured("after", 96.9, 96.8, 1.3, kind, 3000, 2750), Finished({})]  # type: ignore[arg-type]
    return events


@pytest.fixture
def make_run(home: Path) -> Callable[..., Run]:
    """Makes a run's folder: ``make_run("id", "done", **entries of run.json)``."""

    def make(name: str, status: str, events: list[Event] | None = None, **entries: Any) -> Run:
        root = paths.RECORDINGS if entries.get("recording") else home / "runs"
        folder = root / name
        folder.mkdir(parents=True)
        spec = Spec(victim="signs-badnets", images="signs")
        data = {
            "format": FORMAT, "id": name, "created": "2026-03-04T05:06:07+00:00", "status": status,
            "spec": spec.to_dict(), "worker": {"pid": 1, "started": 1.0}, "machine": {"cpu": "Test CPU", "cores": 2},
            "classes": list(CLASSES), "failure": None, "recording": False,
        }  # fmt: skip
        write_json(folder / "run.json", data | entries)
        run = Run(folder)
        with EventWriter(folder / "events.jsonl") as log:
            for moment, event in enumerate(story() if events is None else events):
                log.append(float(moment), event)
                if isinstance(event, Frame):
                    run.write_frame(event.index, np.eye(6, 2), np.zeros(6), np.full(6, 90))
        run.write_samples(np.arange(6), np.arange(6) % 3, np.arange(6) > 2, np.arange(6) - 3)
        return run

    return make


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """Runs one page: ``open_page("purify", lang="ja", run="id")``."""

    def open_(page: str, lang: str = "en", run: str | None = None, locale: str = "en-GB") -> AppTest:
        app = AppTest.from_string(PAGE.format(page=page), default_timeout=60)
        app.context = {"locale": locale, "timezone": "UTC"}
        app.query_params["lang"] = lang
        if run:
            app.query_params["run"] = run
        return app.run()

    return open_


SITE = """
import streamlit as st
from dashboard.components import frame
from dashboard.views import compare, data_room, examine, explore, purify, runs
frame.dress()
pages = {{
    "compare": compare.page, "data_room": data_room.page, "examine": examine.page, "explore": explore.page,
    "purify": purify.page, "runs": runs.page,
}}
pages = {{name: st.Page(page, url_path=name, default=name == "{first}") for name, page in pages.items()}}
frame.PAGES.update(pages)
st.navigation(list(pages.values())).run()
"""


@pytest.fixture
def open_site() -> Callable[..., AppTest]:
    """Runs one page among those that it leads to: ``open_site("purify", lang="ja", run="id")``."""

    def open_(first: str, lang: str = "en", run: str | None = None) -> AppTest:
        app = AppTest.from_string(SITE.format(first=first), default_timeout=60)
        app.context = {"locale": {"en": "en-GB", "ja": "ja-JP"}[lang], "timezone": "UTC"}  # links leave ``lang`` behind
        app.query_params["lang"] = lang
        if run:
            app.query_params["run"] = run
        return app.run()

    return open_


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file of somebody's own weights."""
    file = tmp_path / "net v2.pth"
    file.write_bytes(b"weights")
    return file


@pytest.fixture
def look(home: Path, weights: Path) -> Callable[..., str]:
    """Leaves the note of an inspection: ``look(stage="images")``."""

    def leave(ended: bool = True, result: dict[str, Any] | None = None, **entries: Any) -> str:
        spec = Spec(weights=str(weights), images="digits").to_dict()
        folder = inspection.folder_of(KEY)
        folder.mkdir(parents=True)
        note = {"format": inspection.FORMAT, "spec": spec, "worker": identity(), "ended": ended, "result": result or {}}
        write_json(folder / "note.json", note | entries)
        return KEY

    return leave


@pytest.fixture
def asked(no_worker_starts: Started) -> Asked:
    """The orders of the runs and inspections that were begun so far; nothing is computed."""

    def orders() -> list[Spec]:
        found = []
        for module, *arguments in no_worker_starts:
            if module == "core.intake.recognition":
                begun = inspection.state(arguments[0])
                assert begun is not None
                found.append(begun.spec)
            elif arguments[0] == "work":
                found.append(Run(arguments[1]).spec)
        return found

    return orders


def words(app: AppTest) -> str:
    """All that a page says."""
    kinds = ("title", "subheader", "markdown", "caption", "error", "warning", "info", "html")
    said = [str(element.value if hasattr(element, "value") else element) for kind in kinds for element in app.get(kind)]
    return "\n".join(said + [button.label for button in app.button])
