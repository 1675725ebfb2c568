"""The room of the page Explore: maps, legend, gallery and a chosen image, as one component that keeps its node.

Everything is in the browser, so that a lasso, a search or another colouring asks nothing of the server. Only what
needs the networks (another projection, a saliency map) is asked for, and comes with a later payload. Frames travel as
in the live view (``stage``), whose ``decode.js`` unpacks them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.explore.settled import Settled
from core.suspicion import METHODS, NAMES
from dashboard.components.explore_payload import Own, RoomPayload
from dashboard.components.stage import ASSETS as STAGE_ASSETS
from dashboard.components.stage_payload import quantise
from dashboard.components.wire import bundled, packed
from dashboard.palette import class_marks

ASSETS = Path(__file__).parent / "explore_assets"
SHARED = ("decode", "words")  # of the live view
SCRIPTS = (
    *("terms", "shapes", "room", "visitors", "points", "gallery", "legend", "detail", "guests", "own"),
    *("export", "payload", "view", "page", "main"),
)
MAGIC = b"DSX1"

TEXT_KEYS = (
    *("room_label", "map_label", "gallery"),
    *("map_name", "map_kind", "map_all", "map_offer", "map_umap", "map_tsne", "map_pca", "map_settled"),
    *("trust", "trust_live"),
    *("colour_name", "colour_true", "colour_answer", "colour_confidence"),
    *(f"colour_{method}" for method in METHODS),
    *("view", "one", "both", "lasso", "box", "move", "zoom_in", "zoom_out", "reset", "hint", "hint_touch"),
    *("export_name", "csv_all", "csv_selected", "png", "svg"),
    *("title_before", "title_after", "title_step", "step", "slider", "back", "forward"),
    *("scale_low", "scale_high", "judged", "judged_none"),
    *("legend_true", "legend_answer", "class_label", "search", "search_none", "ring_misled", "ring_freed"),
    *("selected", "clear", "find_name", "find_none", "find_all", "find_triggered", "find_clean", "find_wrong"),
    *("find_target", "find_changed", "find_unsure", "find_invert"),
    *(f"find_{method}" for method in METHODS),
    *("gallery_kind", "grid", "table", "sort_name", "sort_number", "sort_true", "sort_answer", "sort_confidence"),
    *("head_point", "head_true", "head_answer", "head_confidence"),
    *(f"{what}_{method}" for method in METHODS for what in ("sort", "head")),
    *("empty_title", "empty_text", "point_clean", "point_triggered", "with_trigger", "without_trigger"),
    *("detail_empty", "detail_title", "answer_sure", "before", "after"),
    *("near_name", "near_select", "near_words", "near_wait"),
    *("saliency_name", "saliency_ask", "saliency_words", "saliency_note"),
    *("own_name", "own_trigger", "own_where", "own_show", "own_near", "own_ask", "own_key", "own_close"),
)
"""What ``RoomPayload.texts`` must hold; the catalogues keep each as ``explore.room.<key>``, ``{name}`` left open."""
TERMS = (
    *NAMES.values(),
    *("precision", "recall", "neighbours", "saliency", "trustworthiness"),
)
"""What ``RoomPayload.terms`` must hold; sentences name them as in ``dashboard.glossary``."""


def room(key: str, payload: bytes) -> dict[str, Any] | None:
    """Draws the room, or hands it new data; returns what the reader asks to be computed, once.

    Args:
        payload: made by ``pack``.
    """
    state = _component()(key=key, data=payload, on_ask_change=_ignore)
    asked = state.get("ask")
    return asked if isinstance(asked, dict) else None


def _ignore() -> None:
    """Streamlit keeps only those values of a component that have a callback."""


@cache
def _component() -> Callable[..., Any]:
    css = (ASSETS / "explore.css").read_text(encoding="utf-8")
    return st.components.v2.component("dissolve.explore", css=css, js=script(), isolate_styles=False)


def script() -> str:
    """The room's modules as one, after those it shares with the live view."""
    shared = [STAGE_ASSETS / f"{name}.js" for name in SHARED]
    return bundled([*shared, *(ASSETS / f"{name}.js" for name in SCRIPTS)])


def pack(payload: RoomPayload) -> bytes:
    """The payload for the browser.

    Raises:
        ValueError: a word of ``TEXT_KEYS`` is missing, or arrays do not fit together.
    """
    _check(payload)
    wide = np.uint16 if len(payload.class_names) > 256 else np.uint8
    coords, low, scale = quantise([np.asarray(frame.coords) for frame in payload.frames], payload.dims)
    near = payload.neighbours if payload.neighbours is not None else np.zeros((0, 0, 0), np.int32)
    maps = [quantise(list(layout.coords), layout.dims) for layout in payload.layouts]
    scores = [np.rint(255 * np.clip(score.values, 0, 1)).astype(np.uint8) for score in payload.scores]
    blank = np.zeros(0, np.uint8)
    arrays: dict[str, np.ndarray] = {
        "labels": payload.labels.astype(np.uint16),
        "triggered": payload.triggered.astype(np.uint8),
        "coords": coords,
        "answers": np.stack([np.asarray(frame.answers) for frame in payload.frames]).astype(wide),
        "confidence": np.stack([np.asarray(frame.confidence) for frame in payload.frames]).astype(np.uint8),
        "index": payload.index.astype(np.int32),
        "twin": payload.twin.astype(np.int32),
        "neighbours": near.astype(np.int32),
        "maps": np.concatenate([np.zeros(0, np.int16), *(steps.ravel() for steps, _, _ in maps)]),
        "suspicion": np.concatenate([blank, *scores]),
        "thumbs": np.frombuffer(payload.thumbs, np.uint8),
        "salHeat": payload.saliency.heat if payload.saliency else blank,
        "salPixels": payload.saliency.pictures if payload.saliency else blank,
        "ownPixels": payload.own.pictures if payload.own else blank,
        "handoutBytes": np.frombuffer(payload.handout.content if payload.handout else b"", np.uint8),
    }
    boxes = [{"low": low.tolist(), "scale": scale.tolist()} for _, low, scale in maps]
    header = _header(payload, boxes) | {
        "low": low.tolist(), "scale": scale.tolist(), "wide": wide is np.uint16, "near": near.shape[2],
    }  # fmt: skip
    return packed(MAGIC, header, arrays)


def _header(payload: RoomPayload, boxes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``boxes``: how the places of each of ``payload.layouts`` are written."""
    frames, start = len(payload.frames), 0
    own = {"own": True, "stops": list(range(frames)), "start": 0, "trust": list(payload.trust)}
    layouts = [_map(payload.method, payload.dims) | own]
    for layout, box in zip(payload.layouts, boxes, strict=True):
        where: dict[str, Any] = {
            "own": False, "stops": layout.stops(frames), "start": start, "trust": list(layout.trust),
        }  # fmt: skip
        layouts.append(_map(layout.method, layout.dims, layout.settled) | where | dict(box))
        start += layout.coords.size
    offers = [_map("settled", settings.dims, settings) for settings in payload.settled]
    offers += [_map(method, dims) for method, dims in payload.offers]
    sprite = None
    if payload.sprite and payload.thumbs:
        digest = hashlib.blake2b(payload.thumbs, digest_size=8).hexdigest()
        sprite = {**payload.sprite, "row": 50, "digest": digest}
    saliency = None
    if payload.saliency:
        height, width = payload.saliency.heat.shape[1:]
        shown = [dict(entry) for entry in payload.saliency.shown]
        saliency = {"id": payload.saliency.id, "height": height, "width": width, "shown": shown}
    return {
        "run": payload.run,
        "title": payload.title,
        "points": len(payload.labels),
        "frames": len(payload.frames),
        "dims": payload.dims,
        "steps": [int(step) for step in payload.steps],
        "classes": list(payload.class_names),
        "marks": [[mark.colour, mark.shape] for mark in class_marks(len(payload.class_names))],
        "target": payload.target,
        "texts": {name: payload.texts[name] for name in TEXT_KEYS},
        "terms": {name: list(payload.terms[name]) for name in TERMS},
        "layouts": layouts,
        "offers": offers,
        "wanted": dict(payload.wanted) if payload.wanted else None,
        "whens": list(payload.whens),
        "methods": NAMES,
        "scores": [
            {"method": score.method, "when": score.when, "precision": score.precision, "recall": score.recall,
             "share": score.share}
            for score in payload.scores
        ],
        "sprite": sprite,
        "saliency": saliency,
        "own": _own(payload.own) if payload.own else None,
        "handout": {"moment": payload.handout.moment, "name": payload.handout.name} if payload.handout else None,
        "jobs": [dict(job) for job in payload.jobs],
        "able": payload.able,
        "missing": dict(payload.missing),
        "live": payload.live,
    }  # fmt: skip


def _own(own: Own) -> dict[str, Any]:
    """A placed picture but for its pixels: a few dozen figures."""
    models, variants, dims = own.coords.shape
    _, height, width, _ = own.pictures.shape
    return {
        "id": own.id, "title": own.title, "map": own.map, "models": models, "variants": variants, "dims": dims,
        "height": height, "width": width, "coords": own.coords.tolist(), "answers": own.answers.tolist(),
        "confidence": np.rint(own.confidence).astype(int).tolist(), "near": own.near.tolist(),
    }  # fmt: skip


def _map(method: str, dims: int, settled: Settled | None = None) -> dict[str, Any]:
    """A map's identity; ``facts``: the settings that tell it from others of its kind."""
    name = settled.id if settled else f"{method}-{dims}"
    return {"id": name, "method": method, "dims": dims, "facts": settled.changed if settled else ""}


def _check(payload: RoomPayload) -> None:
    missing = [name for name in TEXT_KEYS if name not in payload.texts]
    missing += [name for name in TERMS if name not in payload.terms]
    if missing:
        raise ValueError(f"The room lacks the words: {', '.join(missing)}")
    n = len(payload.labels)
    if not payload.frames or len(payload.steps) != len(payload.frames):
        raise ValueError(
            f"{len(payload.frames)} frames and {len(payload.steps)} steps; a room needs one frame at least"
        )
    lengths = {len(payload.triggered), len(payload.twin), len(payload.index), *(len(f.coords) for f in payload.frames)}
    if lengths | {layout.coords.shape[1] for layout in payload.layouts} != {n}:
        raise ValueError(f"arrays of {sorted(lengths)} points do not fit {n} labels")
    if payload.neighbours is not None and payload.neighbours.shape[:2] != (len(payload.whens), n):
        raise ValueError(
            f"neighbours of shape {payload.neighbours.shape} for {len(payload.whens)} models and {n} points"
        )
