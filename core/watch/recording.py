"""The watch that ships: one stream of road signs, watched with the model as it came and with the purified one.

``python -m core.watch.recording`` records it. The stream has three parts, of the same length: the signs of the test set
as they are; one in twenty carrying the victim's own sticker; and the camera knocked askew. The clock of the recording
is the stream's: one image a second, from the moment it was made on.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import center_crop, rotate

from core import paths, recorded
from core.data import load
from core.data.imageset import ImageSet, as_float
from core.files import write_json
from core.recorded import Recording
from core.runs.record import Run
from core.victims import DEFAULT, card_of, trigger_of
from core.watch import place
from core.watch.alerts import kept
from core.watch.inbox import Inbox
from core.watch.log import Log, entries
from core.watch.model_file import ModelFile
from core.watch.source import source_of
from core.watch.watcher import Watcher

NAME = "watch"
COMMAND = "python -m core.watch.recording"
MODELS = ("victim", "purified")
PARTS = ("calm", "attack", "askew")
PART_IMAGES = 200  # images of each part
ONE_IN = 20  # of the second part carries the sticker
ANGLE, SHIFT_PIXELS = 20.0, 3  # degrees and pixels that the camera is askew
PICTURES = 12  # of the images held, those that the page shows
SEEN = ("kind", "t", "file", "answer", "confidence", "score", "flagged", "why")  # kept of an image's entry
INBOX = "inbox"


@dataclass(frozen=True)
class Stream:
    """``images``: uint8 (n, 3, h, w). ``labels``: what they are, whatever they carry. ``triggered``: positions."""

    images: Tensor
    labels: list[int]
    triggered: list[int]

    @property
    def files(self) -> list[str]:
        return [f"{number:04}.png" for number in range(1, len(self.images) + 1)]


def stream(images: ImageSet, part: int = PART_IMAGES) -> Stream:
    """The first images of the test set, in their order: as they are, some with the sticker, all askew."""
    card = card_of(DEFAULT)
    x, y = images.x_test[: 3 * part].clone(), images.y_test[: 3 * part].tolist()
    trigger = trigger_of(card, images.size)
    due = range(part + ONE_IN - 1, 2 * part, ONE_IN)
    triggered = [next(at for at in range(place_, part, -1) if y[at] != card.target) for place_ in due]
    x[triggered] = (trigger(as_float(x[triggered])) * 255).round().to(torch.uint8)
    x[2 * part :] = askew(x[2 * part :])
    return Stream(x, y, triggered)


def askew(images: Tensor) -> Tensor:
    """What a camera sees that was knocked: turned, and off its aim; what comes into view mirrors what was there."""
    height, width = images.shape[2:]
    wide = F.pad(as_float(images), (width // 2,) * 2 + (height // 2,) * 2, mode="reflect")
    turned = rotate(wide, ANGLE).roll((SHIFT_PIXELS, SHIFT_PIXELS), (2, 3))
    return (center_crop(turned, [height, width]) * 255).round().clamp(0, 255).to(torch.uint8)


def make(root: Path | None = None, part: int = PART_IMAGES) -> Recording:
    """Watches the stream with both models and records it as ``watch`` below ``root``.

    Args:
        root: ``core.paths.RECORDED`` by default. part: images of each part.
    """
    run = Run(paths.RECORDINGS / DEFAULT)
    given = stream(load(run.spec.images), part)
    out = recorded.emptied((root or paths.RECORDED) / NAME)
    began = time.time()
    for which in MODELS:
        with tempfile.TemporaryDirectory(prefix="watch-recording-") as name:
            _watched(run, which, given, Path(name), began)
            _keep(Path(name), out / which, which)
    _keep_pictures(given, out)
    facts = {
        "run": run.id, "parts": list(PARTS), "part": part, "one_in": ONE_IN, "target": card_of(DEFAULT).target,
        "triggered": [given.files[at] for at in given.triggered], "labels": given.labels, "angle": ANGLE,
    }  # fmt: skip
    return recorded.seal(out, COMMAND, [card_of(DEFAULT).weights, run.folder / "model.safetensors"], facts)


def _watched(run: Run, which: Any, given: Stream, folder: Path, began: float) -> None:
    """The stream arrives image by image, and each is looked at as it comes.

    The guard of the model as it came knows nothing of the purified one: before a purification there is none.
    """
    inbox = folder / INBOX
    inbox.mkdir()
    clock = _Clock(began)
    source = source_of(run, which)
    model = ModelFile(source if which == "purified" else replace(source, second=None))
    held = Inbox(inbox)
    watcher = Watcher(model.guard, held, folder / "log", model=model.sha256, clock=clock)
    try:
        model.check(watcher)
        for number, (file, pixels) in enumerate(zip(given.files, given.images, strict=True), 1):
            Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(inbox / file)
            clock.now = began + number
            watcher.look()
            if number % 100 == 0:
                print(f"{which}: {number} of {len(given.files)}", file=sys.stderr, flush=True)
        watcher.compare()
    finally:
        watcher.close()
        held.close()


class _Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def _keep(folder: Path, out: Path, which: str) -> None:
    """The logs, without what only a watch that goes on needs of an image, and without a path of the machine."""
    about = place.about(folder / "log")
    out.mkdir(parents=True)
    write_json(out / place.ABOUT, {**about, "inbox": INBOX, "which": which})
    for name, shorten in ((place.LOG, _shortened), (place.ALERTS, dict)):
        with Log(out / name) as log:
            log.append([shorten(entry) for entry in entries(folder / "log" / name)])


def _shortened(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in SEEN} if entry.get("kind") == "image" else entry


def _keep_pictures(given: Stream, out: Path) -> None:
    """Of the images that the page shows: those with the sticker, the last ones held, and those an alert names."""
    shown = {given.files[at] for at in given.triggered}
    for which in MODELS:
        flagged = [entry["file"] for entry in entries(out / which / place.LOG) if entry.get("flagged") is True]
        shown |= set(flagged[-PICTURES:])
        shown |= {file for one in kept(out / which / place.ALERTS).values() for file in one.alert.files[-3:]}
    (out / INBOX).mkdir()
    for file, pixels in zip(given.files, given.images, strict=True):
        if file in shown:
            Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(out / INBOX / file, optimize=True)


if __name__ == "__main__":
    print(make().folder)
