"""Networks by name.

A new architecture is one file here and one line in ``ARCHITECTURES``, or in ``SIZED`` where its size is part of the
name; anything of torchvision or timm is ``torchvision/<name>`` or ``timm/<name>``, for example
``torchvision/resnet18`` (``core.models.library``); a plain row of layers is read from the weights themselves
(``core.models.sequential``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from torch import nn

from core.errors import BadInput
from core.models.cifar_mobilenet import CifarMobileNetV2
from core.models.cifar_resnet import CifarResNet
from core.models.cifar_vgg import CifarVGG
from core.models.preact_resnet import PreActResNet
from core.models.small import SmallNet
from core.models.vgg_small import VGGSmall
from core.models.vit import build_vit
from core.models.wrn import WideResNet
from core.models.wrn_biased import BiasedWideResNet

ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "small": SmallNet,
    "wrn16-1": WideResNet,
    "preact-resnet18": PreActResNet,
    "preact-resnet34": partial(PreActResNet, depth=34),
    "preact-resnet18-norm": partial(PreActResNet, last_norm=True),
    "vgg-small": VGGSmall,
    **{f"cifar-resnet{depth}": partial(CifarResNet, depth=depth) for depth in (18, 34, 50, 101)},
    **{f"resnet{depth}": partial(CifarResNet, depth=depth) for depth in (20, 32, 44, 56, 110)},
    **{f"resnet{depth}-b": partial(CifarResNet, depth=depth, padded=False) for depth in (20, 32, 44, 56, 110)},
    **{f"cifar-vgg{depth}": partial(CifarVGG, depth=depth) for depth in (11, 13, 16, 19)},
    "cifar-mobilenetv2": CifarMobileNetV2,
}
# depth and width are in the name
SIZED: dict[str, Callable[..., nn.Module]] = {
    r"wrn(\d{1,3})-(\d{1,2})": WideResNet,
    r"wrn(\d{1,3})-(\d{1,2})-biased": BiasedWideResNet,
}
LIBRARIES = ("torchvision", "timm")


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
        return ARCHITECTURES[arch](num_classes, **more)
    for pattern, constructor in SIZED.items():
        found = re.fullmatch(pattern, arch)
        if found:
            depth, width = int(found[1]), int(found[2])
            if depth % 6 == 4 and 10 <= depth <= 100 and 1 <= width <= 20:
                return constructor(num_classes, depth, width, **more)
    if (transformer := build_vit(arch, num_classes, channels)) is not None:
        return transformer
    if arch.partition("/")[0] in LIBRARIES:
        from core.models.library import build_library, exists

        if exists(arch):
            return build_library(arch, num_classes, channels)
    raise unknown_architecture(arch)


def unknown_architecture(arch: str) -> BadInput:
    allowed = ", ".join([*ARCHITECTURES, "wrn<depth>-<width>"])
    return BadInput(
        "unknown_architecture",
        f"There is no network called {arch!r}; use one of {allowed}, or torchvision/<name> or timm/<name>, "
        "for example torchvision/resnet18.",
        arch=arch,
        allowed=allowed,
    )
