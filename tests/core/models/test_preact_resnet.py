import pytest
import torch

from core.models.classifier import last_linear
from core.models.preact_resnet import PreActResNet18


def test_it_has_the_usual_size_and_names() -> None:
    with torch.device("meta"):
        net = PreActResNet18(10)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(11.17, rel=0.01)
    assert last_linear(net).in_features == 512
    names = net.state_dict()
    assert {"conv1.weight", "layer2.0.shortcut.0.weight", "layer4.1.bn2.running_var", "linear.bias"} <= names.keys()
    assert "layer1.0.shortcut.0.weight" not in names


@pytest.mark.parametrize("side", [16, 32])
def test_logits(side: int) -> None:
    assert PreActResNet18(7).eval()(torch.rand(1, 3, side, side)).shape == (1, 7)
