"""The arrays and pictures in a run's folder, readable without torch."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from core.errors import BadInput
from core.files import write_atomic
from core.runs.checkpoints import RunCheckpoints
from core.triggers.kept import KeptTriggers

THUMBS_A_ROW = 50  # in the sprite of all samples
LARGEST_THUMB = 64  # pixels; the page shows samples no larger
LARGEST_WEBP = 16_383  # pixels a side, a limit of the format


class FrameArrays(NamedTuple):
    """One picture of the map.

    ``coords`` float32 (n, dims); ``answers`` int16 (n,), predicted classes; ``confidence`` uint8 (n,), percent.
    """

    coords: np.ndarray
    answers: np.ndarray
    confidence: np.ndarray


class Samples(NamedTuple):
    """The fixed sample set, first all clean, then all triggered.

    ``index`` int32 (n,) into the test set; ``label`` int16 (n,), the true class; ``triggered`` bool (n,); ``twin``
    int32 (n,): for a triggered sample the position of its clean twin in the sample set, else -1.
    """

    index: np.ndarray  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    label: np.ndarray
    triggered: np.ndarray
    twin: np.ndarray


class Examples(NamedTuple):
    """Images to show before and after: ``sample`` int32 (k,), positions of the triggered ones in the sample set;
    ``clean`` and ``triggered`` uint8 (k, h, w, 3)."""

    sample: np.ndarray
    clean: np.ndarray
    triggered: np.ndarray


class Looks(NamedTuple):
    """Saliency of one test image with the trigger, of the victim and, after a purification, of the purified model.

    m is 1 if the model was only scanned, else 2.

    - ``picture``: uint8 (h, w, 3).
    - ``heat``: uint8 (m, h, w), 255 where the attribution is strongest.
    - ``answers``: int32 (m,), the class that each model answers.
    - ``share``: float32 (m,), percent of the positive attribution that lies on the trigger; NaN if the trigger covers
      so much of the picture that a share says nothing.
    - ``label``: int32, the true class. ``target``: int32, the target class of the attack.
    - ``area``: float32, percent of the picture that the trigger changes.
    - ``real``: whether the trigger is the attacker's own, and not a reconstructed one.
    - ``repeated``: whether the purified model is that of a repeated run, for a recording that keeps no weights.
    """

    picture: np.ndarray
    heat: np.ndarray
    answers: np.ndarray
    share: np.ndarray
    label: np.ndarray
    target: np.ndarray
    area: np.ndarray
    real: np.ndarray
    repeated: np.ndarray


TriggerFile = Literal["trigger", "restarts", "fresh"]  # triggers of the scan, for the purification, of the proof


class RunArrays(RunCheckpoints):
    """The part of a ``Run`` that reads and writes arrays; every file appears whole or not at all.

    The ``write_`` methods are for the run's worker and take numpy arrays or torch tensors on the CPU.
    """

    folder: Path

    # frames

    @property
    def frame_count(self) -> int:
        """Frames that can be read, from index 0 on."""
        return sum(1 for _ in (self.folder / "frames").glob("[0-9]*.npz"))

    def frame(self, index: int) -> FrameArrays:
        """Raises BadInput ``frame_not_found`` where there is no such frame, or it cannot be read."""
        arrays = read_arrays(self.folder / _frame_name(index), FrameArrays)
        if arrays is None:
            raise self.no_frame(index)
        return arrays

    def no_frame(self, index: int) -> BadInput:
        """The refusal where a frame, or what is kept of it, cannot be read."""
        return BadInput(
            "frame_not_found",
            f"The run {self.folder.name} has no readable frame {index}; it has {self.frame_count}.",
            run=self.folder.name,
            index=index,
            frames=self.frame_count,
        )

    def write_frame(self, index: int, coords: Any, answers: Any, confidence: Any) -> str:
        """Write frame ``index`` and return its file name, for the ``Frame`` event that follows.

        Args:
            coords: shape (n, 2) or (n, 3).
            answers: predicted class of each sample, shape (n,).
            confidence: of the answer, percent 0-100, shape (n,).
        """
        frame = FrameArrays(
            np.asarray(coords, np.float32),
            np.asarray(answers, np.int16),
            np.clip(np.round(np.asarray(confidence)), 0, 100).astype(np.uint8),
        )
        if frame.coords.ndim != 2 or not len(frame.coords) == len(frame.answers) == len(frame.confidence):
            raise ValueError(f"arrays of a frame do not match: {[array.shape for array in frame]}")
        (self.folder / "frames").mkdir(exist_ok=True)
        name = _frame_name(index)
        write_arrays(self.folder / name, frame)
        return name

    # what stays the same over a run

    @property
    def samples(self) -> Samples | None:
        """The sample set of the map; None as long as there is none."""
        return read_arrays(self.folder / "samples.npz", Samples)

    def write_samples(self, index: Any, label: Any, triggered: Any, twin: Any) -> None:
        write_arrays(
            self.folder / "samples.npz",
            Samples(
                np.asarray(index, np.int32),
                np.asarray(label, np.int16),
                np.asarray(triggered, np.bool_),
                np.asarray(twin, np.int32),
            ),
        )

    def examples(self) -> Examples | None:
        """The before/after images; None where there are none."""
        return read_arrays(self.folder / "examples.npz", Examples)

    def write_examples(self, sample: Any, clean: Any, triggered: Any) -> None:
        write_arrays(
            self.folder / "examples.npz",
            Examples(np.asarray(sample, np.int32), np.asarray(clean, np.uint8), np.asarray(triggered, np.uint8)),
        )

    def looks(self) -> Looks | None:
        """Where the model looks; None in an older record, where no trigger was found, or for others' images."""
        return read_arrays(self.folder / "looks.npz", Looks)

    def write_looks(self, looks: Looks) -> None:
        write_arrays(self.folder / "looks.npz", looks)

    def triggers(self, which: TriggerFile = "trigger", number: int = 1) -> KeptTriggers | None:
        """The reconstructed triggers of one kind; None before that was done.

        Args:
            number: of the purification that they belong to, from 1.
        """
        return read_arrays(self.folder / _trigger_name(which, number), KeptTriggers)

    def write_triggers(self, found: KeptTriggers, which: TriggerFile = "trigger", number: int = 1) -> str:
        """Write reconstructed triggers and return the file's name, for the event that follows."""
        name = _trigger_name(which, number)
        write_arrays(self.folder / name, found)
        return name

    @property
    def thumbs(self) -> Path | None:
        """The sprite of the samples' images (see ``write_thumbs``); None where the pixels may not be kept."""
        path = self.folder / "thumbs.webp"
        return path if path.exists() else None

    def write_thumbs(self, images: Any) -> str:
        """Write all images into one sprite, in order, ``THUMBS_A_ROW`` a row, and return its file name.

        The sprite is always 50 thumbs wide, so a thumb's width is the sprite's divided by 50. Images larger than
        ``LARGEST_THUMB``, or too many for one WebP file, are made smaller.

        Args:
            images: uint8, shape (n, h, w, 3), RGB.
        """
        write_atomic(self.folder / "thumbs.webp", sprite_of(images))
        return "thumbs.webp"


def sprite_of(images: Any, tallest: int = LARGEST_WEBP) -> bytes:
    """The WebP file of ``RunArrays.write_thumbs``. ``images``: uint8, (n, h, w, 3), RGB; ``tallest``: pixels."""
    from PIL import Image

    images = np.asarray(images, np.uint8)
    n, height, width, _ = images.shape
    rows = -(-n // THUMBS_A_ROW)
    scale = min(1.0, LARGEST_THUMB / max(height, width), tallest / (rows * height))
    if scale < 1:
        height, width = max(1, int(height * scale)), max(1, int(width * scale))
        images = np.stack([np.asarray(Image.fromarray(image).resize((width, height))) for image in images])
    sprite = np.zeros((rows * THUMBS_A_ROW, height, width, 3), np.uint8)
    sprite[:n] = images
    sprite = sprite.reshape(rows, THUMBS_A_ROW, height, width, 3).swapaxes(1, 2)
    content = io.BytesIO()
    picture = Image.fromarray(sprite.reshape(rows * height, THUMBS_A_ROW * width, 3))
    picture.save(content, "webp", quality=90, method=2)
    return content.getvalue()


def _trigger_name(which: TriggerFile, number: int) -> str:
    return f"{which}.npz" if number == 1 else f"{which}-{number}.npz"


def _frame_name(index: int) -> str:
    return f"frames/{index:05d}.npz"


def write_arrays(path: Path, arrays: Any) -> None:
    """A named tuple of arrays as one compressed file, whole."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays._asdict())
    write_atomic(path, content.getvalue())


def read_arrays(path: Path, kind: Any) -> Any:
    """The named tuple ``kind`` from a file; None if the file is not there or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return kind(**{name: arrays[name] for name in kind._fields})
    except (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return None
