"""A run as pandas tables, for a notebook: ``core.load("last").frames.plot(x="step", y=["ba", "asr"])``.

Every table is made from the record when it is first asked for, and kept. Figures in percent and 0-1 as in
``core.events``; classes by number, and by name beside it.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

from core.errors import BadInput
from core.events import Frame, Measured, Step, to_json
from core.explore import place, settled
from core.runs.record import Run
from core.suspicion import NAMES

AXES = ("x", "y", "z")


class Tables:
    """The tables of one run. A run that goes on is read as it stands; load it again for what came since.

    Args:
        run: its record.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def __repr__(self) -> str:
        return f"Tables({str(self.run.folder)!r})"

    @cached_property
    def events(self) -> pd.DataFrame:
        """All that happened, a row each: ``t`` (seconds at work since the start), ``type`` and the event's own fields;
        missing where an event has no such field."""
        return pd.DataFrame([{"t": t, **to_json(event)} for t, event in self.run.events()])

    @cached_property
    def steps(self) -> pd.DataFrame:
        """The optimiser's steps: ``t``, ``step``, ``total``, ``lr`` and one column a loss, before weighting."""
        rows = [
            {"t": t, "step": event.step, "total": event.total, "lr": event.lr, **event.losses}
            for t, event in self.run.events()
            if isinstance(event, Step)
        ]
        return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["t", "step", "total", "lr"])

    @cached_property
    def figures(self) -> pd.DataFrame:
        """BA and ASR of the whole test set, percent, indexed by ``when``: "before" and, once it is there, "after"."""
        rows = [to_json(event) for _, event in self.run.events() if isinstance(event, Measured)]
        names = [name for name in Measured.__dataclass_fields__ if name != "type"]
        return pd.DataFrame(rows, columns=names).set_index("when")

    @cached_property
    def frames(self) -> pd.DataFrame:
        """The frames of the map, indexed by ``frame``: ``t``, ``step``, and the figures of the map's own images."""
        rows = [
            {"frame": event.index, "t": t, **to_json(event)}
            for t, event in self.run.events()
            if isinstance(event, Frame)
        ]
        names = ["step", "ba", "asr", "asr_kind", "dissolution", "trustworthiness"]
        return pd.DataFrame(rows, columns=["frame", "t", *names]).set_index("frame")

    @cached_property
    def samples(self) -> pd.DataFrame:
        """The images of the map, indexed by ``point``: ``test_image`` (its number in the test set), ``class``,
        ``class_name``, ``triggered``, ``twin`` (the point of the same image without the trigger; missing if none).

        Raises:
            BadInput: ``no_frames``, the run has no map.
        """
        samples = self.run.samples
        if samples is None:
            raise BadInput("no_frames", f"The run {self.run.id} has no frames yet.", run=self.run.id)
        twin = pd.array(samples.twin, dtype="Int32")
        twin[samples.twin < 0] = pd.NA
        columns = {
            "test_image": samples.index, "class": samples.label, "class_name": self._names(samples.label),
            "triggered": samples.triggered, "twin": twin,
        }  # fmt: skip
        return pd.DataFrame(columns, index=pd.RangeIndex(len(samples.label), name="point"))

    @cached_property
    def points(self) -> pd.DataFrame:
        """Every image in every frame, indexed by ``frame`` and ``point``: ``step``, ``x``, ``y`` (and ``z``) on the
        run's own map, ``answer``, ``answer_name``, ``confidence`` (percent), and the columns of ``samples``.

        Raises:
            BadInput: as ``samples``.
        """
        samples = self.samples
        parts = []
        for frame, step in self.frames["step"].items():
            arrays = self.run.frame(int(frame))  # type: ignore[call-overload]
            part = _places(arrays.coords, samples.index)
            part.insert(0, "step", step)
            part["answer"], part["answer_name"] = arrays.answers, self._names(arrays.answers)
            part["confidence"] = arrays.confidence
            part = part.join(samples)
            parts.append(pd.concat({frame: part}, names=["frame"]))
        return pd.concat(parts) if parts else pd.DataFrame()

    @cached_property
    def explored(self) -> pd.DataFrame | None:
        """What the page Explore computed, indexed by ``when`` and ``point``: suspicion by each detector, 0-1, suspected
        from 0.5 on. None if that was not done: python -m core explore RUN."""
        base = place.base(self.run)
        if base is None:
            return None
        parts = {
            when: pd.DataFrame(base.scores[:, model].T.astype(np.float32), self.samples.index, list(NAMES.values()))
            for model, when in enumerate(base.whens)
        }
        return pd.concat(parts, names=["when"])

    def settled(self, key: str = "") -> pd.DataFrame | None:
        """A settled map, indexed by ``when`` and ``point``: ``x``, ``y`` (and ``z``). None if it was not drawn.

        Args:
            key: its settings, as on the command line: "n_neighbors=30,metric=cosine".

        Raises:
            BadInput: as ``core.explore.settled.read``.
        """
        found = place.settled_map(self.run, settled.read(key).key)
        if found is None:
            return None
        whens = place.WHENS[: len(found.coords)]
        parts = [_places(coords, self.samples.index) for coords in found.coords]
        return pd.concat(dict(zip(whens, parts, strict=True)), names=["when"])

    def map(self, method: str, dims: int = 2) -> pd.DataFrame | None:
        """Another map than the run's own, indexed by ``frame`` and ``point``: ``x``, ``y`` (and ``z``). None if it was
        not drawn with a place for every frame: python -m core explore RUN --map METHOD --dims N.

        Args:
            method: "umap", "tsne" or "pca". dims: 2 or 3.
        """
        found = self.run.moving_map(method, dims)
        if found is None:
            return None
        parts = {frame: _places(coords, self.samples.index) for frame, coords in enumerate(found.coords)}
        return pd.concat(parts, names=["frame"])

    def _names(self, classes: np.ndarray) -> pd.Categorical[str]:
        """The names of classes given by number; the number itself where a class has no name."""
        known = [str(name) for name in self.run.data.get("classes") or ()]
        most = max(len(known), int(classes.max(initial=-1)) + 1)
        names = known + [str(number) for number in range(len(known), most)]
        if len(set(names)) < len(names):  # a category is named once
            names = [f"{name} ({number})" for number, name in enumerate(names)]
        return pd.Categorical.from_codes(classes.astype(int), pd.Index(names))


def _places(coords: np.ndarray, points: pd.Index) -> pd.DataFrame:
    """Coordinates (n, dims) as columns."""
    return pd.DataFrame(coords, points, AXES[: coords.shape[1]])
