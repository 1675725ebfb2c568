"""The features of a run's frames, and the maps over all its frames that are drawn from them; readable without torch."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.runs.arrays import RunArrays, read_arrays, write_arrays

FINENESS = 2000  # steps that places are rounded to along the longest side of a map, which is invisible


class DrawnMap(NamedTuple):
    """Another map than the run's own, drawn at k times.

    ``coords`` float32 (k, n, dims); ``trust`` float32 (k,), trustworthiness of each, 0-1: by Euclidean distance
    whatever the map's own, so that it can be compared with the live map's.
    """

    coords: np.ndarray
    trust: np.ndarray


class Features(NamedTuple):
    """``features`` float16 (n, d), of one frame (``core.featuremap.compact``)."""

    features: np.ndarray


class Steps(NamedTuple):
    """A ``DrawnMap`` of every frame as it is kept: points hold still, so what changes takes half the room.

    ``changes`` int16 (frames, n, dims), in units of ``unit`` float32 (): of the first frame from ``low`` float32
    (dims,), of each other frame from the one before.
    """

    changes: np.ndarray
    unit: np.ndarray
    low: np.ndarray
    trust: np.ndarray


class RunMaps(RunArrays):
    """The part of a ``Run`` that keeps features until all maps are drawn, and those maps."""

    def write_features(self, index: int, features: np.ndarray) -> None:
        """Keep the features of frame ``index``, float16 (n, d)."""
        (self.folder / "features").mkdir(exist_ok=True)
        write_arrays(self._features(index), Features(features))

    def features(self, index: int) -> np.ndarray:
        """The features of a frame, float16 (n, d). Raises BadInput ``frame_not_found`` where they cannot be read."""
        found = read_arrays(self._features(index), Features)
        if found is None:
            raise self.no_frame(index)
        return np.asarray(found.features)

    def keeps_features_of(self, index: int) -> bool:
        return self._features(index).exists()

    @property
    def features_kept(self) -> bool:
        """Whether the features of every frame are there."""
        frames = self.frame_count
        return frames > 0 and all(self.keeps_features_of(index) for index in range(frames))

    def drop_features(self) -> None:
        """From now on there are none."""
        shutil.rmtree(self.folder / "features", ignore_errors=True)

    def moving_map(self, method: str, dims: int) -> DrawnMap | None:
        """The map with a place for every frame; None where there is none that has all of them."""
        found = read_arrays(self._moving(method, dims), Steps)
        if found is None or len(found.changes) != self.frame_count:
            return None
        coords = found.low + found.unit * found.changes.cumsum(0, dtype=np.int32)
        return DrawnMap(coords.astype(np.float32), found.trust)

    def write_moving_map(self, method: str, dims: int, made: DrawnMap) -> None:
        """Keep a map, its places rounded to a ``FINENESS``-th of its longest side."""
        low = made.coords.min((0, 1))
        unit = np.float32(max(float(np.ptp(made.coords, axis=(0, 1)).max()), 1e-9) / FINENESS)
        steps = np.rint((made.coords - low) / unit).astype(np.int16)
        changes = np.diff(steps, axis=0, prepend=np.zeros_like(steps[:1]))
        (self.folder / "maps").mkdir(exist_ok=True)
        write_arrays(self._moving(method, dims), Steps(changes, np.array(unit), low, made.trust))

    def _features(self, index: int) -> Path:
        return self.folder / "features" / f"{index:05d}.npz"

    def _moving(self, method: str, dims: int) -> Path:
        return self.folder / "maps" / f"{method}-{dims}.npz"
