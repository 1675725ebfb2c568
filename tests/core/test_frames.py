"""When a frame is taken. What is in it is seen in whole runs (test_pipeline)."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core import frames
from core.defenses.mcl import PurifyStep
from core.events import Frame
from core.frames import SHORTEST_GAP, FrameTaker
from core.runs import record
from core.runs.record import Run
from core.runs.spec import Spec
from tests.core.tiny import Tiny

CPU = torch.device("cpu")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return record.create(Spec(victim="digits-badnets", images="digits", points=80, projection="pca"), root=tmp_path)


def taker(tiny: Tiny, run: Run, last: Frame | None = None) -> FrameTaker:
    return FrameTaker(run, tiny.images, tiny.trigger, tiny.target, "true", CPU, last)


def due(frame_taker: FrameTaker, step: int) -> bool:
    return frame_taker.due(PurifyStep(step, 100, 0.1))


def test_while_nothing_changes_frames_come_ever_more_seldom(tiny: Tiny, run: Run) -> None:
    frame_taker = taker(tiny, run)
    taken = []
    for step in range(121):
        if step == 0 or due(frame_taker, step):
            frame_taker.take(tiny.model, step)
            taken.append(step)
    assert taken[:11] == list(range(11))
    gaps = np.diff(taken[10:])
    assert (np.diff(gaps) >= 0).all()
    assert gaps[-1] == frames.LONGEST_GAP


def test_a_change_brings_them_back(tiny: Tiny, run: Run) -> None:
    frame_taker = taker(tiny, run)
    for step in range(12):
        frame_taker.take(tiny.model, step)
    assert not due(frame_taker, 12)
    other = deepcopy(tiny.model)
    for k in range(30):
        with torch.no_grad():  # now these are the answers, now those
            other.head[0].weight.copy_(tiny.model.head[0].weight.roll(k % 2, 0))
        frame_taker.take(other, 20 + k)
    assert due(frame_taker, 49 + SHORTEST_GAP)


def test_what_is_written_belongs_together(tiny: Tiny, run: Run) -> None:
    frame = taker(tiny, run).take(tiny.model, 0)
    assert (frame.index, frame.step, frame.asr_kind) == (0, 0, "true")
    assert (run.folder / frame.file).is_file()
    arrays, samples = run.frame(0), run.samples
    assert samples is not None
    assert len(arrays.coords) == len(samples.label) == 80
    assert frame.asr > 90 > frame.dissolution


def test_taken_up_again_it_goes_on_counting_from_the_last_picture(tiny: Tiny, run: Run) -> None:
    first = taker(tiny, run)
    first.take(tiny.model, 0)
    last = first.take(tiny.model, 4)
    samples = (run.folder / "samples.npz").read_bytes()
    again = taker(tiny, run, last)
    frame = again.take(tiny.model, 5)
    assert (frame.index, frame.step) == (2, 5)
    assert (run.folder / "samples.npz").read_bytes() == samples
    np.testing.assert_allclose(run.frame(2).coords, run.frame(1).coords, atol=0.05 * np.ptp(run.frame(1).coords))


def test_pixels_that_are_not_ours_are_not_kept(tiny: Tiny, run: Run) -> None:
    FrameTaker(run, replace(tiny.images, own=False), tiny.trigger, tiny.target, "true", CPU, None)
    assert run.samples is not None
    assert run.examples() is None
    assert run.thumbs is None
