"""Measures the victim and the purified model side by side on one set of images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from core.compute.intervals import wilson
from core.data.imageset import as_float
from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits
from core.stress.calibration import calibration_error
from core.stress.corruptions import corrupt
from core.stress.paired import Paired
from core.stress.pgd import survivors

Trigger = Callable[[Tensor], Tensor]
WHENS = ("before", "after")
PIXELS = 512 * 32 * 32  # of a batch; corruptions are seeded by batch, so a change here changes their figures
Tick = Callable[[float], None]  # called with the share that is done, 0-1


class Answers(NamedTuple):
    """Of one model: ``classes`` int64 (n,), ``confidence`` float (n,), 0-1."""

    classes: Tensor
    confidence: Tensor


class Pictures(NamedTuple):
    """``images`` uint8 (n, 3, h, w) and their ``labels``; ``trigger`` and the ``target`` that it leads to, if known."""

    images: Tensor
    labels: Tensor
    trigger: Trigger | None = None
    target: int | None = None


def pieces(images: Tensor) -> list[slice]:
    size = max(8, PIXELS // images[0, 0].numel()) if len(images) else 1
    return [slice(start, start + size) for start in range(0, len(images), size)]


def answered(
    models: tuple[Classifier, ...], images: Tensor, make: Callable[[Tensor, int], Tensor] | None = None
) -> list[Answers]:
    """Each model's answers to the images, changed by ``make`` (batch, number of the batch)."""
    seen: list[list[Tensor]] = [[] for _ in models]
    for number, part in enumerate(pieces(images)):
        x = as_float(images[part])
        x = make(x, number) if make else x
        for logits, model in zip(seen, models, strict=True):
            logits.append(features_and_logits(model, x)[1].float().cpu())
    found = []
    for logits in seen:
        confidence, classes = torch.cat(logits).softmax(1).max(1)
        found.append(Answers(classes, confidence))
    return found


def cell(
    models: tuple[Classifier, ...], pictures: Pictures, corruption: str | None, strength: int, seed: int
) -> dict[str, Any]:
    """BA, ASR and ECE of both models under one corruption (None: none), percent.

    Clean and triggered images, and both models, get the very same noise. A trigger is put on before the corruption,
    as on a real scene.
    """

    def spoilt(x: Tensor, number: int) -> Tensor:
        return corrupt(x, corruption, strength, seed * 100_003 + number) if corruption else x

    images, labels, trigger, target = pictures
    clean = answered(models, images, spoilt)
    right = [answers.classes == labels for answers in clean]
    pair = Paired.of(*right)
    found: dict[str, Any] = {"corruption": corruption or "none", "strength": strength, "images": len(labels)}
    for when, hits in zip(WHENS, right, strict=True):
        found |= share(f"ba_{when}", hits)
    triggered: list[Answers | None] = [None, None]
    aim = -1 if target is None else target
    not_target = labels != aim
    if trigger is not None and not_target.any():
        put = trigger

        def stamped(x: Tensor, number: int) -> Tensor:
            return spoilt(put(x), number)

        triggered = [
            Answers(a.classes[not_target], a.confidence[not_target]) for a in answered(models, images, stamped)
        ]
    for when, answers in zip(WHENS, triggered, strict=True):
        found |= share(f"asr_{when}", torch.zeros(0) if answers is None else answers.classes == aim)
    for when, answers, hits in zip(WHENS, clean, right, strict=True):
        found[f"ece_{when}"] = round(calibration_error(answers.confidence, hits), 2)
    return found | lost(found["ba_before"], found["ba_after"], pair)


def share(name: str, hits: Tensor) -> dict[str, Any]:
    """A share in percent and its 95 % interval; None where there is nothing to count."""
    if not len(hits):
        return {name: None, f"{name}_interval": None}
    percent = 100 * hits.double().mean().item()
    interval = wilson(percent, len(hits))
    assert interval is not None
    return {name: round(percent, 2), f"{name}_interval": [round(value, 2) for value in interval]}


def lost(before: float, after: float, pair: Paired) -> dict[str, Any]:
    """The purified model's loss in points, and its p-value under the hypothesis that both models are equal."""
    return {"loss": round(before - after, 2), "lost": pair.lost, "gained": pair.gained, "chance": pair.chance}


def classes(
    models: tuple[Classifier, ...], images: Tensor, labels: Tensor, names: list[str], target: int | None
) -> list[dict[str, Any]]:
    """Accuracy of both models class by class on the images as they are; classes without an image are left out."""
    right = [answers.classes == labels for answers in answered(models, images)]
    rows = []
    for number, name in enumerate(names):
        own = labels == number
        row: dict[str, Any] = {"class": number, "name": name, "target": number == target, "images": int(own.sum())}
        if own.any():
            for when, hits in zip(WHENS, right, strict=True):
                row |= share(when, hits[own])
            rows.append(row | lost(row["before"], row["after"], Paired.of(*(hits[own] for hits in right))))
    return rows


def robustness(
    models: tuple[Classifier, ...], images: Tensor, labels: Tensor, of_255: int, seed: int, tick: Tick
) -> dict[str, Any]:
    """Share of the images that both models answer rightly whatever PGD does within so many 255ths."""
    parts = pieces(images)
    alive: list[list[Tensor]] = [[] for _ in models]
    for number, part in enumerate(parts):
        for at, model in enumerate(models):
            alive[at].append(survivors(model, images[part], labels[part], of_255 / 255, seed * 100_003 + number))
            tick((number + (at + 1) / len(models)) / len(parts))
    right = [torch.cat(found) for found in alive]
    row: dict[str, Any] = {"epsilon": f"{of_255}/255", "images": len(labels)}
    for when, hits in zip(WHENS, right, strict=True):
        row |= share(when, hits)
    return row | lost(row["before"], row["after"], Paired.of(*right))


def confidence(models: tuple[Classifier, ...], images: Tensor, labels: Tensor) -> dict[str, Any]:
    """Mean confidence of both models, percent: over all answers, and over the wrong ones."""
    found: dict[str, Any] = {"images": len(labels)}
    for when, answers in zip(WHENS, answered(models, images), strict=True):
        wrong = answers.confidence[answers.classes != labels]
        found[when] = round(100 * answers.confidence.mean().item(), 2)
        mean = 100 * wrong.mean().item() if len(wrong) else math.nan
        found[f"wrong_{when}"] = None if math.isnan(mean) else round(mean, 2)
    return found
