"""A worker with a pipeline that needs no torch: twelve frames, and after the sixth it waits for a file ``finish``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np

from core.engine import worker
from core.events import Event, Finished, Frame, Scanned, StageStarted
from core.runs import queue, supervisor
from core.runs.record import Run
from core.runs.steering import Steering

FRAMES, WAITS_AFTER, POINTS = 12, 6, 30


def pipeline(run: Run, steering: Steering) -> Iterator[Event]:
    yield StageStarted("scan")
    yield Scanned(3, 4.2, [None, float("nan"), 7.0, 1.0], [0.0] * 4, "trigger.npz")
    yield StageStarted("purify")
    for index in range(run.frame_count, FRAMES):
        steering.check()
        coords = np.full((POINTS, 2), index, np.float32)
        file = run.write_frame(index, coords, np.zeros(POINTS), np.full(POINTS, 50))
        yield Frame(index, index, file, 96.0, 90.0 - index, "true", 5.0 * index, 0.9)
        while index + 1 == WAITS_AFTER and not (run.folder / "finish").exists():
            steering.check()
            time.sleep(0.005)
    yield Finished({"target": 3, "asr_after": 1.0})


if __name__ == "__main__":
    supervisor.worker_command = lambda run: [sys.executable, __file__, str(run.folder)]
    worker.work(sys.argv[1], pipeline)
    queue.start_next(Run(sys.argv[1]))
