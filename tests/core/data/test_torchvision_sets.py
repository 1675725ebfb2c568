import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.data import load
from core.data.torchvision_sets import CIFAR10_CLASSES, GTSRB_CLASSES
from core.errors import BadInput

SHARED = Path(__file__).parents[4] / "shared" / "data"


def pixels(n, side=32):
    return np.random.default_rng(n).integers(0, 256, (n, side, side, 3), np.uint8)


def write_npz(root, name, classes, side=32):
    y = np.arange(classes)
    np.savez(root / f"{name}.npz", x_train=pixels(classes, side), y_train=y, x_test=pixels(classes, side), y_test=y)


def write_gtsrb(root):
    folder = root / "gtsrb"
    tests = folder / "GTSRB/Final_Test/Images"
    tests.mkdir(parents=True)
    rows = []
    for label in range(43):
        here = folder / f"GTSRB/Training/{label:05d}"
        here.mkdir(parents=True)
        Image.new("RGB", (20 + label, 30), (label * 5, 0, 0)).save(here / "00000_00000.ppm")
        Image.new("RGB", (40, 40), (label * 5, 0, 0)).save(tests / f"{label:05d}.ppm")
        rows.append({"Filename": f"{label:05d}.ppm", "Width": 40, "ClassId": label})
    with open(folder / "GT-final_test.csv", "w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter=";")
        table.writeheader()
        table.writerows(reversed(rows))
    return folder


def error_of(name, root, **options):
    with pytest.raises(BadInput) as caught:
        load(name, root=root, **options)
    return caught.value


@pytest.mark.parametrize(("name", "names"), [("cifar10", CIFAR10_CLASSES), ("gtsrb", GTSRB_CLASSES)])
def test_ready_made_npz(tmp_path, name, names):
    write_npz(tmp_path, name, len(names))
    images = load(name, root=tmp_path)
    assert images.name == name
    assert images.class_names == names
    assert len(set(names)) == len(names) == images.num_classes
    assert images.x_train.shape == (len(names), 3, 32, 32)
    assert not images.own
    assert images.mean == ((0.4914, 0.4822, 0.4465) if name == "cifar10" else (0.3403, 0.3121, 0.3214))


def test_the_default_root_is_the_data_folder(tmp_path, monkeypatch):
    write_npz(tmp_path, "cifar10", 10)
    monkeypatch.setenv("DISSOLVE_DATA", str(tmp_path))
    assert load("cifar10").num_classes == 10


def test_cifar10_as_class_folders(tmp_path):
    for split in ("train", "test"):
        for label, name in enumerate(CIFAR10_CLASSES):
            here = tmp_path / "cifar10" / split / name
            here.mkdir(parents=True)
            Image.new("RGB", (32, 32), (label, 0, 0)).save(here / "00000.png")
    images = load("cifar10", root=tmp_path)
    assert images.class_names == CIFAR10_CLASSES
    assert torch.equal(images.x_test[:, 0, 0, 0].long(), images.y_test)


def test_gtsrb_in_the_layout_of_torchvision(tmp_path):
    write_gtsrb(tmp_path)
    images = load("gtsrb", root=tmp_path)
    assert images.size == (32, 32)
    assert images.y_train.tolist() == list(range(43))
    assert images.y_test.tolist() == list(range(42, -1, -1))
    for x, y in ((images.x_train, images.y_train), (images.x_test, images.y_test)):
        assert torch.equal(x[:, 0, 0, 0].long(), y * 5)


@pytest.mark.parametrize("missing", ["GT-final_test.csv", "GTSRB/Training/00007/00000_00000.ppm"])
def test_a_gtsrb_with_holes(tmp_path, missing):
    (write_gtsrb(tmp_path) / missing).unlink()
    assert error_of("gtsrb", tmp_path).code == "image_set_damaged"


def test_a_gtsrb_table_of_something_else(tmp_path):
    (write_gtsrb(tmp_path) / "GT-final_test.csv").write_text("a;b\n1;2\n")
    assert error_of("gtsrb", tmp_path).code == "image_set_damaged"


def test_a_cifar10_whose_files_are_not_the_published_ones(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"\x80\x04N.")
    error = error_of("cifar10", tmp_path)
    assert error.code == "image_set_damaged"
    assert "checksum" in str(error)


@pytest.mark.parametrize(("classes", "side"), [(10, 16), (9, 32)])
def test_an_npz_of_another_set(tmp_path, classes, side):
    write_npz(tmp_path, "cifar10", classes, side)
    assert error_of("cifar10", tmp_path).code == "image_set_damaged"


@pytest.mark.parametrize("name", ["cifar10", "gtsrb"])
def test_not_there_says_where_it_looked(tmp_path, name):
    error = error_of(name, tmp_path / "nothing")
    assert error.code == "image_set_not_found"
    assert str(tmp_path / "nothing") in str(error)
    assert f"{name}.npz" in str(error)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real images are not on this machine")
def test_the_real_gtsrb_matches_its_names(tmp_path):
    """Of the real images, the blue signs are bluer than the red ones: the names are in the official order."""
    sheet = np.asarray(Image.open(SHARED / "gtsrb" / "test-00.webp").convert("RGB"))
    tiles = sheet.reshape(-1, 32, 100, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3).astype(float)
    y = np.load(SHARED / "gtsrb" / "test-labels.npy")[: len(tiles)]
    tiles = tiles[: len(y), 8:24, 8:24]
    blueness = [(tiles[y == k, ..., 2] - tiles[y == k, ..., 0]).mean() for k in range(43)]
    blue = [GTSRB_CLASSES.index(n) for n in ("ahead only", "keep right", "turn right ahead", "roundabout")]
    red = [GTSRB_CLASSES.index(n) for n in ("stop", "no entry")]
    assert min(blueness[k] for k in blue) > max(blueness[k] for k in red)


@pytest.mark.skipif("DISSOLVE_DATA" not in os.environ, reason="set DISSOLVE_DATA to a folder with the real sets")
@pytest.mark.parametrize("name", ["cifar10", "gtsrb"])
def test_the_real_set_loads(name):
    root = Path(os.environ["DISSOLVE_DATA"])
    try:
        images = load(name, root=root)
    except BadInput as error:
        pytest.skip(error.message)
    mean = images.x_train.float().mean((0, 2, 3)) / 255
    assert (mean - torch.tensor(images.mean)).abs().max() < 0.02
