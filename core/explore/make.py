"""The base of the page Explore for a run: features, neighbours and suspicion."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from core.compute.returning import Returning
from core.explore import place
from core.explore.material import Material, material
from core.featuremap.compact import half
from core.featuremap.neighbours import neighbours_of
from core.jobs.note import Report
from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits
from core.registry import loaded
from core.runs.record import Run
from core.suspicion import METHODS
from core.suspicion.judging import Judgement, judge

BATCH = 250  # images between two reports of progress
FEATURES_UNITS, NEIGHBOURS_UNITS, SUSPICION_UNITS = 50, 10, 40  # of 100 units of progress


def make(run: Run, report: Report) -> place.Base:
    """Computes ``core.explore.place.Base`` of a run and writes it.

    Raises:
        BadInput: as ``core.explore.material.material``.
    """
    report("load", 0, 100)
    source = place.source_of(run)
    stuff = material(run)
    count = len(stuff.models)
    pixels = stuff.pixels()
    seen = []
    for number, model in enumerate(stuff.models):

        def looked(part: float, number: int = number) -> None:
            report("look", FEATURES_UNITS * (number + part) / count, 100)

        seen.append(_look(model, pixels, looked))
    near = []
    for number, (features, _) in enumerate(seen, 1):
        near.append(neighbours_of(features, place.NEIGHBOURS).index.numpy().astype(np.int32))
        report("neighbours", FEATURES_UNITS + NEIGHBOURS_UNITS * number / count, 100)
    judged = _judge(seen, stuff.samples.triggered, report)
    found = place.Base(
        features=np.stack([half(features) for features, _ in seen]),
        near=np.stack(near),
        scores=np.stack([[entry.scores for entry in row] for row in judged]).astype(np.float16),
        judged=np.array([[_figures(entry) for entry in row] for row in judged], np.float32),
        thumbs=np.zeros(0, np.uint8) if run.thumbs is not None else _thumbs(stuff),
        source=np.array(source),
    )
    place.forget(run)
    place.write(run, "base", found)
    report("done", 100, 100)
    return found


def _look(model: Classifier, pixels: torch.Tensor, report: Callable[[float], None]) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 (n, d) and answers int64 (n,)."""
    features, answers = [], []
    for start in range(0, len(pixels), BATCH):
        found, logits = features_and_logits(model, pixels[start : start + BATCH])
        features.append(found.float().cpu())
        answers.append(logits.argmax(1).cpu())
        report(min(1.0, (start + BATCH) / len(pixels)))
    table = torch.nan_to_num(torch.cat(features), nan=0.0, posinf=1e15, neginf=-1e15)
    return table.numpy(), torch.cat(answers).numpy()


def _judge(seen: list[tuple[np.ndarray, np.ndarray]], triggered: np.ndarray, report: Report) -> list[list[Judgement]]:
    """One row per method, one judgement per model."""
    rows: list[list[Judgement]] = []
    turns = len(METHODS) * len(seen)
    for at, name in enumerate(METHODS.values()):
        method = loaded(name)
        rows.append([])
        for number, (features, answers) in enumerate(seen):
            judging = Returning(judge(method.score, features.astype(np.float64), answers, triggered, method.SHARE))
            for done, total in judging:
                turn = at * len(seen) + number + done / total
                report("suspicion", FEATURES_UNITS + NEIGHBOURS_UNITS + SUSPICION_UNITS * turn / turns, 100)
            rows[-1].append(judging.result)
    return rows


def _figures(judgement: Judgement) -> tuple[float, float, float]:
    precision, recall = (np.nan if value is None else value for value in (judgement.precision, judgement.recall))
    return precision, recall, judgement.share


def _thumbs(stuff: Material) -> np.ndarray:
    """The sprite of images that may not be kept with the record: it stays in this computer's results."""
    from core.runs.arrays import sprite_of

    pixels = stuff.pixels().mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return np.frombuffer(sprite_of(pixels), np.uint8)
