"""What the room of the page Explore is handed: plain data, which ``explore_data`` makes and ``explore`` packs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.explore.settled import Settled
from dashboard.components.stage_payload import FrameLike


@dataclass(frozen=True)
class Layout:
    """Another map than the run's own: ``coords`` float32 (k, n, dims), of every frame of the run, or before and,
    if there is one, after.

    ``settled``: the settings of a settled map (``method`` is then "settled"); ``trust``: trustworthiness of each
    frame, 0-1, where it is known.
    """

    method: str
    dims: int
    coords: np.ndarray
    settled: Settled | None = None
    trust: Sequence[float | None] = ()

    @property
    def id(self) -> str:
        return self.settled.id if self.settled else f"{self.method}-{self.dims}"

    def stops(self, frames: int) -> list[int]:
        """The frames, of so many of the run, that it has places for."""
        drawn = len(self.coords)
        return list(range(frames)) if drawn == frames else [0, frames - 1][:drawn]


@dataclass(frozen=True)
class Handout:
    """A file that the reader asked for at ``moment``, which the browser saves under ``name``, once."""

    moment: int
    name: str
    content: bytes


@dataclass(frozen=True)
class Score:
    """A suspicion of every point, and what it is worth where the truth is known.

    ``method``: "ac" or "ss"; ``when``: "before" or "after"; ``values`` (n,), 0-1, suspected from 0.5 on;
    ``precision``, ``recall``: percent, None where nothing was flagged; ``share``: percent of triggered images among
    those the method judged at a time.
    """

    method: str
    when: str
    values: np.ndarray
    precision: float | None
    recall: float | None
    share: float


@dataclass(frozen=True)
class Saliency:
    """Where the models look: ``pictures`` uint8 (p, h, w, 3); ``heat`` uint8 (k, h, w); ``shown``: for each heat map
    ``when`` ("before", "after"), ``variant`` ("with", "without") and ``picture``, its row in ``pictures``."""

    id: int
    pictures: np.ndarray
    heat: np.ndarray
    shown: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Own:
    """A picture that was placed on a settled map, without and with the trigger (``core.explore.pictures.Placed``).

    ``id``: another one for each picture and map; ``title``: what the reader calls it; ``map``: id of the map;
    ``coords`` (models, variants, dims), ``answers`` and ``confidence`` (models, variants), ``near`` (models, variants,
    k), ``pictures`` uint8 (variants, h, w, 3).
    """

    id: str
    title: str
    map: str
    coords: np.ndarray
    answers: np.ndarray
    confidence: np.ndarray
    near: np.ndarray
    pictures: np.ndarray


@dataclass
class RoomPayload:
    """All that the room shows; what is not known stays empty.

    Attributes:
        run, title: identity of the run, and what it is called.
        index, labels, triggered, twin: the sample set, as ``core.runs.arrays.Samples``.
        frames, steps: the run's own frames and the optimiser step of each.
        method, dims: of the run's own map.
        class_names, texts: in the reader's language; terms: name and sentence of each of ``TERMS``.
        target: the class the trigger leads to.
        layouts: other maps; offers: (method, dims) that can be computed; settled: settled maps that can be.
        wanted: ``id`` of the map that the reader asked for outside the room, and ``moment``, another one each time.
        trust: trustworthiness of each of the run's own frames, 0-1, None where it is not known.
        whens: of which models the full features are known, of "before" and "after".
        neighbours: int32 (whens, n, k), the nearest others.
        scores: suspicions.
        thumbs: the sprite of all points as a WebP file, b"" where there is none; sprite: its ``rows`` and the
            ``width`` and ``height`` of a picture.
        saliency: of the last image it was asked for.
        own: the picture that was placed last.
        handout: the file that was asked for last.
        jobs: what is being computed or went wrong: ``kind``, ``words``, ``share`` (0-1 or None), ``fault``.
        able: whether saliency and other maps can be computed.
        missing: sentences on what is not there, by "pictures", "features" and "after".
        live: the run is still going.
    """

    run: str
    title: str
    index: np.ndarray
    labels: np.ndarray
    triggered: np.ndarray
    twin: np.ndarray
    frames: Sequence[FrameLike]
    steps: Sequence[int]
    class_names: Sequence[str]
    texts: Mapping[str, str]
    terms: Mapping[str, tuple[str, str]]
    method: str = "umap"
    dims: int = 2
    target: int | None = None
    layouts: Sequence[Layout] = ()
    offers: Sequence[tuple[str, int]] = ()
    settled: Sequence[Settled] = ()
    wanted: Mapping[str, Any] | None = None
    trust: Sequence[float | None] = ()
    whens: Sequence[str] = ()
    neighbours: np.ndarray | None = None
    scores: Sequence[Score] = ()
    thumbs: bytes = b""
    sprite: Mapping[str, int] | None = None
    saliency: Saliency | None = None
    own: Own | None = None
    handout: Handout | None = None
    jobs: Sequence[Mapping[str, Any]] = ()
    able: bool = False
    missing: Mapping[str, str] = field(default_factory=dict)
    live: bool = False
