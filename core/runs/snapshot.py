"""What a run's ``run.json`` says at one moment: read once, and the same to whoever holds it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from core.errors import BadInput
from core.runs.spec import Spec

FORMAT = 1

Status = Literal["queued", "running", "paused", "done", "stopped", "failed", "lost"]
ENDED: tuple[Status, ...] = ("done", "stopped", "failed", "lost")


@dataclass(frozen=True)
class Snapshot:
    """One picture of a run.

    Attributes:
        data: what ``run.json`` held: ``format``, ``id``, ``created`` (ISO 8601, UTC), ``queued`` (when a worker was
            last asked for), ``status`` as last written, ``spec``, ``worker`` ({pid, started} or None), ``machine``,
            ``versions``, ``git_commit``, ``classes`` (names), ``target``, ``inputs`` and ``outputs`` (SHA-256 by kind,
            see ``core.runs.hashes``; absent in older records), ``result`` (figures, when done), ``failure`` ({code,
            message, facts} or None), ``purifications`` (those that another one of the same run follows, see
            ``core.engine.proven``; absent if there are none), ``recording`` (True: shipped), maybe ``title``; and where
            runs follow one another (``core.runs.queue``) ``group``, the same for all of them, and ``after``, the id of
            the run that this one waits for.
        status: how the run stood then; "lost" if it should have been at work and its worker was gone.
    """

    data: dict[str, Any]
    status: Status

    @cached_property
    def spec(self) -> Spec:
        return Spec.from_dict(self.data["spec"])

    @property
    def result(self) -> dict[str, Any]:
        """Figures; empty before the end."""
        return self.data.get("result") or {}


def parsed(folder: Path) -> dict[str, Any]:
    """What ``run.json`` holds now.

    Raises:
        BadInput: ``run_not_found``, ``not_a_run``, ``run_unreadable`` or ``run_too_new``.
    """
    try:
        data = json.loads((folder / "run.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        if not folder.exists():
            raise BadInput("run_not_found", f"There is no run {folder}.", run=str(folder)) from None
        raise BadInput("not_a_run", f"{folder} is not a run: there is no run.json in it.", path=str(folder)) from None
    except (OSError, ValueError) as error:
        raise _unreadable(folder, str(error)) from None
    if not (isinstance(data, dict) and isinstance(data.get("format"), int) and isinstance(data.get("spec"), dict)):
        raise _unreadable(folder, "it lacks a format number and a spec")
    if (name := Spec.misread(data["spec"])) is not None:
        raise _unreadable(folder, f"the entry {name} of its spec is no text")
    if data["format"] > FORMAT:
        raise BadInput(
            "run_too_new",
            f"The run {folder.name} was written by a newer version of Dissolve (format {data['format']}, "
            f"this one reads up to {FORMAT}); update Dissolve to open it.",
            run=folder.name,
            format=data["format"],
            allowed=FORMAT,
        )
    return data


def _unreadable(folder: Path, reason: str) -> BadInput:
    return BadInput(
        "run_unreadable",
        f"The record {folder / 'run.json'} cannot be read: {reason}.",
        run=folder.name,
        reason=reason,
    )
