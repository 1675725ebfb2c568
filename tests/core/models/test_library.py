from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from core.errors import BadInput
from core.models import build
from core.models.library import build_library, exists, first_convolution, without_memory


@pytest.mark.parametrize(
    ("arch", "there"),
    [
        ("torchvision/resnet18", True),
        ("torchvision/resnet18+cifar", True),
        ("torchvision/resnet18+huge", False),
        ("torchvision/resnet18+", False),
        ("torchvision/", False),
        ("torchvision/huge", False),
        ("timm/resnet26d", True),
        ("timm/huge", False),
        ("elsewhere/resnet18", False),
    ],
)
def test_what_there_is(arch: str, there: bool) -> None:
    assert exists(arch) == there


@pytest.mark.parametrize(
    ("stem", "kernel", "stride", "pooled", "side"),
    [("", 7, 2, True, 1), ("+cifar", 3, 1, False, 4), ("+cifar-pool", 3, 1, True, 2), ("+small", 3, 2, True, 1)],
)
def test_stems(stem: str, kernel: int, stride: int, pooled: bool, side: int) -> None:
    net = build_library(f"torchvision/resnet18{stem}", 5).eval()
    assert (net.conv1.kernel_size, net.conv1.stride) == ((kernel, kernel), (stride, stride))
    assert isinstance(net.maxpool, nn.MaxPool2d) == pooled
    sides = []
    net.layer4.register_forward_hook(lambda module, inputs, output: sides.append(output.shape[-1]))
    assert net(torch.rand(1, 3, 32, 32)).shape == (1, 5)
    assert sides == [side]


def test_a_stem_deep_inside() -> None:
    net = build_library("torchvision/densenet121+cifar", 5)
    assert isinstance(net.get_submodule("features.pool0"), nn.Identity)
    first = first_convolution(net)
    assert first is not None
    assert (first[0], first[1].stride) == ("features.conv0", (1, 1))


@pytest.mark.parametrize("arch", ["torchvision/resnet18", "timm/resnet26d", "torchvision/mobilenet_v2+cifar"])
def test_grey(arch: str) -> None:
    net = build(arch, 4, channels=1)
    first = first_convolution(net)
    assert first is not None
    assert first[1].in_channels == 1
    assert net.eval()(torch.rand(1, 1, 32, 32)).shape == (1, 4)


def test_shapes_need_no_memory() -> None:
    assert all(value.is_meta for value in without_memory("torchvision/vgg16", 10).state_dict().values())
    assert "fc.weight" in without_memory("torchvision/regnet_y_400mf", 10).state_dict(), "it works with tensors"


def test_without_timm_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(BadInput, match="pip install timm") as caught:
        build("timm/resnet18", 10)
    assert caught.value.code == "timm_missing"
