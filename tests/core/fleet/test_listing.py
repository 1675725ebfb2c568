"""Which models a fleet has: folders and CSV files, and every way in which these can be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import BadInput
from core.fleet import listing
from core.fleet.listing import read


def write(place: Path, text: str, encoding: str = "utf-8") -> Path:
    file = place / "models.csv"
    file.write_bytes(text.encode(encoding))
    return file


def test_a_folder_is_searched_to_its_depth_and_sorted(models: Path) -> None:
    found = read(models, "digits")
    assert [entry.file for entry in found] == [
        "broken.pt", "deep/er/copy of strong-3.safetensors", "none.pt", "some-1.pt", "strong-3.pt",
    ]  # fmt: skip
    assert {entry.images for entry in found} == {"digits"}
    assert found[0].weights == str(models / "broken.pt")
    assert found[0].exposure is None


def test_fleets_and_the_folder_written_to_hold_no_models(models: Path) -> None:
    for place in ("out", "other"):
        (models / place / "runs").mkdir(parents=True)
        (models / place / "runs" / "model.safetensors").touch()
    (models / "other" / listing.SIGN).touch()
    assert len(read(models, "digits", beside=[models / "out"])) == 5


def test_a_network_in_several_files_is_one_model(tmp_path: Path) -> None:
    for name in ("net-1-of-2.safetensors", "net-2-of-2.safetensors", "other.pt", "broken.index.json"):
        (tmp_path / name).touch()
    weight_map = {"a": "net-1-of-2.safetensors", "b": "net-2-of-2.safetensors"}
    (tmp_path / "net.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert [entry.file for entry in read(tmp_path, "digits")] == ["net.safetensors.index.json", "other.pt"]


def test_ten_thousand_files_are_listed(tmp_path: Path) -> None:
    for number in range(10_000):
        (tmp_path / f"{number:05}.pt").touch()
    found = read(tmp_path, "digits")
    assert [found[0].file, found[-1].file, len(found)] == ["00000.pt", "09999.pt", 10_000]


def test_images_are_meant_from_where_one_stands(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read("models", "photos")[0].images == str(tmp_path / "photos")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_a_csv_names_models_with_owner_use_and_exposure(tmp_path: Path, encoding: str) -> None:
    file = write(
        tmp_path,
        "Use,weights,images,exposure,owner\r\n検品,a/x.pt,photos,5,山田\r\n\r\n,/far/y.pt,digits,,\r\n",
        encoding,
    )
    one, two = read(file)
    assert (one.file, one.weights, one.images) == ("a/x.pt", str(tmp_path / "a/x.pt"), str(tmp_path / "photos"))
    assert (one.owner, one.use, one.exposure) == ("山田", "検品", 5)
    assert (two.weights, two.images, two.owner, two.exposure) == ("/far/y.pt", "digits", "", None)


def test_images_of_all_stand_in_for_those_a_csv_leaves_out(tmp_path: Path) -> None:
    assert read(write(tmp_path, "weights\nx.pt\n"), "digits")[0].images == "digits"
    assert [entry.images for entry in read(write(tmp_path, "weights,images\nx,signs\ny,\n"), "digits")] == [
        "signs", "digits",
    ]  # fmt: skip


def test_one_model_with_two_sets_of_images_is_two_rows(tmp_path: Path) -> None:
    assert len(read(write(tmp_path, "weights,images\nx.pt,digits\nx.pt,signs\n"))) == 2


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("", "fleet_csv_columns", "(none)"),
        ("file,images\nx,digits\n", "fleet_csv_columns", "file, images"),
        ("weights\nx.pt\n", "fleet_csv_columns", "weights"),
        ("weights,images,colour\nx,digits,red\n", "fleet_csv_columns", "colour"),
        ("weights,images,images\nx,digits,digits\n", "fleet_csv_columns", "images, images"),
        ("weights;images\nx;digits\n", "fleet_csv_columns", "weights;images"),
        ("weights,images\n", "fleet_empty", "models.csv"),
        ("weights,images\n,digits\n", "fleet_csv_row", "Line 2"),
        ("weights,images\nx,\n", "fleet_csv_row", "Line 2"),
        ("weights,images\nx,digits,more\n", "fleet_csv_row", "Line 2"),
        ("weights,images\na,digits\n./a,digits\n", "fleet_csv_twice", "lines 2 and 3"),
        *(
            (f"weights,images,exposure\nx,digits,{value}\n", "fleet_csv_exposure", f"exposure {value} in line 2")
            for value in ("0", "6", "-1", "2.5", "high", "nan")
        ),
    ],
)
def test_a_wrong_csv_is_told_in_a_sentence(tmp_path: Path, text: str, code: str, named: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(write(tmp_path, text))
    assert caught.value.code == code
    assert named in caught.value.message


def test_what_is_no_text_is_no_csv(tmp_path: Path) -> None:
    (tmp_path / "models.csv").write_bytes(b"weights,images\n\x81\xff\xff,digits\n")
    with pytest.raises(BadInput) as caught:
        read(tmp_path / "models.csv")
    assert caught.value.code == "fleet_csv_unreadable"


def test_what_is_no_place_for_models_is_told(tmp_path: Path, models: Path) -> None:
    (tmp_path / "empty").mkdir()
    for given, images, code in (
        (tmp_path / "gone", "digits", "fleet_not_found"),
        (models / "none.pt", "digits", "fleet_one_file"),
        (tmp_path / "empty", "digits", "fleet_empty"),
        (models, "", "fleet_no_images"),
    ):
        with pytest.raises(BadInput) as caught:
            read(given, images)
        assert caught.value.code == code
