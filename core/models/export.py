"""Writes a purified network in the formats that its owner's code loads, with a card of its origin."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import BadInput
from core.files import dump_json, strict_json, write_atomic
from core.models.weights import Weights

SAFETENSORS, PYTORCH, ONNX, CARD = "model.safetensors", "model.pt", "model.onnx", "card.json"


def write_model(
    folder: Path,
    weights: Weights,
    net_state: Mapping[str, Tensor],
    facts: Mapping[str, Any],
    source: Path | None = None,
    came_from: str | None = None,
) -> dict[str, Any]:
    """Writes ``model.safetensors``, ``model.pt``, for an ONNX file ``model.onnx``, and ``card.json``, each whole or not
    at all. The ONNX file is the one that came, graph and names, with the purified numbers in its tensors.

    All hold exactly the names, shapes and types of the file the weights came from, in its order (safetensors keeps
    an order of its own), so that a class that loads the original with ``strict=True`` loads them too.

    Args:
        folder: where to; made if it is not there.
        weights: as read from the file.
        net_state: the purified network's ``state_dict``.
        facts: what the card says beside the hashes: network, scaling, figures before and after. Plain JSON values.
        source: the file the weights came from; its name and hash go onto the card.
        came_from: that hash, as it was when the weights were read; by default as it is now, or null.

    Returns:
        the card.

    Raises:
        BadInput: ``purified_not_finite``, and nothing is written.
    """
    from safetensors.torch import save

    tensors = {name: value.contiguous() for name, value in weights.named_as_in_file(net_state).items()}
    _must_be_finite(tensors)
    if came_from is None and source is not None:
        came_from = _hash_of(source)  # before anything is written, that may lie over it
    folder.mkdir(parents=True, exist_ok=True)
    apart = {name: value.clone() for name, value in tensors.items()}  # safetensors takes no two names for one storage
    pt = BytesIO()
    torch.save(tensors, pt)
    contents = {SAFETENSORS: save(apart, metadata={"format": "pt"}), PYTORCH: pt.getvalue()}
    if weights.graph is not None:
        contents[ONNX] = weights.graph.written(tensors)
    for name, content in contents.items():
        write_atomic(folder / name, content)
    card: dict[str, Any] = {"versions": _versions()}
    if source is not None:
        found = [item.message for item in weights.found]
        card["input"] = {"file": source.name, "sha256": came_from, "found": found}
    card["output"] = {name: {"sha256": hashlib.sha256(content).hexdigest()} for name, content in contents.items()}
    card["tensors"] = {name: [str(value.dtype)[6:], list(value.shape)] for name, value in tensors.items()}
    card = json.loads(strict_json(card | dict(facts)))
    write_atomic(folder / CARD, (dump_json(card, indent=2) + "\n").encode())
    return card


def _must_be_finite(tensors: Mapping[str, Tensor]) -> None:
    """In the types of the file, too: what was a number may be too large for half precision."""
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise BadInput(
                "purified_not_finite",
                f"The purified weights cannot be written: the tensor {name} holds values that are not numbers (NaN) or "
                "infinite. The original stays as it was; purify again with a lower learning rate (--set lr=...) or "
                "with another defence.",
                name=name,
            )


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_of(source: Path) -> str | None:
    """None if the file cannot be read any more: the purified weights are worth having without it."""
    try:
        return sha256(source)
    except OSError:
        return None


def _versions() -> dict[str, str]:
    from core import __version__

    return {"dissolve": __version__, "torch": torch.__version__.split("+")[0], "python": platform.python_version()}
