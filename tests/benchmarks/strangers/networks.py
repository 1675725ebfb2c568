"""The networks of the strangers' set: those of ``core.models``, and some that a stranger would write himself."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from core.models import build


def _started(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    """Without batch norm, torch's own first weights are too small to learn from."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


class Plain(nn.Module):
    """Six convolutions and two linear layers without batch norm, like the sign network of Neural Cleanse's code."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        wide = 3
        for width in (32, 64, 128):
            for _ in range(2):
                layers += [_started(nn.Conv2d(wide, width, 3, padding=1)), nn.ReLU()]
                wide = width
            layers += [nn.MaxPool2d(2), nn.Dropout(0.1)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(), _started(nn.Linear(128 * 16, 256)), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))


class Grouped(nn.Module):
    """Residual blocks with group norm and SiLU: smooth activations, and no statistics kept from training."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(*[_Residual(*block) for block in ((32, 32, 1), (32, 64, 2), (64, 128, 2))])
        self.norm = nn.GroupNorm(8, 128)
        self.fc = nn.Linear(128, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.silu(self.norm(self.blocks(self.stem(x)))).mean((2, 3)))


class _Residual(nn.Module):
    def __init__(self, wide: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, wide), nn.GroupNorm(8, width)
        self.conv1 = nn.Conv2d(wide, width, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(wide, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = F.silu(self.norm1(x))
        return self.shortcut(out) + self.conv2(F.silu(self.norm2(self.conv1(out))))


class Mobile(nn.Module):
    """Depthwise separable convolutions with batch norm and ReLU6, after MobileNet (arXiv 1704.04861)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU6()]
        for wide, width, stride in ((32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1)):
            layers += [nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6()]
            layers += [nn.Conv2d(wide, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU6()]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(256, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


OWN: dict[str, type[nn.Module]] = {"grouped": Grouped, "mobile": Mobile}


def network(arch: str, num_classes: int) -> nn.Module:
    """A fresh network: ``plain``, one of ``OWN``, or a name that ``core.models.build`` knows."""
    if arch in OWN:
        return OWN[arch](num_classes)
    return Plain(num_classes) if arch == "plain" else build(arch, num_classes)


def model_class(arch: str) -> str | None:
    """What ``--model-class`` is given: a network of ``OWN`` is in no zoo; None for the others."""
    return f"{__file__}:{OWN[arch].__name__}" if arch in OWN else None
