"""Judges a training set: model, filters, the filter that decides, and recall and false alarms if the truth is known."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from core.attacks.poisoning import require_rate
from core.data import IMAGE_SETS
from core.dataroom import ALONE, FILTERS, review
from core.dataroom.filter import MIN_CLASSES, Judged, Material
from core.dataroom.seen import fresh, material, trained
from core.dataroom.trainset import TrainSet
from core.engine.subject import load_subject
from core.errors import BadInput
from core.found import Found
from core.metrics import attack_success_rate, benign_accuracy
from core.models.classifier import Classifier
from core.models.evaluate import answers
from core.registry import loaded
from core.runs.spec import Spec
from core.victims import list_victims, load_victim

Report = Callable[[str, int, int], None]  # stage, done, total
SHOWN = 5  # names of classes in a sentence
WHOLE_CLASS_SHARE = 0.95  # share of a class's images that, if flagged, counts as the whole class


@dataclass(frozen=True)
class Verdict:
    """The result of ``visit``.

    ``judged``: of each filter. ``seconds``: each filter's. ``chosen``: the filter that decides. ``flagged``: bool (n,),
    by that filter. ``features``: float64 (n, d), as the model sees the images. ``words``: of a person who says
    otherwise than the filter, by position (``core.dataroom.review``).
    """

    model: Classifier
    judged: dict[str, Judged]
    seconds: dict[str, float]
    chosen: str
    flagged: np.ndarray
    warnings: tuple[Found, ...]
    features: np.ndarray
    words: Mapping[int, str] = field(default_factory=dict)

    @property
    def left_out(self) -> np.ndarray:
        """bool (n,): the flagged images, as a person has corrected them."""
        return review.left_out(self.flagged, self.words)

    @property
    def target(self) -> int | None:
        return self.judged[self.chosen].target


def model_of(room: TrainSet, given: str, arch: str, seed: int, device: str, report: Report) -> tuple[Classifier, str]:
    """The model that the filters look through, a shipped victim or a file of weights, or one trained on the set; and
    what its network is called.

    Raises:
        BadInput: as ``core.engine.subject.load_subject``.
    """
    if given:
        report("load", 0, 1)
        if any(card.name == given for card in list_victims()):
            subject = load_subject(Spec(victim=given, images=room.images.name), room.images)
            return (load_victim(given) if subject.card else subject.model).to(device), subject.arch
        subject = load_subject(Spec(weights=given, images=room.images.name), room.images)
        return subject.model.to(device), subject.arch
    model = fresh(room.images, arch, seed, device)
    for epoch in trained(model, room.x[room.learnt], room.y[room.learnt], seed):
        report("train", epoch.step, epoch.total)
    return model, arch


def visit(
    room: TrainSet,
    model: Classifier,
    *,
    filters: Sequence[str] = tuple(FILTERS),
    chosen: str = "",
    false_alarms: float = 0.05,
    threshold: float | None = None,
    target: int | None = None,
    reviewed: np.ndarray | None = None,
    seed: int = 0,
    report: Report = lambda stage, done, total: None,
) -> Verdict:
    """Judges every image of the set with every filter.

    Args:
        filters: names from ``FILTERS``.
        chosen: the filter that decides; "": the first one named in ``FILTERS`` of those asked for that can judge the
            set, and ``ALONE``, asked for or not, where none can, as there are too few classes to compare.
        false_alarms: share of the clean images of a suspected class that may be flagged, 0-1; each filter says how
            near it comes.
        threshold: a score of the chosen filter instead.
        target: the suspected class, where it is known.
        reviewed: bool (n,), the images that a person leaves out, whatever the filter says.

    Raises:
        BadInput: as ``check`` and ``check_target``.
    """
    check(filters, chosen, false_alarms, threshold=threshold)
    check_target(target, room.images.num_classes)
    report("look", 0, 1)
    seen = material(model, room)
    judged: dict[str, Judged] = {}
    seconds: dict[str, float] = {}

    def ask(name: str) -> None:
        began = time.monotonic()
        judged[name] = _aimed(loaded(FILTERS[name])(seen, false_alarms, seed), target)
        seconds[name] = round(time.monotonic() - began, 2)

    for done, name in enumerate(filters):
        report("filter", done, len(filters))
        ask(name)
    if not chosen and not any(one.able for one in judged.values()):
        ask(ALONE)
    report("filter", len(filters), len(filters))
    named = [name for name in FILTERS if name in judged]
    best = chosen or next((name for name in named if judged[name].able), named[0])
    flagged = judged[best].flags(seen.labels, threshold)
    out = flagged if reviewed is None else reviewed
    found = (*room.warnings, *_unjudged(room, judged, best), *_warnings(room, seen, out))
    return Verdict(model, judged, seconds, best, flagged, found, seen.features, review.words_of(flagged, out))


def check(
    filters: Sequence[str], chosen: str, false_alarms: float, *, threshold: float | None = None, most: int = 0,
    rate: float = 0.1, name: str = "",
) -> None:  # fmt: skip
    """Refuses an order that cannot be carried out, before anything is loaded.

    Args:
        name: of the set, or its path.

    Raises:
        BadInput: ``unknown_filter``, ``bad_false_alarms``, ``bad_threshold``, ``poison_rate``, ``bad_most``,
            ``most_of_own``.
    """
    unknown = [name for name in (*filters, *([chosen] if chosen else [])) if name not in FILTERS]
    if unknown or not filters or (chosen and chosen not in filters):
        filter_name = (unknown or [chosen or "nothing"])[0]
        raise BadInput(
            "unknown_filter",
            f"There is no filter {filter_name!r} among those asked for; use some of {', '.join(FILTERS)}.",
            name=filter_name, known=", ".join(FILTERS),
        )  # fmt: skip
    if not 0 < false_alarms < 1:
        raise BadInput(
            "bad_false_alarms",
            f"A false-alarm rate of {false_alarms:g} cannot be used; give a share above 0 and below 1, such as 0.05.",
            given=f"{false_alarms:g}",
        )  # fmt: skip
    if threshold is not None and not math.isfinite(threshold):
        raise BadInput(
            "bad_threshold", f"A threshold of {threshold:g} cannot be used; give a number.", given=f"{threshold:g}"
        )
    require_rate(rate)
    if most < 0:
        raise BadInput("bad_most", f"{most} images cannot be taken; give a number above 0, or 0 for all.", given=most)
    if most and name and name not in IMAGE_SETS:
        raise BadInput(
            "most_of_own",
            f"Only of a set of Dissolve ({', '.join(IMAGE_SETS)}) some images are taken; {name} is judged whole, so "
            "leave --most.",
            name=name, known=", ".join(IMAGE_SETS),
        )  # fmt: skip


def check_target(target: int | None, classes: int) -> None:
    """Before the work, as soon as the classes are known.

    Raises:
        BadInput: ``target_out_of_range``.
    """
    if target is not None and not 0 <= target < classes:
        raise BadInput(
            "target_out_of_range", f"The target class {target} must be from 0 to {classes - 1}.",
            target=target, most=classes - 1,
        )  # fmt: skip


def _aimed(judged: Judged, target: int | None) -> Judged:
    if target is None:
        return judged
    return replace(judged, suspected=(target,), able=target not in judged.small)


def _unjudged(room: TrainSet, judged: dict[str, Judged], best: str) -> list[Found]:
    """What could not be judged, so that nobody reads it as clean."""
    found = []
    unable = [name for name, one in judged.items() if name != ALONE and not one.able]
    if unable:
        text = (
            f"{', '.join(unable)} cannot judge this set: such filters compare classes, and need at least "
            f"{MIN_CLASSES} with enough images."
        )
        found.append(Found("room_few_classes", text, {"filters": ", ".join(unable), "least": MIN_CLASSES}))
        if best == ALONE:
            found.append(Found("room_alone", f"{best} decides, which judges each class by itself.", {"filter": best}))
    small = judged[best].small
    if small:
        count, classes = len(small), room.images.num_classes
        names = ", ".join(room.images.class_names[one] for one in small[:SHOWN])
        text = f"{count} of {classes} classes have too few images for {best} and cannot be judged: {names}."
        found.append(Found("room_small", text, {"count": count, "classes": classes, "filter": best, "names": names}))
    return found


def _warnings(room: TrainSet, seen: Material, flagged: np.ndarray) -> list[Found]:
    found = []
    count, images = int(flagged.sum()), len(flagged)
    if 2 * count > images:
        text = f"{count} of {images} images are flagged, more than are kept: look at them before you leave any out."
        found.append(Found("room_most_flagged", text, {"count": count, "images": images}))
    for one, name in enumerate(room.images.class_names):
        members = seen.labels == one
        if members.any() and flagged[members].mean() >= WHOLE_CLASS_SHARE:
            text = (
                f"Nearly all images of class {name} are flagged: it may be poisoned wholly, and nothing of it is left."
            )
            found.append(Found("room_whole_class", text, {"name": name}))
    if not len(room.trusted[0]):
        text = (
            "No trusted images were given. So poison can go unnoticed in a class whose images fall into two groups by "
            "nature, and which half of a suspected class is poisoned is judged by size and variety alone. About 30 "
            "trusted images per class help with both."
        )
        found.append(Found("room_no_trusted", text, {}))
    return found


def figures(model: Classifier, room: TrainSet, flagged: np.ndarray) -> tuple[float, float | None]:
    """BA, and true ASR where the attack is known, percent."""
    x, y = room.test(torch.from_numpy(flagged))
    y = y.to(model.mean.device)
    ba = round(benign_accuracy(answers(model, x), y), 2)
    if room.trigger is None or room.target is None:
        return ba, None
    return ba, round(attack_success_rate(answers(model, x, room.trigger), y, room.target), 2)
