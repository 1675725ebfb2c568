from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core.data import load
from core.data.imageset import ImageSet
from core.errors import BadInput
from core.files import write_json
from core.intake import inspection, recognition, uploads
from core.intake.recognition import MAX_PICTURES, SIDE, fault_of, inspect
from core.models.weights import read_weights
from core.runs.spec import Spec
from core.victims import card_of

VICTIM = card_of("digits-badnets")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISSOLVE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def digits() -> ImageSet:
    return load("digits")


def looked(spec: Spec, pictures: Path | None = None) -> tuple[dict[str, Any], list[str]]:
    """What is told in the end, and the steps on the way."""
    told: dict[str, Any] = {}
    steps: list[str] = []
    inspect(spec, lambda step, done, total: steps.append(step), told.update, pictures)
    return told, list(dict.fromkeys(steps))


def spec(**more: Any) -> Spec:
    return Spec(**{"weights": str(VICTIM.weights), "images": "digits", "device": "cpu"} | more)


def packed(digits: ImageSet, more: dict[str, bytes]) -> uploads.Upload:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as out:
        for label in range(10):
            for place in torch.nonzero(digits.y_train == label).flatten()[:12].tolist():
                picture = io.BytesIO()
                Image.fromarray(digits.x_train[place].permute(1, 2, 0).numpy()).save(picture, "png")
                out.writestr(f"all/{label}/{place}.png", picture.getvalue())
        for member, data in more.items():
            out.writestr(member, data)
    content.seek(0)
    return uploads.keep("images", "photos.zip", content)


def test_network_scaling_and_classes_are_worked_out(tmp_path: Path) -> None:
    told, steps = looked(spec(), tmp_path / "classes.png")
    assert steps == ["weights", "images", "networks", "scaling"]
    assert told["arch"] == "small"
    assert [fit["arch"] for fit in told["candidates"]] == ["small"]
    assert told["accuracy"] > 90
    assert told["objection"] is None
    best = told["tried"][0]
    assert (best["arch"], best["normalize"], best["accuracy"]) == (told["arch"], told["normalize"], told["accuracy"])
    assert best["accuracy"] >= max(row["accuracy"] for row in told["tried"] if row["images"] == best["images"]) - 3
    images = told["images"]
    assert images["classes"] == [str(k) for k in range(10)]
    assert sum(images["counts"]) == images["train"]
    assert told["found"][0]["code"] == "file"
    with Image.open(tmp_path / "classes.png") as row:
        assert row.size == (10 * SIDE, SIDE)


def test_a_checkpoint_in_a_wrapper_with_images_in_a_zip(tmp_path: Path, digits: ImageSet) -> None:
    state = read_weights(VICTIM.weights).tensors
    named = {f"module.{name}": value for name, value in state.items()}
    torch.save({"net": named, "epoch": 7, "optimizer": {"state": {0: torch.ones(3)}}}, tmp_path / "net.pth")
    upload = packed(digits, {"all/readme": b"x"})
    told, steps = looked(spec(weights=str(tmp_path / "net.pth"), images=str(upload.path)))
    assert steps[:3] == ["weights", "unpack", "images"]
    assert {fact["code"] for fact in told["found"]} >= {"file", "wrapper", "beside", "prefix"}
    assert told["arch"] == "small"
    assert told["images"]["left_out"] == 1
    assert told["images"]["train"] + told["images"]["test"] == 120
    assert told["images"]["path"] == str(upload.path) == str(upload.unpacked)
    assert not upload.file.exists()  # unpacked once; the archive is not needed any more
    again, _ = looked(spec(images=str(upload.path)))
    assert again["images"]["classes"] == told["images"]["classes"]


def test_a_hostile_zip_is_refused_after_the_weights_were_told(digits: ImageSet) -> None:
    upload = packed(digits, {"../evil.png": b"x"})
    told: dict[str, Any] = {}
    with pytest.raises(BadInput) as raised:
        inspect(spec(images=str(upload.path)), lambda *_: None, told.update)
    assert raised.value.code == "zip_outside"
    assert list(told) == ["found"]
    assert not upload.unpacked.exists()


def test_a_zip_of_the_users_own_folder_is_not_unpacked_there(tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_bytes(b"PK")
    with pytest.raises(BadInput) as raised:
        looked(spec(images=str(tmp_path / "mine.zip")))
    assert raised.value.code == "zip_not_uploaded"
    assert (tmp_path / "mine.zip").exists()


def test_a_pickled_npz_is_not_opened(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "executed",))

    x, y = np.zeros((4, 8, 8), np.uint8), np.array([0, 0, 1, 1])
    np.savez(tmp_path / "a.npz", x=x, y=y, class_names=np.array([Evil(), Evil()], object))
    with pytest.raises(BadInput):
        looked(spec(images=str(tmp_path / "a.npz")))
    assert not (tmp_path / "executed").exists()


def test_answers_no_better_than_chance_are_an_objection_with_the_table(tmp_path: Path, digits: ImageSet) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 16, 16, 3), np.uint8)
    labels = np.arange(200) % 10
    np.savez(tmp_path / "noise.npz", x_train=noise, y_train=labels, x_test=noise, y_test=labels)
    told, _ = looked(spec(images=str(tmp_path / "noise.npz")))
    assert told["objection"]["code"] == "near_chance"
    assert told["tried"]


def test_who_names_both_is_taken_at_their_word(tmp_path: Path) -> None:
    told, _ = looked(spec(arch="small", normalize="bytes"))
    assert (told["arch"], told["normalize"], told["objection"]) == ("small", "bytes", None)
    assert len(told["tried"]) == 1


def test_many_classes_get_so_many_pictures_and_no_more(tmp_path: Path) -> None:
    many = MAX_PICTURES + 5
    x, y = np.zeros((2 * many, 8, 8), np.uint8), np.arange(2 * many) % many
    np.savez(tmp_path / "many.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(BadInput) as raised:
        looked(spec(images=str(tmp_path / "many.npz")), tmp_path / "classes.png")
    assert raised.value.code == "model_classes_differ"
    with Image.open(tmp_path / "classes.png") as row:
        assert row.width == MAX_PICTURES * SIDE


def test_two_inspections_of_one_zip_take_turns(digits: ImageSet) -> None:
    """The second comes while the first unpacks: it waits, and then finds the images."""
    upload = packed(digits, {"all/readme": b"x"})
    asked = threading.Event()
    told: list[tuple[int, int]] = []
    found: list[Any] = []

    def second_is_told(step: str, done: int, total: int) -> None:
        told.append((done, total))
        asked.set()

    def second() -> None:
        try:
            found.append(recognition.unpacked(str(upload.file), second_is_told))
        except BaseException as fault:
            found.append(fault)
            asked.set()

    def first_is_told(step: str, done: int, total: int) -> None:
        if done and not other.is_alive() and not found:
            assert not upload.unpacked.exists(), "it is at work"
            other.start()
            asked.wait(30)

    other = threading.Thread(target=second)
    first = recognition.unpacked(str(upload.file), first_is_told)
    other.join(30)
    assert first == (str(upload.unpacked), 1)
    assert found == [(str(upload.unpacked), 0)]
    assert told == [(0, 0)], "nothing was left to unpack"
    assert len(list(upload.unpacked.rglob("*.png"))) == 120
    assert [entry.name for entry in upload.file.parent.iterdir()] == ["photos"]


def test_a_zip_that_another_has_unpacked_is_read_from_its_folder(digits: ImageSet) -> None:
    upload = packed(digits, {})
    first, _ = looked(spec(images=str(upload.file)))
    again, _ = looked(spec(images=str(upload.file), arch="small"))
    assert again["images"] == first["images"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (MemoryError(), "inspection_memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"), "inspection_memory"),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "inspection_memory_gpu"),
    ],
)
def test_memory_that_ran_out_is_told_as_such(fault: Exception, code: str) -> None:
    told = fault_of(fault)
    assert told.code == code
    assert "computer with more" in told.message
    assert "smaller images" in told.message


def test_memory_that_ran_out_in_a_reader_is_no_damaged_file() -> None:
    damaged = BadInput("weights_damaged", "net.pth is damaged")
    assert fault_of(damaged) is damaged
    damaged.__cause__ = RuntimeError("can't allocate memory")
    assert fault_of(damaged).code == "inspection_memory"


def test_other_faults_are_ours_and_say_which() -> None:
    told = fault_of(ZeroDivisionError("by zero"))
    assert (told.code, told.facts) == ("internal", {"error": "ZeroDivisionError"})
    assert "by zero" in told.message


def test_the_process_leaves_what_went_wrong_in_its_note_and_what_it_knew_before(digits: ImageSet) -> None:
    order = spec(images=str(packed(digits, {"../evil.png": b"x"}).path))
    folder = inspection.folder_of("key")
    folder.mkdir(parents=True)
    write_json(folder / "note.json", {"format": inspection.FORMAT, "spec": order.to_dict()})
    assert recognition.main("key") == 1
    found = inspection.state("key")
    assert found is not None
    assert found.ended
    assert found.failure["code"] == "zip_outside"
    assert list(found.result) == ["found"]
