"""Turns a finished run into a recording that can be shipped: ``python -m core.runs.recording RUN NAME``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from core import paths
from core.errors import BadInput
from core.runs import record
from core.runs.files import write_json
from core.runs.record import Run
from core.victims import DEFAULT

KEPT = ("events.jsonl", "samples.npz", "thumbs.webp", "examples.npz", "trigger.npz")


def make(run: Run, name: str, root: Path | None = None) -> Run:
    """A recording of ``run``, in place of an earlier one of that name.

    Left behind: weights (save those of the default victim, which the story lets answer), checkpoints, the worker's
    output, and every path of the machine it ran on.

    Args:
        run: done, of a shipped victim.
        name: of the recording's folder.
        root: ``core.paths.RECORDINGS`` by default.

    Raises:
        BadInput: ``recording_not_done``: the run is not done, or not of a shipped victim.
    """
    data = run.data
    if run.status != "done" or not run.spec.victim:
        raise BadInput(
            "recording_not_done",
            f"The run {run.id} cannot become a recording; only a run of a shipped victim that is done can.",
            run=run.id,
        )
    folder = (root or paths.RECORDINGS) / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "frames").mkdir(parents=True)
    kept = (*KEPT, "model.safetensors") if run.spec.victim == DEFAULT else KEPT
    for file in (*kept, *(f"frames/{path.name}" for path in (run.folder / "frames").glob("[0-9]*.npz"))):
        if (run.folder / file).exists():
            shutil.copyfile(run.folder / file, folder / file)
    events = (folder / "events.jsonl").read_text().replace(str(run.folder), "")
    (folder / "events.jsonl").write_text(events)
    result = {**data["result"], "out": ""}
    write_json(folder / "run.json", data | {"id": name, "recording": True, "worker": None, "result": result})
    return Run(folder)


if __name__ == "__main__":
    print(make(record.open(sys.argv[1]), sys.argv[2]).folder)
