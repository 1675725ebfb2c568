"""Networks by name.

A new architecture is one file here and one line in ``ARCHITECTURES``; anything of torchvision is
``torchvision/<name>``, for example ``torchvision/resnet18``.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from core.errors import BadInput
from core.models.preact_resnet import PreActResNet18
from core.models.small import SmallNet
from core.models.wrn import WideResNet

ARCHITECTURES: dict[str, Callable[[int], nn.Module]] = {
    "small": SmallNet,
    "wrn16-1": WideResNet,
    "preact-resnet18": PreActResNet18,
}


def build(arch: str, num_classes: int) -> nn.Module:
    """A fresh network.

    Args:
        arch: a key of ``ARCHITECTURES``, or ``torchvision/<name>``.
        num_classes: outputs.

    Raises:
        BadInput: no such network.
    """
    if arch in ARCHITECTURES:
        return ARCHITECTURES[arch](num_classes)
    library, _, name = arch.partition("/")
    if library == "torchvision":
        import torchvision.models  # three seconds to import: only for those who ask for it

        if name in torchvision.models.list_models(module=torchvision.models):
            return torchvision.models.get_model(name, weights=None, num_classes=num_classes)
    raise BadInput(
        "unknown_architecture",
        f"There is no network called {arch!r}; use one of {', '.join(ARCHITECTURES)} or torchvision/<name>, "
        "for example torchvision/resnet18.",
        arch=arch,
        allowed=", ".join(ARCHITECTURES),
    )
