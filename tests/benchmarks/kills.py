"""A run that is killed at random moments and resumed after each, beside the same run that nobody touched.

Asked for: the purified weights are the same to the bit and every figure is, and no picture of the map that was on
record before a kill is gone or another one. ``python -m tests.benchmarks.kills --kills 100 --into FILE`` keeps every
run, and goes on from those that the file holds; a run that was under way is taken up where it was stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from core.errors import BadInput
from core.events import StageStarted
from core.files import write_json
from core.jobs import process
from core.runs import record, supervisor
from core.runs.record import ENDED, Run
from core.runs.spec import Spec
from tests.benchmarks.watch import environment

LOOK_EVERY = 0.1  # seconds
KILLS = 20
PER_RUN = 4  # kills of one run
PATIENCE = 600.0  # seconds that a run may take between two kills
SPEC = Spec(
    victim="digits-badnets", images="digits", points=200, projection="pca", device="cpu", settings={"anneal": 20}
)


@dataclass(frozen=True)
class Trial:
    """One run.

    Attributes:
        seed: of the moments. threads: of torch; with another number, sums are ordered differently.
        stages: in which it was killed, "start" before the first; none of a run that was left alone.
        outcome: hash of the purified weights, and all figures that are no times.
        kept, lost: pictures that were on record before a kill, and those of them that were gone or changed at the end.
        seconds: that it took.
    """

    seed: int
    threads: int
    stages: list[str]
    outcome: dict[str, Any]
    kept: int
    lost: int
    seconds: float


def rows(kills: int = KILLS, into: Path | None = None) -> list[tuple[str, str, str]]:
    """(figure, measured, asked for).

    Args:
        into: a file of JSON lines, one per run; those that it holds are not measured again.

    Raises:
        RuntimeError: a run failed, or took too long between two kills.
    """
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory())) if into is None else into.with_suffix(".home")
        stack.enter_context(environment(DISSOLVE_HOME=home))
        known = _kept(into)
        alone = next((trial for trial in known if not trial.stages), None) or _noted(_alone(), into)
        trials = [trial for trial in known if trial.stages]
        while (missing := kills - sum(len(trial.stages) for trial in trials)) > 0:
            seed = 1 + max((trial.seed for trial in trials), default=0)
            trials.append(_noted(_killed(seed, min(missing, PER_RUN), alone.seconds, home / "current.json"), into))
    same = [trial for trial in trials if trial.outcome == alone.outcome]
    stages = Counter(stage for trial in trials for stage in trial.stages)
    where = ", ".join(f"{stage} {count}" for stage, count in stages.most_common())
    lost, kept = (sum(numbers) for numbers in zip(*((t.lost, t.kept) for t in trials), strict=True))
    return [
        ("kills: runs, and where they were killed", f"{len(trials)}, {stages.total()} times: {where}", "-"),
        ("kills: same weights and figures as left alone", f"{len(same)} of {len(trials)}", "all"),
        ("kills: pictures lost or changed", f"{lost} of {kept}", "none"),
    ]


def _kept(into: Path | None) -> list[Trial]:
    """What a file of earlier runs holds, with as many threads as now; a last line that was cut short counts as none."""
    found = []
    for line in into.read_text(encoding="utf-8").splitlines() if into is not None and into.exists() else ():
        with contextlib.suppress(ValueError, TypeError):
            found.append(Trial(**json.loads(line)))
    return [trial for trial in found if trial.threads == torch.get_num_threads()]


def _noted(trial: Trial, into: Path | None) -> Trial:
    if into is not None:
        with into.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(trial)) + "\n")
    return trial


def _alone() -> Trial:
    begun = time.monotonic()
    with _ended_with_us(supervisor.start(SPEC)) as run:
        _must_be_done(run)
    return Trial(0, torch.get_num_threads(), [], _outcome(run), 0, 0, time.monotonic() - begun)


def _killed(seed: int, kills: int, length: float, note: Path) -> Trial:
    """One run, killed at so many moments, each drawn from its ``length`` in seconds, unless it was over before.

    ``note``: where it is kept how far this has come.
    """
    begun = time.monotonic()
    told: dict[str, Any] = json.loads(note.read_bytes()) if note.exists() else {}
    if told.get("seed") != seed:
        told = {"seed": seed, "run": supervisor.start(SPEC).id, "stages": [], "before": {}, "seconds": 0.0}
        write_json(note, told)
    run, spent = record.open(told["run"]), float(told["seconds"])
    if run.status in ENDED and run.status != "done":
        supervisor.resume(run)
    drawn = random.Random(f"{seed} {len(told['stages'])} {spent}")
    with _ended_with_us(run):
        while len(told["stages"]) < kills and _waited(run, drawn.uniform(0, length)):
            if (worker := process.find(run.data.get("worker"))) is None:
                continue  # not at work yet, or over
            worker.kill()
            if _ended(run) == "done":  # in between
                break
            told["stages"].append(_stage(run))
            told["before"] = _pictures(run) | told["before"]  # as each was when it was first seen
            told["seconds"] = spent + time.monotonic() - begun
            write_json(note, told)
            supervisor.resume(run)
        _must_be_done(run)
    after, before = _pictures(run), told["before"]
    lost = sum(after.get(index) != picture for index, picture in before.items())
    seconds = spent + time.monotonic() - begun
    return Trial(seed, torch.get_num_threads(), told["stages"], _outcome(run), len(before), lost, seconds)


@contextlib.contextmanager
def _ended_with_us(run: Run) -> Iterator[Run]:
    """Inside: the run is going; one that has not ended is stopped on the way out."""
    try:
        yield run
    finally:
        if run.status not in ENDED:
            with contextlib.suppress(BadInput):  # it has ended in between
                supervisor.kill(run)


def _must_be_done(run: Run) -> None:
    if (status := _ended(run)) != "done":
        raise RuntimeError(f"the run ended as {status}: {run.data['failure']}")


def _waited(run: Run, seconds: float) -> bool:
    """Whether the run is still going after so many seconds."""
    due = time.monotonic() + seconds
    while time.monotonic() < due and run.status not in ENDED:
        time.sleep(LOOK_EVERY)
    return run.status not in ENDED


def _ended(run: Run) -> str:
    """How the run stands once nothing works at it."""
    due = time.monotonic() + PATIENCE
    while (status := run.status) not in ENDED:
        if time.monotonic() > due:
            raise RuntimeError(f"the run is still {status} after {PATIENCE:.0f} s")
        time.sleep(LOOK_EVERY)
    return status


def _stage(run: Run) -> str:
    stages = [event.stage for _, event in run.events() if isinstance(event, StageStarted)]
    return stages[-1] if stages else "start"


def _pictures(run: Run) -> dict[str, str]:
    """A hash of each picture of the map that can be read."""
    frames = ((index, run.frame(index)) for index in range(run.frame_count))
    return {str(index): hashlib.sha256(b"".join(part.tobytes() for part in each)).hexdigest() for index, each in frames}


def _outcome(run: Run) -> dict[str, Any]:
    """What must not depend on a kill, as JSON keeps it: all but times and the run's own folder."""
    data = run.data
    figures = {name: value for name, value in data["result"].items() if name not in ("seconds", "out")}
    kept: dict[str, Any] = json.loads(json.dumps({"outputs": data["outputs"], "result": figures}))
    return kept


def main(argv: Sequence[str] | None = None) -> None:
    """The benchmark by itself, in the size that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.kills", description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--into", type=Path, metavar="FILE", help="keep every run in this file, and go on from it")
    asked = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no worker outlives this process
    for row in rows(asked.kills, asked.into):
        print(" | ".join(row))


if __name__ == "__main__":
    main()
