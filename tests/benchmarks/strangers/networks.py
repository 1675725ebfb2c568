"""The networks of the strangers' set: those of ``core.models``, and one that a stranger would write himself."""

from __future__ import annotations

from torch import Tensor, nn

from core.models import build


def _started(layer: nn.Module) -> nn.Module:
    """Without batch norm, torch's own first weights are too small to learn from."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
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


def network(arch: str, num_classes: int) -> nn.Module:
    """A fresh network: ``plain``, or a name that ``core.models.build`` knows."""
    return Plain(num_classes) if arch == "plain" else build(arch, num_classes)
