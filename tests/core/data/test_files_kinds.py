"""The kinds of image folder that strangers bring (the table in core/data/NOTES.md): each is read, or refused with its
true cause. Formats and depths of pictures stand in test_files_pictures.py, arrays in test_npz.py.
"""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.data import load
from core.data.layout import layout
from core.runs.file_hashes import of_images
from tests.core.data.folders import code_of, fill, notes, write
from tests.core.test_file_kinds import POINTER


def put(root: Path, *names: str, content: bytes = b"x") -> Path:
    """Files with this content."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def parts(root: Path, *names: str) -> Path:
    for name in names:
        fill(root / name, ["a", "b"], count=3)
    return root


def pictures(root: Path, save: Callable[[Image.Image, Path], object], ending: str) -> Path:
    """Two classes of two pictures, saved in another way."""
    for label, name in enumerate(("a", "b")):
        (root / name).mkdir(parents=True)
        for number in range(2):
            save(Image.new("RGB", (8, 8), (40 * label, 90, 160)), root / name / f"{number}{ending}")
    return root


def frames(**options: Any) -> Callable[[Image.Image, Path], object]:
    """Saves a picture with a second one behind it."""
    return lambda image, path: image.save(
        path, save_all=True, append_images=[Image.new("RGB", (8, 8), (255, 0, 0))], **options
    )


def linked(root: Path) -> Path:
    fill(root.parent / "elsewhere", ["a", "b"], count=3)
    root.mkdir()
    for name in ("a", "b"):
        (root / name).symlink_to(root.parent / "elsewhere" / name)
    return root


READ: dict[str, tuple[Callable[[Path], Path], dict[str, Any]]] = {
    "one folder around it": (lambda root: fill(root / "data", ["a", "b"]).parent, {}),
    "three folders around it": (lambda root: fill(root / "x" / "y" / "z", ["a", "b"]).parents[2], {}),
    "parts within a folder": (lambda root: parts(root / "set", "train", "test").parent, {}),
    "classes further down in each part": (lambda root: parts(root, "train/images", "val/images"), {}),
    "parts by a word in their names, in folders of the same names, and pictures to answer": (
        lambda root: put(
            parts(root, "seg_train/seg_train", "seg_test/seg_test"), "seg_pred/seg_pred/1.jpg"
        ),
        {"unused": {"names": "seg_pred"}},
    ),
    "parts by a word, capitals and a space": (lambda root: parts(root, "Train Data", "TestData"), {}),
    "training and evaluation": (lambda root: parts(root, "train", "eval"), {}),
    "classes with such words in their names": (lambda root: fill(root, ["test tube", "train"]), {}),
    "pictures without endings": (lambda root: pictures(root, lambda i, p: i.save(p, "png"), ""), {}),
    "files without endings that are none": (
        lambda root: put(fill(root, ["a", "b"]), "a/notes"),
        {"left_out": {"count": 1, "total": 11, "kinds": "? (1)"}},
    ),
    "pictures beside the classes of a part": (
        lambda root: write(parts(root, "train", "test") / "train" / "overview.png").parents[1], {"loose": {"count": 1}},
    ),
    "what a Mac leaves": (
        lambda root: put(fill(root, ["a", "b"]), "a/._0.png", ".DS_Store", "__MACOSX/a/._0.png", "a/Thumbs.db"), {},
    ),
    "what notebooks and disk stations leave": (
        lambda root: put(fill(root, ["a", "b"]), ".ipynb_checkpoints/0.png", "a/@eaDir/0.png", "desktop.ini"), {},
    ),
    "notes beside the classes": (lambda root: put(fill(root, ["a", "b"]), "README.md", "labels.csv"), {}),
    "classes that are links": (linked, {}),
    "names in capitals and not": (lambda root: fill(root, ["Cat", "cat", "dog"]), {"alike": {"names": "Cat, cat"}}),
    "names with a space behind": (lambda root: fill(root, ["cat", "cat "]), {"alike": {"names": "cat, cat "}}),
    "names in another language": (lambda root: fill(root, ["猫", "犬", "Füchse"]), {}),
    "several endings": (
        lambda root: write(write(fill(root, ["a", "b"]) / "a" / "x.bmp").with_name("y.JPG")).parents[1], {},
    ),
    "grey maps": (lambda root: pictures(root, lambda i, p: i.convert("L").save(p), ".pgm"), {}),
    "JFIF": (lambda root: pictures(root, lambda i, p: i.save(p, "jpeg"), ".jfif"), {}),
    "four colours of print": (lambda root: pictures(root, lambda i, p: i.convert("CMYK").save(p), ".jpg"), {}),
    "moving WebP": (lambda root: pictures(root, frames(lossless=True), ".webp"), {"paged": {"count": 4}}),
    "moving PNG": (lambda root: pictures(root, frames(), ".png"), {"paged": {"count": 4}}),
    "pairs of a stereo camera": (lambda root: pictures(root, frames(format="MPO"), ".jpg"), {"paged": {"count": 4}}),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_it_is_read_and_what_was_met_is_told(kind: str, tmp_path: Path) -> None:
    make, told = READ[kind]
    folder = make(tmp_path / "images")
    images = load(folder)
    assert images.num_classes == 3 if kind.startswith("names in") else images.num_classes == 2
    assert notes(images) == told
    assert len(images.y_train) + len(images.y_test) == sum(len(part.files) for part in layout(folder).parts)
    assert len(of_images(folder)) == 64, "a run can be bound to it"
    assert images.x_train[:, 0].max() < 90, "no second picture was taken"


def test_a_thousand_classes_are_read(tmp_path: Path) -> None:
    first = write(tmp_path / "first.png", size=(4, 4))
    for number in range(1000):
        (tmp_path / "set" / str(number)).mkdir(parents=True)
        for copy in ("0.png", "1.png"):
            os.link(first, tmp_path / "set" / str(number) / copy)
    images = load(tmp_path / "set")
    assert images.class_names == tuple(map(str, range(1000)))
    assert images.y_test.tolist() == list(range(1000))


def broken(root: Path, name: str) -> Path:
    """With a link that leads nowhere."""
    (root / name).symlink_to("/nowhere")
    return root


def packed(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat/0.png", b"x")
    return path


def tarred(path: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("cat/0.png"))
    return path


def arrays(path: Path, **values: Any) -> Path:
    np.savez(path, **values)
    return path.with_suffix(".npz")


X, Y = np.zeros((8, 4, 4, 3), np.uint8), np.arange(8) % 2
HEIC = b"\x00\x00\x00\x18ftypheic" + bytes(90)
REFUSED: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "pictures and a table of labels": (
        lambda root: put(write(root / "0.png").parent, "labels.csv"), "labels_in_a_list", "labels.csv beside them",
    ),
    "a folder of pictures and a table": (
        lambda root: put(write(root / "images" / "0.png").parents[1], "metadata.jsonl"),
        "labels_in_a_list", "metadata.jsonl",
    ),
    "pictures alone": (lambda root: write(root / "0.png").parent, "no_class_folders", "no class folders"),
    "COCO": (
        lambda root: put(fill(root, ["train2017", "val2017"]), "annotations/instances.json"),
        "class_folder_of_other_files", ".json (1)",
    ),
    "YOLO": (
        lambda root: put(fill(root, ["images"]), "labels/0.txt", "data.yaml"), "class_folder_of_other_files", "labels",
    ),
    "Roboflow": (
        lambda root: put(fill(root / "train", ["images"]).parents[0], "train/labels/0.txt", "valid/images/0.png",
                         "valid/labels/0.txt"),
        "class_folder_of_other_files", ".txt (1)",
    ),
    "Pascal VOC": (
        lambda root: put(fill(root, ["JPEGImages", "SegmentationClass"]), "Annotations/0.xml"),
        "class_folder_of_other_files", "Annotations",
    ),
    "Kaggle, without labels": (
        lambda root: put(put(root, "train/cat.0.jpg"), "test1/1.jpg"), "no_class_folders", "test1 has no class folders",
    ),
    "Kaggle, a test part without labels, by words": (
        lambda root: put(parts(root, "a_train/a_train"), "a_test/a_test/A_test.jpg"),
        "no_class_folders", "a_test has no class folders",
    ),
    "Kaggle, a test part without labels": (
        lambda root: put(parts(root, "train"), "test/1.jpg"), "no_class_folders", "test has no class folders",
    ),
    "batches of CIFAR-10": (
        lambda root: put(root, "cifar-10-batches-py/data_batch_1"), "no_class_folders", "no class folders",
    ),
    "MNIST's own files": (lambda root: put(root, "train-images-idx3-ubyte"), "no_class_folders", "no class folders"),
    "Parquet in a folder": (lambda root: put(root, "data/train-0.parquet"), "no_class_folders", "no class folders"),
    "WebDataset": (lambda root: put(root, "shard-000.tar"), "no_class_folders", "no class folders"),
    "one class and a note": (
        lambda root: put(fill(root, ["cat"]), "README.txt", "LICENSE.txt"), "too_few_classes", "one class only, cat",
    ),
    "one class around others": (
        lambda root: fill(root / "data", ["cat"]).parent, "too_few_classes", "one class only, cat",
    ),
    "a class of a telephone's pictures": (
        lambda root: put(fill(root, ["a"]), "b/0.heic", "b/1.HEIC"), "class_folder_of_other_files", ".heic (2)",
    ),
    "HEIC called JPEG": (lambda root: put(fill(root, ["a", "b"]), "a/9.jpg", content=HEIC),
                         "images_of_other_kind", "HEIC"),
    "AVIF called PNG": (
        lambda root: put(fill(root, ["a", "b"]), "a/9.png", content=b"\x00\x00\x00\x18ftypavif"),
        "images_of_other_kind", "AVIF",
    ),
    "pointers of git LFS": (
        lambda root: put(fill(root, ["a", "b"]), "a/0.png", content=POINTER), "file_is_pointer", "git lfs pull",
    ),
    "web pages called JPEG": (
        lambda root: put(fill(root, ["a", "b"]), "a/0.jpg", content=b"<!doctype html>"), "file_is_web_page", "web page",
    ),
    "a file of no bytes": (lambda root: put(fill(root, ["a", "b"]), "b/9.png", content=b""), "file_empty", "9.png"),
    "a class that is a broken link": (
        lambda root: broken(fill(root, ["a", "b"]), "c"), "link_leads_nowhere", "c is a broken link",
    ),
    "a picture that is a broken link": (
        lambda root: broken(fill(root, ["a", "b"]), "a/9.png"), "unreadable_image", "9.png",
    ),
    "a zip": (lambda root: packed(root.with_suffix(".zip")), "file_packed", "unpack it"),
    "a tar": (lambda root: tarred(root.with_suffix(".tar")), "file_packed", "(tar)"),
    "one picture": (lambda root: write(root / "0.png"), "images_of_other_kind", "in the format PNG"),
    "a table": (lambda root: put(root, "a.csv", content=b"file,label\n") / "a.csv", "unreadable_npz", ".npz"),
    "Parquet": (lambda root: put(root, "a", content=b"PAR1") / "a", "images_of_other_kind", "Parquet"),
    "MATLAB": (
        lambda root: put(root, "a.mat", content=b"MATLAB 5.0 MAT-file") / "a.mat", "images_of_other_kind", "MATLAB",
    ),
    "HDF5": (lambda root: put(root, "a", content=b"\x89HDF\r\n\x1a\n") / "a", "images_of_other_kind", "HDF5"),
    "arrays by other names": (
        lambda root: arrays(root, train_images=X, train_labels=Y), "npz_keys_missing", "train_images",
    ),
    "arrays of fractions": (lambda root: arrays(root, x=X / 255, y=Y), "npz_images", "uint8"),
    "labels from 1": (lambda root: arrays(root, x=X, y=Y + 1), "npz_class_missing", "no label in y is 0"),
    "labels one-hot": (lambda root: arrays(root, x=X, y=np.eye(2)[Y]), "npz_labels", "whole numbers"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_it_is_refused_with_its_cause(kind: str, tmp_path: Path) -> None:
    make, code, told = REFUSED[kind]
    error = code_of(make(tmp_path / "images"))
    assert (error.code, told in error.message) == (code, True), error.message


@pytest.mark.skipif(not Path("/proc/self/mem").is_file(), reason="no file that may be seen and not read")
def test_a_file_that_the_system_will_not_read_is_no_damaged_picture(tmp_path: Path) -> None:
    (fill(tmp_path, ["a", "b"]) / "a" / "9.png").symlink_to("/proc/self/mem")
    error = code_of(tmp_path)
    assert (error.code, error.facts["reason"]) == ("file_not_opened", "Input/output error")


def test_what_stands_in_a_folder_of_a_part_is_never_taken_for_the_set(tmp_path: Path) -> None:
    """A set that lacks its test part is not read as if its training part were all of it."""
    assert code_of(parts(tmp_path, "train")).code == "split_incomplete"


def test_bytes_that_are_no_picture_stay_unreadable(tmp_path: Path) -> None:
    content = io.BytesIO()
    Image.new("RGB", (6, 5)).save(content, "png")
    put(fill(tmp_path, ["a", "b"]), "a/9.png", content=content.getvalue()[:40])
    assert code_of(tmp_path).code == "unreadable_image"
