"""Networks by name. Each is a module of its own, loaded when one is built: this one stays light.

A new architecture is one file here and one line in ``ARCHITECTURES``, or in ``SIZED`` where its size is part of the
name; anything of torchvision or timm is ``torchvision/<name>`` or ``timm/<name>``, for example
``torchvision/resnet18`` (``core.models.library``); a plain row of layers is read from the weights themselves
(``core.models.sequential``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from core.errors import BadInput
from core.registry import loaded

if TYPE_CHECKING:
    from torch import nn


class Network(NamedTuple):
    """``place``: module and class, which is called with the number of classes, ``settings`` and, if need be,
    ``channels``."""

    place: str
    settings: Mapping[str, Any] = {}


_RESNET = "core.models.cifar_resnet:CifarResNet"
ARCHITECTURES: dict[str, Network] = {
    "small": Network("core.models.small:SmallNet"),
    "wrn16-1": Network("core.models.wrn:WideResNet"),
    "preact-resnet18": Network("core.models.preact_resnet:PreActResNet"),
    "preact-resnet34": Network("core.models.preact_resnet:PreActResNet", {"depth": 34}),
    "preact-resnet18-norm": Network("core.models.preact_resnet:PreActResNet", {"last_norm": True}),
    "vgg-small": Network("core.models.vgg_small:VGGSmall"),
    **{f"cifar-resnet{depth}": Network(_RESNET, {"depth": depth}) for depth in (18, 34, 50, 101)},
    **{f"resnet{depth}": Network(_RESNET, {"depth": depth}) for depth in (20, 32, 44, 56, 110)},
    **{f"resnet{depth}-b": Network(_RESNET, {"depth": depth, "padded": False}) for depth in (20, 32, 44, 56, 110)},
    **{f"cifar-vgg{depth}": Network("core.models.cifar_vgg:CifarVGG", {"depth": depth}) for depth in (11, 13, 16, 19)},
    "cifar-mobilenetv2": Network("core.models.cifar_mobilenet:CifarMobileNetV2"),
}
# depth and width are in the name
SIZED: dict[str, Network] = {
    r"wrn(\d{1,3})-(\d{1,2})": Network("core.models.wrn:WideResNet"),
    r"wrn(\d{1,3})-(\d{1,2})-biased": Network("core.models.wrn_biased:BiasedWideResNet"),
}
LIBRARIES = ("torchvision", "timm")
NAMED = ", ".join([*ARCHITECTURES, "wrn<depth>-<width>"])
"""All networks of ours in words, for messages and help."""


def build(arch: str, num_classes: int, channels: int = 3) -> nn.Module:
    """A fresh network.

    Args:
        arch: a key of ``ARCHITECTURES``, a name that fits a pattern of ``SIZED`` (``wrn28-10``) or of
            ``core.models.vit``, or ``torchvision/<name>`` or ``timm/<name>``, as in
            ``core.models.library.build_library``.
        num_classes: outputs.
        channels: of the input: 3, or 1 for grey.

    Raises:
        BadInput: no such network.
    """
    more = {} if channels == 3 else {"channels": channels}
    if arch in ARCHITECTURES:
        network = ARCHITECTURES[arch]
        return loaded(network.place)(num_classes, **network.settings, **more)  # type: ignore[no-any-return]
    for pattern, network in SIZED.items():
        found = re.fullmatch(pattern, arch)
        if found:
            depth, width = int(found[1]), int(found[2])
            if depth % 6 == 4 and 10 <= depth <= 100 and 1 <= width <= 20:
                return loaded(network.place)(num_classes, depth, width, **more)  # type: ignore[no-any-return]
    from core.models.vit import build_vit

    if (transformer := build_vit(arch, num_classes, channels)) is not None:
        return transformer
    if arch.partition("/")[0] in LIBRARIES:
        from core.models.library import build_library, exists

        if exists(arch):
            return build_library(arch, num_classes, channels)
    raise unknown_architecture(arch)


def unknown_architecture(arch: str) -> BadInput:
    return BadInput(
        "unknown_architecture",
        f"There is no network called {arch!r}; use one of {NAMED}, or torchvision/<name> or timm/<name>, "
        "for example torchvision/resnet18.",
        arch=arch,
        allowed=NAMED,
    )
