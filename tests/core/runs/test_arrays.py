"""Arrays and pictures of a run's folder."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import BadInput
from core.runs import arrays, record
from core.runs.record import Run
from core.runs.spec import Spec
from core.triggers.kept import KeptTriggers


@pytest.fixture
def run(spec: Spec) -> Run:
    return record.create(spec)


def test_a_frame_reads_as_it_was_written(run: Run) -> None:
    coords = np.random.default_rng(0).normal(size=(5, 3))
    name = run.write_frame(0, torch.tensor(coords), [1, 2, 3, 4, 5], np.array([0.4, 99.6, 50, 100, 101.0]))
    assert name == "frames/00000.npz"
    assert (run.folder / name).exists()
    frame = run.frame(0)
    np.testing.assert_allclose(frame.coords, coords, rtol=1e-6)
    assert [array.dtype for array in frame] == [np.float32, np.int16, np.uint8]
    assert frame.answers.tolist() == [1, 2, 3, 4, 5]
    assert frame.confidence.tolist() == [0, 100, 50, 100, 100]
    assert run.frame_count == 1


def test_arrays_of_different_lengths_are_refused(run: Run) -> None:
    with pytest.raises(ValueError, match="do not match"):
        run.write_frame(0, np.zeros((5, 2)), np.zeros(4), np.zeros(5))
    assert run.frame_count == 0


def test_a_missing_and_a_damaged_frame_are_named(run: Run) -> None:
    run.write_frame(0, np.zeros((5, 2)), np.zeros(5), np.zeros(5))
    file = run.folder / "frames" / "00000.npz"
    file.write_bytes(file.read_bytes()[:100])
    for index in (0, 7):
        with pytest.raises(BadInput, match=f"frame {index}") as caught:
            run.frame(index)
        assert caught.value.code == "frame_not_found"


def test_what_is_not_there_yet_is_none(run: Run) -> None:
    assert (run.samples, run.examples(), run.triggers(), run.thumbs, run.read_checkpoint()) == (None,) * 5
    assert run.frame_count == 0


def test_samples_examples_and_trigger_come_back(run: Run) -> None:
    run.write_samples([7, 9, 7, 9], [0, 1, 0, 1], [False, False, True, True], [-1, -1, 0, 1])
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    run.write_examples([2, 3], images, 255 - images)
    assert (
        run.write_triggers(KeptTriggers.of([("mask", 0, 1.0, torch.full((1, 8, 8), 0.5), torch.ones(3, 8, 8))]))
        == "trigger.npz"
    )
    samples, examples, trigger = run.samples, run.examples(), run.triggers()
    assert samples is not None
    assert examples is not None
    assert trigger is not None
    assert samples.twin.tolist() == [-1, -1, 0, 1]
    assert samples.triggered.dtype == np.bool_
    np.testing.assert_array_equal(examples.triggered, 255 - images)
    assert trigger.mask.shape == (1, 8, 8)
    assert float(trigger.pattern.min()) == 1.0


def test_triggers_of_each_kind_have_a_file_of_their_own(run: Run) -> None:
    kinds: list[arrays.TriggerFile] = ["trigger", "restarts", "fresh"]
    for number, which in enumerate(kinds):
        rows = [("pixel", number, 1.0, None, torch.zeros(3, 8, 8))]
        assert run.write_triggers(KeptTriggers.of(rows), which) == f"{which}.npz"
    for number, which in enumerate(kinds):
        found = run.triggers(which)
        assert found is not None
        assert found.targets.tolist() == [number]


def test_the_sprite_holds_each_image_in_its_place(run: Run) -> None:
    shades = np.linspace(0, 255, 120).astype(np.uint8)
    run.write_thumbs(np.broadcast_to(shades[:, None, None, None], (120, 16, 16, 3)))
    assert run.thumbs is not None
    sprite = np.asarray(Image.open(run.thumbs)).astype(int)
    assert sprite.shape == (3 * 16, 50 * 16, 3)
    for sample in (0, 49, 50, 119):
        row, column = divmod(sample, arrays.THUMBS_A_ROW)
        middle = sprite[row * 16 + 8, column * 16 + 8]
        assert abs(middle - shades[sample]).max() <= 6


@pytest.mark.parametrize(("n", "side", "tallest", "expected"), [(3, 224, arrays.LARGEST_WEBP, 64), (1000, 32, 80, 4)])
def test_large_images_or_many_are_made_smaller(n: int, side: int, tallest: int, expected: int) -> None:
    sprite = Image.open(io.BytesIO(arrays.sprite_of(np.zeros((n, side, side, 3), np.uint8), tallest)))
    assert sprite.width == 50 * expected
    assert sprite.height <= tallest
