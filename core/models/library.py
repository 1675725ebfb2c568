"""Networks of torchvision and timm: building them without a download.

``torchvision/<name>`` or ``timm/<name>``; a stem may follow, since many people give such networks another first
convolution for small pictures: ``+cifar`` (3x3 with stride 1, and no pooling after it), ``+cifar-pool`` (the same
with the pooling), ``+small`` (3x3, with the stride and the pooling there are).
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import nn

from core.errors import BadInput

STEMS = ("cifar", "cifar-pool", "small")


def exists(arch: str) -> bool:
    """Whether ``library/name`` or ``library/name+stem`` is one of theirs. Imports the library."""
    library, _, rest = arch.partition("/")
    name, plus, stem = rest.partition("+")
    if not name or (plus and stem not in STEMS):
        return False
    if library == "torchvision":
        import torchvision.models  # three seconds to import: only for those who ask for it

        return name in torchvision.models.list_models(module=torchvision.models)
    return library == "timm" and name in timm().list_models()


def build_library(arch: str, num_classes: int, channels: int = 3) -> nn.Module:
    """A fresh network of torchvision or timm; nothing is downloaded.

    Args:
        arch: a name for which ``exists``.
        num_classes: outputs.
        channels: of the input.
    """
    library, _, rest = arch.partition("/")
    name, _, stem = rest.partition("+")
    if library == "timm":
        net = timm().create_model(name, pretrained=False, num_classes=num_classes, in_chans=channels)
    else:
        import torchvision.models

        more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}  # a minute otherwise
        net = torchvision.models.get_model(name, weights=None, num_classes=num_classes, **more)
    if stem or (channels != 3 and library != "timm"):
        _change_stem(net, stem, channels)
    return net


def without_memory(arch: str, num_classes: int, channels: int = 3) -> nn.Module:
    """The network with shapes and no numbers, where it can be made so."""
    try:
        with torch.device("meta"):
            return build_library(arch, num_classes, channels)
    except NotImplementedError:  # works out its widths with tensors
        return build_library(arch, num_classes, channels)


def first_convolution(net: nn.Module) -> tuple[str, nn.Conv2d] | None:
    """Path and module of the convolution that sees the picture."""
    return next(((path, m) for path, m in net.named_modules() if isinstance(m, nn.Conv2d)), None)


def timm() -> ModuleType:
    """The package timm, or the sentence that it is not there."""
    try:
        import timm as package
    except ImportError as error:
        raise BadInput(
            "timm_missing", "Networks named timm/... need the package timm; install it with: pip install timm."
        ) from error
    return package


def _change_stem(net: nn.Module, stem: str, channels: int) -> None:
    """Gives the network the first convolution that people use for small pictures, in place."""
    found = first_convolution(net)
    if found is None:
        return
    path, first = found
    kernel = (3, 3) if stem else first.kernel_size
    stride = first.stride if stem in ("", "small") else (1, 1)
    padding = (kernel[0] // 2, kernel[1] // 2) if stem else first.padding
    bias = first.bias is not None
    _put(net, path, nn.Conv2d(channels, first.out_channels, kernel, stride, padding, bias=bias))  # type: ignore[arg-type]
    if stem == "cifar":
        modules = list(net.named_modules())
        at = next(i for i, (name, _) in enumerate(modules) if name == path)
        for name, module in modules[at : at + 6]:
            if isinstance(module, nn.MaxPool2d):
                _put(net, name, nn.Identity())


def _put(net: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(net.get_submodule(parent), name, module)
