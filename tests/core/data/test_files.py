import os

import numpy as np
import pytest
import torch
from PIL import Image

from core.data import decode, files, layout, load
from core.errors import BadInput


def write(path, colour=(10, 20, 30), size=(6, 5), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path)
    return path


def fill(folder, classes, count=5, **options):
    for k, name in enumerate(classes):
        for i in range(count):
            write(folder / name / f"{i}.png", (k, i, 0), **options)
    return folder


def code_of(path):
    with pytest.raises(BadInput) as caught:
        load(path)
    return caught.value


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
    assert told == [(6, 10), (10, 10)]


def test_names_that_are_no_text_are_told_in_escapes(tmp_path):
    folder = fill(tmp_path / os.fsdecode(b"\x94\x4c"), [os.fsdecode(b"\x95\x5c"), "猫"])
    images = load(folder)
    assert images.name == "\\x94L"
    assert images.class_names == ("猫", "\\x95\\")


def test_numbers_are_sorted_as_numbers(tmp_path):
    assert load(fill(tmp_path, ["10", "9", "2"])).class_names == ("2", "9", "10")
    assert load(fill(tmp_path, ["x"])).class_names == ("10", "2", "9", "x")


@pytest.mark.parametrize("suffix", ["png", "jpg", "JPEG", "bmp", "webp", "ppm"])
def test_formats(tmp_path, suffix):
    for name in ("a", "b"):
        for i in range(2):
            write(tmp_path / name / f"{i}.{suffix}", (120, 120, 120))
    (tmp_path / "a" / "notes.txt").write_text("not an image")
    images = load(tmp_path)
    assert len(images.x_train) == 2
    assert (images.x_train.int() - 120).abs().max() <= 3


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "I;16"])
def test_other_modes_become_rgb(tmp_path, mode):
    for name in ("a", "b"):
        for i in range(2):
            path = write(tmp_path / name / f"{i}.png", (255, 255, 255), mode="L" if mode == "I;16" else mode)
            if mode == "I;16":
                Image.fromarray(np.full((5, 6), 65535, np.uint16)).save(path)
    images = load(tmp_path)
    assert images.x_train.shape == (2, 3, 5, 6)
    assert images.x_train.min() == 255


@pytest.mark.filterwarnings("error")
def test_a_palette_with_transparent_colours_is_read_without_a_warning(tmp_path):
    for place in fill(tmp_path, ["a", "b"]).glob("*/*.png"):
        Image.open(place).convert("P").save(place, transparency=bytes(range(200)))
    assert load(tmp_path).x_train[0, :, 0, 0].tolist() in ([0, y, 0] for y in range(5))


def test_mixed_sizes_name_the_file_and_both_sizes(tmp_path):
    odd = write(fill(tmp_path, ["a", "b"]) / "b" / "odd.png", size=(7, 9))
    error = code_of(tmp_path)
    assert (error.code, error.facts) == ("mixed_sizes", {"file": str(odd), "size": "7x9", "expected": "6x5"})
    assert all(word in str(error) for word in (str(odd), "7x9", "6x5"))


def test_mixed_sizes_between_train_and_test(tmp_path):
    fill(tmp_path / "train", ["a", "b"])
    fill(tmp_path / "test", ["a", "b"], size=(8, 8))
    assert code_of(tmp_path).code == "mixed_sizes"


@pytest.mark.parametrize("kind", ["text", "empty", "truncated", "gif", "folder", "pipe", "device", "link to itself"])
@pytest.mark.timeout(60)  # a pipe that is opened waits for ever
def test_an_unreadable_image_is_named(tmp_path, kind):
    bad = fill(tmp_path, ["a", "b"]) / "a" / "bad.png"
    if kind == "truncated":
        noise = np.random.default_rng(0).integers(0, 255, (5, 6, 3), np.uint8)
        Image.fromarray(noise).save(bad)
        bad.write_bytes(bad.read_bytes()[:60])
    elif kind == "gif":
        Image.new("L", (6, 5)).save(bad, format="GIF")
    elif kind == "folder":
        bad.mkdir()
    elif kind == "pipe":
        os.mkfifo(bad)
    elif kind in ("device", "link to itself"):
        bad.symlink_to("/dev/zero" if kind == "device" else bad)
    else:
        bad.write_bytes(b"hello" if kind == "text" else b"")
    error = code_of(tmp_path)
    assert error.code == "unreadable_image"
    assert error.facts["file"] == str(bad)


def test_a_huge_image_is_refused_from_its_header(tmp_path):
    huge = fill(tmp_path, ["a", "b"]) / "a" / "huge.png"
    Image.new("1", (60_000, 3)).save(huge)
    error = code_of(tmp_path)
    assert (error.code, error.facts["file"]) == ("image_too_large", str(huge))


def test_a_set_beyond_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(decode, "LARGEST_SET", 500)
    assert code_of(fill(tmp_path, ["a", "b"])).code == "image_set_too_large"


def test_both_parts_of_a_set_count_together(tmp_path, monkeypatch):
    for part in ("train", "test"):
        fill(tmp_path / part, ["cat", "dog"])  # 10 pictures of 106 bytes with their labels
    monkeypatch.setattr(decode, "LARGEST_SET", 2200)
    assert len(load(tmp_path).x_test) == 10
    monkeypatch.setattr(decode, "LARGEST_SET", 2100)
    assert code_of(tmp_path).code == "image_set_too_large"


def test_images_come_out_the_same_however_many_are_turned_at_a_time(tmp_path, monkeypatch):
    folder = fill(tmp_path, ["cat", "dog"], count=10)
    whole = load(folder)
    monkeypatch.setattr(files, "_AT_A_TIME", 3)
    again = load(folder)
    assert torch.equal(again.x_train, whole.x_train)
    assert torch.equal(again.x_test, whole.x_test)
    assert sorted(again.x_train[:, 1, 0, 0].tolist() + again.x_test[:, 1, 0, 0].tolist()) == sorted([*range(10)] * 2)


def test_a_class_without_images_is_named(tmp_path):
    (fill(tmp_path, ["a", "b"]) / "hollow").mkdir()
    error = code_of(tmp_path)
    assert error.code == "class_folder_without_images"
    assert "PNG" in error.message
    assert error.facts["name"] == "hollow"


def test_a_folder_that_may_not_be_opened(tmp_path, monkeypatch):
    def closed(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    fill(tmp_path, ["a", "b"])
    monkeypatch.setattr(layout, "images_in", closed)
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
