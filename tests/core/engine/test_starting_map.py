from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.engine import starting_map
from core.events import Event, Frame, StageStarted
from core.runs import record
from core.runs.event_log import EventWriter
from core.runs.record import Run
from core.runs.spec import Spec
from core.victims import card_of

SPEC = Spec(victim="digits-badnets", images="digits", points=60, projection="pca")


def frame(run: Run, step: int = 0) -> Frame:
    file = run.write_frame(0, np.arange(120.0).reshape(60, 2), [1] * 60, [90] * 60)
    return Frame(0, step, file, 99.0, 100.0, "true", 0.0, 0.9)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


def recorded(recordings: Path, *events: Event, sha256: str | None = None, **changes: Any) -> Run:
    run = record.create(Spec(**SPEC.to_dict() | changes), root=recordings)
    run.write_samples([0] * 60, [1] * 60, [False] * 60, [-1] * 60)
    run.write_examples([0], np.zeros((1, 4, 4, 3)), np.zeros((1, 4, 4, 3)))
    sha256 = card_of("digits-badnets").sha256 if sha256 is None else sha256
    run.update(recording=True, status="done", classes=list("0123456789"), victim_sha256=sha256)
    with EventWriter(run.folder / "events.jsonl") as log:
        for event in events or (StageStarted("load"), frame(run), frame(run, 1)):
            log.append(0.0, event)
    return run


def asked(tmp_path: Path, **changes: Any) -> Run:
    return record.create(Spec(**SPEC.to_dict() | changes), root=tmp_path / "runs")


def test_a_matching_recording_gives_its_first_picture(tmp_path: Path, recordings: Path) -> None:
    source, run = recorded(recordings), asked(tmp_path, clean_budget=0.1, preset="published")
    events = starting_map.offer(run, recordings)
    assert events == [event for _, event in source.events() if isinstance(event, Frame)][:1]
    assert run.frame_count == 1
    np.testing.assert_array_equal(run.frame(0).coords, source.frame(0).coords)
    assert run.samples is not None
    assert run.examples() is not None
    assert run.data["classes"] == list("0123456789")
    assert not run.is_recording


@pytest.mark.parametrize(
    "changes",
    [{"points": 61}, {"seed": 1}, {"dims": 3}, {"projection": "umap"}, {"map": False}, {"victim": "signs-badnets"}],
)
def test_anything_that_would_change_the_picture_rules_it_out(
    tmp_path: Path, recordings: Path, changes: dict[str, Any]
) -> None:
    recorded(recordings)
    run = asked(tmp_path, **changes)
    assert starting_map.offer(run, recordings) == []
    assert run.frame_count == 0
    assert run.samples is None


def test_a_victim_trained_anew_has_another_map(tmp_path: Path, recordings: Path) -> None:
    recorded(recordings, sha256="another")
    assert starting_map.offer(asked(tmp_path), recordings) == []


def test_a_strangers_model_has_none(tmp_path: Path, recordings: Path) -> None:
    recorded(recordings)
    weights = str(card_of("digits-badnets").weights)
    assert starting_map.offer(asked(tmp_path, victim=None, weights=weights), recordings) == []


def test_a_recording_whose_first_picture_is_no_start_is_no_use(tmp_path: Path, recordings: Path) -> None:
    run = recorded(recordings, StageStarted("load"))
    assert starting_map.offer(asked(tmp_path), recordings) == []
    with EventWriter(run.folder / "events.jsonl") as log:
        log.append(0.0, frame(run, step=3))
    assert starting_map.offer(asked(tmp_path), recordings) == []


def test_without_recordings_and_among_other_files_nothing_happens(tmp_path: Path, recordings: Path) -> None:
    assert starting_map.offer(asked(tmp_path), recordings) == []
    (recordings / "empty").mkdir(parents=True)
    (recordings / "README").write_text("words")
    assert starting_map.offer(asked(tmp_path), recordings) == []
