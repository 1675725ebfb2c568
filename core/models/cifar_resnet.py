"""ResNets for 32 px pictures (He et al., CVPR 2016, arXiv 1512.03385), named as in common CIFAR code.

Two families: the paper's own for CIFAR-10 (section 4.2: three stages of 16, 32, 64 channels, ResNet-20 to -110), and
the one for ImageNet (table 1) with a first convolution of 3x3 and no pooling after it (ResNet-18 to -101).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
BOTTLENECKS = (50, 101)


class Padded(nn.Module):
    """The shortcut without weights (option A): every second pixel, and zeros for the new channels on both sides."""

    def __init__(self, stride: int, more: int) -> None:
        super().__init__()
        self.stride, self.more = stride, more

    def forward(self, x: Tensor) -> Tensor:
        before = self.more // 2
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.more - before))


def _shortcut(channels_in: int, channels_out: int, stride: int, padded: bool) -> nn.Module:
    if stride == 1 and channels_in == channels_out:
        return nn.Sequential()
    if padded:
        return Padded(stride, channels_out - channels_in)
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
    )  # fmt: skip


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, each with batch norm."""

    expansion = 1

    def __init__(self, channels_in: int, width: int, stride: int, padded: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = _shortcut(channels_in, width, stride, padded)

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.shortcut(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution, each with batch norm; four times as many channels go out."""

    expansion = 4

    def __init__(self, channels_in: int, width: int, stride: int, padded: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.shortcut = _shortcut(channels_in, 4 * width, stride, padded)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        return F.relu(self.bn3(self.conv3(out)) + self.shortcut(x))


class CifarResNet(nn.Module):
    """A first 3x3 convolution, three or four stages, global average pooling, one linear layer.

    Args:
        num_classes: outputs.
        depth: 20, 32, 44, 56 or 110 (6 n + 2) for the three-stage family; 18, 34, 50 or 101 for the other.
        channels: of the input.
        padded: shortcuts without weights (option A), in the three-stage family; else 1x1 convolutions (option B).
    """

    def __init__(self, num_classes: int, depth: int, channels: int = 3, padded: bool = True) -> None:
        super().__init__()
        self.four = depth in BLOCKS
        block = Bottleneck if depth in BOTTLENECKS else BasicBlock
        blocks = BLOCKS[depth] if self.four else ((depth - 2) // 6,) * 3
        width = 64 if self.four else 16
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        wide = width
        for stage, count in enumerate(blocks):
            layers = []
            for at in range(count):
                stride = 2 if stage and at == 0 else 1
                layers.append(block(wide, width << stage, stride, padded and not self.four))
                wide = block.expansion * (width << stage)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.linear = nn.Linear(wide, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in range(4 if self.four else 3):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.linear(x.mean((2, 3)))
