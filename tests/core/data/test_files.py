import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from core.data import decode, files, load
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
    assert told == [(10, 10)]


def test_names_that_are_no_text_are_told_in_escapes(tmp_path):
    folder = fill(tmp_path / os.fsdecode(b"\x94\x4c"), [os.fsdecode(b"\x95\x5c"), "猫"])
    images = load(folder)
    assert images.name == "\\x94L"
    assert images.class_names == ("猫", "\\x95\\")


def test_numbers_are_sorted_as_numbers(tmp_path):
    assert load(fill(tmp_path, ["10", "9", "2"])).class_names == ("2", "9", "10")
    assert load(fill(tmp_path, ["x"])).class_names == ("10", "2", "9", "x")


@pytest.mark.parametrize("suffix", ["png", "jpg", "JPEG", "bmp", "webp", "ppm", "tif", "TIFF"])
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


def notes(images):
    """All but that there are few test images, which goes for all these sets."""
    return {note.code: note.facts for note in images.notes if note.code != "few_test"}


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


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_every_viewer_shows_them(tmp_path, suffix, orientation):
    upright = Image.new("RGB", (8, 16))
    upright.paste((255, 255, 255), (0, 0, 8, 8))  # the sky
    upright.paste((255, 255, 255), (0, 8, 4, 16))
    how = Image.Transpose
    stored = {1: None, 2: how.FLIP_LEFT_RIGHT, 3: how.ROTATE_180, 4: how.FLIP_TOP_BOTTOM, 5: how.TRANSPOSE,
              6: how.ROTATE_90, 7: how.TRANSVERSE, 8: how.ROTATE_270}[orientation]  # fmt: skip
    tag = Image.Exif()
    tag[0x0112] = orientation
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(2):
            picture = upright if stored is None else upright.transpose(stored)
            picture.save(
                tmp_path / name / f"{i}.{suffix}", exif=tag, **({"lossless": True} if suffix == "webp" else {})
            )
    images = load(tmp_path)
    assert images.size == (16, 8)
    seen = images.x_train[0].float().mean(0) > 128
    assert torch.equal(seen, torch.from_numpy(np.asarray(upright.convert("L")) > 128))
    assert notes(images) == ({} if orientation == 1 else {"turned": {"count": 4}})


def deep(folder, most, suffix="png", dtype=np.uint16):
    """Grey pictures of 16 bits, of which one has a pixel of the value ``most`` and all have one of a quarter."""
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(2):
            values = np.full((4, 4), most // 4, dtype)
            values[0, 0] = most if (name, i) == ("a", 0) else 0
            Image.fromarray(values).save(folder / name / f"{i}.{suffix}")
    return folder


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(("most", "bits"), [(255, 8), (1000, 10), (4095, 12), (16000, 14), (65535, 16)])
def test_fewer_bits_in_files_of_16_are_seen(tmp_path, suffix, most, bits):
    images = load(deep(tmp_path, most, suffix))
    assert int(images.x_train[:, :, 3, 3].float().mean()) == most // 4 >> (bits - 8)
    assert images.bits == bits
    assert notes(images) == ({} if bits == 16 else {"bits": {"count": 4, "most": most, "bits": bits}})


def test_both_parts_are_read_with_the_same_bits(tmp_path):
    deep(tmp_path / "train", 4095)
    deep(tmp_path / "test", 400)
    images = load(tmp_path)
    assert images.x_test[0, 0, 3, 3] == 100 >> 4


def test_colours_of_16_bits_of_which_the_upper_are_empty_are_refused(tmp_path):
    for name in ("a", "b"):
        for i in range(2):
            write(tmp_path / name / f"{i}.png")
            png16(tmp_path / name / f"{i}.png", 4095)
    assert code_of(tmp_path).code == "colours_too_dark"
    for file in tmp_path.glob("*/*.png"):
        png16(file, 65535)
    assert load(tmp_path).x_train.max() == 255


def png16(path, value):
    """A PNG of 2 x 2 pixels of three channels with 16 bits each, which Pillow cannot write."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + struct.pack(">6H", *[value] * 6) for _ in range(2))
    header = struct.pack(">IIBBBBB", 2, 2, 16, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def test_fractions_are_refused(tmp_path):
    fill(tmp_path, ["a", "b"])
    Image.fromarray(np.ones((5, 6), np.float32)).save(tmp_path / "a" / "x.tif")
    error = code_of(tmp_path)
    assert (error.code, error.facts["file"]) == ("image_of_fractions", str(tmp_path / "a" / "x.tif"))


def test_of_several_pages_the_first_is_read_and_that_is_said(tmp_path):
    fill(tmp_path, ["a", "b"])
    pages = [Image.new("RGB", (6, 5), colour) for colour in ("white", "black")]
    pages[0].save(tmp_path / "a" / "x.tif", save_all=True, append_images=pages[1:])
    images = load(tmp_path)
    assert notes(images) == {"paged": {"count": 1}}
    assert max(images.x_train.max(), images.x_test.max()) == 255


def test_a_tiff_that_needs_a_rare_decoder_is_not_read(tmp_path):
    fill(tmp_path, ["a", "b"])
    Image.new("1", (6, 5)).save(tmp_path / "a" / "x.tif", compression="group4")
    assert code_of(tmp_path).code == "unreadable_image"
    Image.new("RGB", (6, 5)).save(tmp_path / "a" / "x.tif", compression="tiff_lzw")
    assert len(load(tmp_path).x_train) == 9


def test_what_few_or_unequal_images_can_say_is_said(tmp_path):
    y = np.repeat([0, 1], [90, 10])
    np.savez(tmp_path / "a.npz", x=np.zeros((100, 4, 4, 3), np.uint8), y=y, class_names=np.array(["cat", "dog"]))
    found = {note.code: note for note in load(tmp_path / "a.npz").notes}
    assert found["unequal"].facts == {"least": 8, "small": "dog", "most": 72, "large": "cat"}
    assert found["few_test"].facts == {"count": 20, "low": 70, "high": 97}
    x, y = np.zeros((400, 4, 4, 3), np.uint8), np.arange(400) % 2
    np.savez(tmp_path / "b.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    assert load(tmp_path / "b.npz").notes == ()
