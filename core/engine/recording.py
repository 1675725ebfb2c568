"""Makes recordings, which are shipped with the project, from finished runs.

``python -m core.engine.recording RUN NAME [FRAMES]`` records a run that is there. ``python -m core.engine.recording
VICTIM`` runs every defence on a shipped victim, one after the other so that their times can be compared, and records
them all.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from core import paths
from core.defenses import DEFENCES
from core.engine import moving_maps, worker
from core.errors import BadInput
from core.files import write_json
from core.runs import record
from core.runs.arrays import FrameArrays, read_arrays, write_arrays
from core.runs.record import Run
from core.runs.spec import Spec
from core.victims import DEFAULT, card_of

FILES = ("events.jsonl", "samples.npz", "thumbs.webp", "examples.npz", "looks.npz", "trigger.npz")
SMALL_RECORDING_FRAMES = 20  # of a recording beside the main one of the same victim
PIXELS = ("thumbs.webp", "examples.npz", "looks.npz")
MAPS = (("tsne", 2), ("umap", 3))  # of every frame, which ship; the features they are drawn from do not


def make(run: Run, name: str, root: Path | None = None, frames: int | None = None) -> Run:
    """A recording of ``run``, in place of an earlier one of that name.

    A whole one gets the other maps that ship, which are drawn first where the run keeps the features for them.

    Left behind: weights (save those of the default victim, which the story lets answer), checkpoints, the worker's
    output, and every path of the machine it ran on.

    Args:
        run: done, of a shipped victim.
        name: of the recording's folder.
        root: ``core.paths.RECORDINGS`` by default.
        frames: keep so many pictures of the map only, early ones closer together, and no pixels: for a recording that
            stands beside another one of the same victim.

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
    whole = frames is None
    kept = [file for file in FILES if whole or file not in PIXELS]
    if whole:
        kept += [_map_file(run, *kind) for kind in MAPS]
    if whole and run.spec.victim == DEFAULT:
        kept.append("model.safetensors")
    folder = (root or paths.RECORDINGS) / name
    shutil.rmtree(folder, ignore_errors=True)
    for file in (*kept, *(f"frames/{path.name}" for path in (run.folder / "frames").glob("[0-9]*.npz"))):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        if (run.folder / file).exists():
            shutil.copyfile(run.folder / file, folder / file)
    events = (folder / "events.jsonl").read_text().replace(str(run.folder), "")
    (folder / "events.jsonl").write_text(events)
    if frames is not None:
        _thin(folder, frames)
    result = {**data["result"], "out": ""}
    write_json(folder / "run.json", data | {"id": name, "recording": True, "worker": None, "result": result})
    return Run(folder)


def _map_file(run: Run, method: str, dims: int) -> str:
    """The file of a map in the run's folder; it is drawn if it can be."""
    if run.features_kept and run.moving_map(method, dims) is None:
        moving_maps.draw(run, method, dims, lambda stage, done, total: None)
    return f"maps/{method}-{dims}.npz"


def make_all(victim: str, root: Path | None = None) -> Iterator[Run]:
    """Runs every defence on a victim in this process and yields its recording: MCL's whole, the others' small.

    Raises:
        BadInput: ``unknown_victim``; ``recording_not_done``, a run failed.
    """
    card = card_of(victim)
    for defence in DEFENCES:
        run = record.create(Spec(victim=victim, images=card.data, defence=defence))
        worker.work(run.folder)
        yield make_one_of_all(run, root)


def make_one_of_all(run: Run, root: Path | None = None) -> Run:
    """The recording of a run among those of all defences: MCL's is whole and called as the victim, another's is small.

    Raises:
        BadInput: as ``make``.
    """
    victim, defence = run.spec.victim, run.spec.defence
    if defence == Spec.defence:
        return make(run, str(victim), root)
    return make(run, f"{victim}-{defence}", root, SMALL_RECORDING_FRAMES)


def _thin(folder: Path, most: int) -> None:
    """Leaves so many frames, the first and the last among them, and numbers them anew."""
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if line["type"] == "frame"]
    if len(steps) < 2:
        return
    wanted = [(1 + steps[-1]) ** (k / (most - 1)) - 1 for k in range(most)]
    near = {min(range(len(steps)), key=lambda k: abs(steps[k] - step)) for step in wanted}
    kept = sorted(near | {0, len(steps) - 1})
    left = []
    for line in lines:
        if line["type"] == "frame":
            file = folder / line["file"]
            if line["index"] not in kept:
                file.unlink()
                continue
            line["index"] = kept.index(line["index"])
            line["file"] = f"frames/{line['index']:05}.npz"
            file.rename(folder / line["file"])
            _coarsen(folder / line["file"])
        left.append(line)
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in left))


def _coarsen(file: Path) -> None:
    """Rounds coordinates to a two-thousandth of the map's size, which is invisible and halves the file."""
    arrays = read_arrays(file, FrameArrays)
    assert arrays is not None
    side = float(np.nanmax(np.ptp(arrays.coords, axis=0))) or 1.0
    step = 2.0 ** np.floor(np.log2(side / 2000))
    write_arrays(file, arrays._replace(coords=(np.round(arrays.coords / step) * step).astype(np.float32)))


if __name__ == "__main__":
    if len(sys.argv) == 2:
        for made in make_all(sys.argv[1]):
            print(made.folder, flush=True)
    else:
        frame_count = int(sys.argv[3]) if len(sys.argv) > 3 else None
        print(make(record.open(sys.argv[1]), sys.argv[2], frames=frame_count).folder)
