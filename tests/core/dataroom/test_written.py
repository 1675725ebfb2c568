from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.data import load
from core.dataroom import written
from core.dataroom.filter import Judged
from core.dataroom.room import Verdict
from core.dataroom.trainset import TrainSet, read
from core.errors import BadInput
from core.runs.arrays import THUMBS_A_ROW
from tests.core.tiny import Tiny


@pytest.fixture
def room(tmp_path: Path) -> TrainSet:
    x = np.random.default_rng(0).integers(0, 255, (30, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", x=x, y=np.arange(30) % 3, class_names=np.array(["a", "b", "c"]))
    return read(str(tmp_path / "own.npz"))


def verdict(tiny: Tiny, flagged: np.ndarray) -> Verdict:
    scores = np.linspace(0, 1, len(flagged)) + 2 * flagged
    judged = {"ss": Judged(scores, None, (1,), 0.5)}
    features = np.random.default_rng(1).normal(size=(len(flagged), 4)) + 9 * flagged[:, None]
    return Verdict(tiny.model, judged, {"ss": 0.1}, "ss", flagged, (), features)


def flags(*places: int) -> np.ndarray:
    return np.isin(np.arange(30), places)


def test_the_list_has_a_row_for_each_image(tiny: Tiny, room: TrainSet, tmp_path: Path) -> None:
    path = written.write_list(tmp_path, room, verdict(tiny, flags(1, 4)))
    rows = list(csv.DictReader(path.open(newline="")))
    assert [row["flagged"] for row in rows] == ["1" if at in (1, 4) else "0" for at in range(30)]
    assert [int(row["label"]) for row in rows] == room.y.tolist()
    assert float(rows[4]["score_ss"]) == pytest.approx(4 / 29 + 2, abs=1e-4)
    assert rows[0]["file"].endswith("own.npz")
    assert not (tmp_path / written.TRUTH).exists()


def test_a_reviewed_list_says_what_the_filter_and_what_the_person_says(
    tiny: Tiny, room: TrainSet, tmp_path: Path
) -> None:
    poisoned = replace(room, poisoned=torch.from_numpy(flags(4, 9)))
    judged = replace(verdict(tiny, flags(1, 4)), words={1: "keep", 9: "flag"})
    rows = list(csv.DictReader(written.write_list(tmp_path, poisoned, judged).open(newline="")))
    assert [at for at, row in enumerate(rows) if row["flagged"] == "1"] == [1, 4]
    assert {at: row["reviewed"] for at, row in enumerate(rows) if row["reviewed"]} == {1: "keep", 9: "flag"}
    assert json.loads((tmp_path / written.TRUTH).read_text()) == [4, 9]
    mapped = list(csv.DictReader(written.write_map(tmp_path, poisoned, judged, seed=0).open(newline="")))
    assert [at for at, row in enumerate(mapped) if row["flagged"] == "1"] == [4, 9]


def test_kept_images_come_back_as_they_were(tiny: Tiny, room: TrainSet, tmp_path: Path) -> None:
    path = written.write_kept(tmp_path, room, replace(verdict(tiny, flags(1, 7)), words={4: "flag", 7: "keep"}))
    again = load(path)
    assert again.class_names == ("a", "b", "c")
    assert len(again.x_train) + len(again.x_test) == 28
    pixels = {image.numpy().tobytes() for image in torch.cat([again.x_train, again.x_test])}
    assert pixels == {image.numpy().tobytes() for at, image in enumerate(room.x) if at not in (1, 4)}


def test_a_folder_of_the_kept_is_written_whole_or_not_at_all(tiny: Tiny, room: TrainSet, tmp_path: Path) -> None:
    out = written.write_folder(tmp_path, room, replace(verdict(tiny, flags(1, 4, 7)), words={7: "keep"}))
    assert len(list(out.rglob("*.png"))) == 28
    again = load(out)
    assert again.class_names == ("a", "b", "c")
    assert len(again.x_train) + len(again.x_test) == 28
    with pytest.raises(BadInput) as fault:
        written.write_folder(tmp_path, room, verdict(tiny, flags(1)))
    assert fault.value.code == "out_exists"
    assert not list(tmp_path.glob(".cleaned*"))


def test_a_class_without_images_is_refused(tiny: Tiny, room: TrainSet) -> None:
    with pytest.raises(BadInput, match="class b"):
        written.require_classes(room, room.y.numpy() == 1)
    assert written.require_classes(room, flags(1)).sum() == 29


@pytest.mark.parametrize(
    ("labels", "flagged", "code", "facts"),
    [
        ([0, 0, 1, 2, 2], [], "class_left_small", {"name": "b", "had": 1, "kept": 1}),
        ([0, 0, 2, 2], [], "class_left_small", {"name": "b", "had": 0, "kept": 0}),
        ([0, 0, 1, 1, 1, 2, 2], [2, 3], "class_left_small", {"name": "b", "had": 3, "kept": 1}),
        ([0, 1, 1, 2, 2], [1, 2], "class_flagged_whole", {"name": "b"}),
    ],
)
def test_what_is_said_of_a_class_that_is_too_small_is_true(
    room: TrainSet, labels: list[int], flagged: list[int], code: str, facts: dict[str, object]
) -> None:
    few = replace(room, y=torch.tensor(labels), x=room.x[: len(labels)])
    with pytest.raises(BadInput) as fault:
        written.require_classes(few, np.isin(np.arange(len(labels)), flagged))
    assert fault.value.code == code
    assert fault.value.facts.items() >= facts.items()


def test_names_of_classes_become_names_of_folders() -> None:
    names = ["cat", "Cat", "../up", "a/b", "a\\b", "", "...", "良品", "x" * 400, "x" * 401, "con\ntrol"]
    folders = written.folder_names(names)
    assert folders[0] == "cat"
    assert folders[7] == "良品"
    assert len({one.casefold() for one in folders}) == len(names)
    for one in folders:
        assert one == Path(one).name
        assert one not in ("", ".", "..")
        assert not set(one) & set("/\\\n")
        assert len(one.encode()) < 255


def test_the_sheet_shows_the_flagged_the_most_suspicious_first(tiny: Tiny, room: TrainSet, tmp_path: Path) -> None:
    kept = [28, 25, 22, 19, 16, 13, 10]  # of the suspected class
    judged = verdict(tiny, flags(1, 4, 7))
    assert written.write_sheet(tmp_path, room, judged) == [7, 4, 1, *kept]
    assert written.write_sheet(tmp_path, room, replace(judged, words={3: "flag", 4: "keep"})) == [7, 4, 1, *kept, 3]
    sheet = Image.open(tmp_path / written.SUSPICIOUS)
    assert sheet.size == (8 * THUMBS_A_ROW, 8)
    seen = np.asarray(sheet.convert("RGB"), int)[:, 8:16]
    assert np.abs(seen.mean((0, 1)) - room.x[4].float().mean((1, 2)).numpy()).max() < 12  # its second picture, as WebP
    nothing = replace(judged, flagged=flags(), judged={"ss": replace(judged.judged["ss"], suspected=())})
    assert sorted(written.write_sheet(tmp_path, room, nothing)) == list(range(30))


def test_a_name_that_a_spreadsheet_would_take_for_a_formula_is_quoted(
    tiny: Tiny, room: TrainSet, tmp_path: Path
) -> None:
    odd = replace(room, files=("=1+1.png", *room.files[1:]))
    path = written.write_list(tmp_path, odd, verdict(tiny, flags()))
    assert next(csv.DictReader(path.open(newline="")))["file"] == "'=1+1.png"


def test_the_map_parts_what_the_model_tells_apart(tiny: Tiny, room: TrainSet, tmp_path: Path) -> None:
    flagged = flags(1, 4, 7, 10, 13, 16)
    path = written.write_map(tmp_path, room, verdict(tiny, flagged), seed=0)
    rows = list(csv.DictReader(path.open(newline="")))
    assert [int(row["index"]) for row in rows] == list(range(30))
    assert [row["flagged"] == "1" for row in rows] == flagged.tolist()
    assert {row["poisoned"] for row in rows} == {""}
    xy = np.array([(float(row["x"]), float(row["y"])) for row in rows])
    centres = xy[flagged].mean(0), xy[~flagged].mean(0)
    nearer = np.linalg.norm(xy - centres[0], axis=1) < np.linalg.norm(xy - centres[1], axis=1)
    assert nearer.tolist() == flagged.tolist()


def test_of_a_large_set_the_map_takes_some_of_each_kind(tiny: Tiny, room: TrainSet, tmp_path: Path) -> None:
    path = written.write_map(tmp_path, room, verdict(tiny, flags(*range(1, 22, 3))), 0, most=15)
    rows = list(csv.DictReader(path.open()))
    kinds = [(row["flagged"], row["label"] == "1") for row in rows]
    assert len(rows) == 15
    assert (kinds.count(("1", True)), kinds.count(("0", True))) == (5, 3)
