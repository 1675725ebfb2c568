"""From a run's record to what the live view shows; what does not change is read once."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from core.events import Frame, Measured, Repeated, Scanned
from core.runs.arrays import Examples, FrameArrays, Samples
from core.runs.event_log import EventReader
from core.runs.record import Run
from core.triggers.kept import KeptTriggers
from dashboard.components.stage_payload import FrameLike, StagePayload

WATCHED_RUNS = 8  # whose frames the server keeps, some MB each
LARGEST_PICTURE = 96  # pixels a side, as sent to the page
FAINT = 0.15  # of a mask's strongest pixel: below, a pixel is no part of the trigger


@dataclass
class RunCache:
    """What has been read of one run so far. Give the same one to every call; for another run it empties itself.

    ``lock``: held while it is read and used, for several viewers may share it.
    """

    folder: str = ""
    reader: EventReader | None = None
    events: dict[int, Frame] = field(default_factory=dict)
    frames: list[FrameArrays] = field(default_factory=list)
    samples: Samples | None = None
    examples: list[dict[str, Any]] | None = None
    target: int | None = None
    measured: dict[str, Measured] = field(default_factory=dict)
    trigger_uri: str | None = None
    trigger_on_uri: str | None = None
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    def begin(self, run: Run) -> None:
        """Forgets all, unless it is this run that has been read."""
        if self.folder != str(run.folder) or self.reader is None:
            self.__init__(folder=str(run.folder), reader=run.reader(), lock=self.lock)  # type: ignore[misc]


def cache_of(run: Run) -> RunCache:
    """What all viewers of a run share: whoever looks first reads what is new."""
    return _shared(str(run.folder), str(run.data.get("created")))


@lru_cache(maxsize=WATCHED_RUNS)
def _shared(folder: str, created: str) -> RunCache:
    return RunCache()


def payload_from_run(
    run: Run,
    cache: RunCache,
    *,
    texts: Mapping[str, str],
    things: str,
    class_names: Sequence[str] | None = None,
    status: str = "",
    replay: bool = False,
    waiting_title: str = "",
    waiting_text: str = "",
) -> StagePayload:
    """The live view's payload for a run as it stands now.

    Args:
        run: a run or a recording.
        cache: kept between calls, and shared by all viewers of a run (``cache_of``).
        texts, things, status, replay, waiting_title, waiting_text: see ``StagePayload``.
        class_names: in the reader's language; the record's own names by default.

    Only events and frames that are new since the last call are read. A frame counts once its event and its file are
    both there, and frames count from the first on without a gap.

    Raises:
        BadInput: as ``Run``.
    """
    # the status first: a run that ends while it is being read counts as going on until the next call, and so no
    # last frame is missed
    told = run.snapshot()
    data, live = told.data, told.status in ("queued", "running", "paused")
    with cache.lock:
        read(run, cache)
        samples = cache.samples
        names = list(class_names if class_names is not None else data.get("classes") or [])
        shown = [cache.events[k] for k in range(len(cache.frames))]
        return StagePayload(
            run=run.id,
            labels=samples.label if samples else np.zeros(0, np.int16),
            triggered=samples.triggered if samples else np.zeros(0, bool),
            class_names=names,
            texts=texts,
            things=things,
            frames=list(cache.frames),
            metrics=[_metrics(event) for event in shown],
            target=target_of(run, cache),
            examples=_examples(run, cache) if cache.frames else [],
            trigger_uri=cache.trigger_uri,
            trigger_on_uri=cache.trigger_on_uri,
            whole=_whole(cache),
            single=told.spec.scan_only,
            live=live,
            replay=replay,
            status=status,
            dims=cache.frames[0].coords.shape[1] if cache.frames else told.spec.dims,
            asr_kind=shown[-1].asr_kind if shown else "estimated" if told.spec.weights else "true",
            waiting_title=waiting_title,
            waiting_text=waiting_text,
        )


def read(run: Run, cache: RunCache) -> None:
    """Reads the events and frames that are new since the last call.

    After a fault, such as a file that cannot be read just now, the next call begins again: the cache is everybody's.
    """
    try:
        _read_events(run, cache)
        _read_frames(run, cache)
    except Exception:
        cache.reader = None
        raise


def target_of(run: Run, cache: RunCache) -> int | None:
    """The class that attack success is counted for: the attacker's where it is known, else the one given or found."""
    told = run.snapshot()
    known = (told.data.get("true_target"), told.spec.target, cache.target, told.data.get("target"))
    return next((label for label in known if isinstance(label, int)), None)


def _whole(cache: RunCache) -> tuple[dict[str, float] | None, dict[str, float] | None]:
    """Figures of the whole test set before and after; never two kinds of attack success beside each other."""
    before, after = cache.measured.get("before"), cache.measured.get("after")
    after = after if before and after and after.asr_kind == before.asr_kind else None
    return tuple({"ba": found.ba, "asr": found.asr} if found else None for found in (before, after))  # type: ignore[return-value]


def box_of(frames: Sequence[FrameLike]) -> tuple[list[float], list[float]] | None:
    """Lowest and highest coordinates over all frames; None without a finite one."""
    places = [frame.coords[np.isfinite(frame.coords).all(axis=1)] for frame in frames]
    places = [found for found in places if len(found)]
    if not places:
        return None
    low, high = np.min([p.min(axis=0) for p in places], axis=0), np.max([p.max(axis=0) for p in places], axis=0)
    return low.tolist(), high.tolist()


def _metrics(event: Frame) -> dict[str, float]:
    return {
        "step": event.step,
        "ba": event.ba,
        "asr": event.asr,
        "dissolution": event.dissolution,
        "trustworthiness": event.trustworthiness,
    }


def _read_events(run: Run, cache: RunCache) -> None:
    cache.begin(run)
    for _, event in cache.reader.read() if cache.reader else ():
        if isinstance(event, Frame):
            cache.events[event.index] = event
        elif isinstance(event, Measured):
            cache.measured[event.when] = event
        elif isinstance(event, Repeated):
            cache.measured.pop("after", None)  # of the purification before
        elif isinstance(event, Scanned):
            cache.target = event.target
            trigger = run.triggers()
            cache.trigger_uri = trigger_picture(trigger) if trigger else None
            found = run.examples() if trigger else None
            cache.trigger_on_uri = picture(stamped(trigger, found.clean[0])) if trigger and found else None


def _read_frames(run: Run, cache: RunCache) -> None:
    cache.samples = cache.samples or run.samples
    if cache.samples is None:
        return
    if len(cache.frames) not in cache.events:  # nothing new: the folder is not listed
        return
    written = run.frame_count
    while (index := len(cache.frames)) in cache.events and index < written:
        cache.frames.append(run.frame(index))


def _examples(run: Run, cache: RunCache) -> list[dict[str, Any]]:
    if cache.examples is None:
        found: Examples | None = run.examples()
        if found is None:
            return []
        cache.examples = [
            {"sample": int(sample), "image_uri": picture(clean), "triggered_uri": picture(triggered)}
            for sample, clean, triggered in zip(found.sample, found.clean, found.triggered, strict=True)
        ]
    return cache.examples


def picture(pixels: np.ndarray) -> str:
    """An image, uint8 (h, w, 3) or (h, w, 4), as a data URI; made smaller where it is larger than the page shows."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE))
    content = io.BytesIO()
    image.save(content, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def trigger_picture(trigger: KeptTriggers) -> str:
    """The reconstructed trigger as a data URI: the pattern, as opaque as the mask, cut out with some air around it."""
    pixels = np.nan_to_num(np.concatenate([trigger.pattern, trigger.mask]).transpose(1, 2, 0))
    return picture(_bytes(pixels[_around(pixels[..., 3])]))


def stamped(trigger: KeptTriggers, image: np.ndarray) -> np.ndarray:
    """The image, uint8 (h, w, 3), with the first reconstructed trigger on it."""
    return _bytes(trigger.on(image / 255))


def _bytes(pixels: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def _around(mask: np.ndarray) -> tuple[slice, slice]:
    """The square part of a mask (h, w) that matters, with air; all of it where there is nothing to see."""
    rows, columns = np.nonzero(mask > FAINT * mask.max())
    if not len(rows):
        return slice(None), slice(None)
    side = 1 + int(max(np.ptp(rows), np.ptp(columns)))
    side = min(side + 2 * max(1, side // 4), mask.shape[0], mask.shape[1])
    corner = [
        int(np.clip((where.min() + where.max() + 1 - side) // 2, 0, length - side))
        for where, length in zip((rows, columns), mask.shape, strict=True)
    ]
    return slice(corner[0], corner[0] + side), slice(corner[1], corner[1] + side)
