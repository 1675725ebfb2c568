import pytest
import torch

from core.models.cifar_mobilenet import CifarMobileNetV2


def test_size_names_and_strides() -> None:
    net = CifarMobileNetV2(10).eval()
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(2.3, rel=0.01)
    names = net.state_dict()
    assert {"conv1.weight", "layers.0.shortcut.1.bias", "layers.16.bn3.weight", "conv2.weight", "linear.bias"} <= set(
        names
    )
    assert names["layers.1.conv2.weight"].shape == (96, 1, 3, 3)
    sides = []
    net.conv2.register_forward_hook(lambda module, inputs, output: sides.append(output.shape[-1]))
    assert net(torch.rand(1, 3, 32, 32)).shape == (1, 10)
    assert sides == [4]
