"""What a file is, by its first bytes, where it is not what was asked for; of a zip, by the names in it.

A reader that cannot use a file asks here before it says so: an empty file, a pointer of git LFS, the web page of a
failed download and the weights of another framework each want something else of their owner.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from core.errors import BadInput

Sort = Literal["empty", "pointer", "page", "packed", "other"]
_HEAD = 512  # bytes; the mark of a tar lies at 257
_PACKED = (
    (0, b"\x1f\x8b", "gzip"), (0, b"BZh", "bzip2"), (0, b"\xfd7zXZ\x00", "xz"), (0, b"\x28\xb5\x2f\xfd", "Zstandard"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-Zip"), (0, b"Rar!\x1a\x07", "RAR"), (257, b"ustar", "tar"),
)  # fmt: skip
_OTHER = (
    (0, b"\x89HDF\r\n\x1a\n", "HDF5 (Keras)"), (0, b"\x93NUMPY", "NumPy (.npy)"), (0, b"GGUF", "GGUF"),
    (4, b"TFL3", "TensorFlow Lite"), (4, b"ORTM", "ONNX Runtime (.ort)"), (0, b"PAR1", "Parquet"),
    (0, b"ARROW1", "Arrow"), (0, b"MATLAB 5.0 MAT", "MATLAB"), (0, b"SQLite format 3\x00", "SQLite"),
    (0, b"\x00\x00\x08\x01", "IDX (MNIST)"), (0, b"\x00\x00\x08\x03", "IDX (MNIST)"), (0, b"%PDF-", "PDF"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"), (0, b"\xff\xd8\xff", "JPEG"), (0, b"GIF8", "GIF"), (8, b"WEBP", "WebP"),
    (0, b"II*\x00", "TIFF"), (0, b"MM\x00*", "TIFF"), (4, b"ftypavi", "AVIF"), (4, b"ftyphei", "HEIC"),
    (4, b"ftyphev", "HEIC"), (4, b"ftypmif1", "HEIF"), (4, b"ftypmsf1", "HEIF"), (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL \r\n", "JPEG XL"), (4, b"jP  \r\n", "JPEG 2000"), (0, b"8BPS", "Photoshop"), (128, b"DICM", "DICOM"),
    (0, b"SIMPLE  =", "FITS"), (0, b"v/1\x01", "OpenEXR"),
)  # fmt: skip
_TEXT = ((b"<?xml", "XML"), (b"<svg", "SVG"), (b"{", "JSON"), (b"[", "JSON"))  # after spaces
_IN_ZIP = (
    ("model.weights.h5", "Keras"), (".npy", "NumPy (.npz)"), ("MAR-INF/MANIFEST.json", "TorchServe"),
    ("extern_modules", "torch.package"),
)  # fmt: skip


class Kind(NamedTuple):
    """``name``: of the format, the same in every language."""

    sort: Sort
    name: str = ""


def kind_of(path: Path) -> Kind | None:
    """What a file is; None where its first bytes do not tell.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return Kind("empty")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"version https://git-lfs"):
        return Kind("pointer")
    if text.startswith((b"<!doctype html", b"<html")):
        return Kind("page")
    if packed := _marked(head, _PACKED):
        return Kind("packed", packed)
    other = _marked(head, _OTHER) or next((name for mark, name in _TEXT if text.startswith(mark)), "")
    return Kind("other", other) if other else None


def _marked(head: bytes, marks: Iterable[tuple[int, bytes, str]]) -> str:
    return next((name for at, mark, name in marks if head.startswith(mark, at)), "")


def kind_of_zip(names: Iterable[str], wanted: tuple[str, ...]) -> Kind | None:
    """What an archive is, by the names in it. ``wanted``: endings, in small letters, of what it may have packed."""
    names = list(names)
    for ending, name in _IN_ZIP:
        if any(inside.endswith(ending) for inside in names):
            return Kind("other", name)
    return Kind("packed", "zip") if any(inside.lower().endswith(wanted) for inside in names) else None


def refusal(kind: Kind, file: str, wanted: Literal["weights", "images"]) -> BadInput:
    """The sentence that refuses such a file where weights or images were asked for. ``file``: as it is to be named."""
    if kind.sort == "empty":
        return BadInput("file_empty", f"{file} is empty (0 bytes); copy or download it again.", file=file)
    if kind.sort == "pointer":
        return BadInput(
            "file_is_pointer",
            f"{file} is only a Git LFS pointer to the real file; fetch the real one with 'git lfs pull'.",
            file=file,
        )
    if kind.sort == "page":
        return BadInput(
            "file_is_web_page",
            f"{file} is a web page: the download probably failed or needed a login; download it again.",
            file=file,
        )
    if kind.sort == "packed":
        return BadInput(
            "file_packed", f"{file} is an archive ({kind.name}); unpack it and give what is in it.",
            file=file, kind=kind.name,
        )  # fmt: skip
    if wanted == "weights":
        return BadInput(
            "weights_of_other_kind",
            f"{file} is in the format {kind.name}, from which weights cannot be read; export the network as ONNX, or "
            "save its state_dict as safetensors or with torch.save.",
            file=file, kind=kind.name,
        )  # fmt: skip
    return BadInput(
        "images_of_other_kind",
        f"{file} is in the format {kind.name}; images are read from PNG, JPEG, BMP, WebP, PPM and TIFF files in a "
        "folder for each class, or from an .npz file.",
        file=file, kind=kind.name,
    )  # fmt: skip


def folder_for_weights(folder: Path, path: str) -> BadInput:
    """The sentence where a folder was given for a file of weights; it names what lies in it. ``path``: as given."""
    endings = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".pt2", ".onnx", ".index.json")
    try:
        found = sorted(entry.name for entry in folder.iterdir() if entry.name.lower().endswith(endings))
    except OSError:
        found = []
    if not found:
        return BadInput(
            "folder_without_weights", f"{path} is a folder without a file of weights; give the file.", path=path
        )
    inside = ", ".join(found[:4])
    return BadInput(
        "weights_is_folder",
        f"{path} is a folder; give one file of weights (files of weights in it: {inside}).",
        path=path, found=inside,
    )  # fmt: skip
