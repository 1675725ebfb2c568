import numpy as np
import pytest
import torch

from core.data import decode, load
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
        ({"y_test": np.minimum(Y, 1)}, "class_without_images"),
        ({"y_train": Y + 1, "y_test": Y + 1}, "class_without_images"),
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
    assert error_of(path).code == "unreadable_npz"


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x=np.zeros((6, 100, 100), np.uint8), y=Y)
    monkeypatch.setattr(decode, "LARGEST_SET", 100_000)
    monkeypatch.setattr(np, "load", None)
    assert error_of(path).code == "image_set_too_large"
