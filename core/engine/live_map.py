"""The map of a run while it works: which frames are taken, and their events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from torch import Tensor

from core.events import Event, Frame
from core.featuremap.frames import FrameTaker
from core.models.classifier import Classifier
from core.training.loop import PurifyStep

if TYPE_CHECKING:
    from core.engine.context import Context


class LiveMap:
    """The frames of a run. Without a map in the order, it does nothing.

    Attributes:
        last: the event of the last frame that was finished, or None.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.last: Frame | None = None
        self._taker: FrameTaker | None = None

    def open(self, trigger: Callable[[Tensor], Tensor], target: int) -> Iterator[Event]:
        """Chooses the sample set and takes the first frame, unless the record has them.

        Args:
            trigger: of the triggered samples. target: the class that ASR is counted for.
        """
        if not self.context.spec.map or self._taker:
            return
        self._taker = FrameTaker(
            self.context.run,
            self.context.images,
            trigger,
            target,
            self.context.asr_kind,
            self.context.device,
            self.last,
        )
        if self.last is None:
            yield from self.frame(self.context.subject.model, 0)
            yield from self.finished()

    def due(self, step: PurifyStep) -> bool:
        """Whether this step gets a frame."""
        return self._taker is not None and self._taker.due(step)

    def frame(self, model: Classifier, step: int) -> Iterator[Event]:
        """Begins a frame, which is drawn in the background; first gives the event of the one before."""
        assert self._taker is not None
        yield from self.finished()
        self._taker.begin(model, step)

    def finished(self, wait: bool = True) -> Iterator[Event]:
        """The event of the frame that was begun last, once. Without ``wait`` only if it is drawn already."""
        frame = self._taker.finished(wait) if self._taker else None
        if frame is not None:
            self.last = frame
            yield frame

    def last_frame(
        self, model: Classifier, step: int, trigger: Callable[[Tensor], Tensor] | None = None
    ) -> Iterator[Event]:
        """The frame of the purified model, unless no step had one; with another trigger, if one is given."""
        if self._taker is None or self.last is None or self.last.step == 0:
            return
        self._taker.keep_first(self.context.subject.model)
        if trigger is not None:
            self._taker.retrigger(trigger)
        yield from self.frame(model, step)
        yield from self.finished()
