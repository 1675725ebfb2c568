"""Measures a run's two models under all conditions of the test track and writes the result."""

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
from core.data import load
from core.data.imageset import ImageSet, as_float
from core.engine.purified import purified
from core.engine.statistics import as_examined
from core.engine.subject import load_subject
from core.errors import BadInput
from core.jobs.note import Report
from core.models.classifier import Classifier
from core.models.fold import folded
from core.runs import file_hashes, hashes
from core.runs.record import Run
from core.stress import contamination, measure, place, verdict
from core.stress.measure import Pictures
from core.stress.settings import EPSILONS, NAMES, Settings
from core.triggers.reconstructed import from_record


@dataclass(frozen=True)
class Pair:
    """The original and the purified model, on their device, with the test images and the trigger and its target.

    ``kind``: "true", the trigger is the attacker's; "estimated", it was reconstructed; "none", there is none.
    """

    models: tuple[Classifier, Classifier]
    images: ImageSet
    names: list[str]
    trigger: Callable[[Tensor], Tensor] | None
    target: int | None
    kind: str


def run_track(run: Run, settings: Settings, report: Report) -> dict[str, Any]:
    """Every condition, as far as its result is not kept from an earlier start with the same settings and files.

    Returns:
        ``source``, ``key``, ``settings``, ``asr_kind``, ``target``; ``clean`` and ``cells``, as
        ``core.stress.measure.cell``; ``shifted``, one more of these or None; ``classes``, ``robustness``,
        ``confidence``, as ``core.stress.measure``; ``mean_loss``, ``worst``, ``worst_class``, ``sentence`` and
        ``sentence_ja``, as ``core.stress.verdict.judged``; ``seconds`` of work, over all starts that it took.

    Raises:
        BadInput: as ``core.stress.place.require_pair``, ``core.runs.hashes.check``, ``core.data.load`` and
            ``core.engine.subject.load_subject``; ``shifted_classes``, the second folder has other classes.
    """
    place.require_pair(run)
    report("load", 0, 0)
    hashes.check(run)
    key = place.key_of(run, settings, _hash(settings.images))
    if (whole := place.result_of(run, key)) is not None:
        return whole
    begun = time.monotonic()
    pair = load_pair(run)
    elsewhere = second_folder(settings.images, pair, settings) if settings.images else None
    kept = place.partial(run, key) or {}
    spent = float(kept.get("seconds", 0.0))
    found: dict[str, Any] = {
        "source": place.source_of(run), "key": key, "run": run.id,
        "settings": asdict(settings) | {"strengths": [*settings.strengths]},
        "asr_kind": pair.kind, "target": pair.target, "cells": [], "seconds": spent,
    }  # fmt: skip
    found |= {name: value for name, value in kept.items() if name not in found or name == "cells"}

    def keep(**more: Any) -> None:
        found.update(more, seconds=round(spent + time.monotonic() - begun, 1))
        place.keep(run, found)

    test = chosen(pair, settings)
    turns = [(name, strength) for name in NAMES for strength in settings.strengths]
    done = {(cell["corruption"], cell["strength"]) for cell in found["cells"]}
    total = len(turns) - len(done) + EXTRA_UNITS  # work of an earlier start does not count for the time left
    if "clean" not in found:
        keep(clean=measure.cell(pair.models, test, None, 0, settings.seed))
    report("corruptions", 0, total)
    for name, strength in turns:
        if (name, strength) not in done:
            cell = measure.cell(pair.models, test, name, strength, settings.seed)
            keep(cells=sorted([*found["cells"], cell], key=lambda cell: _order(cell)))
            report("corruptions", len(found["cells"]) - len(done), total)
    if "shifted" not in found:
        keep(shifted=measure.cell(pair.models, elsewhere, None, 0, settings.seed) if elsewhere else None)
    _weaknesses(
        pair, settings, found, keep, lambda share: report("weaknesses", total - EXTRA_UNITS * (1 - share), total)
    )
    keep(**verdict.judged(found))
    place.finish(run, found)
    report("done", total, total)
    return found


def contaminate(run: Run, report: Report) -> list[dict[str, Any]]:
    """A row of ``core.stress.contamination.purify`` for each contamination.

    Rows that are there already are kept. Each is written as it comes, in a file of its own: a result of other settings
    does not touch it.

    Raises:
        BadInput: as ``core.stress.contamination.purify``.
    """
    rows = place.contaminations(run)
    there = {(row["kind"], row["share"]) for row in rows}
    left = [one for one in contamination.CONTAMINATIONS if astuple(one) not in there]
    for number, one in enumerate(left):

        def tick(share: float, number: int = number) -> None:
            report("contamination", number + share, len(left))

        tick(0)
        rows = place.keep_contaminations(run, [*rows, contamination.purify(run, one, tick)])
    return rows


EXTRA_UNITS = 6  # of progress, for classes, adversary and confidence; a condition is 1


def _hash(images: str | None) -> str | None:
    """Of the second folder; None where there is none that can be read, which its reader will tell of."""
    with contextlib.suppress(OSError):
        return file_hashes.of_images(paths.expanded(images)) if images and paths.exists(images) else None
    return None


def _order(cell: dict[str, Any]) -> tuple[int, int]:
    return NAMES.index(cell["corruption"]), cell["strength"]


def _weaknesses(
    pair: Pair, settings: Settings, found: dict[str, Any], keep: Callable[..., None], tick: measure.Tick
) -> None:
    """What purification may have broken: single classes, robustness to an adversary, confidence."""
    images, labels = pair.images.x_test, pair.images.y_test
    if "classes" not in found:
        keep(classes=measure.classes(pair.models, images, labels, pair.names, pair.target))
    tick(0.2)
    if "robustness" not in found:
        attacked = chosen(pair, settings, settings.attacked)
        rows = []
        for number, epsilon in enumerate(EPSILONS):

            def ticked(share: float, number: int = number) -> None:
                tick(0.2 + 0.7 * (number + share) / len(EPSILONS))

            rows.append(
                measure.robustness(pair.models, attacked.images, attacked.labels, epsilon, settings.seed, ticked)
            )
        keep(robustness=rows)
    if "confidence" not in found:
        keep(confidence=measure.confidence(pair.models, images, labels))
    tick(1.0)


def load_pair(run: Run) -> Pair:
    """Raises: BadInput, as ``run_track``."""
    spec = run.spec
    device = choose_device(spec.device if spec.device != "cuda" or torch.cuda.is_available() else "auto")
    images = load(spec.images)
    names = [str(name) for name in run.data.get("classes") or images.class_names]
    subject = load_subject(spec, images)
    subject.model.on(device)
    subject, after = as_examined(run, subject, images), purified(run, images)
    assert after is not None  # by require_pair
    # on the device as in the run; folded once, and not at every piece that is looked at
    models = [folded(model.on(device).eval()) for model in (subject.model, after)]
    trigger: Callable[[Tensor], Tensor] | None = None
    target, kind = None, "none"
    if subject.trigger is not None and subject.card is not None:
        trigger, target, kind = subject.trigger, subject.card.target, "true"
    elif (found := run.triggers()) is not None:  # else this defence needs none
        reconstructed = from_record(found, device)[0]
        trigger, target, kind = reconstructed, reconstructed.target, "estimated"
    return Pair((models[0], models[1]), images, names, trigger, target, kind)


def chosen(pair: Pair, settings: Settings, count: int | None = None) -> Pictures:
    """At most so many of the test images, drawn by the seed."""
    return _drawn(pair, pair.images.x_test, pair.images.y_test, settings, count)


def _drawn(pair: Pair, images: Tensor, labels: Tensor, settings: Settings, count: int | None = None) -> Pictures:
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(settings.seed))
    order = order[: settings.count if count is None else count].sort().values
    return Pictures(images[order], labels[order], pair.trigger, pair.target)


def second_folder(path: str, pair: Pair, settings: Settings) -> Pictures:
    """Images taken elsewhere, all of them whatever the folder calls them, as the run's models number the classes, and
    in the size of the run's own.

    Raises:
        BadInput: as ``core.data.load``; ``shifted_classes``.
    """
    other = load(path)
    if set(other.class_names) != set(pair.names):
        odd = sorted(set(other.class_names) ^ set(pair.names))
        raise BadInput(
            "shifted_classes",
            f"The images {path} have other classes than those of the run (not in both: {', '.join(odd[:5])}); name the "
            "class folders as the run does.",
            path=path, names=", ".join(odd[:5]),
        )  # fmt: skip
    number = torch.tensor([pair.names.index(name) for name in other.class_names])
    images = torch.cat([other.x_train, other.x_test])
    found = _drawn(pair, images, number[torch.cat([other.y_train, other.y_test])], settings)
    if other.size == pair.images.size:
        return found
    x = F.interpolate(as_float(found.images), pair.images.size, mode="bilinear", antialias=True)
    return found._replace(images=x.clamp(0, 1).mul(255).round().to(torch.uint8))
