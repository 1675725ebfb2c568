from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from core.data import load
from core.dataroom import written
from core.dataroom.filter import Judged
from core.dataroom.room import Verdict
from core.dataroom.trainset import TrainSet, read
from core.errors import BadInput
from tests.core.tiny import Tiny


@pytest.fixture
def room(tmp_path: Path) -> TrainSet:
    x = np.random.default_rng(0).integers(0, 255, (30, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(30) % 3, class_names=np.array(["a", "b", "c"]))
    return read(str(tmp_path / "own.npz"))


def verdict(tiny: Tiny, flagged: np.ndarray) -> Verdict:
    scores = np.linspace(0, 1, len(flagged)) + 2 * flagged
    return Verdict(tiny.model, {"ss": Judged(scores, None, (1,), 0.5)}, {"ss": 0.1}, "ss", flagged, ())


def flags(*places: int) -> np.ndarray:
    return np.isin(np.arange(30), places)


def test_the_list_has_a_row_for_each_image(tiny: Tiny, room: TrainSet, tmp_path: Path) -> None:
    path = written.write_list(tmp_path, room, verdict(tiny, flags(1, 4)))
    rows = list(csv.DictReader(path.open(newline="")))
    assert [row["flagged"] for row in rows] == ["1" if at in (1, 4) else "0" for at in range(30)]
    assert [int(row["label"]) for row in rows] == room.y.tolist()
    assert float(rows[4]["score_ss"]) == pytest.approx(4 / 29 + 2, abs=1e-4)
    assert rows[0]["file"].endswith("own.npz")


def test_kept_images_come_back_as_they_were(tiny: Tiny, room: TrainSet, tmp_path: Path) -> None:
    path = written.write_kept(tmp_path, room, verdict(tiny, flags(1, 4)))
    again = load(path)
    assert again.class_names == ("a", "b", "c")
    assert len(again.x_train) + len(again.x_test) == 28
    pixels = {image.numpy().tobytes() for image in torch.cat([again.x_train, again.x_test])}
    assert pixels == {image.numpy().tobytes() for at, image in enumerate(room.x) if at not in (1, 4)}


def test_a_folder_of_the_kept_is_written_whole_or_not_at_all(tiny: Tiny, room: TrainSet, tmp_path: Path) -> None:
    out = written.write_folder(tmp_path, room, verdict(tiny, flags(1, 4)))
    assert len(list(out.rglob("*.png"))) == 28
    again = load(out)
    assert len(again.x_train) + len(again.x_test) == 28
    with pytest.raises(BadInput) as fault:
        written.write_folder(tmp_path, room, verdict(tiny, flags(1)))
    assert fault.value.code == "out_exists"
    assert not list(tmp_path.glob(".cleaned*"))


def test_a_class_without_images_is_refused(tiny: Tiny, room: TrainSet) -> None:
    with pytest.raises(BadInput, match="class b"):
        written.require_classes(room, room.y.numpy() == 1)
    assert written.require_classes(room, flags(1)).sum() == 29


def test_the_sheet_shows_the_flagged_the_most_suspicious_first(tiny: Tiny, room: TrainSet, tmp_path: Path) -> None:
    assert written.write_sheet(tmp_path, room, verdict(tiny, flags(1, 4, 7))) == [7, 4, 1]
    assert written.write_sheet(tmp_path, room, verdict(tiny, flags())) == list(range(29, -1, -1))
    assert (tmp_path / written.SUSPICIOUS).is_file()


def test_a_name_that_a_spreadsheet_would_take_for_a_formula_is_quoted(
    tiny: Tiny, room: TrainSet, tmp_path: Path
) -> None:
    from dataclasses import replace

    odd = replace(room, files=("=1+1.png", *room.files[1:]))
    path = written.write_list(tmp_path, odd, verdict(tiny, flags()))
    assert next(csv.DictReader(path.open(newline="")))["file"] == "'=1+1.png"
