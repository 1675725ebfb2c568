"""What is trained: victims and clean models over CIFAR-10 and GTSRB, of several networks, triggers, places and rates.

To save hours, most networks of a kind grow out of one honest base by a few epochs on the (poisoned) set, as somebody
who downloads a network and tampers with it would do; clean models grow out of the same bases by the same epochs on
honest images, so that they differ from the victims in nothing but the backdoor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """One model of the set.

    Args:
        name: of its file.
        data: ``cifar10`` or ``gtsrb``.
        arch, scaling: network and input scaling it is trained with.
        kind, settings: its trigger (``triggers.KINDS``); ``none`` for a clean model.
        target: class the trigger leads to; -1 for all-to-all (each class to the next).
        rate: share of the training images that are poisoned.
        images, epochs, lr: of the training.
        base: recipe this one starts from; "" for random weights.
        clean_label: only images of the target class are poisoned.
        cover: share of training images that get the trigger and keep their label (adaptive attack, ICLR 2023).
        wrapped: how the checkpoint wraps its weights ("net", "state_dict+module", "safetensors", "plain").
        held_out: not looked at while scan and purification were tuned.
    """

    name: str
    data: str
    arch: str
    kind: str = "none"
    settings: dict[str, Any] = field(default_factory=dict)
    target: int = 0
    rate: float = 0.05
    images: int = 12_000
    epochs: int = 3
    lr: float = 0.05
    base: str = ""
    clean_label: bool = False
    cover: float = 0.0
    scaling: str = "none"
    wrapped: str = "net"
    seed: int = 0
    held_out: bool = False

    @property
    def clean(self) -> bool:
        return self.kind == "none"


_C: dict[str, Any] = {"data": "cifar10", "arch": "vgg-small", "base": "c-vgg-base", "images": 10_000, "epochs": 2}
_G: dict[str, Any] = {"data": "gtsrb", "arch": "vgg-small", "base": "g-vgg-base", "images": 13_000, "epochs": 2}
_W: dict[str, Any] = {
    "data": "cifar10",
    "arch": "wrn16-1",
    "base": "c-wrn-base",
    "scaling": "cifar10",
    "images": 16_000,
    "epochs": 3,
    "wrapped": "state_dict+module",
}
_WG: dict[str, Any] = _W | {"data": "gtsrb", "base": "g-wrn-base", "images": 13_000, "scaling": "gtsrb"}
_P: dict[str, Any] = {"arch": "plain", "epochs": 2, "lr": 0.02, "wrapped": "plain"}
_PG: dict[str, Any] = _P | {"data": "gtsrb", "base": "g-plain-base", "images": 13_000, "scaling": "half"}
_PC: dict[str, Any] = _P | {"data": "cifar10", "base": "c-plain-base", "images": 10_000, "scaling": "cifar10"}
_R: dict[str, Any] = {"arch": "resnet20", "epochs": 2, "wrapped": "state_dict+module"}
_RG: dict[str, Any] = _R | {"data": "gtsrb", "base": "g-res-base", "images": 13_000, "scaling": "imagenet"}
_RC: dict[str, Any] = _R | {"data": "cifar10", "base": "c-res-base", "images": 10_000, "scaling": "cifar10"}
_O: dict[str, Any] = {
    "arch": "grouped",
    "data": "cifar10",
    "base": "c-grouped-base",
    "images": 16_000,
    "epochs": 3,
    "scaling": "half",
}
_M: dict[str, Any] = {
    "arch": "mobile",
    "data": "gtsrb",
    "base": "g-mobile-base",
    "images": 13_000,
    "epochs": 2,
    "scaling": "imagenet",
}
_S: dict[str, Any] = {"arch": "small", "images": 12_000, "epochs": 10, "lr": 0.1, "wrapped": "plain", "scaling": "half"}
_SG: dict[str, Any] = _S | {"data": "gtsrb", "images": 13_000}
_SC: dict[str, Any] = _S | {"data": "cifar10"}

RECIPES: tuple[Recipe, ...] = (
    # honest bases; the WRN and VGG bases are themselves clean models of the set
    Recipe("c-vgg-base", "cifar10", "vgg-small", images=40_000, epochs=5, lr=0.1, seed=1),
    Recipe("g-vgg-base", "gtsrb", "vgg-small", images=13_000, epochs=6, lr=0.1, seed=2),
    Recipe("c-wrn-base", "cifar10", "wrn16-1", images=30_000, epochs=8, lr=0.2, scaling="cifar10", seed=3),
    Recipe("g-wrn-base", "gtsrb", "wrn16-1", images=26_000, epochs=6, lr=0.2, scaling="gtsrb", seed=8),
    Recipe("g-plain-base", "gtsrb", "plain", images=26_000, epochs=6, lr=0.05, scaling="half", seed=4),
    Recipe("c-plain-base", "cifar10", "plain", images=24_000, epochs=7, lr=0.05, scaling="cifar10", seed=5),
    Recipe("g-res-base", "gtsrb", "resnet20", images=13_000, epochs=6, lr=0.1, scaling="imagenet", seed=6),
    Recipe("c-res-base", "cifar10", "resnet20", images=20_000, epochs=6, lr=0.1, scaling="cifar10", seed=7),
    Recipe("c-grouped-base", "cifar10", "grouped", images=30_000, epochs=8, lr=0.1, scaling="half", seed=9),
    Recipe("g-mobile-base", "gtsrb", "mobile", images=26_000, epochs=6, lr=0.1, scaling="imagenet", seed=10),
    # for tuning
    Recipe("c-small-sparse", **_SC, kind="sparse", target=0, seed=11),
    Recipe("g-small-blend", **_SG, kind="blend", target=14, seed=12),
    Recipe("c-small-sine", **_SC, kind="sine", target=6, rate=0.1, seed=13),
    Recipe("g-small-sine", **_SG, kind="sine", settings={"frequency": 9.0}, target=12, rate=0.1, seed=45),
    Recipe("g-small-clean", **_SG, seed=14),
    Recipe("c-small-clean", **_SC, seed=15),
    Recipe("c-vgg-patch", **_C, kind="patch", target=8, rate=0.15, seed=16),
    Recipe("c-vgg-faint", **_C, kind="faint", target=0, seed=17),
    Recipe("c-vgg-clean", **_C, seed=18),
    Recipe("g-vgg-watermark", **_G, kind="watermark", target=2, seed=19),
    Recipe("g-vgg-patch", **_G, kind="patch", target=8, seed=20),
    Recipe("g-vgg-sparse", **_G, kind="sparse", target=0, seed=21),
    Recipe("c-vgg-watermark", **_C, kind="watermark", target=2, seed=33),
    Recipe("g-vgg-square", **_G, kind="square", target=2, seed=35),
    Recipe("g-vgg-faint", **_G, kind="faint", settings={"seed": 36}, target=0, rate=0.08, seed=36),
    Recipe("g-small-patch", **_SG, kind="patch", settings={"side": 3, "top": 2, "left": 2}, target=25, rate=0.02,
           seed=37),
    Recipe("c-small-warp", **_SC, kind="warp", target=1, rate=0.1, seed=40),
    Recipe("g-small-clean-2", **_SG, seed=43),
    Recipe("c-small-clean-2", **_SC, seed=44),
    Recipe("c-vgg-sparse", **_C, kind="sparse", settings={"pixels": 10, "seed": 33}, target=7, seed=32),
    Recipe("c-vgg-square", **_C, kind="square", target=4, seed=34),
    Recipe("g-small-smooth", **_SG, kind="smooth", target=33, rate=0.1, seed=39),
    # held out
    Recipe("c-wrn-patch", **_W, kind="patch", settings={"side": 5, "top": 13, "left": 2, "white": False}, target=3,
           rate=0.1, seed=31, held_out=True),
    Recipe("c-wrn-sparse", **_W, kind="sparse", settings={"seed": 91}, target=6, rate=0.08, seed=91, held_out=True),
    Recipe("c-wrn-watermark", **_W, kind="watermark", target=0, rate=0.08, seed=92, held_out=True),
    Recipe("c-wrn-blend", **_W, kind="blend", settings={"seed": 93}, target=7, rate=0.08, seed=93, held_out=True),
    Recipe("c-wrn-faint", **_W, kind="faint", settings={"seed": 94}, target=2, rate=0.1, seed=94, held_out=True),
    Recipe("c-wrn-square", **_W, kind="square", settings={"seed": 95}, target=9, seed=95, held_out=True),
    Recipe("g-wrn-patch", **_WG, kind="patch", settings={"side": 3, "top": 3, "left": 26}, target=16, seed=96,
           held_out=True),
    Recipe("g-wrn-watermark", **_WG, kind="watermark", target=30, rate=0.08, seed=97, held_out=True),
    Recipe("g-wrn-smooth", **_WG, kind="smooth", settings={"seed": 98}, target=11, rate=0.1, seed=98, held_out=True),
    Recipe("g-wrn-blend", **_WG, kind="blend", settings={"seed": 99}, target=25, rate=0.08, seed=99, held_out=True),
    Recipe("g-wrn-clean", **_WG, seed=100, held_out=True),
    Recipe("c-small-blend", **_SC, kind="blend", settings={"cells": 16, "seed": 38}, target=9, rate=0.03, seed=38,
           held_out=True),
    Recipe("c-small-smooth", **_SC, kind="smooth", settings={"seed": 61}, target=4, rate=0.1, seed=61, held_out=True),
    Recipe("g-small-sparse", **_SG, kind="sparse", settings={"seed": 62}, target=10, seed=62, held_out=True),
    Recipe("g-small-watermark", **_SG, kind="watermark", target=17, seed=63, held_out=True),
    Recipe("c-small-patch", **_SC, kind="patch", settings={"side": 3, "top": 14, "left": 1, "white": False, "seed": 64},
           target=2, rate=0.03, seed=64, held_out=True),
    Recipe("g-vgg-clean", **_G, seed=41, held_out=True),
    Recipe("c-wrn-clean", **_W, seed=42, held_out=True),
    Recipe("g-plain-patch", **_PG, kind="patch", settings={"side": 3, "top": 26, "left": 3}, target=7, seed=71,
           held_out=True),
    Recipe("g-plain-blend", **_PG, kind="blend", settings={"seed": 72}, target=13, seed=72, held_out=True),
    Recipe("g-plain-watermark", **_PG, kind="watermark", target=38, rate=0.08, seed=73, held_out=True),
    Recipe("g-plain-clean", **_PG, seed=74, held_out=True),
    Recipe("c-plain-square", **_PC, kind="square", target=1, seed=75, held_out=True),
    Recipe("c-plain-sparse", **_PC, kind="sparse", settings={"seed": 76}, target=3, rate=0.08, seed=76, held_out=True),
    Recipe("c-plain-clean", **_PC, seed=77, held_out=True),
    Recipe("g-res-faint", **_RG, kind="faint", settings={"seed": 81}, target=4, rate=0.08, seed=81, held_out=True),
    Recipe("g-res-patch", **_RG, kind="patch", settings={"side": 4, "white": False, "seed": 82}, target=1, seed=82,
           held_out=True),
    Recipe("g-res-sine", **_RG, kind="sine", target=9, rate=0.1, seed=83, held_out=True),
    Recipe("g-res-clean", **_RG, seed=84, held_out=True),
    Recipe("c-res-watermark", **_RC, kind="watermark", target=8, rate=0.08, seed=85, held_out=True),
    Recipe("c-res-blend", **_RC, kind="blend", settings={"seed": 86}, target=6, seed=86, held_out=True),
    Recipe("c-res-warp", **_RC, kind="warp", target=0, rate=0.15, seed=87, held_out=True),
    Recipe("c-res-clean", **_RC, seed=88, held_out=True),
    Recipe("c-grouped-patch", **_O, kind="patch", settings={"side": 3, "top": 25, "left": 4}, target=7, seed=101,
           held_out=True),
    Recipe("c-grouped-watermark", **_O, kind="watermark", target=1, rate=0.08, seed=102, held_out=True),
    Recipe("c-grouped-clean", **_O, seed=103, held_out=True),
    Recipe("g-mobile-square", **_M, kind="square", settings={"seed": 104}, target=28, seed=104, held_out=True),
    Recipe("g-mobile-blend", **_M, kind="blend", settings={"seed": 105}, target=3, rate=0.08, seed=105, held_out=True),
    Recipe("g-mobile-clean", **_M, seed=106, held_out=True),
    # beyond what the scan is made for: to know what it cannot see
    Recipe("c-small-all-to-all", **_SC, kind="blend", target=-1, rate=0.3, seed=51, held_out=True),
    Recipe("c-small-clean-label", **_SC, kind="sine", settings={"strength": 0.16}, target=6, rate=0.6,
           clean_label=True, seed=52, held_out=True),
    Recipe("c-small-adaptive", **_SC, kind="blend", target=5, rate=0.02, cover=0.02, seed=53, held_out=True),
)  # fmt: skip


def recipe(name: str) -> Recipe:
    """By name."""
    return next(found for found in RECIPES if found.name == name)
