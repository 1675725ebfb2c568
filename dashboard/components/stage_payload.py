"""What the live view is sent: all that it shows of a run, checked and packed. No Streamlit."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Protocol

import numpy as np

from dashboard.components.wire import packed
from dashboard.palette import class_marks

MAGIC = b"DSV1"
KEPT = 8  # sets of frames whose arrays are kept
NOWHERE = -32768  # the quantised place of a point whose coordinates are not finite
METRICS = ("step", "ba", "asr", "dissolution", "trustworthiness")

TEXT_KEYS = (
    "stage_label", "map_label", "cluster_all", "cluster_some", "cluster_none", "cluster_mixed", "colour_by",
    "colour_true", "colour_answer", "misled", "freed", "isolate", "show_all", "move", "lasso", "zoom_in",
    "zoom_out", "reset_view", "selected", "clear_selection", "point_clean", "point_triggered", "asr", "asr_true",
    "asr_estimated", "ba", "dissolved", "change", "percent", "trustworthiness", "whole", "curves_label",
    "step_axis", "trigger_title", "trigger_on", "back", "forward", "play", "pause", "slider", "position", "speed",
    "live", "go_live", "examples_title", "example_right", "example_wrong", "before", "summary", "no_plot",
)  # fmt: skip
"""What ``StagePayload.texts`` must hold; the catalogues keep each as ``stage.<key>``, with ``{name}`` placeholders."""


class FrameLike(Protocol):
    """One frame of a run record: ``coords`` (n, dims), ``answers`` (n,) classes, ``confidence`` (n,) percent."""

    @property
    def coords(self) -> np.ndarray: ...
    @property
    def answers(self) -> np.ndarray: ...
    @property
    def confidence(self) -> np.ndarray: ...


@dataclass
class StagePayload:
    """All that the live view shows. Points keep their order for the life of a run.

    Attributes:
        run: identity of the run; another identity starts the view afresh.
        labels: true class per point, (n,).
        triggered: which points carry the trigger, bool, (n,).
        frames: the frames so far, oldest first.
        metrics: one mapping per frame: ``step``, ``ba``, ``asr``, ``dissolution`` (percent), ``trustworthiness``
            (0-1); None where a figure is missing.
        class_names: names in label order, in the reader's language.
        texts: the words of ``TEXT_KEYS`` in the reader's language, unformatted.
        things: what triggered images are called in a sentence: "stickered signs".
        target: the class the trigger leads to; None takes the most common answer to triggered points at the start.
        examples: mappings with ``image_uri``, ``triggered_uri`` (data URIs) and ``sample`` (row in ``labels``).
        trigger_uri: picture of the reconstructed trigger, as a data URI.
        trigger_on_uri: an image with the reconstructed trigger on it, likewise; None where pixels may not be kept.
        whole: accuracy and attack success over the whole test set, before and after: what the first frame and, once no
            more will come, the last one are told with; None where not measured.
        box: lowest and highest coordinates, (dims,) each, that the view is fitted to; by default those of ``frames``.
        single: there is and will be only one frame: nothing to play.
        turn: another number plays the recording again.
        live: the run is still going.
        replay: play once from the first frame when the view appears.
        status: a short line on what the run is doing, shown beside the transport.
        dims: 2 or 3.
        asr_kind: "true" or "estimated".
        waiting_title, waiting_text: shown in place of the map while there is no frame.
    """

    run: str
    labels: np.ndarray
    triggered: np.ndarray
    class_names: Sequence[str]
    texts: Mapping[str, str]
    things: str
    frames: Sequence[FrameLike] = ()
    metrics: Sequence[Mapping[str, Any]] = ()
    target: int | None = None
    examples: Sequence[Mapping[str, Any]] = ()
    trigger_uri: str | None = None
    trigger_on_uri: str | None = None
    whole: tuple[Mapping[str, float] | None, Mapping[str, float] | None] = (None, None)
    box: tuple[Sequence[float], Sequence[float]] | None = None
    single: bool = False
    turn: int = 0
    live: bool = False
    replay: bool = False
    status: str = ""
    dims: int = 2
    asr_kind: str = "true"
    waiting_title: str = ""
    waiting_text: str = ""


def pack(payload: StagePayload, *, plotly_url: str = "", report_playhead: bool = False) -> bytes:
    """The payload for the browser; coordinates are 16-bit integers over the box of all frames.

    Raises:
        ValueError: a word of ``TEXT_KEYS`` is missing, or arrays, frames and metrics do not fit together.
    """
    _check(payload)
    wide = len(payload.class_names) > 256
    low, scale, arrays = _arrays(payload, wide)
    header = _header(payload) | {
        "low": low.tolist(), "scale": scale.tolist(), "wide": wide,
        "plotly": plotly_url, "reportPlayhead": report_playhead,
    }  # fmt: skip
    for its_arrays, its_header, made in tuple(_packed):
        if its_arrays is arrays and its_header == header:
            return made
    made = packed(MAGIC, header, arrays)
    _packed.append((arrays, header, made))
    return made


_Arrays = tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]
_kept: deque[tuple[list[Any], tuple[int, bool], _Arrays]] = deque(maxlen=KEPT)
_packed: deque[tuple[dict[str, np.ndarray], dict[str, Any], bytes]] = deque(maxlen=KEPT)


def _arrays(payload: StagePayload, wide: bool) -> _Arrays:
    """``low`` and ``scale`` of the coordinates, and all arrays by name.

    They are made once for frames that are the very same objects: every viewer of a run is sent them at every poll.
    """
    made_of = [payload.labels, payload.triggered, *payload.frames]
    kind = (payload.dims, wide)
    for known, its_kind, arrays in tuple(_kept):
        if its_kind == kind and len(known) == len(made_of) and all(map(operator.is_, known, made_of)):
            return arrays
    coords, low, scale = quantise([np.asarray(frame.coords) for frame in payload.frames], payload.dims)
    found: dict[str, np.ndarray] = {
        "labels": payload.labels.astype(np.uint16),
        "triggered": payload.triggered.astype(np.uint8),
        "coords": coords,
        "answers": _rows(payload, "answers", np.dtype(np.uint16 if wide else np.uint8)),
        "confidence": _rows(payload, "confidence", np.dtype(np.uint8)),
    }
    _kept.append((made_of, kind, (low, scale, found)))
    return low, scale, found


def quantise(frames: Sequence[np.ndarray], dims: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates of all frames as int16 over one box: value = low + scale * (q + 32767).

    Args:
        frames: arrays (n, dims); a point that is not finite becomes ``NOWHERE``.

    Returns:
        int16 (frames, n, dims), low (dims,), scale (dims,). The error is at most half of ``scale``.
    """
    if not frames:
        return np.zeros((0, 0, dims), np.int16), np.zeros(dims), np.ones(dims)
    places = np.stack(frames)
    axes = [places[..., axis].astype(np.float64) for axis in range(dims)]  # one by one: numpy is slow over short axes
    known = np.logical_and.reduce([np.isfinite(axis) for axis in axes])
    if not known.any():
        return np.full(places.shape, NOWHERE, np.int16), np.zeros(dims), np.ones(dims)
    found = axes if known.all() else [axis[known] for axis in axes]
    low, high = (np.array([take(axis) for axis in found]) for take in (np.min, np.max))
    scale = np.maximum(high - low, 1e-9) / 65534
    steps = np.full(places.shape, NOWHERE, np.int16)
    for axis, values in enumerate(axes):
        exact = np.rint((values - low[axis]) / scale[axis]) - 32767
        np.copyto(steps[..., axis], exact, where=known, casting="unsafe")
    return steps, low, scale


def _rows(payload: StagePayload, name: str, kind: np.dtype) -> np.ndarray:
    """One array of all frames, (frames, n)."""
    if not payload.frames:
        return np.zeros((0, len(payload.labels)), kind)
    return np.stack([np.asarray(getattr(frame, name)) for frame in payload.frames]).astype(kind)


def _header(payload: StagePayload) -> dict[str, Any]:
    metrics = [{name: _number(row.get(name)) for name in METRICS} for row in payload.metrics]
    curves = _curves(tuple(tuple(row.values()) for row in metrics), tuple(payload.texts.items()))
    return {
        "run": payload.run,
        "points": len(payload.labels),
        "frames": len(payload.frames),
        "dims": payload.dims,
        "metrics": metrics,
        "classes": list(payload.class_names),
        "marks": [[mark.colour, mark.shape] for mark in class_marks(len(payload.class_names))],
        "target": payload.target,
        "texts": {name: payload.texts[name] for name in TEXT_KEYS},
        "things": payload.things,
        "examples": [dict(example) for example in payload.examples],
        "trigger": payload.trigger_uri,
        "triggerOn": payload.trigger_on_uri,
        "whole": [found and {name: _number(found[name]) for name in ("ba", "asr")} for found in payload.whole],
        "box": payload.box and [list(map(float, end)) for end in payload.box],
        "single": payload.single,
        "turn": payload.turn,
        "live": payload.live,
        "replay": payload.replay,
        "status": payload.status,
        "asrKind": payload.asr_kind,
        "waiting": [payload.waiting_title, payload.waiting_text],
        "figures": {"map": _map_frame(payload.dims), "curves": curves},
    }


@lru_cache(maxsize=KEPT)
def _curves(rows: tuple[tuple[float | None, ...], ...], texts: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """The figure of the curves; ``rows``: the values of ``METRICS``, one row per frame."""
    from dashboard.figures import curves_figure

    return _plain(curves_figure([dict(zip(METRICS, row, strict=True)) for row in rows], dict(texts)).to_plotly_json())


@cache
def _map_frame(dims: int) -> dict[str, Any]:
    """The map's figure without points: the browser fills them in."""
    # plotly takes a third of a second to import: here it is wanted anyway, at the top it would delay every page
    from dashboard.figures import map_figure

    none = np.zeros(0, int)
    return _plain(map_figure(none, none.astype(bool), (), dims=dims).to_plotly_json())


def _number(value: Any) -> float | None:
    """A finite number, or None: JSON has no NaN."""
    return float(value) if value is not None and np.isfinite(value) else None


def _plain(value: Any) -> Any:
    """A figure's JSON without numpy arrays."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


def _check(payload: StagePayload) -> None:
    missing = [name for name in TEXT_KEYS if name not in payload.texts]
    if missing:
        raise ValueError(f"The live view lacks the words: {', '.join(missing)}")
    points = len(payload.labels)
    if payload.dims not in (2, 3):
        raise ValueError(f"dims is {payload.dims}; the live view draws 2 or 3")
    if len(payload.triggered) != points:
        raise ValueError(f"{points} labels, but {len(payload.triggered)} marks of the trigger")
    if len(payload.metrics) != len(payload.frames):
        raise ValueError(f"{len(payload.frames)} frames, but {len(payload.metrics)} rows of metrics")
    if points and int(np.max(payload.labels)) >= len(payload.class_names):
        raise ValueError(f"label {int(np.max(payload.labels))}, but {len(payload.class_names)} class names")
    for index, frame in enumerate(payload.frames):
        shapes = (np.shape(frame.coords), np.shape(frame.answers), np.shape(frame.confidence))
        if shapes != ((points, payload.dims), (points,), (points,)):
            raise ValueError(f"frame {index} does not describe {points} points in {payload.dims} dimensions")
