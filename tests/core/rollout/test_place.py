from __future__ import annotations

import json
from pathlib import Path

import pytest

from core import paths
from core.data.imageset import ImageSet
from core.errors import BadInput
from core.rollout import place
from core.rollout.service import Rollout
from core.runs.record import Run


@pytest.fixture
def folder(run: Run, digits: ImageSet) -> Path:
    """Of a roll-out with ten images."""
    with Rollout(run) as rollout:
        rollout.answer(digits.x_test[:10])
    return place.folder_of(run)


def test_a_recording_stays_as_it_is(run: Run) -> None:
    recording = Run(paths.RECORDINGS / "digits-badnets")
    assert place.folder_of(recording) == paths.home() / "rollout" / "digits-badnets"
    assert place.folder_of(run) == run.folder / "rollout"


def test_nothing_begun_reads_as_none(run: Run) -> None:
    assert place.read_state(place.folder_of(run)) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"stage": "shadow"', '"stage": "all"'),
        lambda text: "[]",
        lambda text: "",
    ],
)
def test_a_state_that_was_changed_is_said_in_a_sentence(folder: Path, damage: object) -> None:
    path = folder / place.STATE
    path.write_text(damage(path.read_text()))  # type: ignore[operator]
    for read in (place.read_state, place.replay):
        with pytest.raises(BadInput) as fault:
            read(folder)  # type: ignore[operator]
        assert fault.value.code == "rollout_broken"
        assert str(path) in fault.value.message


def test_a_log_that_was_changed_cut_or_removed_is_said_in_a_sentence(folder: Path) -> None:
    path = folder / place.LOG
    lines = path.read_bytes().splitlines(keepends=True)
    entry = json.loads(lines[3])
    other = json.dumps(entry | {"purified": entry["original"], "score": 0.5}).encode() + b"\n"
    deep = b"[" * 100_000 + b"\n"
    endless = json.dumps(entry | {"original": float("inf")}).encode() + b"\n"
    broken = ([*lines[:3], deep, *lines[3:]], [*lines[:3], endless, *lines[3:]])
    for content in (*broken, [*lines[:3], other, *lines[4:]], lines[:-1], [*lines[:3], b"no json\n", *lines[3:]], []):
        path.write_bytes(b"".join(content))
        with pytest.raises(BadInput) as fault:
            place.replay(folder)
        assert fault.value.code == "rollout_broken"
    path.write_bytes(b"".join(lines))
    assert place.replay(folder)[0].tally.images == 10
