"""From a run's record, and what ``core.explore`` made for it, to what the page Explore shows. No torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.data import IMAGE_SETS
from core.errors import BadInput
from core.explore import place, settled
from core.explore.settled import Settled
from core.runs.record import Run
from core.runs.spec import PROJECTIONS
from core.suspicion import METHODS
from dashboard import data, images
from dashboard.components.explore_payload import Handout, Layout, Own, RoomPayload, Saliency, Score
from dashboard.explore_table import csv_of
from dashboard.stage_data import RunCache, read, target_of

OFFERS = tuple((method, dims) for dims in (2, 3) for method in PROJECTIONS)
SETTLED = (Settled(dims=2), Settled(dims=3))  # offered by the list of maps; others by their settings
KEPT = 8  # settled maps that the room lists, the newest
GOING = ("queued", "running", "paused")


@dataclass
class Found:
    """What has been read of one run so far, so that a page that polls reads only what is new."""

    folder: str = ""
    frames: RunCache = field(default_factory=RunCache)
    base: place.Base | None = None
    stamp: Any = None
    maps: dict[tuple[str, int, int], place.DrawnMap] = field(default_factory=dict)  # method, dims, frames of the run
    settled: dict[str, place.DrawnMap] = field(default_factory=dict)

    def begin(self, run: Run) -> None:
        if self.folder != str(run.folder):
            self.folder = str(run.folder)
            self.base, self.stamp, self.maps, self.settled = None, None, {}, {}


@dataclass(frozen=True)
class Lack:
    """Why something is not there: a key of the catalogue under ``explore.missing`` and the facts it names."""

    key: str
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def passes(self) -> bool:
        """Whether it will be there by itself once a run has ended."""
        return self.key in ("going", "waits")


def explorable(run: Run) -> bool:
    """Whether a run has a map with at least one frame."""
    return run.frame_count > 0 and (run.folder / "samples.npz").exists()


def lacks(run: Run, seen: Found | None = None) -> dict[str, Lack]:
    """What a run does not have and cannot make here, by "features", "after" and "pictures".

    Args:
        seen: what has been read of the run so far, as for ``payload``.
    """
    found: dict[str, Lack] = {}
    name = data.data_name(run)
    spec = run.spec
    if not images.here(spec.images) or (spec.images not in IMAGE_SETS and not Path(spec.images).exists()):
        found["features"] = Lack("images", {"data": name})
        if run.thumbs is None:
            found["pictures"] = Lack("pictures", {"data": name})
    elif run.status in GOING and not run.is_recording:
        found["features"] = Lack("going")
    elif spec.model_class and base_of(run, seen or Found()) is None:
        found["features"] = Lack("own_class", {"run": run.id})
    elif spec.victim is None and not (spec.weights and Path(spec.weights).exists()):
        found["features"] = Lack("weights", {"path": str(spec.weights)})
    elif base_of(run, seen or Found()) is None and (other := data.going_on(run.id)) is not None:
        found["features"] = Lack("waits", {"other": other.id})
    if not (run.folder / "model.safetensors").exists():
        found["after"] = Lack("after")
    return found


def payload(
    run: Run,
    found: Found,
    *,
    title: str,
    texts: Mapping[str, str],
    terms: Mapping[str, tuple[str, str]],
    class_names: Sequence[str],
    missing: Mapping[str, str],
    jobs: Sequence[Mapping[str, Any]],
    point: int | None = None,
    wanted: Mapping[str, Any] | None = None,
    own: Own | None = None,
    handout: Handout | None = None,
) -> RoomPayload:
    """The room's payload for a run as it stands now; only what is new since the last call is read.

    Args:
        run: with at least one frame.
        found: kept by the caller between calls.
        title, texts, terms, class_names: in the reader's language.
        missing, jobs, wanted, own, handout: see ``RoomPayload``.
        point: whose saliency is shown, if it is there.

    Raises:
        BadInput: as ``Run``; ``no_frames``, there is no frame to show.
    """
    live = run.status in GOING and not run.is_recording
    read(run, found.frames)
    samples, frames = found.frames.samples, found.frames.frames
    if samples is None or not frames:
        raise BadInput("no_frames", f"The run {run.id} has no frames yet, so there is nothing to show.", run=run.id)
    spec, base = run.spec, base_of(run, found)
    dims = frames[0].coords.shape[1]
    layouts, offers = _layouts(run, found, spec.projection, dims, len(frames))
    drawn, to_draw = _settled(run, found, settled.of(wanted or {}))
    computes = base is not None and "features" not in missing
    thumbs = _thumbs(run, base)
    return RoomPayload(
        run=run.id,
        title=title,
        index=samples.index,
        labels=samples.label,
        triggered=samples.triggered,
        twin=samples.twin,
        frames=list(frames),
        steps=[found.frames.events[k].step for k in range(len(frames))],
        class_names=list(class_names),
        texts=texts,
        terms=terms,
        method=spec.projection,
        dims=dims,
        target=target_of(run, found.frames),
        layouts=[*drawn, *layouts],
        offers=offers if computes or (run.features_kept and not live) else [],
        settled=to_draw if computes else [],
        wanted=wanted,
        own=own if own and any(layout.id == own.map for layout in drawn) else None,
        handout=handout,
        trust=[_known(found.frames.events[k].trustworthiness) for k in range(len(frames))],
        whens=base.whens if base else (),
        neighbours=base.near if base else None,
        scores=_scores(base) if base else (),
        thumbs=thumbs,
        sprite=_sprite(thumbs, len(samples.label)),
        saliency=_saliency(run, point, base),
        jobs=jobs,
        able=computes and not spec.model_class,
        missing=missing,
        live=live,
    )


def base_of(run: Run, found: Found) -> place.Base | None:
    """``core.explore.place.base``, read anew only where the file or what it was made from has changed."""
    found.begin(run)
    path = place.folder_of(run) / "base.npz"
    now = (path.stat().st_mtime_ns if path.exists() else None, place.source_of(run))
    if now != found.stamp:
        found.stamp, found.base, found.maps, found.settled = now, place.base(run), {}, {}
    return found.base


def _layouts(run: Run, found: Found, method: str, dims: int, frames: int) -> tuple[list[Layout], list[tuple[str, int]]]:
    """The maps that are there besides the run's own, and those that can be computed."""
    others = [offer for offer in OFFERS if offer != (method, dims)]
    read_map: Callable[[str, int], place.DrawnMap | None] = run.moving_map
    if found.base is not None:  # which maps before and after are of
        read_map = partial(place.map_of, run)
    for offer in others:
        if (*offer, frames) not in found.maps and (drawn := read_map(*offer)) is not None:
            found.maps[*offer, frames] = drawn
    there = {offer: found.maps[*offer, frames] for offer in others if (*offer, frames) in found.maps}
    layouts = [Layout(*offer, drawn.coords, trust=_all_known(drawn.trust)) for offer, drawn in there.items()]
    return layouts, [offer for offer in others if offer not in there]


def _settled(run: Run, found: Found, wanted: Settled | None) -> tuple[list[Layout], list[Settled]]:
    """The settled maps that are there, the newest first, and those that can be drawn: ours and the one asked for."""
    if found.base is None:
        return [], []
    layouts = []
    for key in place.settled_keys(run)[:KEPT]:
        settings = settled.of({"id": settled.PREFIX + key})
        if settings is None:
            continue
        if key not in found.settled and (made := place.settled_map(run, key)) is not None:
            found.settled[key] = made
        if key in found.settled:
            coords, trust = found.settled[key]
            layouts.append(Layout("settled", settings.dims, coords, settings, trust.tolist()))
    there = [layout.settled for layout in layouts]
    offered = dict.fromkeys((*SETTLED, wanted) if wanted else SETTLED)
    return layouts, [settings for settings in offered if settings not in there]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _all_known(values: np.ndarray) -> list[float | None]:
    return [_known(value) for value in values]


def _scores(base: place.Base) -> list[Score]:
    scores = []
    for at, method in enumerate(METHODS):
        for model, when in enumerate(base.whens):
            precision, recall, share = (float(value) for value in base.judged[at, model])
            known = np.isfinite(precision)
            scores.append(
                Score(
                    method, when, base.scores[at, model].astype(np.float32), precision if known else None,
                    recall if np.isfinite(recall) else None, share if np.isfinite(share) else 0.0,
                )
            )  # fmt: skip
    return scores


def _thumbs(run: Run, base: place.Base | None) -> bytes:
    if run.thumbs is not None:
        return run.thumbs.read_bytes()
    return base.thumbs.tobytes() if base else b""


def _sprite(thumbs: bytes, points: int) -> dict[str, int] | None:
    """Rows of the sprite and the size of a picture, from the file's header."""
    if not thumbs:
        return None
    import io

    from PIL import Image

    from core.runs.arrays import THUMBS_A_ROW

    width, height = Image.open(io.BytesIO(thumbs)).size
    rows = -(-points // THUMBS_A_ROW)
    return {"rows": rows, "width": width // THUMBS_A_ROW, "height": height // rows}


def _saliency(run: Run, point: int | None, base: place.Base | None) -> Saliency | None:
    found = place.saliency(run, point) if point is not None and base is not None else None
    if found is None or point is None:
        return None
    models, pictures = found.heat.shape[:2]
    shown = [
        {"when": place.WHENS[model], "variant": "with" if found.variants[picture] else "without", "picture": picture}
        for model in range(models)
        for picture in range(pictures)
    ]
    return Saliency(point, found.pictures, found.heat.reshape(-1, *found.heat.shape[2:]), shown)


def orders(asked: Mapping[str, Any] | None, points: int) -> list[str]:
    """The arguments of ``core.explore.place.start`` for what a reader asks for; empty where that is nothing we know."""
    kinds: dict[str, Callable[[], list[str]]] = {
        "map": lambda: ["--map", str(asked["method"]), "--dims", str(int(asked["dims"]))],  # type: ignore[index]
        "saliency": lambda: ["--saliency", str(int(asked["id"]))],  # type: ignore[index]
        "place": lambda: ["--place", str(int(asked["id"]))],  # type: ignore[index]
        "settled": lambda: ["--settled", settings.key] if (settings := settled.of(asked or {})) else [],
    }
    try:
        kind = str(asked["kind"]) if asked else ""
        if kind == "map" and (asked["method"], int(asked["dims"])) not in OFFERS:  # type: ignore[index]
            return []
        if kind in ("saliency", "place") and not 0 <= int(asked["id"]) < points:  # type: ignore[index]
            return []
        return kinds[kind]() if kind in kinds else []
    except (KeyError, TypeError, ValueError):
        return []


def handout(payload: RoomPayload, asked: Mapping[str, Any]) -> Handout | None:
    """The CSV that a reader asks for: of the ``ids`` that are selected, or (``whole``) of all points, with the places
    on ``map``; None where that cannot be read."""
    try:
        name, whole = str(asked["map"]), bool(asked["whole"])
        selected, moment = [int(point) for point in asked["ids"]], int(asked["moment"])
    except (KeyError, TypeError, ValueError):
        return None
    file = re.sub(r"[^\w.-]+", "-", f"{payload.run}-{name}-{'points' if whole else 'selection'}")
    return Handout(moment, f"{file}.csv", csv_of(payload, name, selected, whole))
