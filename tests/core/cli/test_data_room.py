"""``data-room``: the list, the result, what is done then, and orders that cannot be carried out."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.cli import parser as cli
from core.data import load
from core.dataroom import cures, place
from core.dataroom.room import Verdict
from core.dataroom.seen import fresh
from core.dataroom.trainset import TrainSet
from core.jobs import note
from core.models.classifier import Classifier
from core.models.weights import classifier, read_weights

TOLD = {"images", "flagged", "target", "filter", "recall", "false_alarms", "list", "seconds"}


def listed(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def own_set(folder: Path, classes: int = 3, each: int = 20) -> Path:
    rng = np.random.default_rng(0)
    for label in range(classes):
        (folder / f"c{label}").mkdir(parents=True)
        for number in range(each):
            pixels = rng.integers(0, 60, (16, 16, 3)) + 60 * label
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"c{label}" / f"{number}.png")
    return folder


def test_poison_of_a_shipped_victim_is_found_and_nothing_is_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The training set of the victim itself, seed and all."""
    command = (
        "data-room digits --poison blended --rate 0.05 --model digits-blended "
        f"--poison-target 0 --filters ss,contamination --write npz --out {tmp_path / 'out'} --json --device cpu"
    )
    assert cli.main(command.split()) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result.keys() >= TOLD
    rows = listed(Path(result["list"]))
    assert list(rows[0]) == ["index", "file", "label", "score_ss", "score_contamination", "flagged"]
    assert [int(row["index"]) for row in rows] == list(range(result["images"])) == list(range(1198))
    flagged = np.array([row["flagged"] == "1" for row in rows])
    assert flagged.sum() == result["flagged"]
    assert result["filter"] == "contamination"
    kept = load(tmp_path / "out" / "cleaned.npz")
    assert len(kept.x_train) == 1198 - result["flagged"]
    assert torch.equal(kept.x_test, load("digits").x_test)
    whole = json.loads((tmp_path / "out" / "data_room.json").read_text())
    assert whole["list"] == result["list"]
    threshold = whole["filters"]["contamination"]["threshold"]
    for row, flag in zip(rows, flagged, strict=True):
        score = float(row["score_contamination"])
        suspected = int(row["label"]) in whole["filters"]["contamination"]["suspected"]
        assert flag == (suspected and score >= threshold) or abs(score - threshold) < 1e-4


def test_a_folder_is_judged_whole_with_its_files_named_and_linked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = own_set(tmp_path / "own")
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    out = tmp_path / "out"
    command = f"data-room {folder} --filters contamination --write folder --out {out} --json --device cpu"
    assert cli.main(command.split()) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    rows = listed(out / "cleaned.csv")
    assert {row["file"] for row in rows} == {str(path) for path in before}
    for row in rows:
        assert Path(row["file"]).parent.name == f"c{row['label']}"
    assert (result["recall"], result["false_alarms"]) == (None, None)
    assert "room_no_trusted" in {one["code"] for one in result["warnings"]}
    links = list((out / "cleaned").rglob("*.png"))
    assert {link.parent.name for link in links} == {"c0", "c1", "c2"}
    assert len(links) == 60 - result["flagged"]
    assert all(link.resolve() in before for link in links)
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} == before


def test_what_cannot_be_judged_is_no_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = f"data-room digits --model digits-blended --most 3 --out {tmp_path / 'out'}"
    assert cli.main(command.split()) == 0
    told = capsys.readouterr().out
    assert "0 of 3" not in told
    assert "3 images cannot be judged" in told
    assert "10 of 10 classes" in told


@pytest.mark.parametrize("out", ["--out", ""])
def test_a_folder_that_is_not_ours_is_left_alone(
    out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    theirs = tmp_path / "data-room-digits"
    theirs.mkdir()
    (theirs / "model.safetensors").write_bytes(b"mine")
    assert cli.main(f"data-room digits {out and f'{out} {theirs}'} --most 60".split()) == 2
    err = capsys.readouterr().err
    assert theirs.name in err
    assert "Training" not in err
    assert [path.name for path in theirs.iterdir()] == ["model.safetensors"]
    assert (theirs / "model.safetensors").read_bytes() == b"mine"


def test_the_network_that_was_looked_through_is_not_taken_for_a_result(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):  # a folder of ours may be written again
        assert cli.main(f"data-room digits --most 60 --filters ss --out {out}".split()) == 0
    assert [path.name for path in out.glob("*.safetensors")] == ["trained-on-all.safetensors"]


def test_a_folder_of_kept_images_that_is_there_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (out / "cleaned").mkdir(parents=True)
    (out / "data_room.json").write_text('{"filters": {}}')
    assert cli.main(f"data-room digits --most 60 --write folder --out {out}".split()) == 2
    assert str(out / "cleaned") in capsys.readouterr().err
    assert not (out / "cleaned.csv").exists()


def test_a_candidate_is_called_one_and_has_a_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def untrained(found: TrainSet, verdict: Verdict, arch: str, seed: int, report: object) -> Classifier:
        return fresh(found.images, arch, seed)

    monkeypatch.setattr(cures, "WAYS", dict.fromkeys(cures.WAYS, untrained))
    out = tmp_path / "out"
    command = f"data-room digits --model digits-blended --arch wrn16-1 --filters ss --then retrain --out {out}"
    assert cli.main(command.split()) == 0
    told = capsys.readouterr().out
    assert "not proven" in told
    assert f"scan {out / 'candidate-retrain.safetensors'}" in told
    result = json.loads((out / "data_room.json").read_text())
    assert result["then"]["retrain"]["proven"] is False
    assert "proven" not in result["then"]["before"]
    assert [path.name for path in out.glob("*.safetensors")] == ["candidate-retrain.safetensors"]
    card = json.loads((out / "candidate-retrain.json").read_text())
    assert (card["proven"], card["arch"], card["classes"]) == (False, "wrn16-1", 10)
    assert card["class_names"] == list(load("digits").class_names)
    weights = out / "candidate-retrain.safetensors"
    assert card["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    model = classifier(read_weights(weights), card["arch"], card["classes"], card["mean"], card["std"])
    assert model(torch.zeros(1, 3, 8, 8)).shape == (1, 10)
    capsys.readouterr()
    purified = f"data-room digits --model digits-blended --arch wrn16-1 --filters ss --then purify --out {out}"
    assert cli.main(purified.split()) == 0
    assert json.loads((out / "candidate-purify.json").read_text())["arch"] == "small"


AIMED = "data-room digits --model digits-blended --most 200 --filters ss --target 4 --threshold=-1e9"  # all fours


def test_an_edited_list_decides_what_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained: list[int] = []

    def retrain(found: TrainSet, verdict: Verdict, arch: str, seed: int, report: object) -> Classifier:
        trained.extend(cures.kept_images(found, verdict).tolist())
        return fresh(found.images, arch, seed)

    monkeypatch.setattr(cures, "WAYS", {"retrain": retrain})
    out = tmp_path / "out"
    assert cli.main(f"{AIMED} --out {out}".split()) == 0
    rows = listed(out / "cleaned.csv")
    fours = [at for at, row in enumerate(rows) if row["flagged"] == "1"]
    back, more = fours[:5], [at for at in range(200) if at not in fours][:2]
    for at in back + more:
        rows[at]["flagged"] = str(1 - int(rows[at]["flagged"]))
    with (out / "cleaned.csv").open("w", newline="") as file:  # in the very folder that is written to again
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows[::-1])
    edited = (out / "cleaned.csv").read_bytes()
    capsys.readouterr()
    again = f"{AIMED} --out {out} --reviewed {out / 'cleaned.csv'} --then retrain --write npz"
    assert cli.main(again.split()) == 0
    left_out = {*fours[5:], *more}
    assert "Your list puts 5 images back and flags 2 more." in capsys.readouterr().out
    assert trained == [at for at in range(200) if at not in left_out]
    assert len(load(out / "cleaned.npz").x_train) == 200 - len(left_out)
    result = json.loads((out / "data_room.json").read_text())
    assert (result["flagged"], result["then"]["retrain"]["lost"]) == (len(left_out), len(left_out))
    assert result["filters"]["ss"]["flagged"] == len(fours)
    assert result["reviewed"] == {"put_back": 5, "flagged": 2}
    rows = listed(out / "cleaned.csv")
    assert list(rows[0])[-2:] == ["flagged", "reviewed"]
    assert [at for at, row in enumerate(rows) if row["flagged"] == "1"] == fours
    assert [at for at, row in enumerate(rows) if row["reviewed"] == "keep"] == back
    assert [at for at, row in enumerate(rows) if row["reviewed"] == "flag"] == more
    assert (out / "reviewed.csv").read_bytes() == edited


def test_a_list_of_another_set_is_refused_before_a_network_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert cli.main(f"{AIMED} --out {out}".split()) == 0
    before = (out / "cleaned.csv").read_bytes()
    capsys.readouterr()
    command = f"data-room digits --most 199 --filters ss --out {out} --reviewed {out / 'cleaned.csv'}"
    assert cli.main(command.split()) == 2
    err = capsys.readouterr().err
    assert "199 images" in err
    assert "Training" not in err
    assert (out / "cleaned.csv").read_bytes() == before


def test_duplicates_and_two_labels_of_one_image_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (60, 16, 16, 3), dtype=np.uint8)
    y = np.arange(60) % 3
    x[3] = x[0]  # of the same class
    x[7] = x[0]  # of another
    np.savez(tmp_path / "set.npz", x=x, y=y)
    assert (
        cli.main(f"data-room {tmp_path / 'set.npz'} --filters contamination --out {tmp_path / 'out'} --json".split())
        == 0
    )
    warnings = {one["code"]: one["facts"] for one in json.loads(capsys.readouterr().out.splitlines()[-1])["warnings"]}
    assert warnings["room_duplicates"] == {"count": 2}
    assert warnings["room_two_labels"] == {"count": 1}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("/no/where", "/no/where"),
        ("digits --filters nobody", "'nobody'"),
        ("digits --filters ss --filter contamination", "'contamination'"),
        ("digits --false-alarms 0", "0 cannot"),
        ("digits --false-alarms 0.1 --threshold 2", "--threshold"),
        ("digits --target 10 --model digits-blended", "10"),
        ("digits --target 99", "99"),
        ("digits --target=-1", "-1"),
        ("digits --threshold nan", "nan"),
        ("digits --rate 2", "2"),
        ("digits --most=-5", "-5"),
        ("photos/ --most 5", "photos/"),
        ("digits --poison nothing", "'nothing'"),
        ("digits --poison badnets --rate 2", "2"),
        ("digits --poison badnets --poison-target 11", "11"),
        ("digits --model /no/weights.pt", "/no/weights.pt"),
        ("digits --model signs-badnets", "12 classes"),
        ("digits --trusted signs", "12 classes"),
        ("digits --reviewed /no/list.csv", "/no/list.csv"),
    ],
)
def test_orders_that_cannot_be_carried_out_are_one_sentence(
    options: str, named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = cli.main(["data-room", *options.split(), "--out", str(tmp_path / "out")])
    except SystemExit as left:
        code = int(left.code or 0)
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert named in err
    assert len(err.splitlines()) == 1


def test_a_target_that_is_no_class_is_refused_before_a_network_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert cli.main(f"data-room digits --target 99 --out {out} --note".split()) == 2
    assert "99" in capsys.readouterr().err
    reached = note.read(out / place.JOB)
    assert reached is not None
    assert reached.stage in ("", "load")


def test_one_class_only_and_no_labels_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_set(tmp_path / "one", classes=1)
    loose = tmp_path / "loose"
    loose.mkdir()
    Image.new("RGB", (16, 16)).save(loose / "a.png")
    for folder in (tmp_path / "one", loose):
        assert cli.main(["data-room", str(folder), "--out", str(tmp_path / "out")]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_class_that_is_flagged_whole_is_told_and_nothing_is_trained_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (
        "data-room digits --model digits-blended --filters contamination --target 4 --threshold=-1e9 "
        f"--out {tmp_path / 'out'}"
    )
    assert cli.main([*command.split(), "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "room_whole_class" in {one["code"] for one in result["warnings"]}
    assert cli.main([*command.split(), "--then", "retrain"]) == 2
    err = capsys.readouterr().err
    assert "class 4" in err
    assert len(err.splitlines()) == 1
    assert (tmp_path / "out" / "cleaned.csv").is_file()
