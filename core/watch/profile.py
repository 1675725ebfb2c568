"""The profile of a model: its behaviour on clean images, stored as json and npz beside the run, readable without
torch."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BadInput
from core.files import write_atomic, write_json

FORMAT = 2
PICTURES = ("brightness", "contrast", "sharpness")  # figures of an image, in order (``core.watch.pictures``)
_STATE = "state."


@dataclass(frozen=True)
class Profile:
    """Attributes:
    model_sha256: of the file of the model it was made from; "" where there was none.
    images_sha256: of the clean images it was made from, pixels and classes.
    which: "victim" or "purified".
    second_sha256: of the other model's file, where the detectors ask one; else "".
    detectors: names, as in ``core.watch.DETECTORS``; their standardised scores are averaged.
    rate: false alarms aimed at, a share of clean images.
    threshold: of the averaged score; above it an image is flagged.
    images: clean images, every one of which was scored by detectors that were fitted without it.
    size: (height, width) of the images. classes: names, in label order.
    bits: as ``ImageSet.bits``; what arrives is read as the run's images were.
    made: ISO 8601, UTC. version: of Dissolve.
    arrays: the detectors' states (``state.<detector>.<name>``), ``centre`` and ``spread`` of each detector's scores
        (k,), ``calibration`` (n,), and of the stream ``stream.answers``, ``stream.confidence``, ``stream.pictures``
        (n, 3), ``stream.features`` (n, 3) with ``axes`` (3, d) and ``middle`` (d,).
    """

    model_sha256: str
    images_sha256: str
    which: str
    second_sha256: str
    detectors: tuple[str, ...]
    rate: float
    threshold: float
    images: int
    size: tuple[int, int]
    bits: int | None
    classes: tuple[str, ...]
    seed: int
    made: str
    version: str
    arrays: dict[str, np.ndarray] = field(repr=False, compare=False)

    def state(self, detector: str) -> dict[str, np.ndarray]:
        """The arrays that a detector keeps."""
        start = f"{_STATE}{detector}."
        return {name.removeprefix(start): value for name, value in self.arrays.items() if name.startswith(start)}

    @property
    def normal(self) -> float:
        """The averaged score of an ordinary clean image: the median."""
        return float(np.median(self.arrays["calibration"]))


def state_name(detector: str, name: str) -> str:
    return f"{_STATE}{detector}.{name}"


def write_profile(path: Path, profile: Profile) -> None:
    """Writes ``path`` (.json) and the .npz beside it, the json last: it names the npz by hash."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **profile.arrays)  # type: ignore[arg-type]
    content = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path.with_suffix(".npz"), content)
    facts = {item.name: getattr(profile, item.name) for item in fields(profile) if item.name != "arrays"}
    write_json(path, {"format": FORMAT, "arrays_sha256": hashlib.sha256(content).hexdigest(), **facts})


def read_profile(path: Path) -> Profile:
    """The profile at ``path`` (.json).

    Raises:
        BadInput: ``profile_unreadable``: it is not there, damaged, or of a newer version.
    """
    try:
        facts: dict[str, Any] = json.loads(path.read_bytes())
        if facts["format"] != FORMAT:
            raise ValueError(f"it has format {facts['format']}, and this version reads {FORMAT}")
        content = path.with_suffix(".npz").read_bytes()
        if hashlib.sha256(content).hexdigest() != facts["arrays_sha256"]:
            raise ValueError(f"{path.with_suffix('.npz').name} is not the file it was made with")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        known = {item.name for item in fields(Profile)} - {"arrays"}
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()
        }
        given: dict[str, Any] = {name: plain[name] for name in known}
        return Profile(**given, arrays=arrays)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise BadInput(
            "profile_unreadable",
            f"The profile {path} cannot be read ({error}); delete it, and it is made anew.",
            path=str(path), reason=str(error),
        ) from None  # fmt: skip
