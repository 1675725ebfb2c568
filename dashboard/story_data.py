"""What the story shows of the engine: the two networks for the browser, the signs, and the figures of a run.

No torch: weights are read as numpy arrays, and the batch norms are folded into the convolutions here, so that the
browser has four convolutions and one matrix to compute.
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.data.signs_faces import CLASS_NAMES, face
from core.runs.record import Run
from core.victims import Card
from dashboard.digest import Digest

if TYPE_CHECKING:
    from PIL.Image import Image

EPS = 1e-5  # of torch.nn.BatchNorm2d
_NORM = ("weight", "bias", "running_mean", "running_var")
FACE_PIXELS = 320  # a sign fills seven tenths of the picture


@dataclass(frozen=True)
class Layer:
    """A 3x3 convolution with its bias, followed by ReLU; ``pool``: and by a 2x2 maximum.

    ``weight`` (out, in, 3, 3), ``bias`` (out,), float32.
    """

    weight: np.ndarray
    bias: np.ndarray
    pool: bool


@dataclass(frozen=True)
class Network:
    """``SmallNet`` without its batch norms: convolutions, the mean over the picture, one matrix.

    ``head`` (classes, features) and ``head_bias`` (classes,), float32; ``mean``, ``std``: input scaling per channel.
    """

    layers: tuple[Layer, ...]
    head: np.ndarray
    head_bias: np.ndarray
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Cost:
    """What a purification took and gave: percentages, seconds of computing, numbers of images."""

    seconds: float
    clean_images: int
    ba: tuple[float, float]
    asr: tuple[float, float]
    triggered_images: int


def network(weights: Path, card: Card) -> Network | None:
    """The network of a victim's own architecture with these weights; None if they are missing or do not fit."""
    try:
        return _network(weights, weights.stat().st_mtime_ns, card.mean, card.std)
    except (OSError, ValueError, KeyError):
        return None


@lru_cache(maxsize=4)
def _network(path: Path, changed: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Network:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error
    numbers = sorted(int(found[1]) for name in tensors if (found := re.fullmatch(r"trunk\.(\d+)\.weight", name)))
    convolutions = [k for k in numbers if tensors[f"trunk.{k}.weight"].ndim == 4]
    layers = []
    for k, following in zip(convolutions, [*convolutions[1:], None], strict=True):
        # in the Sequential: convolution, batch norm, ReLU, and a pooling wherever the next one is four places on
        layers.append(_folded(tensors, k, pool=following == k + 4))
    head, bias = tensors["fc.weight"], tensors["fc.bias"]
    return Network(tuple(layers), head.astype(np.float32), bias.astype(np.float32), mean, std)


def _folded(tensors: dict[str, np.ndarray], k: int, pool: bool) -> Layer:
    weight = tensors[f"trunk.{k}.weight"].astype(np.float64)
    norm = {name: tensors[f"trunk.{k + 1}.{name}"].astype(np.float64) for name in _NORM}
    scale = norm["weight"] / np.sqrt(norm["running_var"] + EPS)
    bias = norm["bias"] - norm["running_mean"] * scale
    return Layer((weight * scale[:, None, None, None]).astype(np.float32), bias.astype(np.float32), pool)


def purified_weights(run: Run | None) -> Path | None:
    """The weights that a finished run or a recording left; None while there are none."""
    if run is None or run.status != "done":
        return None
    path = run.folder / "model.safetensors"
    return path if path.is_file() else None


@lru_cache(maxsize=1)
def faces() -> tuple[str, ...]:
    """Every sign as a picture in a data URI, transparent around the sign, in class order."""
    return tuple(_png(face(index, FACE_PIXELS)) for index in range(len(CLASS_NAMES)))


def _png(image: Image) -> str:
    content = io.BytesIO()
    image.save(content, "png", compress_level=3)  # twelve of them before the first screen: time over size
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def sticker(card: Card) -> tuple[int, int, int] | None:
    """Side, left and top of the sticker where the attacker put it, pixels of a 32 x 32 picture.

    None for a victim whose trigger is no sticker.
    """
    settings = card.attack_settings
    if card.data != "signs" or card.attack != "badnets" or settings.get("look") != "sticker":
        return None
    side = int(settings.get("side", 6))
    return side, 32 - side - int(settings.get("right", 0)), 32 - side - int(settings.get("bottom", 0))


def cost(run: Run, digest: Digest) -> Cost | None:
    """The measured figures of a run that came to its proper end; None before."""
    before, after = digest.before, digest.after
    clean_images = (run.data.get("result") or {}).get("clean_images")
    if before is None or after is None or clean_images is None or digest.total_seconds is None:
        return None
    return Cost(
        digest.total_seconds, int(clean_images), (before.ba, after.ba), (before.asr, after.asr), after.triggered_images
    )
