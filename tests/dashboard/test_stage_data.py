"""From a record on disk to the live view, while the record grows."""

from __future__ import annotations

import base64
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from core.errors import BadInput
from core.events import Frame, Measured, Scanned
from core.runs import record
from core.runs.event_log import EventWriter
from core.runs.record import Run
from core.runs.spec import Spec
from core.triggers.kept import FORMS, KeptTriggers
from dashboard.components.stage_payload import TEXT_KEYS, StagePayload, pack
from dashboard.stage_data import RunCache, box_of, cache_of, payload_from_run, picture, stamped, trigger_picture

POINTS = 6
WORDS = {key: key for key in TEXT_KEYS}


@pytest.fixture
def run(tmp_path) -> Run:
    made = record.create(Spec(victim="signs-badnets", images="signs"), root=tmp_path)
    made.update(classes=["stop", "yield", "30"], status="stopped")
    return made


def prepare(run: Run) -> None:
    run.write_samples(range(POINTS), [0, 1, 2, 0, 1, 2], [0, 0, 0, 1, 1, 1], [-1, -1, -1, 0, 1, 2])


def add_frame(run: Run, index: int, *, event: bool = True) -> None:
    name = run.write_frame(index, np.full((POINTS, 2), float(index)), np.zeros(POINTS), np.full(POINTS, 90))
    if event:
        append(run, Frame(index, 2 * index, name, 97.0, 99.0 - index, "estimated", 10.0 * index, 0.9))


def append(run: Run, event) -> None:
    with EventWriter(run.folder / "events.jsonl") as log:
        log.append(1.0, event)


def look(run: Run, cache: RunCache) -> StagePayload:
    return payload_from_run(run, cache, texts=WORDS, things="stickered signs")


def test_a_run_without_samples_yet_is_an_empty_view(run):
    made = look(run, RunCache())
    assert (len(made.labels), len(made.frames), made.live) == (0, 0, False)
    assert pack(made)


def test_frames_come_one_by_one_and_are_read_once(run):
    prepare(run)
    cache = RunCache()
    for index in range(3):
        add_frame(run, index)
        made = look(run, cache)
        assert len(made.frames) == len(made.metrics) == index + 1
        assert pack(made)
        (run.folder / "frames" / f"{index:05d}.npz").write_bytes(b"")  # whoever reads it again finds nothing
    made = look(run, cache)
    assert len(made.frames) == 3
    assert made.metrics[2]["step"] == 4
    assert made.metrics[2]["asr"] == 97.0
    assert made.asr_kind == "estimated"
    assert list(made.class_names) == ["stop", "yield", "30"]


def test_a_file_that_cannot_be_read_just_now_is_read_at_the_next_look(run):
    prepare(run)
    add_frame(run, 0)
    frame = run.folder / "frames" / "00000.npz"
    whole, cache = frame.read_bytes(), RunCache()
    append(run, Frame(1, 2, "00001.npz", 97.0, 99.0, "estimated", 10.0, 0.9))
    frame.write_bytes(whole[:40])
    with pytest.raises(BadInput):
        look(run, cache)
    frame.write_bytes(whole)
    assert len(look(run, cache).frames) == 1


def test_viewers_of_a_run_share_what_was_read_of_it(run, tmp_path):
    prepare(run)
    add_frame(run, 0)
    first = look(run, cache_of(run))
    (run.folder / "frames" / "00000.npz").write_bytes(b"")  # whoever reads it again finds nothing
    second = look(Run(run.folder), cache_of(Run(run.folder)))
    assert len(second.frames) == 1
    assert second.frames[0] is first.frames[0]
    assert pack(second) == pack(first)
    add_frame(run, 1)
    assert len(look(run, cache_of(run)).frames) == 2
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    assert cache_of(Run(copy)) is not cache_of(run)


def test_a_frame_counts_only_with_its_event_and_without_a_gap(run):
    prepare(run)
    cache = RunCache()
    add_frame(run, 0)
    add_frame(run, 1, event=False)
    add_frame(run, 2)
    assert len(look(run, cache).frames) == 1
    add_frame(run, 1)
    assert len(look(run, cache).frames) == 3


def test_the_scan_brings_target_and_trigger(run):
    prepare(run)
    cache = RunCache()
    assert look(run, cache).trigger_uri is None
    name = run.write_triggers(KeptTriggers.of([("mask", 2, 1.0, np.ones((1, 8, 8)), np.zeros((3, 8, 8)))]))
    append(run, Scanned(2, 4.0, [9.0, 8.0, 1.0], [1.0, 1.0, 1.0], name))
    made = look(run, cache)
    assert made.target == 2
    assert made.trigger_uri.startswith("data:image/png;base64,")


def test_the_attackers_class_counts_where_it_is_known_whatever_the_scan_points_to(run):
    prepare(run)
    name = run.write_triggers(KeptTriggers.of([("mask", 2, 1.0, np.ones((1, 8, 8)), np.zeros((3, 8, 8)))]))
    append(run, Scanned(2, 4.0, [9.0, 8.0, 1.0], [1.0, 1.0, 1.0], name))
    run.update(true_target=1)
    assert look(run, RunCache()).target == 1


def test_the_figures_of_the_whole_test_set_come_once_they_are_measured(run):
    prepare(run)
    cache = RunCache()
    assert look(run, cache).whole == (None, None)
    append(run, Measured("before", 95.0, 94.0, 99.0, "true", 3000, 2750))
    assert look(run, cache).whole == ({"ba": 95.0, "asr": 99.0}, None)
    append(run, Measured("after", 94.0, 93.0, 2.0, "estimated", 3000, 2750))
    assert look(run, cache).whole[1] is None  # another kind of attack success is not set beside it
    append(run, Measured("after", 94.0, 93.0, 2.0, "true", 3000, 2750))
    assert look(run, cache).whole[1] == {"ba": 94.0, "asr": 2.0}


def test_the_box_holds_every_frame_and_nothing_that_is_nowhere(run):
    prepare(run)
    for index in range(3):
        add_frame(run, index)
    frames = look(run, RunCache()).frames
    assert box_of(frames) == ([0.0, 0.0], [2.0, 2.0])
    frames[2].coords[:] = np.nan
    assert box_of(frames) == ([0.0, 0.0], [1.0, 1.0])
    assert box_of([]) is None


def test_examples_come_with_the_first_frame(run):
    prepare(run)
    images = np.zeros((2, 8, 8, 3), np.uint8)
    run.write_examples([3, 5], images, images + 255)
    cache = RunCache()
    assert look(run, cache).examples == []
    add_frame(run, 0)
    shown = look(run, cache).examples
    assert [example["sample"] for example in shown] == [3, 5]
    assert shown[0]["image_uri"] != shown[0]["triggered_uri"]


def test_a_cache_given_another_run_starts_afresh(run, tmp_path):
    prepare(run)
    add_frame(run, 0)
    cache = RunCache()
    look(run, cache)
    other = record.create(Spec(victim="signs-badnets", images="signs"), root=tmp_path / "other")
    assert len(look(other, cache).frames) == 0
    assert look(other, cache).run != run.id


def decode(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


def test_pictures_keep_their_pixels_and_large_ones_shrink():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    assert np.array_equal(np.asarray(decode(picture(pixels))), pixels)
    assert max(decode(picture(np.zeros((300, 200, 3), np.uint8))).size) == 96


def triggers(form: str, mask: np.ndarray, pattern: np.ndarray) -> KeptTriggers:
    return KeptTriggers(np.array([FORMS.index(form)]), np.array([2]), np.ones(1), mask[None], pattern[None])


def test_the_trigger_is_as_opaque_as_its_mask():
    mask = np.zeros((1, 4, 4), np.float32)
    mask[0, 0, 0], mask[0, 3, 3], mask[0, 1, 2] = 1, 1, np.nan
    image = np.asarray(decode(trigger_picture(triggers("mask", mask, np.full((3, 4, 4), 0.5, np.float32)))))
    assert image.shape == (4, 4, 4)
    assert image[0, 0, 3] == image[3, 3, 3] == 255
    assert image[..., 3].sum() == 510
    assert np.all(np.abs(image[..., :3].astype(int) - 128) <= 1)


def test_a_small_trigger_is_cut_out_so_that_it_can_be_seen():
    mask, pattern = np.full((1, 32, 32), 0.01, np.float32), np.zeros((3, 32, 32), np.float32)
    mask[0, 29:, 28:31] = 1
    pattern[:, 30, 29] = 1
    image = np.asarray(decode(trigger_picture(triggers("mask", mask, pattern))))
    assert image.shape == (5, 5, 4)
    assert (image[..., 3] == 255).sum() == 9, "all of it"
    assert (image[..., 0] == 255).sum() == 1


def test_a_mask_of_nothing_is_shown_whole():
    empty = np.zeros((1, 8, 8), np.float32)
    assert decode(trigger_picture(triggers("mask", empty, np.zeros((3, 8, 8), np.float32)))).size == (8, 8)


def test_the_trigger_on_an_image_is_what_the_model_would_see():
    image = np.full((4, 4, 3), 100, np.uint8)
    mask, pattern = np.zeros((1, 4, 4), np.float32), np.ones((3, 4, 4), np.float32)
    mask[0, 3, 3] = 1
    shown = stamped(triggers("mask", mask, pattern), image)
    assert (shown[3, 3] == 255).all()
    assert (shown[:3] == 100).all()
    added = stamped(triggers("pixel", mask, np.full((3, 4, 4), -0.2, np.float32)), image)
    assert (added == 49).all()
    assert (stamped(triggers("smooth", mask, pattern), image) == 255).all()


def test_an_image_with_the_trigger_is_shown_only_where_pixels_are_kept(run):
    prepare(run)
    name = run.write_triggers(KeptTriggers.of([("mask", 2, 1.0, np.ones((1, 8, 8)), np.zeros((3, 8, 8)))]))
    append(run, Scanned(2, 4.0, [9.0, 8.0, 1.0], [1.0, 1.0, 1.0], name))
    assert look(run, RunCache()).trigger_on_uri is None
    run.write_examples([3], np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8, 3), np.uint8))
    assert decode(look(run, RunCache()).trigger_on_uri).size == (8, 8)
