"""Networks as other people write them, names and forward passes by hand: independent of ours, for tests alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualFunction(nn.Module):
    """A basic block in the names of weiaicunzai/pytorch-cifar100."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.shortcut = nn.Sequential()
        if stride != 1 or into != out:
            self.shortcut = nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.residual_function = nn.Sequential(
            nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual_function(x) + self.shortcut(x))


class ResNet20(nn.Module):
    """ResNet-20 with 1x1 shortcuts; the shortcut is registered before the block's own layers."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        into = 16
        for number, width in enumerate((16, 32, 64)):
            blocks = []
            for at in range(3):
                blocks.append(ResidualFunction(into, width, 2 if number and not at else 1))
                into = width
            self.add_module(f"conv{number + 2}_x", nn.Sequential(*blocks))
        self.fc = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv4_x(self.conv3_x(self.conv2_x(self.conv1(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class SelfAttention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            layer(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        weights = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(-1)
        return (weights @ v).transpose(1, 2).flatten(2)


class Dense(nn.Module):
    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.dense = nn.Linear(into, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(x)


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attention, self.output = SelfAttention(dim, heads), Dense(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.attention(x))


class Layer(nn.Module):
    def __init__(self, dim: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(dim, heads)
        self.intermediate, self.output = Dense(dim, hidden), Dense(hidden, dim)
        self.layernorm_before, self.layernorm_after = nn.LayerNorm(dim, 1e-6), nn.LayerNorm(dim, 1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.layernorm_before(x))
        return x + self.output(F.gelu(self.intermediate(self.layernorm_after(x))))


class Embeddings(nn.Module):
    def __init__(self, dim: int, patch: int, count: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim))
        self.position_embeddings = nn.Parameter(torch.randn(1, count + 1, dim))
        self.patch_embeddings = nn.ModuleDict({"projection": nn.Conv2d(3, dim, patch, patch)})

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embeddings["projection"](x).flatten(2).transpose(1, 2)
        return torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.position_embeddings


class HuggingFaceViT(nn.Module):
    """A vision transformer in the names of Hugging Face's ``ViTForImageClassification``."""

    def __init__(
        self, classes: int = 5, depth: int = 2, dim: int = 16, hidden: int = 40, heads: int = 2, patch: int = 8
    ) -> None:
        super().__init__()
        layers = nn.ModuleList(Layer(dim, hidden, heads) for _ in range(depth))
        self.vit = nn.ModuleDict(
            {
                "embeddings": Embeddings(dim, patch, (32 // patch) ** 2), "encoder": nn.ModuleDict({"layer": layers}),
                "layernorm": nn.LayerNorm(dim, 1e-6),
            }
        )  # fmt: skip
        self.classifier = nn.Linear(dim, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.vit["embeddings"](x)
        for layer in self.vit["encoder"]["layer"]:  # type: ignore[union-attr, operator]
            x = layer(x)
        return self.classifier(self.vit["layernorm"](x)[:, 0])


class MBConv(nn.Module):
    """An inverted residual block in the names of lukemelas/EfficientNet-PyTorch, as EfficientNet-Lite has it."""

    def __init__(self, into: int, out: int, expand: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide, self.skips = into * expand, stride == 1 and into == out
        if expand != 1:
            self._expand_conv = nn.Conv2d(into, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide)
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide)
        self._project_conv = nn.Conv2d(wide, out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_expand_conv") else x
        out = self._bn2(self._project_conv(F.relu6(self._bn1(self._depthwise_conv(out)))))
        return x + out if self.skips else out


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 (repeats, channels and kernels of EfficientNet-B0, without squeeze and excitation)."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32)
        blocks, into = [], 32
        for repeats, expand, out, kernel, stride in (
            (1, 1, 16, 3, 1), (2, 6, 24, 3, 2), (2, 6, 40, 5, 2), (3, 6, 80, 3, 2), (3, 6, 112, 5, 1),
            (4, 6, 192, 5, 2), (1, 6, 320, 3, 1),
        ):  # fmt: skip
            for at in range(repeats):
                blocks.append(MBConv(into, out, expand, kernel, 1 if at else stride))
                into = out
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280)
        self._fc = nn.Linear(1280, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return self._fc(F.relu6(self._bn1(self._conv_head(x))).mean((2, 3)))


class ConvolutionalHead(ResNet20):
    """The head is a 1x1 convolution on what is pooled."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__(classes)
        self.fc = nn.Conv2d(64, classes, 1)  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv4_x(self.conv3_x(self.conv2_x(self.conv1(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1)).flatten(1)


def lively(net: nn.Module, seed: int = 0) -> nn.Module:
    """In evaluation mode, with statistics and scales that differ from layer to layer, as training leaves them."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.3, generator=generator)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=generator)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5, generator=generator)  # type: ignore[union-attr]
    return net.eval()
