"""Wide residual networks for 32 px pictures (Zagoruyko and Komodakis, BMVC 2016, arXiv 1605.07146, table 1).

The parameter names are those that published CIFAR-10 checkpoints of this network use, so that such weights load as
they are; ``wrn_biased.py`` has the other naming that is widespread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two pre-activated 3x3 convolutions; a 1x1 convolution on the shortcut where the width changes."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.convShortcut = None
        if channels_in != channels_out:
            self.convShortcut = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.bn1(x), inplace=True)
        out = self.conv2(F.relu(self.bn2(self.conv1(active)), inplace=True))
        return out + (x if self.convShortcut is None else self.convShortcut(active))


class Stage(nn.Module):
    """``count`` blocks of one width; the first one may halve the picture."""

    def __init__(self, count: int, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            BasicBlock(channels_in, channels_out, stride),
            *(BasicBlock(channels_out, channels_out, 1) for _ in range(count - 1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


class WideResNet(nn.Module):
    """WRN-depth-width; the penultimate features have ``64 * width`` dimensions.

    Args:
        num_classes: outputs.
        depth: 6 n + 4 layers.
        width: factor on the channels 16, 32, 64.
        channels: of the input.
    """

    def __init__(self, num_classes: int, depth: int = 16, width: int = 1, channels: int = 3) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        w1, w2, w3 = 16 * width, 32 * width, 64 * width
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.block1 = Stage(blocks, 16, w1, 1)
        self.block2 = Stage(blocks, w1, w2, 2)
        self.block3 = Stage(blocks, w2, w3, 2)
        self.bn1 = nn.BatchNorm2d(w3)
        self.fc = nn.Linear(w3, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(F.relu(self.bn1(x), inplace=True).mean((2, 3)))


def name_from(shapes: Mapping[str, Sequence[int]]) -> str | None:
    """``wrn<depth>-<width>`` if the tensors' names are those of this network, whatever its size."""
    blocks = sum(name.startswith("block1.layer.") and name.endswith(".conv1.weight") for name in shapes)
    first = shapes.get("block1.layer.0.conv1.weight")
    return f"wrn{6 * blocks + 4}-{first[0] // 16}" if first else None
