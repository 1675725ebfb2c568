"""``runs`` and ``replay``: what is on record."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

from core.cli.options import Help, add_json
from core.cli.result import figures, summary
from core.cli.terminal import meter, table
from core.errors import BadInput
from core.events import Frame, Progress, StageStarted
from core.files import strict_json
from core.runs import record, supervisor
from core.runs.record import Run, find
from core.runs.snapshot import Snapshot
from core.words import clock

LONGEST_WAIT = 5.0  # seconds between two lines of a replay, however long the run took there


def runs_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = (
        "examples:\n"
        "  python -m core runs\n"
        "  python -m core runs show last\n"
        "  python -m core runs resume 20261122-203301-signs-badnets-4f2a\n"
        "RUN is an id, a folder, or 'last' for the newest."
    )
    add_json(command)
    actions = command.add_subparsers(title="actions", metavar="ACTION", dest="action")
    for name, short in (
        ("list", "list the runs (as without an action)"),
        ("show", "how a run stands and what it found"),
        ("pause", "pause a run before its next step"),
        ("resume", "let a paused run go on; take a stopped, failed or lost one up from its last checkpoint"),
        ("stop", "stop a run before its next step"),
        ("kill", "end the worker of a run that does not react"),
        ("delete", "delete a run and its folder"),
    ):
        action = actions.add_parser(name, help=short, description=short, formatter_class=Help)
        if name != "list":
            action.add_argument("run", metavar="RUN", help="id, folder, or last")
            action.set_defaults(handler=show if name == "show" else steer)
        if name in ("list", "show"):
            add_json(action, default=argparse.SUPPRESS)  # "runs --json list" counts too


def replay_arguments(command: argparse.ArgumentParser) -> None:
    command.epilog = "examples:\n  python -m core replay last\n  python -m core replay last --speed 0"
    command.add_argument("run", metavar="RUN", help="id, folder, or last")
    command.add_argument("--speed", type=float, default=1.0, help="2 is twice as fast, 0 all at once")


def runs(arguments: argparse.Namespace) -> int:
    """``runs`` and ``runs list``."""
    found = record.list_runs()
    broken = record.broken_runs()
    if arguments.json:
        print(strict_json({"runs": [_row(run) for run in found], "broken": [str(entry.folder) for entry in broken]}))
        return 0
    rows = [
        [row["id"], row["status"], row["model"], row["defence"], row["images"], row["frames"]]
        for row in map(_row, found)
    ]
    print(table(["run", "status", "model", "defence", "images", "frames"], rows) if rows else "No runs yet.")
    for entry in broken:
        print(f"cannot be read: {entry.folder}: {entry.error.message}")
    return 0


def _row(run: Run, told: Snapshot | None = None) -> dict[str, Any]:
    told = told or run.snapshot()
    spec = told.spec
    return {
        "id": run.id, "status": told.status, "created": run.created, "model": spec.victim or spec.weights,
        "defence": spec.defence, "images": spec.images, "frames": run.frame_count, "recording": run.is_recording,
        "folder": str(run.folder),
    }  # fmt: skip


def show(arguments: argparse.Namespace) -> int:
    run = find(arguments.run)
    told = run.snapshot()
    status, spec, failure = told.status, told.spec, told.data["failure"]
    if arguments.json:
        print(strict_json(_row(run, told) | {"stage": _stage(run), "failure": failure} | figures(run)))
        return 0
    lines = [
        f"{run.id}: {status}",
        f"model {spec.victim or spec.weights}, defence {spec.defence}, images {spec.images}, device {spec.device}",
    ]
    if status == "done":
        lines.append(summary(run))
    elif failure:
        lines.append(failure["message"])
    else:
        lines.append(f"stage {_stage(run) or 'none yet'}, {run.frame_count} frames, folder {run.folder}")
    if status in ("lost", "stopped", "failed"):
        lines.append(f"Go on with: python -m core runs resume {run.id}")
    print("\n".join(lines))
    return 0


def _stage(run: Run) -> str | None:
    stage = None
    for _, event in run.events():
        if isinstance(event, (StageStarted, Progress)):
            stage = event.stage
    return stage


def steer(arguments: argparse.Namespace) -> int:
    """``runs pause``, ``resume``, ``stop`` and ``delete``."""
    act, said = STEERING[arguments.action]
    run = find(arguments.run)
    act(run)
    print(said.format(run.id))
    return 0


STEERING: dict[str, tuple[Callable[[Run], None], str]] = {
    "pause": (supervisor.pause, "{} pauses before its next step."),
    "resume": (supervisor.resume, "{0} goes on in the background; watch it with: python -m core runs show {0}"),
    "stop": (supervisor.stop, "{} stops before its next step."),
    "kill": (supervisor.kill, "{} was ended."),
    "delete": (supervisor.delete, "{} was deleted."),
}


def replay(arguments: argparse.Namespace, sleep: Callable[[float], None] = time.sleep) -> int:
    """Print the figures of a run's frames, at the pace they came in times ``--speed``."""
    if not 0 <= arguments.speed < math.inf:
        raise BadInput(
            "bad_speed", f"The speed {arguments.speed:g} must be a number, 0 (all at once) or more.",
            speed=f"{arguments.speed:g}",
        )  # fmt: skip
    run = find(arguments.run)
    frames = list(_frames(run))
    if not frames:
        raise BadInput("no_frames", f"The run {run.id} has no frames yet, so there is nothing to replay.", run=run.id)
    kinds = {"true": "true ASR", "estimated": "estimated ASR"}
    print(f"{run.id}: {run.status}; accuracy (BA) and {kinds[frames[0][1].asr_kind]} in percent")
    print(" time   step     BA    ASR  dissolved  attack success")
    before = frames[0][0]
    for seconds, frame in frames:
        if arguments.speed:
            sleep(min(max(0.0, seconds - before) / arguments.speed, LONGEST_WAIT))
        before = seconds
        print(
            f"{clock(seconds):>5} {frame.step:>6} {frame.ba:>6.1f} {frame.asr:>6.1f} {frame.dissolution:>10.1f}"
            f"  {meter(frame.asr)}",
            flush=True,
        )
    return 0


def _frames(run: Run) -> Iterator[tuple[float, Frame]]:
    """The last event of each frame, in order: a resumed run may have taken some again."""
    found = {event.index: (seconds, event) for seconds, event in run.events() if isinstance(event, Frame)}
    for index in sorted(found):
        yield found[index]
