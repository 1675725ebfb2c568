import contextlib
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data import load
from core.data.decode import LARGEST_SET, check_set_size
from core.errors import BadInput

Y = np.array([0, 1, 2, 0, 1, 2])


def pixels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def write(path, **changes):
    arrays = {"x_train": pixels(6, 4, 5, 3), "y_train": Y, "x_test": pixels(6, 4, 5, 3), "y_test": Y} | changes
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    return path


def error_of(path):
    with pytest.raises(BadInput) as caught:
        load(path)
    assert path.name in str(caught.value)
    return caught.value


@pytest.mark.parametrize("shape", [(6, 4, 5, 3), (6, 4, 5), (6, 4, 5, 1), (6, 3, 4, 5), (6, 1, 4, 5)])
def test_layouts(tmp_path, shape):
    x = pixels(*shape)
    images = load(write(tmp_path / "mine.npz", x_train=x, x_test=x))
    assert images.name == "mine"
    assert images.x_train.shape == (6, 3, 4, 5)
    assert images.x_train.dtype == torch.uint8
    channels_first = x[:, None] if x.ndim == 3 else x if shape[1] in (1, 3) else x.transpose(0, 3, 1, 2)
    assert np.array_equal(images.x_test.numpy(), np.broadcast_to(channels_first, (6, 3, 4, 5)))
    assert images.class_names == ("0", "1", "2")


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_of_any_whole_type(tmp_path, dtype):
    images = load(write(tmp_path / "a.npz", y_train=Y.astype(dtype)[:, None]))
    assert images.y_train.dtype == torch.int64
    assert images.y_train.tolist() == Y.tolist()


def test_names_and_split(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=pixels(30, 8, 8), y=np.tile(Y, 5), class_names=np.array(["cat", "dog", "eel"]))
    images = load(path)
    assert images.class_names == ("cat", "dog", "eel")
    assert torch.bincount(images.y_train).tolist() == [8, 8, 8]
    assert torch.equal(load(path).x_test, images.x_test)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"x_test": None}, "npz_keys_missing"),
        ({"x_train": pixels(6, 4, 5, 3).astype(np.float32)}, "npz_images"),
        ({"x_train": pixels(6, 60)}, "npz_images"),
        ({"x_train": pixels(6, 4, 5, 2)}, "npz_images"),
        ({"x_train": pixels(0, 4, 5, 3)}, "npz_images"),
        ({"x_train": np.array([object()] * 6)}, "npz_images"),
        ({"x_train": pixels(5, 4, 5, 3)}, "npz_lengths"),
        ({"x_test": pixels(6, 9, 9, 3)}, "mixed_sizes"),
        ({"y_train": Y.astype(float)}, "npz_labels"),
        ({"y_train": Y - 1}, "npz_labels"),
        ({"y_train": Y + 2**40}, "npz_labels"),
        ({"y_train": np.array([None] * 6)}, "npz_labels"),
        ({"y_train": np.eye(6, dtype=int)}, "npz_labels"),
        ({"y_train": Y * 0, "y_test": Y * 0}, "too_few_classes"),
        ({"y_test": np.minimum(Y, 1)}, "npz_class_missing"),
        ({"y_train": Y + 1, "y_test": Y + 1}, "npz_class_missing"),
        ({"class_names": np.array(["a", "b"])}, "npz_class_names"),
        ({"class_names": np.array(["a", "b", "b"])}, "npz_class_names"),
        ({"class_names": np.array([1, 2, 3])}, "npz_class_names"),
        ({"class_names": np.array(["a", None, "c"], dtype=object)}, "npz_class_names"),
    ],
)
def test_what_cannot_be_used(tmp_path, changes, code):
    assert error_of(write(tmp_path / "bad.npz", **changes)).code == code


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "flipped", "npy", "pickle"])
def test_files_that_are_not_npz(tmp_path, kind):
    path = write(tmp_path / "bad.npz")
    whole = path.read_bytes()
    if kind == "npy":
        with open(path, "wb") as file:
            np.save(file, Y)
    else:
        middle = len(whole) // 4
        flipped = whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 40]) + whole[middle + 40 :]
        path.write_bytes(
            {"empty": b"", "text": b"hello", "truncated": whole[:300], "flipped": flipped, "pickle": b"\x80\x04N."}[
                kind
            ]
        )
    assert error_of(path).code == {"empty": "file_empty", "npy": "images_of_other_kind"}.get(kind, "unreadable_npz")


@pytest.mark.parametrize("split", [True, False], ids=["two parts", "whole"])
def test_a_set_is_judged_whole_before_it_is_unpacked(tmp_path, free_memory, split):
    x = np.zeros((6, 1000, 1000), np.uint8)
    arrays = {"x_train": x, "y_train": Y, "x_test": x, "y_test": Y} if split else {"x": x, "y": Y}
    np.savez_compressed(tmp_path / "bomb.npz", **arrays)
    free_memory(60e6 if split else 20e6)  # 18 MB for each part, and half of what is free
    code, most = refused(tmp_path / "bomb.npz")
    assert code == "image_set_too_large"
    assert most < 4e6  # an array is 6 MB


def test_a_set_takes_half_of_the_free_memory_at_most(tmp_path, free_memory):
    path = write(tmp_path / "a.npz")
    free = 2 * 12 * (4 * 5 * 3 + 16)
    free_memory(free)
    assert len(load(path).x_train) == 6
    free_memory(free - 2)
    assert error_of(path).code == "image_set_too_large"


def test_a_set_beyond_what_any_set_may_take_is_refused_whatever_is_free(free_memory):
    free_memory(10 * LARGEST_SET)
    check_set_size(1000, 2000, 1400, "large")
    with pytest.raises(BadInput) as caught:
        check_set_size(1100, 2000, 1400, "large")
    assert caught.value.code == "image_set_too_large"


def test_tiny_images_count_with_their_labels(tmp_path, free_memory):
    x, y = np.zeros((30_000, 1, 1), np.uint8), np.arange(30_000) % 3
    np.savez_compressed(tmp_path / "a.npz", x=x, y=y)
    free_memory(400_000)
    assert error_of(tmp_path / "a.npz").code == "image_set_too_large"


def test_labels_are_no_more_than_images_before_they_are_unpacked(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=pixels(6, 4, 5), y=np.zeros(4_000_000, np.int64))
    code, most = refused(tmp_path / "a.npz")
    assert code == "npz_lengths"
    assert most < 4e6  # the labels are 32 MB


def header(shape, descr="|u1"):
    return ("{'descr': '" + descr + f"', 'fortran_order': False, 'shape': {shape}, }}\n").encode()


def member(content, head, version=(2, 0), claimed=None):
    size = struct.pack("<I" if version > (1, 0) else "<H", len(head) if claimed is None else claimed)
    return b"\x93NUMPY" + bytes(version) + size + head + content


def pack(path, members, packing=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", packing) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


def good():
    labels = np.tile(np.array([0, 1], np.uint8), 10).tobytes()
    return {"x.npy": member(bytes(20 * 16), header((20, 4, 4))), "y.npy": member(labels, header((20,)))}


def refused(path):
    """The code of the refusal, and the most memory it took in bytes."""
    tracemalloc.start()
    try:
        return error_of(path).code, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_arrays_made_by_hand_are_read(tmp_path):
    assert load(pack(tmp_path / "a.npz", good())).class_names == ("0", "1")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"x.npy": member(bytes(320), header((2**40, 4, 4)))}, "unreadable_npz"),  # claims more than is there
        ({"x.npy": member(bytes(320), header((21, 4, 4)))}, "unreadable_npz"),
        ({"x.npy": member(bytes(320), header((-20, -4, 4)))}, "unreadable_npz"),
        ({"x.npy": member(b"", header((20, 4, 4)) + b" " * 2**26)}, "unreadable_npz"),  # the header alone is 64 MB
        ({"x.npy": member(bytes(320), header((20, 4, 4)), claimed=2**32 - 1)}, "unreadable_npz"),
        ({"x.npy": member(bytes(320), b"{'descr': (\n")}, "unreadable_npz"),
        ({"x.npy": member(bytes(320), b"(" * 900)}, "unreadable_npz"),
        ({"x.npy": member(bytes(320), b"-" * 900 + b"1")}, "unreadable_npz"),
        ({"x.npy": member(bytes(320), b"-" * 9000 + b"1")}, "unreadable_npz"),  # Python's own parser gives up
        ({"x.npy": member(bytes(320), header((20, 4, 4), "|V999999999"))}, "unreadable_npz"),
        ({"class_names.npy": member(bytes(2**26), header((2,), "|S33554432"))}, "npz_class_names"),
        ({f"{number}.npy": b"" for number in range(1100)}, "unreadable_npz"),
        ({"a" * 60_000 + f"{number}": b"" for number in range(20)}, "unreadable_npz"),
    ],
    ids=["huge", "one more", "negative", "long header", "claimed header", "open bracket", "brackets", "signs",
         "many signs",
         "huge item", "huge names", "many", "long list"],
)  # fmt: skip
def test_a_hostile_file_is_refused_before_it_takes_memory(tmp_path, changes, code):
    found, most = refused(pack(tmp_path / "a.npz", good() | changes))
    assert found == code
    assert most < 6e6


def test_a_member_that_numpy_would_prefer_is_not_read_instead(tmp_path):
    """``numpy.load(...)["x"]`` opens a member ``x`` before ``x.npy``, whose header was judged."""
    large = member(bytes(2**26), header((2**26 // 16, 4, 4)))
    images = load(pack(tmp_path / "a.npz", {"x": large} | good()))
    assert len(images.x_train) + len(images.x_test) == 20


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packing_that_unpacks_all_at_once_is_refused(tmp_path, packing):
    assert error_of(pack(tmp_path / "a.npz", good(), packing)).code == "unreadable_npz"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([(1, 0), (2, 0), (3, 0), (9, 9)]))
def test_whatever_stands_in_a_header_is_refused_or_read(tmp_path_factory, head, version):
    path = pack(tmp_path_factory.mktemp("room") / "a.npz", good() | {"x.npy": member(bytes(320), head, version)})
    with contextlib.suppress(BadInput):
        load(path)


def test_arrays_that_are_no_part_of_the_set_are_told(tmp_path):
    x, y = np.zeros((20, 4, 4, 3), np.uint8), np.arange(20) % 2
    np.savez(tmp_path / "set.npz", x=x, y=y, x_test=x, y_test=y)
    (left_out,) = (note for note in load(tmp_path / "set.npz").notes if note.code == "arrays_left_out")
    assert left_out.facts == {"names": "x_test, y_test"}
    np.savez(tmp_path / "four.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    assert "arrays_left_out" not in {note.code for note in load(tmp_path / "four.npz").notes}


@pytest.mark.parametrize(("brightest", "told"), [(1, True), (16, True), (200, False)])
def test_pixels_of_another_range_are_told(tmp_path, brightest, told):
    x = np.full((20, 4, 4), brightest, np.uint8)
    np.savez(tmp_path / "set.npz", x=x, y=np.arange(20) % 2)
    dark = [note.facts for note in load(tmp_path / "set.npz").notes if note.code == "dark"]
    assert dark == ([{"most": brightest}] if told else [])
