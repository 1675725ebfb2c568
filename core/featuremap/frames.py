"""When a frame of the map is taken, and how.

Nearly everything happens within about ten optimiser steps, so frames are taken by change and not by
the clock: every step while the answers to the sample set still move, then ever more seldom. A run with
the same seed takes the same frames, however fast the machine is.

A frame is a look and a drawing. The look (features, answers) needs the model as it is and is taken between two
steps; whether a step is due depends on looks alone. The drawing (projection, trustworthiness, dissolution, the file)
needs the look only, so it is done in a thread while the next steps are trained. One drawing at a time: frames stay
in order, and each starts from the last.

On two cores a look takes as long as two or three steps. A run of the command line, which nobody watches, therefore
takes some ten frames, most of them where most happens; a replay shows those.
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
from core.featuremap.dissolution import NEIGHBOURS, dissolution
from core.featuremap.neighbours import neighbours_of
from core.models.classifier import Classifier

if TYPE_CHECKING:
    from core.runs.record import Run
    from core.training.loop import PurifyStep

EVERY_STEP = 10  # steps at first that all get a frame
QUIET = 0.03  # share of answers that changed since the last frame, below which the next frame may wait longer
SHORTEST_GAP, LONGEST_GAP = 2, 10  # steps between two frames after those
FEW = 1.5  # times the last frame's step is the next one's, where nobody watches
WATCHED, WATCHED_GAP = 100, 3  # in so many steps a default run is over and somebody looks on: the gap is this at most


class FrameTaker:
    """Holds the sample set and the projector of one run.

    Args:
        run: where frames go; if it holds a sample set and frames already, they are gone on from.
        images: whose test images are shown.
        trigger: the real one in the lab, the reconstructed one in the field.
        target: class that ASR is counted for.
        last: the last frame's event, if there is one.
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
        spec = run.spec
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
        # of other people's images none is shipped; but a stranger's model makes no recording, its run stays at home
        if images.own or self.run.spec.weights:
            pixels = chosen.images.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()
            self.run.write_thumbs(pixels)
            positions = sampling.examples(chosen)
            self.run.write_examples(positions, pixels[chosen.twin[positions]], pixels[positions])

    def due(self, step: PurifyStep) -> bool:
        """Whether this step gets a frame."""
        if step.step <= self.step:
            return False  # done again after a crash, from the last checkpoint: its frame is there already
        if not self.run.spec.live:
            return step.step >= FEW * self.step
        if step.step <= EVERY_STEP:
            return True
        return step.step - self.step >= self.gap

    def begin(self, model: Classifier, step: int) -> None:
        """Looks at the sample set as ``model`` sees it now, and begins to draw the frame; see ``drawn``.

        The frame before must have been fetched.
        """
        assert self._drawing is None
        seen = sampling.view(model, self.samples, self.target)
        changed = 1.0 if self.answers is None else (seen.answers != self.answers).float().mean().item()
        if step > EVERY_STEP:
            most = WATCHED_GAP if step <= WATCHED else LONGEST_GAP
            self.gap = min(most, 2 * self.gap) if changed < QUIET else max(SHORTEST_GAP, self.gap // 2)
        self.answers, self.step = seen.answers, step
        self._drawing = self._thread.submit(self._draw, seen, seen.features.cpu().numpy(), self.index, step)
        self.index += 1

    def retrigger(self, trigger: Callable[[Tensor], Tensor]) -> None:
        """From now on the triggered samples carry this trigger instead: a cluster that is still there is to be seen."""
        chosen = self.samples
        images, at = chosen.images.clone(), chosen.triggered.to(chosen.images.device)
        images[at] = trigger(images[chosen.twin[chosen.triggered].to(images.device)])
        self.samples = replace(chosen, images=images)

    def finished(self, wait: bool = True) -> Frame | None:
        """The event of the frame that was begun, once: None if there is none, or it is not done and ``wait`` is off.

        Raises:
            whatever kept the frame from being drawn or written.
        """
        drawing = self._drawing
        if drawing is None or not (wait or drawing.done()):
            return None
        self._drawing = None
        return drawing.result()

    def _draw(self, seen: sampling.View, features: np.ndarray, index: int, step: int) -> Frame:
        near = neighbours_of(features, NEIGHBOURS + 1)  # one more than are counted: the twin is left out
        coords = self.projector.project(features, near)
        chosen = self.samples
        mixed = dissolution(torch.from_numpy(features), chosen.label, chosen.triggered, twins=chosen.twin, near=near)
        trust = trustworthiness(features, coords)
        return Frame(
            index=index,
            step=step,
            file=self.run.write_frame(index, coords, seen.answers, seen.confidence),
            ba=round(seen.ba, 2),
            asr=round(seen.asr, 2),
            asr_kind=self.asr_kind,
            dissolution=round(mixed, 2),
            trustworthiness=round(trust, 4),
        )
