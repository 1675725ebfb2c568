"""The work of an inspection: recognises the network, the input scaling and the classes of a file of weights.

``python -m core.intake.recognition KEY`` is the process that ``core.intake.inspection.start`` begins. Like all readers
of untrusted files, it executes nothing in them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.compute.memory import ran_out
from core.data import load
from core.data.imageset import ImageSet
from core.data.zipped import unpack
from core.engine.subject import check_answers, is_specified, networks, recognise
from core.errors import BadInput
from core.files import write_atomic
from core.intake import inspection, leftovers, uploads
from core.intake.inspection import Step
from core.jobs.note import failure, told
from core.models.identify import Candidate
from core.models.inputs import Choice, Tried
from core.models.weights import read_weights
from core.runs.spec import Spec

Progress = Callable[[Step, int, int], None]
Learnt = Callable[[dict[str, Any]], None]
MAX_PICTURES = 60  # of classes, in the row
SIDE = 48  # pixels of a class's picture
MAX_ROWS = 40  # of the table of networks and scalings that were tried


def inspect(spec: Spec, progress: Progress, learnt: Learnt, pictures: Path | None = None) -> None:
    """Recognises a model, before it is scanned.

    Args:
        spec: weights and images; with a network or a scaling, those are taken and not sought.
        progress: called with (step, done, total); 0 of 0 where a step has no count.
        learnt: called with each result as soon as it is known: ``found`` about the file; ``images`` (path, name,
            sizes, classes, ``counts`` per class, ``left_out`` files of a .zip); ``candidates`` that fit; ``tried``
            (networks and scalings, the best first), ``arch``, ``normalize``, ``accuracy``, ``names`` (of tensors in
            the file that have another in the network, and that one); ``objection``, a fault, if the model answers
            these images no better than chance.
        pictures: where to put one test image per class, a row of squares of ``SIDE`` pixels.

    Raises:
        BadInput: the files cannot be used; results reported before remain valid.
    """
    progress("weights", 0, 0)
    weights = read_weights(str(spec.weights))
    learnt({"found": [asdict(fact) for fact in weights.found]})
    path, left_out = unpacked(spec.images, progress)
    progress("images", 0, 0)
    images = load(path, progress=lambda done, total: progress("images", done, total))
    learnt({"images": _described(path, images, left_out)})
    if pictures is not None:
        write_atomic(pictures, _row_of_pictures(images))
    progress("networks", 0, 0)
    fits = networks(spec, weights, images)
    learnt({"candidates": [_candidate(fit) for fit in fits]})
    progress("scaling", 0, 0)
    choice = recognise(spec, fits, images)
    learnt(_chosen(choice, images) | {"objection": None if is_specified(spec) else _objection(choice, images)})


def unpacked(images: str, progress: Progress) -> tuple[str, int]:
    """Where the images lie, and how many files of a .zip were left out.

    Two inspections of one .zip take turns: the second finds it unpacked, or takes over where the first was cancelled.
    """
    given = Path(images)
    upload = uploads.find(uploads.holding(images))
    if given.suffix.lower() != ".zip" or upload is None or upload.file.resolve() != given.resolve():
        if given.suffix.lower() == ".zip" and given.is_file():  # never write into a folder of the user's own
            raise BadInput("zip_not_uploaded", f"{given.name} must be uploaded; or unpack it and give the folder.",
                           file=given.name)  # fmt: skip
        return images, 0
    progress("unpack", 0, 0)
    with leftovers.held(upload.folder):
        left_out = 0
        if not upload.unpacked.is_dir():
            left_out = unpack(given, upload.unpacked, lambda done, total: progress("unpack", done, total)).left_out
        given.unlink(missing_ok=True)
    return str(upload.unpacked), left_out


def _described(path: str, images: ImageSet, left_out: int) -> dict[str, Any]:
    counts = torch.bincount(images.y_train, minlength=images.num_classes)
    return {
        "path": path, "name": images.name, "train": len(images.y_train), "test": len(images.y_test),
        "height": images.size[0], "width": images.size[1], "classes": list(images.class_names),
        "counts": counts.tolist(), "left_out": left_out,
    }  # fmt: skip


def _row_of_pictures(images: ImageSet) -> bytes:
    from io import BytesIO

    from PIL import Image

    shown = min(images.num_classes, MAX_PICTURES)
    row = Image.new("RGB", (SIDE * shown, SIDE))
    for label in range(shown):
        first = int(torch.nonzero(images.y_test == label)[0])
        picture = Image.fromarray(np.ascontiguousarray(images.x_test[first].permute(1, 2, 0).numpy()))
        row.paste(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC), (SIDE * label, 0))
    content = BytesIO()
    row.save(content, "png")
    return content.getvalue()


def _candidate(fit: Candidate) -> dict[str, Any]:
    return {"arch": fit.arch, "classes": fit.classes, "channels": fit.channels}


def _chosen(choice: Choice, images: ImageSet) -> dict[str, Any]:
    found = (*choice.candidate.weights.found, *choice.candidate.found, *images.notes)
    return {
        "arch": choice.candidate.arch, "normalize": choice.inputs.name, "accuracy": choice.tried[0].accuracy,
        "names": choice.candidate.weights.other_names(),
        "tried": [_row(tried) for tried in choice.tried[:MAX_ROWS]], "found": [asdict(fact) for fact in found],
    }  # fmt: skip


def _row(tried: Tried) -> dict[str, Any]:
    return {
        "arch": tried.arch, "normalize": tried.name, "scaling": tried.inputs.scaling, "size": tried.inputs.size,
        "colour": tried.inputs.colour, "accuracy": tried.accuracy, "images": tried.images, "tied": tried.tied,
    }  # fmt: skip


def _objection(choice: Choice, images: ImageSet) -> dict[str, Any] | None:
    try:
        check_answers(choice, images)
    except BadInput as fault:
        return failure(fault)
    return None


def fault_of(fault: Exception) -> BadInput:
    """An error as the visitor reads it. A reader may have taken memory that ran out for a damaged file: that is seen
    by what it was raised from."""
    where = ran_out(fault) or ran_out(fault.__cause__)
    if where == "GPU":
        return BadInput(
            "inspection_memory_gpu",
            "The graphics card has too little free memory for this network and these images; close other programs "
            "that use it, give smaller images, or use a computer with more graphics memory.",
        )
    if where == "computer":
        return BadInput(
            "inspection_memory",
            "There is too little free memory for these files; give fewer or smaller images, close other programs, or "
            "use a computer with more memory.",
        )
    if isinstance(fault, BadInput):
        return fault
    name, detail = type(fault).__name__, str(fault)[:300]
    return BadInput("internal", f"Dissolve failed with {name}: {detail}.", error=name)


def main(key: str) -> int:
    """The process of an inspection: writes its note until it is done; exit status 1 when it failed."""
    folder = inspection.folder_of(key)
    note = json.loads((folder / "note.json").read_bytes()) | {"result": {}}
    try:
        with told(folder / "note.json", facts=note, as_told=fault_of) as report:
            inspect(Spec.from_dict(note["spec"]), report, note["result"].update, folder / inspection.PICTURES)
    except BadInput:
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
