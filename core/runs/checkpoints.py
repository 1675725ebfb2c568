"""What a run can go on from: the checkpoint of a purification, and the weights of one that another follows."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.files import write_atomic, write_json

if TYPE_CHECKING:
    from torch import Tensor


class RunCheckpoints:
    """The part of a ``Run`` in the folder ``checkpoints``; every file appears whole or not at all.

    All but the ``read_`` methods are for the run's worker.
    """

    folder: Path

    def write_checkpoint(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Keep the state to resume from; it replaces the one before.

        Tensors and ``meta`` (JSON) change together: the tensors go into a numbered file, and ``last.json``, which
        names that file, is then put in place in one move.
        """
        folder = self.folder / "checkpoints"
        folder.mkdir(exist_ok=True)
        number = 1 + max((int(path.stem) for path in folder.glob("[0-9]*.safetensors")), default=0)
        name = f"{number:05d}.safetensors"
        _write_tensors(folder / name, tensors)
        write_json(folder / "last.json", {"tensors": name, "meta": meta})
        for old in folder.glob("[0-9]*.safetensors"):
            if old.name != name:
                with contextlib.suppress(OSError):
                    old.unlink()

    def drop_checkpoint(self) -> None:
        """From now on there is none to resume from."""
        (self.folder / "checkpoints" / "last.json").unlink(missing_ok=True)

    def read_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The tensors, on the CPU, and the ``meta`` of the last checkpoint; None if there is none that is whole.

        A disk that filled up, or lost power, may leave one cut short: the work since the stage's start is done again.
        """
        folder = self.folder / "checkpoints"
        try:
            pointer = json.loads((folder / "last.json").read_bytes())
            name, meta = Path(pointer["tensors"]).name, pointer["meta"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        tensors = _read_tensors(folder / name)
        return None if tensors is None else (tensors, meta)

    # purified models that another purification of the run starts from

    def write_purified(self, number: int, tensors: dict[str, Tensor]) -> None:
        """Keep the weights of a purification that another one follows; ``number``: from 1."""
        (self.folder / "checkpoints").mkdir(exist_ok=True)
        _write_tensors(self._purified(number), tensors)

    def read_purified(self, number: int) -> dict[str, Tensor] | None:
        """The weights of such a purification, on the CPU; None if there are none that are whole."""
        return _read_tensors(self._purified(number))

    def _purified(self, number: int) -> Path:
        return self.folder / "checkpoints" / f"purified-{number}.safetensors"


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    from safetensors.torch import save

    # Copies, because safetensors refuses tensors that share memory.
    write_atomic(path, save({k: t.detach().to("cpu", copy=True).contiguous() for k, t in tensors.items()}))


def _read_tensors(path: Path) -> dict[str, Tensor] | None:
    """The tensors of a file, on the CPU; None if it is not there or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(path.read_bytes())
    except OSError:
        return None
    except (SafetensorError, KeyError) as error:
        print(f"the checkpoint {path.name} is damaged and left aside: {error}", file=sys.stderr)
        return None
