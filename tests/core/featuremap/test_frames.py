"""When a frame is taken. What is in it is seen in whole runs (test_pipeline)."""

from __future__ import annotations

import shutil
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch

from core.events import Frame
from core.featuremap import frames
from core.featuremap.frames import SHORTEST_GAP, FrameTaker
from core.featuremap.neighbours import Neighbours
from core.featuremap.pca_frames import PcaFrames
from core.models.classifier import Classifier
from core.runs import record
from core.runs.record import Run
from core.runs.spec import Spec
from core.training.loop import PurifyStep
from tests.core.tiny import Tiny

CPU = torch.device("cpu")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return record.create(Spec(victim="digits-badnets", images="digits", points=80, projection="pca"), root=tmp_path)


def taker(tiny: Tiny, run: Run, last: Frame | None = None) -> FrameTaker:
    return FrameTaker(run, tiny.images, tiny.trigger, tiny.target, "true", CPU, last)


def take(frame_taker: FrameTaker, model: Classifier, step: int) -> Frame:
    frame_taker.begin(model, step)
    frame = frame_taker.finished()
    assert frame is not None
    return frame


def due(frame_taker: FrameTaker, step: int) -> bool:
    return frame_taker.due(PurifyStep(step, 100, 0.1))


def test_while_nothing_changes_frames_come_ever_more_seldom(tiny: Tiny, run: Run) -> None:
    frame_taker = taker(tiny, run)
    taken = []
    for step in range(200):
        if step == 0 or due(frame_taker, step):
            take(frame_taker, tiny.model, step)
            taken.append(step)
    assert taken[:11] == list(range(11))
    gaps = np.diff(taken[10:])
    assert (np.diff(gaps) >= 0).all()
    assert (
        max(gap for gap, step in zip(gaps, taken[10:], strict=False) if step < frames.EARLY_STEPS)
        == frames.EARLY_LONGEST_GAP
    )
    assert gaps[-1] == frames.LONGEST_GAP


def test_where_nobody_watches_each_frame_is_half_as_far_again_as_the_last(tiny: Tiny, run: Run) -> None:
    run.update(spec=replace(run.spec, live=False).to_dict())
    frame_taker = taker(tiny, run)
    taken = []
    for step in range(56):
        if step == 0 or due(frame_taker, step):
            take(frame_taker, tiny.model, step)
            taken.append(step)
    assert taken == [0, 1, 2, 3, 5, 8, 12, 18, 27, 41]


def test_no_step_reads_the_record(tiny: Tiny, run: Run) -> None:
    frame_taker = taker(tiny, run)
    take(frame_taker, tiny.model, 0)
    (run.folder / "run.json").unlink()
    assert due(frame_taker, 1)


def test_a_change_brings_them_back(tiny: Tiny, run: Run) -> None:
    frame_taker = taker(tiny, run)
    for step in range(12):
        take(frame_taker, tiny.model, step)
    assert not due(frame_taker, 12)
    other = deepcopy(tiny.model)
    for k in range(30):
        with torch.no_grad():  # now these are the answers, now those
            other.head[0].weight.copy_(tiny.model.head[0].weight.roll(k % 2, 0))
        take(frame_taker, other, 20 + k)
    assert due(frame_taker, 49 + SHORTEST_GAP)


def test_what_is_written_belongs_together(tiny: Tiny, run: Run) -> None:
    frame = take(taker(tiny, run), tiny.model, 0)
    assert (frame.index, frame.step, frame.asr_kind) == (0, 0, "true")
    assert (run.folder / frame.file).is_file()
    arrays, samples = run.frame(0), run.samples
    assert samples is not None
    assert len(arrays.coords) == len(samples.label) == 80
    assert frame.asr > 90 > frame.dissolution


def test_the_features_of_each_frame_are_kept(tiny: Tiny, run: Run) -> None:
    first = taker(tiny, run)
    take(first, tiny.model, 0)
    assert run.features_kept
    kept = run.features(0)
    assert kept.shape[0] == 80
    last = take(first, tiny.model, 1)
    run.drop_features()  # as of a run whose first frame was copied from a recording
    again = taker(tiny, run, last)
    take(again, tiny.model, 2)
    again.keep_first(tiny.model)
    np.testing.assert_array_equal(run.features(0), kept)


class Waiting(PcaFrames):
    """A projector that waits until it may go on."""

    def __init__(self, go_on: Event) -> None:
        super().__init__(2)
        self.go_on = go_on

    def project(self, features: np.ndarray, near: Neighbours | None = None) -> np.ndarray:
        self.go_on.wait()
        return super().project(features, near)


def test_a_frame_is_drawn_while_the_training_goes_on(tiny: Tiny, run: Run) -> None:
    frame_taker, go_on = taker(tiny, run), Event()
    frame_taker.projector = Waiting(go_on)
    model = deepcopy(tiny.model)
    frame_taker.begin(model, 0)
    assert frame_taker.finished(wait=False) is None
    assert run.frame_count == 0
    assert due(frame_taker, 1), "whether a step is due does not wait for the drawing"
    with torch.no_grad():
        model.head[0].weight.zero_()  # the next step changes the model, not what was seen
    go_on.set()
    frame = frame_taker.finished()
    assert frame is not None
    assert (frame.step, run.frame_count) == (0, 1)
    assert frame.asr > 90
    assert frame_taker.finished() is None, "a frame is told of once"


def test_what_keeps_a_frame_from_being_written_is_raised(tiny: Tiny, run: Run) -> None:
    frame_taker = taker(tiny, run)
    shutil.rmtree(run.folder / "frames", ignore_errors=True)
    (run.folder / "frames").write_text("no folder")
    frame_taker.begin(tiny.model, 0)
    with pytest.raises(OSError, match="frames"):
        frame_taker.finished()


def test_taken_up_again_it_goes_on_counting_from_the_last_picture(tiny: Tiny, run: Run) -> None:
    first = taker(tiny, run)
    take(first, tiny.model, 0)
    last = take(first, tiny.model, 4)
    samples = (run.folder / "samples.npz").read_bytes()
    again = taker(tiny, run, last)
    frame = take(again, tiny.model, 5)
    assert (frame.index, frame.step) == (2, 5)
    assert (run.folder / "samples.npz").read_bytes() == samples
    np.testing.assert_allclose(run.frame(2).coords, run.frame(1).coords, atol=0.05 * np.ptp(run.frame(1).coords))


def test_pixels_that_are_not_ours_are_not_kept(tiny: Tiny, run: Run) -> None:
    FrameTaker(run, replace(tiny.images, own=False), tiny.trigger, tiny.target, "true", CPU, None)
    assert run.samples is not None
    assert run.examples() is None
    assert run.thumbs is None
