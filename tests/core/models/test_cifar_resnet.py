from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from core.models.cifar_resnet import CifarResNet, Padded


@pytest.mark.parametrize(
    ("depth", "padded", "millions"),
    [(20, True, 0.27), (32, True, 0.46), (44, True, 0.66), (56, True, 0.85), (110, True, 1.7), (18, True, 11.17)],
)
def test_sizes_are_those_of_the_paper(depth: int, padded: bool, millions: float) -> None:
    """Table 6 of the paper for the three-stage family."""
    with torch.device("meta"):
        net = CifarResNet(10, depth, padded=padded)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, rel=0.02)


@pytest.mark.parametrize("depth", [18, 50])
def test_it_answers_as_torchvisions_network_with_a_small_stem(depth: int) -> None:
    """The same network but for its first convolution and the pooling, and under other names."""
    torch.manual_seed(0)
    ours = CifarResNet(5, depth).eval()
    theirs = torchvision.models.get_model(f"resnet{depth}", weights=None, num_classes=5).eval()
    theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.maxpool = nn.Identity()
    state = {k.replace("shortcut", "downsample").replace("linear", "fc"): v for k, v in ours.state_dict().items()}
    theirs.load_state_dict(state, strict=True)
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(ours(x), theirs(x))


def test_shortcuts_without_weights_take_every_second_pixel_and_add_zeros() -> None:
    x = torch.arange(2 * 4 * 4.0).view(1, 2, 4, 4)
    out = Padded(2, 2)(x)
    assert out.shape == (1, 4, 2, 2)
    assert torch.equal(out[:, 1:3], x[:, :, ::2, ::2])
    assert not out[:, [0, 3]].any()


@pytest.mark.parametrize("padded", [False, True])
def test_names_of_shortcuts(padded: bool) -> None:
    names = CifarResNet(10, 20, padded=padded).state_dict()
    assert ("layer2.0.shortcut.0.weight" in names) != padded
    assert "layer1.0.shortcut.0.weight" not in names
    assert {"conv1.weight", "layer3.2.bn2.running_var", "linear.bias"} <= names.keys()


def test_grey() -> None:
    assert CifarResNet(4, 20, channels=1).eval()(torch.rand(2, 1, 28, 28)).shape == (2, 4)
