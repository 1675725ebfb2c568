"""A small VGG with ELU, as used much in backdoor research on 32 px images (Simonyan and Zisserman, arXiv 1409.1556)."""

from __future__ import annotations

from torch import Tensor, nn

WIDTHS = (32, 64, 128)
DROPOUT = (0.3, 0.4, 0.4)


class VGGSmall(nn.Module):
    """Three pairs of 3x3 convolutions with batch norm and ELU, a pooling after each pair, one linear layer.

    For 32 x 32 images only: the linear layer sees all 4 x 4 places of the last stage, so the penultimate
    features have 2,048 dimensions.

    Args:
        num_classes: outputs.
        channels: of the input.
    """

    def __init__(self, num_classes: int, channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width, dropout in zip(WIDTHS, DROPOUT, strict=True):
            for _ in range(2):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ELU(inplace=True)]
                channels = width
            layers += [nn.MaxPool2d(2), nn.Dropout(dropout)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(16 * channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))
