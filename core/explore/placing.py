"""Places a picture of the visitor on a settled map by umap-learn's ``transform``: without and with the trigger, before
and after purification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.data.decode import decode
from core.data.imageset import as_float
from core.errors import BadInput
from core.explore import place
from core.explore.fitting import MIN_POINTS, mapper_of
from core.explore.maps import explored
from core.explore.material import material
from core.explore.pictures import Placed
from core.explore.settled import Settled
from core.jobs.note import Report
from core.models.evaluate import features_and_logits
from core.runs.record import Run


class Placer:
    """Networks, features and fitted maps of a run; they stay for the next picture, which is then placed at once.

    Raises:
        BadInput: as ``core.explore.maps.explored`` and ``core.explore.material.material``.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.base = explored(run)
        self.stuff = material(run)
        self.mappers: dict[tuple[str, int], Any] = {}

    def place(self, source: Path | int, settings: Settled, report: Report) -> Placed:
        """Where a picture lies on a settled map that was drawn, and what the models say of it.

        Args:
            source: a file, which is brought to the size of the run's images, or a point: its image without the
                trigger is placed, and the same one with it.

        Raises:
            BadInput: ``map_first``, the map was not drawn; ``no_such_point``; ``no_transform``, densMAP takes no more
                points; as ``core.data.decode.decode``.
        """
        _refuse_densities(settings)
        drawn = place.settled_map(self.run, settings.key)
        if drawn is None:
            raise BadInput(
                "map_first", f"The map {settings.key} of the run {self.run.id} was not drawn yet.", map=settings.key
            )
        plain = self._picture(source)
        both = torch.cat([plain, self.stuff.trigger(plain.clone())])
        twins = [] if isinstance(source, Path) else self._twins(source)
        coords, answers, confidence, near = [], [], [], []
        models = len(self.stuff.models)
        for number in range(models):
            report("place", number, models)
            table = self.base.features[number].astype(np.float32)
            own, logits = self._seen(number, both, table)
            coords.append(put(self._mapper(number, settings, table, drawn.coords[number]), own))
            shares = logits.softmax(1)
            answers.append(shares.argmax(1).numpy())
            confidence.append(100 * shares.amax(1).numpy())
            near.append(nearest(table, own, twins))
        report("place", models, models)
        pixels = both.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        return Placed(
            np.stack(coords), np.stack(answers), np.stack(confidence).astype(np.float32), np.stack(near), pixels
        )

    def _picture(self, source: Path | int) -> torch.Tensor:
        """Float (1, 3, h, w) in [0, 1]."""
        images = self.stuff.images
        if isinstance(source, Path):
            size = images.x_test.shape[2], images.x_test.shape[3]
            pixels = decode([source], source.name, size, bits=images.bits)
            return as_float(torch.from_numpy(pixels).permute(0, 3, 1, 2))
        points = len(self.stuff.samples.label)
        if not 0 <= source < points:
            raise BadInput(
                "no_such_point", f"The run {self.run.id} has no point {source}; its points are 0 to {points - 1}.",
                run=self.run.id, point=source, most=points - 1,
            )  # fmt: skip
        return as_float(images.x_test[int(self.stuff.samples.index[source])])[None]

    def _twins(self, point: int) -> list[int]:
        """The points that show the same image: each is nearest to itself, which tells nothing."""
        index = self.stuff.samples.index
        return np.flatnonzero(index == index[point]).tolist()

    def _seen(self, number: int, pictures: torch.Tensor, features: np.ndarray) -> tuple[np.ndarray, torch.Tensor]:
        """Features float32 (v, d) of pictures, on the scale of those that were kept, and their logits (v, classes)."""
        point, column = np.unravel_index(np.abs(features).argmax(), features.shape)
        found, logits = features_and_logits(
            self.stuff.models[number], torch.cat([pictures, self.stuff.pixels([int(point)])])
        )
        own = found.float().cpu().numpy()
        known = own[-1, column]
        scale = features[point, column] / known if known else 1.0
        return own[:-1] * (scale if scale < 0.99 else 1.0), logits[:-1].float().cpu()

    def _mapper(self, number: int, settings: Settled, features: np.ndarray, coords: np.ndarray) -> Any:
        name = (settings.key, number)
        if name not in self.mappers:
            self.mappers[name] = fitted(features, coords, settings)
        return self.mappers[name]


def nearest(features: np.ndarray, new: np.ndarray, besides: list[int]) -> np.ndarray:
    """The points nearest to others in feature space, nearest first.

    Args:
        features: float32 (n, d), of the points; new: float32 (m, d). besides: points that do not count.

    Returns:
        int32 (m, k), k = ``place.NEIGHBOURS``, or fewer where there are fewer points.
    """
    gaps = ((new[:, None] - features[None]) ** 2).sum(2)
    gaps[:, besides] = np.inf
    return gaps.argsort(1, kind="stable")[:, : min(place.NEIGHBOURS, len(features) - len(besides))].astype(np.int32)


def fitted(features: np.ndarray, coords: np.ndarray, settings: Settled) -> Any:
    """A ``umap.UMAP`` that knows a map which was drawn, and takes more points.

    The map is not kept with all that umap-learn knows of it, which would be a pickle: its neighbours are found again.

    Args:
        features: float32 (n, d), of the map's points; coords: (n, dims), their places.

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
    return mapper


def put(mapper: Any, new: np.ndarray) -> np.ndarray:
    """Where other points lie on a map, whose own points stay.

    Args:
        mapper: as of ``fitted``. new: float32 (m, d).

    Returns:
        float32 (m, dims).
    """
    return np.asarray(mapper.transform(new.astype(np.float32)), np.float32)


def _refuse_densities(settings: Settled) -> None:
    if settings.densmap:
        raise BadInput("no_transform", "A map that keeps densities (densMAP) takes no more points.")
