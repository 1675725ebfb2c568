"""Uploads by the browser: files of weights and archives of images, each in a folder of its own.

======================= ===============================================================================================
``upload.json``         kind, name, size and time of what came
``given/``              the file itself, under a plain name made of its own; a ``.zip`` goes once it is unpacked
``given/<stem>/``       what was unpacked of a ``.zip``
``.lock``               held by whoever writes here, see ``core.intake.leftovers``
======================= ===============================================================================================

The visitor's name of a file is only shown. It decides nothing: no file of the program lies in ``given``, and only
listed endings are used.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from core import paths
from core.engine.recording import PIXELS
from core.errors import BadInput
from core.explore import place
from core.files import write_json
from core.intake import inspection, leftovers
from core.runs import record
from core.runs.record import Run

Kind = Literal["weights", "images"]
FORMAT = 2
MB = 2**20
LARGEST: dict[Kind, int] = {"weights": 1024 * MB, "images": 2048 * MB}  # bytes of a file
IMAGE_ENDINGS = (".zip", ".npz")
ENDINGS = (  # all others are dropped
    *IMAGE_ENDINGS, ".safetensors", ".pt", ".pth", ".pt2", ".onnx", ".bin", ".ckpt", ".tar",
)  # fmt: skip
_CHUNK = 4 * MB
_IDENTIFIER = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Upload:
    """``name``: as the visitor's file was called. ``file``: where it lies; ``created``: ISO 8601, UTC."""

    id: str
    kind: Kind
    name: str
    folder: Path
    file: Path
    created: str

    @property
    def path(self) -> Path:
        """What a run is to be given: the file, or the folder its images were unpacked to."""
        return self.unpacked if self.unpacked.is_dir() else self.file

    @property
    def unpacked(self) -> Path:
        """Where the images of a ``.zip`` go."""
        return self.file.with_suffix("")

    @property
    def size(self) -> int:
        """Bytes of everything that is kept of it."""
        return sum(entry.stat().st_size for entry in self.folder.rglob("*") if entry.is_file())


def keep(kind: Kind, name: str, content: IO[bytes], largest: int | None = None) -> Upload:
    """Stores an upload, whole or not at all. Incomplete uploads are removed first, to free space.

    Args:
        kind: "weights", in any format, or "images", a ``.zip`` or ``.npz``.
        name: as the visitor's file is called; shown, and never used as a path.
        content: read to its end.
        largest: bytes that it may have; those of ``LARGEST`` by default.

    Raises:
        BadInput: ``upload_too_large``, ``upload_empty``, ``upload_not_images`` or ``no_room``.
    """
    shown = shown_name(name)
    ending = Path(shown).suffix.lower()
    if kind == "images" and ending not in IMAGE_ENDINGS:
        raise BadInput(
            "upload_not_images",
            f"{shown} is no archive of images; allowed are a .zip of class folders and an .npz file.",
            file=shown,
        )
    leftovers.sweep()
    identifier = secrets.token_hex(6)
    folder = paths.uploads_folder() / identifier
    half = folder.with_name(f".{identifier}")
    try:
        half.mkdir(parents=True)
        with leftovers.held(half):
            file = half / leftovers.ROOM / plain_name(shown)
            file.parent.mkdir()
            size = _copy(content, file, LARGEST[kind] if largest is None else largest, shown)
            note = {"kind": kind, "name": shown, "file": file.name, "size": size, "created": record.now()}
            write_json(half / "upload.json", {"format": FORMAT} | note)
            half.rename(folder)
    except OSError as error:
        raise BadInput(
            "no_room",
            f"The disk that holds {paths.uploads_folder()} takes no more ({error.strerror}); make room and try again.",
            path=str(paths.uploads_folder()),
        ) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return _read(folder)  # type: ignore[return-value]


def everything() -> list[Upload]:
    """All uploads that are kept, the newest first."""
    place = paths.uploads_folder()
    found = [_read(folder) for folder in place.iterdir()] if place.is_dir() else []
    return sorted((upload for upload in found if upload), key=lambda upload: upload.created, reverse=True)


def find(identifier: str | None) -> Upload | None:
    """The upload of that id; None if it is not there."""
    return _read(paths.uploads_folder() / identifier) if identifier and _IDENTIFIER.fullmatch(identifier) else None


def holding(path: str | None) -> str | None:
    """The id of the upload that a path lies in, also of one that has been removed; None for a path elsewhere."""
    try:
        inside = Path(path or "/").resolve().relative_to(paths.uploads_folder().resolve())
    except ValueError:
        return None
    return inside.parts[0] if inside.parts and _IDENTIFIER.fullmatch(inside.parts[0]) else None


def lies_now(path: str) -> str:
    """Where given images are to be read: the folder, for a ``.zip`` that was unpacked since its path was noted."""
    upload = find(holding(path))
    return str(upload.path) if upload is not None and upload.file.resolve() == Path(path).resolve() else path


def as_called(text: str, *given: str | None) -> str:
    """A name or path in a sentence as the visitor knows it: ``photos.zip/cat/1.png`` for what lies among the uploads.

    Args:
        text: what an error names, or its sentence.
        given: the paths that the run or inspection was given.
    """
    for upload in filter(None, map(find, map(holding, given))):
        for path in (upload.file, upload.unpacked):
            text = upload.name if text == path.name else text.replace(str(path), upload.name)
    return text


def used_by(identifier: str, runs: Iterable[Run]) -> list[Run]:
    """The runs that read an upload."""
    return [run for run in runs if identifier in (holding(run.spec.weights), holding(run.spec.images))]


def missing(run: Run) -> bool:
    """Whether a run's own model or images came by an upload that has been removed since."""
    ids = [found for found in (holding(run.spec.weights), holding(run.spec.images)) if found]
    return any(find(identifier) is None for identifier in ids)


def remove(upload: Upload) -> None:
    """Removes everything that is kept of an upload, also the small pictures that inspections and runs made of it.

    Runs that used it keep their map, figures and purified weights.

    Raises:
        BadInput: ``upload_in_use``, a run that is going on needs it.
    """
    used = used_by(upload.id, record.list_runs(recordings=False))
    for run in used:
        if run.status not in record.ENDED:
            raise BadInput(
                "upload_in_use",
                f"{upload.name} is being used by the run {run.id}; stop the run first.",
                file=upload.name, run=run.id,
            )  # fmt: skip
    # first: one that is unpacking would go on writing into the folder
    inspection.forget(lambda spec: upload.id in (holding(spec.weights), holding(spec.images)))
    hidden = upload.folder.with_name(f".{upload.id}.{secrets.token_hex(4)}")  # so that no half of it is ever listed
    with contextlib.suppress(FileNotFoundError):  # it has just been removed from another tab
        upload.folder.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)
    for run in used if upload.kind == "images" else []:
        for pixels in PIXELS:
            (run.folder / pixels).unlink(missing_ok=True)
        shutil.rmtree(place.folder_of(run), ignore_errors=True)  # pictures, and features that need them again


def _copy(content: IO[bytes], file: Path, largest: int, shown: str) -> int:
    size = 0
    with file.open("xb") as out:
        while chunk := content.read(_CHUNK):
            size += len(chunk)
            if size > largest:
                raise BadInput(
                    "upload_too_large",
                    f"{shown} is larger than the {largest // MB} MB allowed here; give its path on this computer "
                    "instead.",
                    file=shown, limit=largest // MB,
                )  # fmt: skip
            out.write(chunk)
    if not size:
        raise BadInput("upload_empty", f"{shown} is empty.", file=shown)
    return size


def _read(folder: Path) -> Upload | None:
    try:
        note: dict[str, Any] = json.loads((folder / "upload.json").read_bytes())
        kind, name, file = note["kind"], str(note["name"]), Path(str(note["file"])).name
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if kind not in LARGEST or not _IDENTIFIER.fullmatch(folder.name):
        return None
    room = folder / leftovers.ROOM if note.get("format") == FORMAT else folder  # at first it lay beside the note
    return Upload(folder.name, kind, name, folder, room / file, str(note.get("created", "")))


def shown_name(name: str) -> str:
    """The last part of a file's name, as it may stand in a sentence."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(sign for sign in last if sign.isprintable()).strip()[:120] or "?"


def plain_name(shown: str) -> str:
    """A name that every file system takes and no shell or page stumbles over; its ending stays if it is known."""
    ending = Path(shown).suffix.lower()
    stem = shown[: -len(ending)] if ending in ENDINGS else shown
    stem = re.sub(r"[^\w-]+", "-", stem).strip("-")[:60] or "upload"
    return stem + (ending if ending in ENDINGS else "")
