"""VGG with batch norm for 32 px pictures (Simonyan and Zisserman, ICLR 2015, arXiv 1409.1556, table 1)."""

from __future__ import annotations

from torch import Tensor, nn

# 3x3 convolutions of each of the five stages; a pooling ends each stage
STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)


class CifarVGG(nn.Module):
    """VGG-11, -13, -16 or -19 with batch norm and one linear layer, named as in common CIFAR code.

    Args:
        num_classes: outputs.
        depth: 11, 13, 16 or 19.
        channels: of the input.
    """

    def __init__(self, num_classes: int, depth: int = 16, channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for count, width in zip(STAGES[depth], WIDTHS, strict=True):
            for _ in range(count):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(512, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))
