"""Places a picture of the visitor on a settled map, before and after purification, by umap-learn's ``transform``."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from core.data.decode import decode
from core.data.imageset import as_float
from core.errors import BadInput
from core.explore import place
from core.explore.fitting import MIN_POINTS, mapper_of
from core.explore.maps import explored
from core.explore.material import Material, material
from core.explore.settled import Settled
from core.jobs.note import Report
from core.models.classifier import Classifier
from core.models.evaluate import features_and_logits
from core.runs.record import Run


class Placed(NamedTuple):
    """``coords`` float32 (models, dims), on the map of each model; ``answers`` int64 (models,), its answer;
    ``confidence`` float32 (models,), percent."""

    coords: np.ndarray
    answers: np.ndarray
    confidence: np.ndarray


def place_picture(run: Run, settings: Settled, file: Path, report: Report) -> Placed:
    """Where a picture lies on a settled map that was drawn, and what the models say of it.

    Args:
        file: a picture, which is brought to the size of the run's images.

    Raises:
        BadInput: ``map_first``, the map was not drawn; ``no_transform``, densMAP takes no more points; as
            ``core.data.decode.decode``, ``core.explore.maps.explored`` and ``core.explore.material.material``.
    """
    base = explored(run)
    _refuse_densities(settings)
    drawn = place.settled_map(run, settings.key)
    if drawn is None:
        raise BadInput("map_first", f"The map {settings.key} of the run {run.id} was not drawn yet.", map=settings.key)
    stuff = material(run)
    size = stuff.images.x_test.shape[2], stuff.images.x_test.shape[3]
    picture = as_float(torch.from_numpy(decode([file], file.name, size, bits=stuff.images.bits)).permute(0, 3, 1, 2))
    coords, answers, confidence = [], [], []
    for number, (model, features) in enumerate(zip(stuff.models, base.features, strict=True)):
        report("place", number, len(stuff.models))
        table = features.astype(np.float32)
        own, logits = _seen(model, stuff, picture, table)
        coords.append(transform(table, drawn.coords[number], settings, own)[0])
        shares = logits.softmax(0)
        answers.append(int(shares.argmax()))
        confidence.append(100 * float(shares.max()))
    report("place", len(stuff.models), len(stuff.models))
    return Placed(np.stack(coords), np.array(answers), np.array(confidence, np.float32))


def transform(features: np.ndarray, coords: np.ndarray, settings: Settled, new: np.ndarray) -> np.ndarray:
    """Where other points lie on a map, whose own points stay.

    The map is not kept with all that umap-learn knows of it, which would be a pickle: its neighbours are found again.

    Args:
        features: float32 (n, d), of the map's points; coords: (n, dims), their places.
        new: float32 (m, d).

    Returns:
        float32 (m, dims).

    Raises:
        BadInput: ``no_transform``, a densMAP, or hardly any points.
    """
    _refuse_densities(settings)
    if len(features) < MIN_POINTS:
        raise BadInput("no_transform", f"A map of fewer than {MIN_POINTS} points takes no more points.")
    mapper = mapper_of(settings, len(features), coords, lambda share: None, n_epochs=0)
    mapper.verbose = False
    mapper.fit(features)
    mapper.n_epochs = None  # of what follows: as many as it would take by itself
    mapper.embedding_ = np.array(coords, np.float32)
    return np.asarray(mapper.transform(new.astype(np.float32)), np.float32)


def _refuse_densities(settings: Settled) -> None:
    if settings.densmap:
        raise BadInput("no_transform", "A map that keeps densities (densMAP) takes no more points.")


def _seen(
    model: Classifier, stuff: Material, picture: torch.Tensor, features: np.ndarray
) -> tuple[np.ndarray, torch.Tensor]:
    """Features float32 (1, d) of a picture, on the scale of those that were kept, and its logits (classes,)."""
    point, column = np.unravel_index(np.abs(features).argmax(), features.shape)
    found, logits = features_and_logits(model, torch.cat([picture, stuff.pixels([int(point)])]))
    own, known = found.float().cpu().numpy()
    scale = features[point, column] / known[column] if known[column] else 1.0
    return own[None] * (scale if scale < 0.99 else 1.0), logits[0].float().cpu()
