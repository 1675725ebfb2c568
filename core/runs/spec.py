"""The order of a run, and the one place where it is checked."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from core import paths, victims
from core.data import IMAGE_SETS
from core.data.inputs import NORMALIZATIONS, Inputs
from core.defenses import DEFENCES, PRESETS
from core.errors import BadInput
from core.file_kinds import folder_for_weights

PROJECTIONS = ("umap", "tsne", "pca")  # those of core.featuremap.METHODS, whose import takes numpy
POINTS = (50, 20_000)  # least and most; more take longer to draw than a training step
REPEATS = (0, 3)  # least and most; each takes about as long as the first purification and its proof
LARGEST_SEED = 2**32 - 1  # that numpy's and scikit-learn's generators take
ACCEPTED = ("", "not-cured")  # values of ``accept``


@dataclass(frozen=True)
class Spec:
    """A run's order.

    Attributes:
        victim: name of a shipped victim; or None, and then ``weights``.
        weights: path of a file of weights (safetensors, a PyTorch state_dict, a .pt2 archive or an ONNX file).
        images: name of an image set, or path of a folder of class folders or of an ``.npz``.
        arch: the weights' network, as in ``core.models.build``; None: from the card, or the one that fits.
        model_class: the weights' network as the user's own class, ``FILE:CLASS``; its file is executed. Instead
            of ``arch``, and from the command line only.
        normalize: the weights' input scaling, a key of ``NORMALIZATIONS``, or with size and colour as in ``Inputs``;
            None: from the card, or the one under which clean images are answered best.
        defence: the method, one of ``DEFENCES``.
        preset: the defence's settings to start from; ``settings`` overrides single ones.
        clean_budget: training images the defender may use: a share (float below 1) or a number (int from 1 up).
        enough: whether a share that is fewer than ``core.data.enough.ENOUGH`` images is raised to a sufficient number.
        target: the target class if it is known; None: found by the scan.
        projection, dims, points: method of the map, 2 or 3 dimensions, number of samples on it.
        seed: of everything drawn at random.
        device: "auto", "cpu", "mps", "cuda" or "cuda:N".
        map: whether frames of the map are made.
        live: whether there are as many frames as a live view needs; otherwise some ten.
        scan_only: measure and scan, and leave the model as it is.
        scan_of: id or folder of an earlier run of the same model and images whose scan is taken over; None: it is
            scanned.
        class_names: what the classes are called, in label order; None: as the images name them.
        repeats: how often the run may purify again, each time against a class that only the proof before has named.
        accept: "not-cured": write the purified model even if it is graded as not cured; "": do not.
    """

    victim: str | None = None
    weights: str | None = None
    images: str = ""
    arch: str | None = None
    model_class: str | None = None
    normalize: str | None = None
    defence: str = "mcl"
    preset: str = "default"
    settings: dict[str, Any] = field(default_factory=dict)
    clean_budget: float = 0.05
    enough: bool = False
    target: int | None = None
    projection: str = "umap"
    dims: int = 2
    points: int = 2000
    seed: int = 0
    device: str = "auto"
    map: bool = True
    live: bool = True
    scan_only: bool = False
    scan_of: str | None = None
    class_names: list[str] | None = None
    repeats: int = 1
    accept: str = ""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Spec:
        """A spec from ``to_dict``; keys of other versions are passed over."""
        known = {f.name for f in fields(cls)}
        return cls(**{key: value for key, value in data.items() if key in known})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def misread(cls, data: dict[str, Any]) -> str | None:
        """The first entry of ``data``, read from a record, that is to be text and is not; None where all are."""
        allowed = {"str": (str,), "str | None": (str, type(None))}
        kinds = {f.name: allowed[str(f.type)] for f in fields(cls) if str(f.type) in allowed}
        return next((name for name, kind in kinds.items() if name in data and not isinstance(data[name], kind)), None)

    @property
    def presets(self) -> tuple[str, ...]:
        """The presets that the defence has; all there are, if there is no such defence."""
        return DEFENCES[self.defence].presets if self.defence in DEFENCES else PRESETS

    @property
    def can_repeat(self) -> bool:
        """Whether such a run can purify again by itself. A target that was given is an order, and a further class has
        only its triggers to be purified against."""
        return self.target is None and self.defence in DEFENCES and DEFENCES[self.defence].needs_triggers

    @property
    def most_repeats(self) -> int:
        """How often the run may purify again."""
        return self.repeats if self.can_repeat else 0

    @property
    def name(self) -> str:
        """The model's name in file names: lower case, digits and hyphens."""
        model = self.victim or (Path(self.weights).name.split(".")[0] if self.weights else "")
        return re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[:40] or "model"

    def resolved(self) -> Spec:
        """The same spec with absolute paths, for a worker that stands in another folder."""
        weights = str(paths.absolute(self.weights)) if self.weights else None
        images = self.images if self.images in IMAGE_SETS else str(paths.absolute(self.images))
        model_class = self.model_class
        if model_class:
            file, colon, name = model_class.rpartition(":")
            model_class = f"{paths.absolute(file)}:{name}" if colon else model_class
        scan_of = self.scan_of
        if scan_of and os.sep in scan_of:  # a folder, and no id
            scan_of = str(paths.absolute(scan_of))
        return replace(self, weights=weights, images=images, model_class=model_class, scan_of=scan_of)

    def validate(self) -> None:
        """Check all that can be checked without loading anything.

        Raises:
            BadInput: the mistake's own code if there is one; ``several_mistakes`` naming each if there are more.
        """
        mistakes = list(self.mistakes())
        if len(mistakes) == 1:
            raise mistakes[0]
        if mistakes:
            raise BadInput(
                "several_mistakes",
                " ".join(mistake.message for mistake in mistakes),
                count=len(mistakes),
                codes=", ".join(mistake.code for mistake in mistakes),
            )

    def mistakes(self) -> Iterator[BadInput]:
        """Everything wrong with this spec, one error each."""
        yield from self._model_mistakes()
        yield from self._image_mistakes()
        for code, what, value, allowed in (
            ("unknown_defence", "defence", self.defence, tuple(DEFENCES)),
            ("unknown_preset", "preset", self.preset, self.presets),
            ("unknown_projection", "projection", self.projection, PROJECTIONS),
            ("unknown_accept", "result to accept", self.accept, ACCEPTED),
        ):
            if value not in allowed:
                yield _not_among(code, what, value, [name for name in allowed if name])
        if self.normalize is not None and (not isinstance(self.normalize, str) or not Inputs.parse(self.normalize)):
            yield _not_among("unknown_normalization", "input scaling", self.normalize, [*NORMALIZATIONS, "MEAN/STD"])
        yield from self._number_mistakes()
        if self.class_names is not None and not _are_names(self.class_names):
            yield BadInput("bad_class_names", "The class names must be different from one another, and none be empty.")
        if not (isinstance(self.device, str) and re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.device)):
            yield _not_among("unknown_device", "device", self.device, ["auto", "cpu", "mps", "cuda", "cuda:N"])
        if not (isinstance(self.settings, dict) and all(_is_setting(k, v) for k, v in self.settings.items())):
            yield BadInput(
                "bad_settings",
                f"The settings {self.settings!r} must be names with a number, numbers, a word or true/false each.",
                settings=repr(self.settings),
            )

    def _model_mistakes(self) -> Iterator[BadInput]:
        if not self.victim and not self.weights:
            yield BadInput("no_model", "No model is named; give a shipped victim's name or a file of weights.")
        elif self.victim and self.weights:
            yield BadInput(
                "two_models",
                f"Both the victim {self.victim!r} and the weights {self.weights} are given; give one of them.",
                victim=self.victim,
                weights=str(self.weights),
            )
        elif self.victim:
            try:
                victims.card_of(self.victim)
            except BadInput as error:
                yield error
        elif os.path.isdir(place := paths.expanded(str(self.weights))):
            yield folder_for_weights(Path(place), str(self.weights))
        elif not paths.is_file(str(self.weights)):
            yield BadInput(
                "weights_not_found",
                f"There is no file {self.weights} that can be read; give a file of weights (.safetensors, a PyTorch "
                "state_dict, a .pt2 archive or an .onnx file).",
                path=str(self.weights),
            )
        if self.model_class is not None:
            yield from self._model_class_mistakes()

    def _model_class_mistakes(self) -> Iterator[BadInput]:
        file, _, name = str(self.model_class).rpartition(":")
        if not (file.endswith(".py") and name.isidentifier()):
            yield BadInput(
                "bad_model_class",
                f"The class {self.model_class!r} must be given as FILE.py:CLASS, for example net.py:Net.",
                value=str(self.model_class),
            )
        elif not paths.is_file(file):
            yield BadInput("model_class_not_found", f"There is no file {file} with your class.", path=file)
        if self.arch or self.victim:
            yield BadInput(
                "two_networks", "Both a class of your own and a network's name or a victim are given; give one of them."
            )

    def _image_mistakes(self) -> Iterator[BadInput]:
        allowed = ", ".join(IMAGE_SETS)
        if not self.images:
            yield BadInput(
                "no_images",
                f"No images are named; give one of {allowed}, a folder of class folders or an .npz file.",
                allowed=allowed,
            )
        elif self.images not in IMAGE_SETS and not paths.exists(self.images):
            yield BadInput(
                "images_not_found",
                f"{self.images!r} is neither an image set ({allowed}) nor a folder or .npz file that exists.",
                images=self.images,
                allowed=allowed,
            )

    def _number_mistakes(self) -> Iterator[BadInput]:
        share = isinstance(self.clean_budget, float) and 0 < self.clean_budget < 1
        if not share and not (_is_whole(self.clean_budget) and self.clean_budget >= 1):
            yield BadInput(
                "bad_clean_budget",
                f"The clean budget {self.clean_budget} must be a share of the training images between 0 and 1, "
                "or a whole number of images.",
                budget=str(self.clean_budget),
            )
        if self.target is not None and not (_is_whole(self.target) and self.target >= 0):
            yield BadInput(
                "bad_target",
                f"The target class {self.target} must be a class number, 0 or more, or be left out to be found.",
                target=str(self.target),
            )
        for what, value, least, most in (
            ("dims", self.dims, 2, 3),
            ("points", self.points, *POINTS),
            ("seed", self.seed, 0, LARGEST_SEED),
            ("repeats", self.repeats, *REPEATS),
        ):
            if not _is_whole(value) or not least <= value <= most:
                yield out_of_range(what, value, least, most)


def out_of_range(what: str, value: Any, least: int, most: int) -> BadInput:
    """The fault ``bad_<what>``: a value that is no whole number from ``least`` to ``most``."""
    return BadInput(
        f"bad_{what}",
        f"The value {value} for {what} must be a whole number from {least} to {most}.",
        value=str(value),
        least=least,
        most=most,
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _are_names(names: Any) -> bool:
    words = isinstance(names, list) and all(isinstance(name, str) and name.strip() for name in names)
    return words and len(set(names)) == len(names) > 0


def _is_setting(name: Any, value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_number(item) for item in value)
    return isinstance(name, str) and (value is None or isinstance(value, (str, bool)) or _is_number(value))


def _not_among(code: str, what: str, value: Any, allowed: list[str]) -> BadInput:
    return BadInput(
        code,
        f"There is no {what} {value!r}; use one of {', '.join(allowed) or '(none is there)'}.",
        value=str(value),
        allowed=", ".join(allowed),
    )
