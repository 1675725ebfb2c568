"""The arrays and pictures of a run's folder. Reading them needs numpy only, never torch."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from core.errors import BadInput
from core.files import write_atomic, write_json

if TYPE_CHECKING:
    from torch import Tensor

THUMBS_A_ROW = 50
LARGEST_THUMB = 64  # pixels; larger samples are shown smaller on the page anyway
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


FORMS = ("mask", "pixel", "smooth", "warp")
TriggerFile = Literal["trigger", "restarts", "fresh"]  # of the scan, of the purification, of the proof of its cure


class TriggerArrays(NamedTuple):
    """The reconstructed triggers, the one that shows the backdoor best first.

    ``forms`` int8 (k,), positions in ``FORMS``; ``targets`` int32 (k,); ``push`` float32 (k,), 0 or more; ``masks``
    float32 (k, 1, h, w), 0-1, used by the form that has one alone; ``patterns`` float32 (k, 3, h, w): colours 0-1 under
    a mask, what is added, -1 to 1, or how far to the right and down a warp takes each pixel from, in pixels (and 0).
    """

    forms: np.ndarray
    targets: np.ndarray
    push: np.ndarray
    masks: np.ndarray
    patterns: np.ndarray

    @property
    def form(self) -> str:
        """The first trigger's."""
        return FORMS[int(self.forms[0])]

    def on(self, image: np.ndarray) -> np.ndarray:
        """The image, float (h, w, 3), with the first trigger on it; what is added may lead out of 0-1."""
        pattern = np.nan_to_num(self.patterns[0]).transpose(1, 2, 0)
        if self.form == "warp":
            return _bent(image, pattern)
        if self.form != "mask":
            return image + pattern
        mask = np.nan_to_num(self.masks[0]).transpose(1, 2, 0)
        return (1 - mask) * image + mask * pattern

    @property
    def mask(self) -> np.ndarray:
        """The first trigger's opacity, (1, h, w), 0-1: for one that is added, how much of it there is."""
        if self.form == "mask":
            return self.masks[0]
        if self.form == "warp":
            return np.ones_like(self.patterns[0][:1])
        amount = np.abs(self.patterns[0]).max(0, keepdims=True)
        return amount / max(float(amount.max()), 1e-6)

    @property
    def pattern(self) -> np.ndarray:
        """The first trigger's colours, (3, h, w), 0-1: for one that is added, on grey and as strong as can be shown;
        for a warp, what it makes of a grid."""
        if self.form == "mask":
            return self.patterns[0]
        if self.form == "warp":
            return self.on(_grid(*self.patterns[0].shape[1:])).transpose(2, 0, 1)
        return 0.5 + 0.5 * self.patterns[0] / max(float(np.abs(self.patterns[0]).max()), 1e-6)


def _bent(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Each pixel from where ``shift`` (h, w, 2 or more: right, down) says, bilinearly, the edge held."""
    h, w = image.shape[:2]
    rows, columns = np.mgrid[:h, :w]
    y, x = np.clip(rows + shift[..., 1], 0, h - 1), np.clip(columns + shift[..., 0], 0, w - 1)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    below, right = np.minimum(top + 1, h - 1), np.minimum(left + 1, w - 1)
    down, across = (y - top)[..., None], (x - left)[..., None]
    upper = (1 - across) * image[top, left] + across * image[top, right]
    lower = (1 - across) * image[below, left] + across * image[below, right]
    return (1 - down) * upper + down * lower


def _grid(h: int, w: int) -> np.ndarray:
    """Lines on grey, float (h, w, 3)."""
    rows, columns = np.mgrid[:h, :w]
    lines = (rows % max(2, h // 8) == 0) | (columns % max(2, w // 8) == 0)
    return np.repeat(np.where(lines, 0.95, 0.35)[..., None], 3, 2)


class RunArrays:
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
            raise BadInput(
                "frame_not_found",
                f"The run {self.folder.name} has no readable frame {index}; it has {self.frame_count}.",
                run=self.folder.name,
                index=index,
                frames=self.frame_count,
            )
        return arrays

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

    def triggers(self, which: TriggerFile = "trigger") -> TriggerArrays | None:
        """The reconstructed triggers of one kind; None before that was done."""
        return read_arrays(self.folder / f"{which}.npz", TriggerArrays)

    def write_triggers(self, found: Sequence[tuple[str, int, float, Any, Any]], which: TriggerFile = "trigger") -> str:
        """Write reconstructed triggers and return the file's name, for the event that follows.

        Args:
            found: form, target, push, mask (1, h, w) or None, and pattern (3, h, w) of each, at least one.
            which: what they are for.
        """
        patterns = np.stack([np.asarray(pattern, np.float32) for *_, pattern in found])
        blank = np.zeros((1, *patterns.shape[-2:]), np.float32)
        masks = [blank if mask is None else np.asarray(mask, np.float32) for *_, mask, _ in found]
        forms = np.array([FORMS.index(form) for form, *_ in found], np.int8)
        targets = np.array([target for _, target, *_ in found], np.int32)
        push = np.array([sure for _, _, sure, _, _ in found], np.float32)
        arrays = TriggerArrays(forms, targets, push, np.stack(masks), patterns)
        write_arrays(self.folder / f"{which}.npz", arrays)
        return f"{which}.npz"

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

    # checkpoints

    def write_checkpoint(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Keep the state to resume from; it replaces the one before.

        Tensors and ``meta`` (JSON) change together: the tensors go into a numbered file, and ``last.json``, which
        names that file, is then put in place in one move.
        """
        from safetensors.torch import save

        folder = self.folder / "checkpoints"
        folder.mkdir(exist_ok=True)
        number = 1 + max((int(path.stem) for path in folder.glob("[0-9]*.safetensors")), default=0)
        name = f"{number:05d}.safetensors"
        # Copies, because safetensors refuses tensors that share memory.
        write_atomic(folder / name, save({k: t.detach().to("cpu", copy=True).contiguous() for k, t in tensors.items()}))
        write_json(folder / "last.json", {"tensors": name, "meta": meta})
        for old in folder.glob("[0-9]*.safetensors"):
            if old.name != name:
                with contextlib.suppress(OSError):
                    old.unlink()

    def drop_checkpoint(self) -> None:
        """From now on there is none to resume from."""
        (self.folder / "checkpoints" / "last.json").unlink(missing_ok=True)

    def read_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The tensors, on the CPU, and the ``meta`` of the last checkpoint; None if there is none that is whole.

        A disk that filled up, or lost power, may leave one cut short: the work since the stage's start is done again.
        """
        folder = self.folder / "checkpoints"
        try:
            pointer = json.loads((folder / "last.json").read_bytes())
            content = (folder / Path(pointer["tensors"]).name).read_bytes()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            return load(content), pointer["meta"]
        except (SafetensorError, KeyError) as error:
            print(f"the checkpoint {pointer['tensors']} is damaged and left aside: {error}", file=sys.stderr)
            return None


def sprite_of(images: Any) -> bytes:
    """The WebP file of ``RunArrays.write_thumbs``. ``images``: uint8, (n, h, w, 3), RGB."""
    from PIL import Image

    images = np.asarray(images, np.uint8)
    n, height, width, _ = images.shape
    rows = -(-n // THUMBS_A_ROW)
    scale = min(1.0, LARGEST_THUMB / max(height, width), LARGEST_WEBP / (rows * height))
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
