"""Which steps get a frame of the map, and how a frame is made.

Nearly everything happens within about ten optimiser steps. So frames are taken by change, not by the clock: at every
step at first, then more and more rarely while the answers to the sample set stay the same. A run with the same seed
takes the same frames on a machine of any speed.

A frame has two parts. The evaluation (features and answers of the sample set) needs the current model, so it is done
between two steps; which steps get a frame depends on evaluations alone. The drawing (projection, trustworthiness,
dissolution, file) needs the evaluation only, so it is done in a thread while the training goes on. There is one drawing
at a time: frames stay in order, and each starts from the last.

On two cores an evaluation takes as long as two or three steps. So a run without a live view takes some ten frames only,
most of them at the beginning, for the replay.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core.data.imageset import ImageSet
from core.events import AsrKind, Frame
from core.featuremap import make_projector, trustworthiness
from core.featuremap import samples as sampling
from core.featuremap.compact import compact
from core.featuremap.dissolution import NEIGHBOURS, dissolution
from core.featuremap.neighbours import neighbours_of
from core.models.classifier import Classifier

if TYPE_CHECKING:
    from core.runs.record import Run
    from core.training.loop import PurifyStep

EVERY_STEP = 10  # up to this step, every step gets a frame
QUIET = 0.03  # share of answers that changed since the last frame; below it, the gap to the next frame grows
SHORTEST_GAP, LONGEST_GAP = 2, 10  # steps between two frames, after the first ones
EARLY_STEPS, EARLY_LONGEST_GAP = 100, 3  # up to this step, most of a default run, the gap stays at most this long
REPLAY_GROWTH = 1.5  # without a live view: ratio of the steps of two successive frames


class FrameTaker:
    """The sample set and the projector of one run.

    Args:
        run: its record, where frames are written. If it has frames already, new ones continue them.
        images: the image set, whose test images are shown.
        trigger: of the triggered samples: the real one if it is known, else a reconstructed one.
        target: the class that ASR is counted for.
        asr_kind: whether that trigger is the real one.
        device: of the models.
        last: the event of the last frame, if there is one.
    """

    def __init__(
        self,
        run: Run,
        images: ImageSet,
        trigger: Callable[[Tensor], Tensor],
        target: int,
        asr_kind: AsrKind,
        device: torch.device,
        last: Frame | None,
    ) -> None:
        self.spec = spec = run.spec
        self.run, self.target, self.asr_kind = run, target, asr_kind
        self.samples = sampling.choose(images, trigger, target, spec.points, spec.seed, device)
        start = None
        if last is None:
            self._write_samples(images)
        else:
            start = run.frame(last.index).coords
        self.projector = make_projector(spec.projection, spec.dims, spec.seed, start)
        self.index = 0 if last is None else last.index + 1
        self.answers: Tensor | None = None
        self.step, self.gap = 0 if last is None else last.step, SHORTEST_GAP
        self._thread = ThreadPoolExecutor(1, "frames")
        self._drawing: Future[Frame] | None = None

    def _write_samples(self, images: ImageSet) -> None:
        chosen = self.samples
        self.run.write_samples(chosen.index, chosen.label, chosen.triggered, chosen.twin)
        # Runs of shipped victims may become recordings, in which foreign images must not be shipped.
        if images.own or self.spec.weights:
            pixels = chosen.images.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()
            self.run.write_thumbs(pixels)
            positions = sampling.examples(chosen)
            self.run.write_examples(positions, pixels[chosen.twin[positions]], pixels[positions])

    def due(self, step: PurifyStep) -> bool:
        """Whether this step gets a frame."""
        if step.step <= self.step:
            return False  # repeated after a crash: its frame is there already
        if not self.spec.live:
            return step.step >= REPLAY_GROWTH * self.step
        if step.step <= EVERY_STEP:
            return True
        return step.step - self.step >= self.gap

    def begin(self, model: Classifier, step: int) -> None:
        """Evaluates the sample set with ``model``, and starts to draw the frame in the background; see ``finished``.

        The event of the frame before must have been fetched.
        """
        assert self._drawing is None
        view = sampling.view(model, self.samples, self.target)
        changed = 1.0 if self.answers is None else (view.answers != self.answers).float().mean().item()
        if step > EVERY_STEP:
            longest = EARLY_LONGEST_GAP if step <= EARLY_STEPS else LONGEST_GAP
            self.gap = min(longest, 2 * self.gap) if changed < QUIET else max(SHORTEST_GAP, self.gap // 2)
        self.answers, self.step = view.answers, step
        self._drawing = self._thread.submit(self._draw, view, view.features.cpu().numpy(), self.index, step)
        self.index += 1

    def retrigger(self, trigger: Callable[[Tensor], Tensor]) -> None:
        """Replaces the trigger of the triggered samples, from the next frame on."""
        chosen = self.samples
        images, at = chosen.images.clone(), chosen.triggered.to(chosen.images.device)
        images[at] = trigger(images[chosen.twin[chosen.triggered].to(images.device)])
        self.samples = replace(chosen, images=images)

    def keep_first(self, model: Classifier) -> None:
        """Keeps the features of the first frame where that was copied from a recording.

        Args:
            model: that the run began with.
        """
        if not self.run.keeps_features_of(0):
            view = sampling.view(model, self.samples, self.target)
            self.run.write_features(0, compact(view.features.cpu().numpy()))

    def finished(self, wait: bool = True) -> Frame | None:
        """The event of the frame that was begun, once.

        Returns:
            None if no frame was begun, or if it is not drawn yet and ``wait`` is False.

        Raises:
            Exception: whatever went wrong while the frame was drawn or written.
        """
        drawing = self._drawing
        if drawing is None or not (wait or drawing.done()):
            return None
        self._drawing = None
        return drawing.result()

    def _draw(self, view: sampling.View, features: np.ndarray, index: int, step: int) -> Frame:
        near = neighbours_of(features, NEIGHBOURS + 1)  # one more than is counted, since the twin is left out
        coords = self.projector.project(features, near)
        chosen = self.samples
        mixed = dissolution(torch.from_numpy(features), chosen.label, chosen.triggered, twins=chosen.twin, near=near)
        trust = trustworthiness(features, coords)
        self.run.write_features(index, compact(features))
        return Frame(
            index=index,
            step=step,
            file=self.run.write_frame(index, coords, view.answers, view.confidence),
            ba=round(view.ba, 2),
            asr=round(view.asr, 2),
            asr_kind=self.asr_kind,
            dissolution=round(mixed, 2),
            trustworthiness=round(trust, 4),
        )
