"""Drives a run's two models over the test track and writes what came of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core import paths
from core.compute.device import choose as choose_device
from core.compute.device import precision
from core.data import load
from core.data.imageset import ImageSet, as_float
from core.engine.subject import load_subject
from core.errors import BadInput
from core.explore.material import purified
from core.jobs.note import Report
from core.models.classifier import Classifier
from core.models.fold import folded
from core.runs import hashes
from core.runs.record import Run
from core.stress import dirty, measure, place, verdict
from core.stress.measure import Pictures
from core.stress.settings import EPSILONS, NAMES, Settings
from core.triggers.reconstructed import recalled


@dataclass(frozen=True)
class Car:
    """What is driven: the two models, on their device, the test images and the trigger with its target.

    ``kind``: "true", the trigger is the attacker's; "estimated", it was reconstructed; "none", there is none.
    """

    models: tuple[Classifier, Classifier]
    images: ImageSet
    names: list[str]
    trigger: Callable[[Tensor], Tensor] | None
    target: int | None
    kind: str


def drive(run: Run, settings: Settings, report: Report) -> dict[str, Any]:
    """Everything, as far as it is not kept of an earlier drive with the same settings and files.

    Returns:
        ``source``, ``key``, ``settings``, ``asr_kind``, ``target``; ``clean`` and ``cells``, as
        ``core.stress.measure.cell``; ``shifted``, one more of these or None; ``classes``, ``robustness``,
        ``confidence``, as ``core.stress.measure``; ``mean_loss``, ``worst``, ``worst_class``, ``sentence`` and
        ``sentence_ja``, as ``core.stress.verdict.judged``; ``seconds`` of work, over all drives that it took.

    Raises:
        BadInput: as ``core.stress.place.require_drivable``, ``core.runs.hashes.check``, ``core.data.load`` and
            ``core.engine.subject.load_subject``; ``shifted_classes``, the second folder has other classes.
    """
    place.require_drivable(run)
    report("load", 0, 0)
    hashes.check(run)
    key = place.key_of(run, settings, _hash(settings.images))
    if (whole := place.result_of(run, key)) is not None:
        return whole
    begun = time.monotonic()
    car = load_car(run)
    elsewhere = second_folder(settings.images, car, settings) if settings.images else None
    kept = place.partial(run, key) or {}
    spent = float(kept.get("seconds", 0.0))
    found: dict[str, Any] = {
        "source": place.source_of(run), "key": key, "run": run.id,
        "settings": asdict(settings) | {"strengths": [*settings.strengths]},
        "asr_kind": car.kind, "target": car.target, "cells": [], "seconds": spent,
    }  # fmt: skip
    found |= {name: value for name, value in kept.items() if name not in found or name == "cells"}

    def keep(**more: Any) -> None:
        found.update(more, seconds=round(spent + time.monotonic() - begun, 1))
        place.keep(run, found)

    test = chosen(car, settings)
    turns = [(name, strength) for name in NAMES for strength in settings.strengths]
    done = {(cell["corruption"], cell["strength"]) for cell in found["cells"]}
    total = len(turns) - len(done) + EXTRA  # what an earlier drive did says nothing of the time this one takes
    if "clean" not in found:
        keep(clean=measure.cell(car.models, test, None, 0, settings.seed))
    report("corruptions", 0, total)
    for name, strength in turns:
        if (name, strength) not in done:
            cell = measure.cell(car.models, test, name, strength, settings.seed)
            keep(cells=sorted([*found["cells"], cell], key=lambda cell: _order(cell)))
            report("corruptions", len(found["cells"]) - len(done), total)
    if "shifted" not in found:
        keep(shifted=measure.cell(car.models, elsewhere, None, 0, settings.seed) if elsewhere else None)
    _weaknesses(car, settings, found, keep, lambda share: report("weaknesses", total - EXTRA * (1 - share), total))
    keep(**verdict.judged(found))
    place.finish(run, found)
    report("done", total, total)
    return found


def soil(run: Run, report: Report) -> list[dict[str, Any]]:
    """A row of ``core.stress.dirty.purify`` for each amount of dirt; what is there already is kept, and each row is
    written as it comes, apart from the drives, which have settings of their own.

    Raises:
        BadInput: as ``core.stress.dirty.purify``.
    """
    rows = place.dirty(run)
    left = [dirt for dirt in dirty.DIRTS if not any((row["kind"], row["share"]) == astuple(dirt) for row in rows)]
    for number, dirt in enumerate(left):

        def tick(share: float, number: int = number) -> None:
            report("dirty", number + share, len(left))

        tick(0)
        rows.append(dirty.purify(run, dirt, tick))
        rows.sort(key=lambda row: (row["kind"], row["share"]))
        place.keep_dirty(run, rows)
    return rows


EXTRA = 6  # turns, in time, that classes, adversary and confidence take


def _hash(images: str | None) -> str | None:
    """Of the second folder; None where there is none that can be read, which its reader will tell of."""
    with contextlib.suppress(OSError):
        return hashes.of_images(paths.expanded(images)) if images and paths.exists(images) else None
    return None


def _order(cell: dict[str, Any]) -> tuple[int, int]:
    return NAMES.index(cell["corruption"]), cell["strength"]


def _weaknesses(
    car: Car, settings: Settings, found: dict[str, Any], keep: Callable[..., None], tick: measure.Tick
) -> None:
    """What purification may have broken: single classes, robustness to an adversary, confidence."""
    images, labels = car.images.x_test, car.images.y_test
    if "classes" not in found:
        keep(classes=measure.classes(car.models, images, labels, car.names, car.target))
    tick(0.2)
    if "robustness" not in found:
        few = chosen(car, settings, settings.attacked)
        rows = []
        for number, epsilon in enumerate(EPSILONS):

            def ticked(share: float, number: int = number) -> None:
                tick(0.2 + 0.7 * (number + share) / len(EPSILONS))

            rows.append(measure.robustness(car.models, few.images, few.labels, epsilon, settings.seed, ticked))
        keep(robustness=rows)
    if "confidence" not in found:
        keep(confidence=measure.confidence(car.models, images, labels))
    tick(1.0)


def load_car(run: Run) -> Car:
    """Raises: BadInput, as ``drive``."""
    spec = run.spec
    device = choose_device(spec.device if spec.device != "cuda" or torch.cuda.is_available() else "auto")
    images = load(spec.images)
    names = [str(name) for name in run.data.get("classes") or images.class_names]
    subject = load_subject(spec, images)
    after = purified(run, images, subject)
    assert after is not None  # by require_drivable
    models = []
    for model in (subject.model, after):
        model.to(device).eval()
        model.precision = precision(device)  # as in the run
        models.append(folded(model))  # once, and not at every piece that is looked at
    trigger: Callable[[Tensor], Tensor] | None = None
    target, kind = None, "none"
    if subject.trigger is not None and subject.card is not None:
        trigger, target, kind = subject.trigger, subject.card.target, "true"
    elif (found := run.triggers()) is not None:  # else this defence needs none
        reconstructed = recalled(found, device)[0]
        trigger, target, kind = reconstructed, reconstructed.target, "estimated"
    return Car((models[0], models[1]), images, names, trigger, target, kind)


def chosen(car: Car, settings: Settings, count: int | None = None) -> Pictures:
    """At most so many of the test images, drawn by the seed."""
    return _drawn(car, car.images.x_test, car.images.y_test, settings, count)


def _drawn(car: Car, images: Tensor, labels: Tensor, settings: Settings, count: int | None = None) -> Pictures:
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(settings.seed))
    order = order[: settings.count if count is None else count].sort().values
    return Pictures(images[order], labels[order], car.trigger, car.target)


def second_folder(path: str, car: Car, settings: Settings) -> Pictures:
    """Images taken elsewhere, all of them whatever the folder calls them, as the run's models number the classes, and
    in the size of the run's own.

    Raises:
        BadInput: as ``core.data.load``; ``shifted_classes``.
    """
    other = load(path)
    if set(other.class_names) != set(car.names):
        odd = sorted(set(other.class_names) ^ set(car.names))
        raise BadInput(
            "shifted_classes",
            f"The images {path} have other classes than those of the run (not in both: {', '.join(odd[:5])}); name the "
            "class folders as the run does.",
            path=path, names=", ".join(odd[:5]),
        )  # fmt: skip
    number = torch.tensor([car.names.index(name) for name in other.class_names])
    images = torch.cat([other.x_train, other.x_test])
    found = _drawn(car, images, number[torch.cat([other.y_train, other.y_test])], settings)
    if other.size == car.images.size:
        return found
    x = F.interpolate(as_float(found.images), car.images.size, mode="bilinear", antialias=True)
    return found._replace(images=x.clamp(0, 1).mul(255).round().to(torch.uint8))
