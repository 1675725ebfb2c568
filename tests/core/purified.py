"""A finished run that keeps a purified model, without the minutes of making one."""

from __future__ import annotations

import shutil
from typing import Any

from core import paths
from core.files import write_json
from core.models.weights import read_weights, save_weights
from core.runs.record import Run

SPOILT = 3  # the class that this cure costs its recall


def purified_run(name: str = "mine", **entries: Any) -> Run:
    """A copy of the recording of the digits among the runs of this home. Its purified model is the victim with one
    class that it answers no more. ``entries``: of ``run.json``."""
    recording = Run(paths.RECORDINGS / "digits-badnets")
    folder = paths.runs_folder() / name
    shutil.copytree(recording.folder, folder)
    kept = recording.data | {"recording": False, "status": "done", "id": name, "outputs": {}}
    write_json(folder / "run.json", kept | entries)
    tensors = dict(read_weights(paths.VICTIMS / "digits-badnets.safetensors").tensors)
    (head,) = (name.replace("weight", "bias") for name, value in tensors.items() if value.ndim == 2)
    tensors[head] = tensors[head].clone()
    tensors[head][SPOILT] -= 1000
    save_weights(folder / "model.safetensors", tensors)
    return Run(folder)


def field_run(name: str = "field") -> Run:
    """The same as somebody's own weights, whose attack nobody knows; the trigger is the reconstructed one."""
    run = purified_run(name)
    weights = paths.VICTIMS / "digits-badnets.safetensors"
    spec = run.data["spec"] | {"victim": None, "weights": str(weights), "arch": "small", "normalize": "digits"}
    run.update(spec=spec, victim_sha256=None, true_target=None)
    return run
