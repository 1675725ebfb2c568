"""The sign on the story's screens: a picture with a sticker to drag about, and what the network says to it.

The network itself runs in the browser, in plain JavaScript, on the very pixels that are seen: an answer takes
milliseconds and asks nothing of the server. Python hands over the weights once per screen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from dashboard.components.wire import bundled, packed
from dashboard.story_data import Network

ASSETS = Path(__file__).parent / "story_assets"
SCRIPTS = ("net", "picture", "seen", "snap", "view", "scene")
MAGIC = b"DSY1"

TEXT_KEYS = (
    "choose",
    "picture",
    "reads",
    "reads_before",
    "reads_after",
    "sure",
    "right",
    "wrong",
    "fooled",
    "count",
    "count_off",
    "count_off_touch",
    "count_after",
    "key_fooled",
    "key_wrong",
    "put",
    "take",
    "hint",
    "sticker",
    "sticker_touch",
    "looks",
    "looks_turned",
    "seen_before",
    "seen_after",
)
"""What ``Scene.texts`` must hold; the catalogues keep each as ``story.scene.<key>``, with ``{name}`` placeholders."""


@dataclass(frozen=True)
class Scene:
    """One screen with a sign on it.

    Attributes:
        mode: "read" (no sticker yet), "stick" (with the sticker) or "cured" (both networks side by side).
        networks: the victim and, for "cured", the purified one.
        class_names: in class order, in the reader's language.
        faces: a picture of every class as a data URI.
        first: the class of the sign that is shown first.
        target: the class that the sticker leads to; it is not among the signs to choose from.
        sticker: side, left and top where the attacker put it, in pixels of the network's 32 x 32.
        texts: the words of ``TEXT_KEYS`` in the reader's language, unformatted.
        confidence: what "sure" means: the term's name and its sentence.
    """

    mode: str
    networks: Sequence[Network]
    class_names: Sequence[str]
    faces: Sequence[str]
    first: int
    target: int
    sticker: tuple[int, int, int]
    texts: Mapping[str, str]
    confidence: Sequence[str]


def scene(key: str, shown: Scene) -> None:
    """Draws the sign with its answers; it keeps its node, the chosen sign and the sticker's place."""
    _component()(key=key, data=pack(shown))


def pack(shown: Scene) -> bytes:
    """The scene for the browser; the weights of its networks, one after the other, are float32.

    Raises:
        ValueError: an unknown mode, a missing word, or names, faces and networks that do not fit together.
    """
    _check(shown)
    networks, weights, start = [], [], 0
    for network in shown.networks:
        layers = [array for layer in network.layers for array in (layer.weight, layer.bias)]
        flat = np.concatenate([np.ravel(array) for array in (*layers, network.head, network.head_bias)])
        weights.append(flat.astype(np.float32))
        networks.append(
            {
                "start": start,
                "layers": [[*layer.weight.shape[:2], layer.pool] for layer in network.layers],
                "head": list(network.head.shape),
                "mean": list(network.mean),
                "std": list(network.std),
            }
        )
        start += len(flat)
    header: dict[str, Any] = {
        "mode": shown.mode,
        "networks": networks,
        "classes": list(shown.class_names),
        "faces": list(shown.faces),
        "first": shown.first,
        "target": shown.target,
        "sticker": list(shown.sticker),
        "confidence": list(shown.confidence),
        "texts": {name: shown.texts[name] for name in TEXT_KEYS},
    }
    return packed(MAGIC, header, {"weights": np.concatenate(weights)})


def _check(shown: Scene) -> None:
    missing = [name for name in TEXT_KEYS if name not in shown.texts]
    if missing:
        raise ValueError(f"The story lacks the words: {', '.join(missing)}")
    wanted = {"read": 1, "stick": 1, "cured": 2}.get(shown.mode)
    if wanted != len(shown.networks):
        raise ValueError(f"mode {shown.mode!r} with {len(shown.networks)} networks; read and stick take 1, cured 2")
    classes = {len(shown.class_names), len(shown.faces), *(len(network.head) for network in shown.networks)}
    if len(classes) != 1:
        raise ValueError(f"names, faces and answers differ in number: {sorted(classes)}")


@cache
def _component() -> Callable[..., Any]:
    css = (ASSETS / "scene.css").read_text(encoding="utf-8")
    return st.components.v2.component("dissolve.story", css=css, js=script(), isolate_styles=False)


def script() -> str:
    """The scene's modules as one."""
    return bundled(ASSETS / f"{name}.js" for name in SCRIPTS)
