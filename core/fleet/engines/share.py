"""What share of a GPU a model takes, told by a process that has torch loaded and takes models up on the CPU.

``Shares`` is the fleet's side. The process, ``python -m core.fleet.engines.share MEMORY``, reads orders from its
standard input, a line of JSON each, and answers with a share a line. A model that it cannot take up, or that ends it,
gets a whole GPU: its run will say what is wrong.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys

from core.jobs import process
from core.jobs.spawn import ROOT
from core.runs.spec import Spec

WHOLE = 1.0
PATIENCE_SECONDS = 120.0  # for one model; one that takes longer gets a whole GPU


class Shares:
    """Begins the process when the first model is asked about.

    Args:
        memory: bytes of the smallest GPU.
        patience: seconds that the process may take for a model, since all others wait for it.
    """

    def __init__(self, memory: int, patience: float = PATIENCE_SECONDS) -> None:
        self._memory, self._patience = memory, patience
        self._process: subprocess.Popen[str] | None = None

    def of(self, spec: Spec) -> float:
        """0.5 where two such models fit a GPU, else 1."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "core.fleet.engines.share", str(self._memory)], cwd=ROOT, text=True,
                start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
            )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(spec.to_dict()) + "\n")
            self._process.stdin.flush()
            if not select.select([self._process.stdout], [], [], self._patience)[0]:
                self.close()
                return WHOLE
            return float(self._process.stdout.readline())
        except (OSError, ValueError):
            return WHOLE

    def close(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        process.collect(self._process)
        self._process = None


def share(spec: Spec, memory: int) -> float:
    """As ``Shares.of``, in this process.

    Raises:
        BadInput: images or model cannot be taken up.
    """
    from core.data import load
    from core.data.imageset import as_float
    from core.engine.subject import load_subject
    from core.models.capacity import share_of_gpu
    from core.scan.inversion import GPU_PIXELS

    images = load(spec.images)
    model = load_subject(spec, images).model
    image = as_float(images.x_train[:1])
    return share_of_gpu(model, image, max(1, GPU_PIXELS // image[0, 0].numel()), memory)


if __name__ == "__main__":
    for line in sys.stdin:
        told = WHOLE
        with contextlib.suppress(Exception):  # whatever a hostile file makes a reader do
            told = share(Spec.from_dict(json.loads(line) | {"device": "cpu"}), int(sys.argv[1]))
        print(told, flush=True)
