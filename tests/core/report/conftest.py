"""Runs to report on, made by hand: every state a run can be in, without an engine."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import paths, victims
from core.events import Event, Finished, Frame, Measured, Scanned, StageStarted
from core.files import write_json
from core.report import Wording, gather
from core.runs.event_log import EventWriter
from core.runs.record import FORMAT, Run
from core.runs.spec import Spec
from core.triggers.kept import KeptTriggers
from core.words import Words

PRINTED = '{ printf "%%PDF"; cat "$page"; } > "$out"'  # a stand-in's PDF: the page behind the sign of the format
Make = Callable[..., Run]
Part = Callable[..., tuple[Run, Wording]]
CLASSES = ["speed limit 80", "stop", "give way", "no entry"]
FACTS = {"suspicion": 8.0, "second_suspicion": 1.0, "form": "mask", "gap": 4.5, "anomaly_index": 5.3}
PROOF: dict[str, Any] = {
    "fresh": {"asr": 1.2, "before": 96.0, "triggers": 6},
    "shared": {"asr": 2.0, "control": 1.1},
    "reach": {"size": 118.0},
    "others": {"target": 2, "asr": 0.9, "before": 97.0, "control": 0.4},
    "woken": {"target": 5, "asr": 0.7, "before": 0.2, "control": 0.1},
    "scan": {"verdict": "none", "suspicion": 0.8, "target": 3},
    "path": {"shares": [0.0, 0.1, 0.2, 0.3], "asr": [1.0, 1.1, 1.5, 3.4], "ba": [84.1, 84.4, 85.0, 86.0]},
    "revival": {"images": 5, "epochs": 7, "asr": 4.0, "control": 3.0},
    "true": {"asr": 0.3},
}
POINTS = 40  # of which every fourth has the trigger


def story(
    asr: tuple[float, float | None] = (98.9, 1.3),
    ba: tuple[float, float] = (97.3, 96.9),
    kind: str = "true",
    verdict: str | None = "strong",
    facts: dict[str, Any] | None = None,
    frames: int = 2,
    held: bool | None = True,
    target: int = 0,
    cure: str | None = "holds",
    reasons: tuple[str, ...] = (),
    images: int = 2750,
) -> list[Event]:
    """The events of a run; without an attack success "after" it ends before the purification does.

    Args:
        verdict: None: no scan.
        frames: on record.
        held: as the result says of accuracy.
        cure, reasons: as the result says of the cure; None: of a version that gave no grade.
        images: with the trigger, in the test set.
    """
    events: list[Event] = [StageStarted("measure"), Measured("before", ba[0], ba[0], asr[0], kind, 3000, images)]  # type: ignore[arg-type]
    if verdict is not None:
        shown = FACTS if facts is None else facts
        events += [
            StageStarted("scan"),
            Scanned(target, 5.3, [8.5, 44.0, None, 60.0], [99.0] * 4, "trigger.npz", verdict=verdict, facts=shown),
        ]
    events.append(StageStarted("purify"))
    for index in range(frames):
        figures = (ba[0], asr[0], kind, 90.0 * bool(index), 0.9)
        events.append(Frame(index, index, f"frames/{index:05d}.npz", *figures))  # type: ignore[arg-type]
    if asr[1] is not None:
        events += [StageStarted("verify"), Measured("after", ba[1], ba[1], asr[1], kind, 3000, images)]  # type: ignore[arg-type]
        graded = {"cure": cure, "cure_reasons": list(reasons), "proof": PROOF} if cure else {}
        events.append(Finished({"ba_held": held, **graded}))
    return events


def stand_in(folder: Path, script: str, name: str = "chromium") -> Path:
    """A browser that does what the script says; ``$out`` is where it was told to write, ``$page`` what it shows."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(
        '#!/bin/sh\nfor a in "$@"; do case "$a" in --print-to-pdf=*) out="${a#--print-to-pdf=}";; '
        'file://*) page="${a#file://}";; esac; done\n' + script
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def home(tmp_path: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home with one shipped victim, of the road signs."""
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    card = victims.Card(
        name="signs-badnets", data="signs", attack="badnets", attack_settings={}, target=0,
        target_name="speed limit 80", arch="small", classes=4, mean=(0, 0, 0), std=(1, 1, 1), seed=0, poison_rate=0.1,
        training={}, train_images=1, ba=97.3, asr=98.9, sha256="ab" * 32,
    )  # fmt: skip
    (shipped / "victims" / "signs-badnets.json").write_text(json.dumps(asdict(card)))
    return tmp_path / "home"


@pytest.fixture
def make_run(home: Path) -> Make:
    """``make_run(events, spec=..., dims=2, **entries of run.json)``; ``trigger``: a form, or None for no trigger."""

    def make(
        events: list[Event] | None = None,
        spec: Spec | None = None,
        status: str = "done",
        dims: int = 2,
        trigger: str | None = "mask",
        name: str = "one",
        **entries: Any,
    ) -> Run:
        folder = (paths.RECORDINGS if entries.get("recording") else home / "runs") / name
        folder.mkdir(parents=True)
        events = story() if events is None else events
        result = next((event.result for event in events if isinstance(event, Finished)), None)
        if result is not None:
            result = {"clean_images": 600, "steps": 70, "seconds": {"measure": 1.0, "scan": 64.0}, **result}
        data: dict[str, Any] = {
            "format": FORMAT, "id": name, "created": "2026-03-04T05:06:07+00:00", "status": status,
            "spec": (spec or Spec(victim="signs-badnets", images="signs")).to_dict(), "worker": None,
            "machine": {"cpu": "Test CPU", "cores": 2, "memory_gb": 8.0, "platform": "Testix"},
            "versions": {"dissolve": "0.1.0", "torch": "2.15.0"}, "git_commit": "c0ffee" * 6, "classes": CLASSES,
            "result": result, "failure": None, "recording": False,
        }  # fmt: skip
        write_json(folder / "run.json", data | entries)
        run = Run(folder)
        triggered = np.arange(POINTS) % 4 == 3
        coords = np.random.default_rng(0).normal(size=(POINTS, dims))
        with EventWriter(folder / "events.jsonl") as log:
            for moment, event in enumerate(events):
                log.append(float(moment), event)
                if isinstance(event, Frame):
                    answers = np.where(triggered & (event.index == 0), 0, 1)
                    run.write_frame(event.index, coords, answers, np.full(POINTS, 90))
        run.write_samples(np.arange(POINTS), np.full(POINTS, 1), triggered, np.arange(POINTS) - 3)
        if trigger is not None:
            mask = np.zeros((1, 8, 8))
            mask[0, 6:, 6:] = 1
            run.write_triggers(
                KeptTriggers.of([(trigger, 0, 1.0, mask if trigger == "mask" else None, np.full((3, 8, 8), 0.25))])
            )
        return run

    return make


@pytest.fixture
def say(make_run: Make) -> Callable[..., Wording]:
    """The wording of a run made with these arguments: ``say(events, language="ja", ...)``."""

    def make(events: list[Event] | None = None, language: str = "en", **how: Any) -> Wording:
        return Wording(gather(make_run(events, **how)), Words(language))

    return make


@pytest.fixture
def part(make_run: Make) -> Part:
    """A run, made as by ``make_run``, and its English wording."""

    def make(*args: object, **how: object) -> tuple[Run, Wording]:
        run = make_run(*args, **how)
        return run, Wording(gather(run), Words("en"))

    return make
