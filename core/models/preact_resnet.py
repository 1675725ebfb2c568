"""Pre-activation ResNets for 32 px pictures (He et al., ECCV 2016, arXiv 1603.05027), named as in common CIFAR code."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


class PreActBlock(nn.Module):
    """Two pre-activated 3x3 convolutions with a 1x1 shortcut where the shape changes."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.shortcut = None
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, stride, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.bn1(x))
        out = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return out + (x if self.shortcut is None else self.shortcut(active))


class PreActResNet(nn.Module):
    """Four stages, 64 to 512 channels; 512 penultimate features.

    Args:
        num_classes: outputs.
        depth: 18 or 34.
        channels: of the input.
        last_norm: whether a batch norm and a ReLU come before the pooling, as in some versions.
    """

    def __init__(self, num_classes: int, depth: int = 18, channels: int = 3, last_norm: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        first, second, third, fourth = BLOCKS[depth]
        self.layer1 = self._stage(first, 64, 64, 1)
        self.layer2 = self._stage(second, 64, 128, 2)
        self.layer3 = self._stage(third, 128, 256, 2)
        self.layer4 = self._stage(fourth, 256, 512, 2)
        self.bn = nn.BatchNorm2d(512) if last_norm else None
        self.linear = nn.Linear(512, num_classes)

    @staticmethod
    def _stage(count: int, channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
        rest = (PreActBlock(channels_out, channels_out, 1) for _ in range(count - 1))
        return nn.Sequential(PreActBlock(channels_in, channels_out, stride), *rest)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.conv1(x)))))
        if self.bn is not None:
            x = F.relu(self.bn(x))
        return self.linear(x.mean((2, 3)))
