"""The pictures in a folder: formats, colours and depths, and those that cannot be read."""

import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from core.data import load
from core.data.files import AT_A_TIME
from tests.core.data.folders import code_of, fill, notes, write


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
    assert error.code == {"empty": "file_empty", "gif": "images_of_other_kind"}.get(kind, "unreadable_image")
    assert error.facts["file"] == str(bad)


def test_a_huge_image_is_refused_from_its_header(tmp_path):
    huge = fill(tmp_path, ["a", "b"]) / "a" / "huge.png"
    Image.new("1", (60_000, 3)).save(huge)
    error = code_of(tmp_path)
    assert (error.code, error.facts["file"]) == ("image_too_large", str(huge))


def test_of_more_images_than_are_turned_at_a_time_each_comes_out_once_and_with_its_label(tmp_path):
    images = load(fill(tmp_path, ["cat", "dog"], count=180))
    assert len(images.x_train) == 288 > AT_A_TIME
    pixels = torch.cat([images.x_train, images.x_test])[:, :2, 0, 0].tolist()  # class and number, as written
    labels = torch.cat([images.y_train, images.y_test]).tolist()
    assert [label for label, _ in pixels] == labels
    assert sorted(pixels) == [[label, number] for label in range(2) for number in range(180)]


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


@pytest.mark.parametrize("value", [-1, 65536, 100_000])
def test_whole_numbers_beyond_16_bits_are_refused_and_not_cut(tmp_path, value):
    fill(tmp_path, ["a", "b"])
    Image.fromarray(np.full((5, 6), value, np.int32)).save(tmp_path / "a" / "x.tif")
    error = code_of(tmp_path)
    assert (error.code, error.facts["low"], error.facts["high"]) == ("image_beyond_16_bits", value, value)


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
