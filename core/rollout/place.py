"""Where a roll-out keeps its files, and how they are read so that a change by another hand is noticed. Light.

================= ====================================================================================================
``log.jsonl``     every image and every move, in order: the one truth (``core.rollout.state``)
``rollout.json``  where it stands, for pages and people; with the length and SHA-256 of the log it was made from
``order.json``    a move that was asked for while another process holds the roll-out, which takes it up
``pictures/``     of the newest images on which the models differ, by key
``profile.json``  and ``.npz``: of the original, for the guard (``core.watch.profile``)
``rollout.lock``  locked by the process that answers
``job.json``      the process, where it was begun from the page
================= ====================================================================================================

A checksum tells of a damaged or carelessly edited file, not of somebody who works out a new one.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from core import paths
from core.errors import BadInput
from core.files import dump_json, write_json
from core.rollout import state as states
from core.rollout.state import State
from core.runs.record import Run

LOG, STATE, ORDER, PICTURES, PROFILE, LOCK, JOB = (
    "log.jsonl", "rollout.json", "order.json", "pictures", "profile.json", "rollout.lock", "job.json",
)  # fmt: skip
FORMAT = 1


def folder_of(run: Run) -> Path:
    """Inside the run; of a shipped recording, which stays as it is, in the user's own folder."""
    return paths.home() / "rollout" / run.id if run.is_recording else run.folder / "rollout"


def line(entry: dict[str, Any]) -> bytes:
    """An entry as ``core.watch.log.Log`` writes it."""
    return (dump_json(entry) + "\n").encode()


def write_state(folder: Path, state: State, log: dict[str, Any]) -> None:
    """Args: log: ``bytes`` and ``sha256`` of the log that the state follows from."""
    content = {"format": FORMAT, "log": log, "state": states.plain(state)}
    write_json(folder / STATE, {**content, "check": _check(content)})


def read_state(folder: Path) -> State | None:
    """Where the roll-out stands; None if none was begun.

    Raises:
        BadInput: ``rollout_broken``.
    """
    content = _content(folder)
    return None if content is None else _state(folder, content)


def replay(folder: Path) -> tuple[State, Any, int, dict[str, tuple[int, int]]]:
    """The state that follows from the log, compared with the one that was kept.

    Returns:
        the state; a running SHA-256 of the log; its length in bytes without a torn last line; size and time of change
        of each file of an inbox that was answered.

    Raises:
        BadInput: ``rollout_broken``.
    """
    content = _content(folder)
    kept = None if content is None else dump_json(states.plain(_state(folder, content)))
    expected = content["log"] if content else {"bytes": 0, "sha256": hashlib.sha256().hexdigest()}
    state, digest, length, agrees = State(), hashlib.sha256(), 0, expected["bytes"] == 0
    seen: dict[str, tuple[int, int]] = {}
    try:
        with (folder / LOG).open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                entry = json.loads(line)
                state.take(entry)
                digest.update(line)
                length += len(line)
                if entry.get("file"):
                    seen[str(entry["file"])] = (entry["size"], entry["changed"])
                if length == expected["bytes"]:
                    agrees = digest.hexdigest() == expected["sha256"] and dump_json(states.plain(state)) == kept
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise _broken(folder / LOG, f"entry after byte {length}: {error}") from None
    if not agrees:
        raise _broken(folder / LOG, f"it is not the log that {STATE} was made from")
    return state, digest, length, seen


def _content(folder: Path) -> dict[str, Any] | None:
    path = folder / STATE
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or content.pop("check", None) != _check(content):
            raise ValueError("it was changed, or written in part")
        if content["format"] != FORMAT:
            raise ValueError(f"it has format {content['format']}, and this version reads {FORMAT}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise _broken(path, str(error)) from None
    return content


def _state(folder: Path, content: dict[str, Any]) -> State:
    try:
        return states.of(content["state"])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise _broken(folder / STATE, str(error)) from None


def _check(content: dict[str, Any]) -> str:
    return hashlib.sha256(dump_json(content).encode()).hexdigest()


def _broken(path: Path, reason: str) -> BadInput:
    return BadInput(
        "rollout_broken",
        f"The roll-out's file {path} is damaged or was changed ({reason}); use the original model, and put the folder "
        f"{path.parent} back from a copy, or remove it and begin the roll-out anew.",
        path=str(path), folder=str(path.parent), reason=reason,
    )  # fmt: skip
