"""Binds a run to its files: SHA-256 of inputs and outputs, kept in its record and compared at every later use.

``inputs`` in ``run.json`` has the hashes of the weights, of the images and of the file of ``--model-class``; named
image sets have none. ``outputs`` has those of the purified weights. Records of older versions have no hashes and are
not bound.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import victims
from core.data import IMAGE_SETS
from core.errors import BadInput
from core.runs import file_hashes, record
from core.runs.record import Run
from core.runs.spec import Spec
from core.shards import shards

HANDED_OUT = ("model.onnx", "model.safetensors", "model.pt")  # names of files with purified weights


@dataclass(frozen=True)
class BoundInputs:
    """The ``hashes`` of a run's inputs, by kind, and a stamp of each file's state when they were computed."""

    run: Run
    hashes: dict[str, str]
    stamps: tuple[file_hashes.Stamp, ...]

    def require_same(self) -> None:
        """Checks, after all inputs were read, that no file changed since it was hashed.

        Raises:
            BadInput: ``changed_while_read``.
        """
        for stamp in self.stamps:
            path = Path(stamp[0])
            with contextlib.suppress(OSError):
                if file_hashes.stamp(path) == stamp:
                    continue
            raise BadInput(
                "changed_while_read",
                f"The file {path} changed while it was read; start again when it is whole.",
                path=str(path),
            )


def bind(run: Run) -> BoundInputs:
    """Hashes a run's inputs before they are read. Missing files are skipped; their reader reports them.

    Raises:
        BadInput: ``weights_changed``, ``images_changed`` or ``model_class_changed``, where the run, another of its
            comparison, or the one whose scan it takes over, was made from other files; as ``core.data.layout.layout``.
    """
    hashes: dict[str, str] = {}
    stamps: list[file_hashes.Stamp] = []
    for kind, path in _inputs(run.spec).items():
        with contextlib.suppress(OSError):
            stamps += [
                file_hashes.stamp(file)
                for file in (file_hashes.files_of(path) if path.is_dir() else [path, *shards(path)])
            ]
            hashes[kind] = _of(kind, path)
    for made, noted in _noted(run):
        for kind, found in hashes.items():
            if noted.get(kind, found) != found:
                raise _changed(run, kind, made)
    return BoundInputs(run, hashes, tuple(stamps))


def check(run: Run) -> None:
    """Checks that a run's inputs and results exist and are unchanged, before it is resumed or its models are used.

    Raises:
        BadInput: as ``bind`` and ``result_fault``; ``input_gone``.
    """
    told = run.snapshot()
    noted = _dict(told.data.get("inputs"))
    for kind, path in _inputs(told.spec).items():
        if kind in noted and _now(run, kind, path) != noted[kind]:
            raise _changed(run, kind)
    card = _card(told.spec)
    if card is not None and told.data.get("victim_sha256", card.sha256) != card.sha256:
        raise _changed(run, "weights")
    if (fault := result_fault(run)) is not None:
        raise fault


def check_report(run: Run, images: bool = True) -> None:
    """Checks, before a run is reported, that its files are unchanged or gone.

    The place of the model may have the run's own result instead, since a purified model replaces the original.

    Args:
        images: whether images are checked too, which takes a while if they are many.

    Raises:
        BadInput: as ``check``, save for what is gone.
    """
    told = run.snapshot()
    noted = _dict(told.data.get("inputs"))
    for kind, path in _inputs(told.spec).items():
        if kind not in noted or (kind == "images" and not images) or not path.exists():
            continue
        now = _now(run, kind, path)
        if now != noted[kind] and not (kind == "weights" and now in outputs(run).values()):
            raise _changed(run, kind)
    if (fault := result_fault(run)) is not None:
        raise fault


def purified_file(run: Run) -> Path:
    """The purified weights in the form that the model came in; the file need not exist."""
    graph = run.folder / "model.onnx"
    return graph if graph.is_file() else run.folder / "model.safetensors"


def result_fault(run: Run) -> BadInput | None:
    """The fault ``result_changed`` if weights in the run's folder are not those that it wrote; else None."""
    for name, noted in outputs(run).items():
        path = run.folder / name
        with contextlib.suppress(OSError):  # gone: nobody can take it for the result
            if file_hashes.of_file(path) != noted:
                return BadInput(
                    "result_changed",
                    f"The file {path} is not the one that the run {run.id} handed out (SHA-256 {noted[:12]}...); do "
                    "not use it: put the right one back, or purify the model again.",
                    path=str(path), run=run.id, sha256=noted[:12],
                )  # fmt: skip
    return None


def outputs(run: Run) -> dict[str, str]:
    """The hashes of a run's purified weights, by file; of an older record, from the card beside them."""
    noted = run.data.get("outputs")
    if not isinstance(noted, dict):
        card = _dict(card_of_result(run).get("output"))
        noted = {name: _dict(entry).get("sha256") for name, entry in card.items()}
    return {name: noted[name] for name in HANDED_OUT if isinstance(noted.get(name), str)}


def card_of_result(run: Run) -> dict[str, Any]:
    """The card beside the purified weights; empty where there is none."""
    try:
        return _dict(json.loads((run.folder / "card.json").read_bytes()))
    except (OSError, ValueError):
        return {}


def _inputs(spec: Spec) -> dict[str, Path]:
    """The user's own files, by kind. A shipped victim is known by its card."""
    given = {
        "weights": spec.weights,
        "images": None if spec.images in IMAGE_SETS else spec.images,
        "model_class": spec.model_class and spec.model_class.rpartition(":")[0],
    }
    return {kind: Path(path) for kind, path in given.items() if path}


def _of(kind: str, path: Path) -> str:
    return {"images": file_hashes.of_images, "weights": file_hashes.of_weights}.get(kind, file_hashes.of_file)(path)


def scan_of(run: Run) -> Run | None:
    """The earlier run whose scan this one takes over; None if the order names none.

    Raises:
        BadInput: ``run_not_found``, and as ``core.runs.record.Run``.
    """
    name = run.spec.scan_of
    if not name:
        return None
    with contextlib.suppress(BadInput):
        return record.open(name, run.folder.parent)
    return record.open(name)


def _noted(run: Run) -> Iterator[tuple[Run, dict[str, Any]]]:
    """The recorded input hashes of the run, of the run whose scan it takes over, and of the runs that it is compared
    with; each with the run that an error names."""
    data = run.data
    yield run, _dict(data.get("inputs"))
    with contextlib.suppress(BadInput):  # once it is taken over, the scan may be gone
        if (scan := scan_of(run)) is not None:
            yield scan, _dict(scan.data.get("inputs"))
    if data.get("group"):
        for other in record.list_runs(run.folder.parent, recordings=False):
            with contextlib.suppress(BadInput):  # gone since it was listed
                theirs = other.data
                if theirs.get("group") == data["group"]:
                    yield run, _dict(theirs.get("inputs"))


def _now(run: Run, kind: str, path: Path) -> str | None:
    """The hash as it is now; None where it can be no image set any more.

    Raises:
        BadInput: ``input_gone``.
    """
    try:
        return _of(kind, path)
    except OSError as error:
        raise BadInput(
            "input_gone",
            f"The file or folder {path}, which the run {run.id} was made from, cannot be read ({error.strerror}); put "
            "it back.",
            path=str(path), run=run.id, reason=str(error.strerror),
        ) from None  # fmt: skip
    except BadInput:
        return None


def _changed(run: Run, kind: str, made: Run | None = None) -> BadInput:
    """``made``: the run that was made from others, if that is another one."""
    spec, name = run.spec, (made or run).id
    if kind == "images":
        return BadInput(
            "images_changed",
            f"The images at {spec.images} are others than those of the run {name}; put the same images there again.",
            path=spec.images, run=name,
        )  # fmt: skip
    if kind == "model_class":
        path = str(_inputs(spec)["model_class"])
        return BadInput(
            "model_class_changed",
            f"The file {path} with your class is another one than that of the run {name}; put the same file there "
            "again, or start a new run.",
            path=path, run=name,
        )  # fmt: skip
    path = str(spec.weights or spec.victim)
    return BadInput(
        "weights_changed",
        f"The weights {path} are others than those of the run {name}; put the same file there again, or start a new "
        "run.",
        path=path, run=name,
    )  # fmt: skip


def _card(spec: Spec) -> victims.Card | None:
    try:
        return victims.card_of(spec.victim) if spec.victim else None
    except BadInput:  # a victim that is not shipped any more
        return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
