"""MobileNetV2 for 32 px pictures (Sandler et al., CVPR 2018, arXiv 1801.04381, table 2), as in common CIFAR code."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

# expansion, channels out, blocks, stride of the first block; the first two strides of the paper are left out
STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


class Block(nn.Module):
    """Expand with 1x1, filter each channel with 3x3, project with 1x1; a shortcut where the picture keeps its size."""

    def __init__(self, channels_in: int, channels_out: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = expansion * channels_in
        self.conv1 = nn.Conv2d(channels_in, wide, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.conv2 = nn.Conv2d(wide, wide, 3, stride, padding=1, groups=wide, bias=False)
        self.bn2 = nn.BatchNorm2d(wide)
        self.conv3 = nn.Conv2d(wide, channels_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels_out)
        self.keeps_size = stride == 1
        self.shortcut = nn.Sequential()
        if self.keeps_size and channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        out = self.bn3(self.conv3(out))
        return out + self.shortcut(x) if self.keeps_size else out


class CifarMobileNetV2(nn.Module):
    """Seventeen blocks and a last 1x1 convolution; 1,280 penultimate features.

    Args:
        num_classes: outputs.
        channels: of the input.
    """

    def __init__(self, num_classes: int, channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 32, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        layers = []
        wide = 32
        for expansion, width, count, stride in STAGES:
            for at in range(count):
                layers.append(Block(wide, width, expansion, stride if at == 0 else 1))
                wide = width
        self.layers = nn.Sequential(*layers)
        self.conv2 = nn.Conv2d(wide, 1280, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(1280)
        self.linear = nn.Linear(1280, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(F.relu(self.bn1(self.conv1(x))))
        return self.linear(F.relu(self.bn2(self.conv2(x))).mean((2, 3)))
