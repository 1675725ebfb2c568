"""Measures a training step of a run's network on its images, from which the time of a training anew is estimated.

The step is that of ``core.attacks.training`` (SGD with momentum, random shifts, a batch of 128), taken with the model
as it came: the time does not depend on the weights. The first pass is not timed. Labelling of images, trials that fail
and a search for settings are not in it, so the estimate is a lower one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from statistics import median

from core.attacks.training import TrainSettings, train
from core.compute.device import choose as choose_device
from core.data import load as load_images
from core.engine.purified import as_found
from core.engine.subject import load_subject
from core.report.account import TrainingStep
from core.runs.machine import describe
from core.runs.record import Run, now

STEPS = 4  # of a pass that is timed
PASSES = 9  # that are timed, at most
SECONDS = 20.0  # after which no further pass begins


def measure(
    run: Run,
    progress: Callable[[int, int], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    passes: int = PASSES,
) -> TrainingStep:
    """The median of a step; of the run's device if it is here, else of the best one that is.

    Args:
        progress: called with (passes done, passes).
        clock: seconds, that only go on.
        passes: that are timed, at most.

    Raises:
        BadInput: as ``core.data.load`` and ``core.engine.subject.load_subject``.
    """
    images = load_images(run.spec.images)
    subject = load_subject(as_found(run), images)
    device = choose_device("auto")
    model = deepcopy(subject.model).on(device)
    settings = replace(TrainSettings(), batch=min(TrainSettings().batch, len(images.x_train)), epochs=passes + 1)
    count = min(len(images.x_train), STEPS * settings.batch)
    x, y = images.x_train[:count].to(device), images.y_train[:count].to(device)
    steps = max(1, count // settings.batch)
    times: list[float] = []
    begun = last = clock()
    for done, _ in enumerate(train(model, x, y, settings, seed=run.spec.seed)):
        moment = clock()
        if done:
            times.append((moment - last) / steps)
        last = moment
        if progress:
            progress(done + 1, passes + 1)
        if times and moment - begun > SECONDS:
            break
    machine = describe()
    named = str(machine.get("gpu") or machine["cpu"]) if device.type == "cuda" else str(machine["cpu"])
    return TrainingStep(
        seconds=median(times), timed=len(times) * steps, batch=settings.batch, images=len(images.x_train),
        arch=subject.arch, device=str(device), machine=named, measured=now(),
    )  # fmt: skip
