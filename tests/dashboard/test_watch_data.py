from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from core.runs.record import Run
from core.watch import place
from core.watch.alerts import Kept
from core.watch.log import Log
from dashboard import watch_data
from dashboard.watch_data import Counted, View
from tests.dashboard.watched import ALERT, image, make_watch


def test_a_watch_is_found_with_what_it_saw(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run("one", "done")
    assert watch_data.watches() == []
    folder = make_watch(run, tmp_path / "inbox", drifted=True)
    (watch,) = watch_data.watches()
    assert (watch.folder, watch.inbox, watch.which) == (folder, tmp_path / "inbox", "victim")
    view = watch_data.view(watch)
    assert [entry["file"] for entry in view.images] == ["good.png", "bad.png", "../secret.png"]
    assert [entry["file"] for entry in view.flagged] == ["../secret.png", "bad.png"]
    assert view.moved == ["sharpness"]
    assert [one.alert.id for one in view.alerts] == ["5-alike"]
    assert view.start["model"] == "ab" * 32


def test_pictures_come_from_the_inbox_alone(make_run: Callable[..., Run], tmp_path: Path) -> None:
    make_watch(make_run("one", "done"), tmp_path / "inbox")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "secret.png")
    (watch,) = watch_data.watches()
    found = watch_data.picture(watch, "bad.png")
    assert found is not None
    assert found.shape == (watch_data.SIDE, watch_data.SIDE, 3)
    assert watch_data.picture(watch, "../secret.png") is None
    assert watch_data.picture(watch, "good.png") is None  # gone from the inbox


def test_of_a_long_log_the_end_is_read(make_run: Callable[..., Run], tmp_path: Path) -> None:
    folder = make_watch(make_run("one", "done"), tmp_path / "inbox")
    (watch,) = watch_data.watches()
    with Log(folder / place.LOG) as log:
        log.append([{"kind": "image", "file": "x" * 500, "flagged": False}] * (watch_data.NEWEST // 500))
        log.append([{"kind": "image", "file": "last.png", "flagged": True}])
    assert [entry["file"] for entry in watch_data.view(watch).flagged] == ["last.png"]


def test_a_recorded_stream_is_counted_against_the_truth() -> None:
    facts = {"parts": ["calm", "attack", "askew"], "part": 2, "triggered": ["c.png", "d.png"], "target": 0,
             "labels": [1, 1, 1, 2, 1, 1]}  # fmt: skip
    answers = {"a": (1, False), "b": (1, True), "c": (0, True), "d": (2, True), "e": (1, True), "f": (1, False)}
    images = [
        image(f"{name}.png", flagged, answer=answer) | {"t": float(at)}
        for at, (name, (answer, flagged)) in enumerate(answers.items())
    ]
    rung = [Kept(replace(ALERT, t=moment)) for moment in (1.0, 3.0, 5.0)]
    view = View(images, [], {}, [], rung)
    # one of the two clean images of the first parts was flagged; the alert before the first sticker does not count
    assert watch_data.counted(view, facts) == Counted(
        triggered=2, fooled=1, right=1, caught=2, wrong=1, clean=2, until=2
    )
    assert watch_data.parts(view, facts) == [("calm", 0.0, 1.0), ("attack", 2.0, 3.0), ("askew", 4.0, 5.0)]
    assert watch_data.counted(replace(view, alerts=[]), facts).until is None
