"""Wide residual networks in the other widespread naming: convolutions with biases, the stride in the second one.

Zagoruyko and Komodakis, BMVC 2016, arXiv 1605.07146; the shortcut takes the block's input as it comes, before its
batch norm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """Two pre-activated 3x3 convolutions; a 1x1 convolution on the shortcut where the shape changes."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, stride, padding=1)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(F.relu(self.bn1(x)))
        return self.conv2(F.relu(self.bn2(out))) + self.shortcut(x)


class BiasedWideResNet(nn.Module):
    """WRN-depth-width; the penultimate features have ``64 * width`` dimensions.

    Args:
        num_classes: outputs.
        depth: 6 n + 4 layers.
        width: factor on the channels 16, 32, 64.
        channels: of the input.
    """

    def __init__(self, num_classes: int, depth: int = 28, width: int = 10, channels: int = 3) -> None:
        super().__init__()
        count, wide = (depth - 4) // 6, 16 * width
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1)
        self.layer1 = self._stage(count, 16, wide, 1)
        self.layer2 = self._stage(count, wide, 2 * wide, 2)
        self.layer3 = self._stage(count, 2 * wide, 4 * wide, 2)
        self.bn1 = nn.BatchNorm2d(4 * wide)
        self.linear = nn.Linear(4 * wide, num_classes)

    @staticmethod
    def _stage(count: int, channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
        rest = (Block(channels_out, channels_out, 1) for _ in range(count - 1))
        return nn.Sequential(Block(channels_in, channels_out, stride), *rest)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        return self.linear(F.relu(self.bn1(x)).mean((2, 3)))


def name_from(shapes: Mapping[str, Sequence[int]]) -> str | None:
    """``wrn<depth>-<width>-biased`` if the tensors' names are those of this network, whatever its size."""
    blocks = sum(name.startswith("layer1.") and name.endswith(".conv1.bias") for name in shapes)
    first = shapes.get("layer1.0.conv1.weight")
    return f"wrn{6 * blocks + 4}-{first[0] // 16}-biased" if first and blocks else None
