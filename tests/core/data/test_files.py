"""Folders of class folders: what becomes classes and parts, what is refused, and what is said of the rest."""

import os

import numpy as np
import pytest
import torch

from core.data import load
from tests.core.data.folders import code_of, fill, notes, write


def test_one_folder_is_split(tmp_path):
    folder = fill(tmp_path / "zoo", ["dog", "cat"], count=10)
    told = []
    images = load(folder, progress=lambda done, total: told.append((done, total)))
    assert images.name == "zoo"
    assert images.class_names == ("cat", "dog")
    assert images.x_train.shape == (16, 3, 5, 6)
    assert images.x_train.is_contiguous()
    assert torch.bincount(images.y_test).tolist() == [2, 2]
    assert torch.equal(images.x_train[:, 0, 0, 0].long(), 1 - images.y_train)  # red is the class as written
    assert torch.equal(load(folder).x_test, images.x_test)
    assert not torch.equal(load(folder, seed=1).x_test, images.x_test)
    assert not images.own
    assert told[-1] == (20, 20)


def test_train_and_test_folders(tmp_path):
    fill(tmp_path / "train", ["a", "b"], count=3)
    fill(tmp_path / "test", ["a", "b"], count=2)
    told = []
    images = load(tmp_path, progress=lambda *numbers: told.append(numbers))
    assert (len(images.x_train), len(images.x_test)) == (6, 4)
    assert images.y_test.tolist() == [0, 0, 1, 1]
    assert told == [(10, 10)]


def test_names_that_are_no_text_are_told_in_escapes(tmp_path):
    folder = fill(tmp_path / os.fsdecode(b"\x94\x4c"), [os.fsdecode(b"\x95\x5c"), "猫"])
    images = load(folder)
    assert images.name == "\\x94L"
    assert images.class_names == ("猫", "\\x95\\")


def test_numbers_are_sorted_as_numbers(tmp_path):
    assert load(fill(tmp_path, ["10", "9", "2"])).class_names == ("2", "9", "10")
    assert load(fill(tmp_path, ["x"])).class_names == ("10", "2", "9", "x")


def test_mixed_sizes_name_the_file_and_both_sizes(tmp_path):
    odd = write(fill(tmp_path, ["a", "b"]) / "b" / "odd.png", size=(7, 9))
    error = code_of(tmp_path)
    assert (error.code, error.facts) == ("mixed_sizes", {"file": str(odd), "size": "7x9", "expected": "6x5"})
    assert all(word in str(error) for word in (str(odd), "7x9", "6x5"))


def test_mixed_sizes_between_train_and_test(tmp_path):
    fill(tmp_path / "train", ["a", "b"])
    fill(tmp_path / "test", ["a", "b"], size=(8, 8))
    assert code_of(tmp_path).code == "mixed_sizes"


def test_a_set_beyond_memory_is_refused(tmp_path, free_memory):
    free_memory(1000)
    assert code_of(fill(tmp_path, ["a", "b"])).code == "image_set_too_large"


def test_both_parts_of_a_set_count_together(tmp_path, free_memory):
    for part in ("train", "test"):
        fill(tmp_path / part, ["cat", "dog"])  # 10 pictures of 106 bytes with their labels
    free_memory(2 * 2200)  # half of it may be taken
    assert len(load(tmp_path).x_test) == 10
    free_memory(2 * 2100)
    assert code_of(tmp_path).code == "image_set_too_large"


def test_a_class_without_images_is_named(tmp_path):
    (fill(tmp_path, ["a", "b"]) / "hollow").mkdir()
    error = code_of(tmp_path)
    assert error.code == "class_folder_without_images"
    assert "PNG" in error.message
    assert error.facts["name"] == "hollow"


def test_a_folder_that_may_not_be_opened(tmp_path, monkeypatch):
    scandir = os.scandir

    def closed(folder):
        if os.path.basename(folder) == "a":
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    fill(tmp_path, ["a", "b"])
    monkeypatch.setattr(os, "scandir", closed)
    error = code_of(tmp_path)
    assert error.code == "folder_not_readable"
    assert (error.facts["path"], error.facts["reason"]) == (str(tmp_path / "a"), "Permission denied")


def test_folder_shapes_that_are_wrong(tmp_path):
    (tmp_path / "empty").mkdir()
    assert code_of(tmp_path / "empty").code == "no_class_folders"
    write(tmp_path / "flat" / "1.png")
    assert code_of(tmp_path / "flat").code == "no_class_folders"
    assert code_of(fill(tmp_path / "one", ["only"])).code == "too_few_classes"
    assert code_of(fill(tmp_path / "single", ["a", "b"], count=1)).code == "class_too_small_to_split"


def test_train_without_test(tmp_path):
    fill(tmp_path / "train", ["a", "b"])
    error = code_of(tmp_path)
    assert (error.code, error.facts["missing"]) == ("split_incomplete", "test")


def test_a_class_may_be_called_train(tmp_path):
    assert load(fill(tmp_path, ["bus", "train"])).class_names == ("bus", "train")


def test_classes_that_differ_are_named(tmp_path):
    fill(tmp_path / "train", ["a", "b", "c"])
    fill(tmp_path / "test", ["a", "b"])
    error = code_of(tmp_path)
    assert error.code == "classes_differ"
    assert (error.facts["name"], error.facts["have"], error.facts["lack"]) == ("c", "train", "test")


@pytest.mark.parametrize(("train", "test"), [("Train", "TEST"), ("Training", "Testing"), ("train", "val")])
def test_parts_go_by_their_usual_names(tmp_path, train, test):
    fill(tmp_path / train, ["a", "b"], count=3)
    fill(tmp_path / test, ["a", "b"], count=2)
    images = load(tmp_path)
    assert (len(images.x_train), len(images.x_test), images.class_names) == (6, 4, ("a", "b"))


def test_a_test_part_comes_before_a_validation_part(tmp_path):
    for count, part in enumerate(("train", "val", "test"), 1):
        fill(tmp_path / part, ["a", "b"], count=count)
    assert len(load(tmp_path).x_test) == 6


def test_a_part_alone_is_told_by_its_own_name(tmp_path):
    fill(tmp_path / "Val", ["a", "b"])
    error = code_of(tmp_path)
    assert (error.code, error.facts["missing"]) == ("split_incomplete", "train")
    assert "folder Val " in error.message


def test_a_name_is_one_class_however_its_accents_are_written(tmp_path):
    composed, apart = "caf\u00e9", "cafe\u0301"
    fill(tmp_path / "two" / "train", [composed, "cafz"])
    fill(tmp_path / "two" / "test", [apart, "cafz"])
    images = load(tmp_path / "two")
    assert images.class_names == ("cafz", composed)
    assert images.x_test[images.y_test == 1][:, 0, 0, 0].tolist() == [0] * 5, "the order is that of training"
    fill(tmp_path / "one", [composed, apart, "tea"], count=2)
    images = load(tmp_path / "one")
    assert images.class_names == (composed, "tea")
    assert torch.bincount(images.y_train).tolist() == [3, 1]


def test_nothing_is_said_of_a_folder_that_is_read_whole(tmp_path):
    fill(tmp_path, ["a", "b"])
    (tmp_path / ".DS_Store").write_text("")
    (tmp_path / "a" / "Thumbs.db").write_text("")
    (tmp_path / "__MACOSX" / "a").mkdir(parents=True)
    assert notes(load(tmp_path)) == {}


def test_what_is_left_out_is_counted_by_its_kind(tmp_path):
    fill(tmp_path, ["a", "b"])
    for name in ("a/1.gif", "b/2.GIF", "b/notes", "b/3.heic"):
        (tmp_path / name).write_text("")
    write(tmp_path / "beside.png")
    images = load(tmp_path)
    assert len(images.x_train) + len(images.x_test) == 10
    assert notes(images) == {
        "left_out": {"count": 4, "total": 14, "kinds": "? (1), .gif (2), .heic (1)"},
        "loose": {"count": 1},
    }
    assert "4 of 14" in images.notes[0].message


def test_folders_beside_the_parts_are_named(tmp_path):
    for part in ("train", "val", "test", "extra"):
        fill(tmp_path / part, ["a", "b"])
    assert notes(load(tmp_path)) == {"unused": {"names": "extra, val"}}


def test_folders_below_a_class_are_the_classes(tmp_path):
    fill(tmp_path, ["a", "b"], count=4)
    write(tmp_path / "a" / "more" / "deep" / "0.png", (9, 9, 9))
    (tmp_path / "a" / "more" / "round").symlink_to(tmp_path / "a")
    images = load(tmp_path)
    assert sorted(torch.cat([images.y_train, images.y_test]).tolist()) == [0] * 5 + [1] * 4
    assert notes(images) == {"below": {"count": 1}}


def test_a_class_may_have_an_underscore(tmp_path):
    assert load(fill(tmp_path, ["__background__", "_b", "cat"])).class_names == ("__background__", "_b", "cat")


def test_what_few_or_unequal_images_can_say_is_said(tmp_path):
    y = np.repeat([0, 1], [90, 10])
    np.savez(tmp_path / "a.npz", x=np.zeros((100, 4, 4, 3), np.uint8), y=y, class_names=np.array(["cat", "dog"]))
    found = {note.code: note for note in load(tmp_path / "a.npz").notes}
    assert found["unequal"].facts == {"least": 8, "small": "dog", "most": 72, "large": "cat"}
    assert found["few_test"].facts == {"count": 20, "low": 70, "high": 97}
    x, y = np.zeros((400, 4, 4, 3), np.uint8), np.arange(400) % 2
    np.savez(tmp_path / "b.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    assert load(tmp_path / "b.npz").notes == ()
