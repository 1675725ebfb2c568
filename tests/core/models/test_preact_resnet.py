import pytest
import torch

from core.models.classifier import last_linear
from core.models.preact_resnet import PreActResNet


@pytest.mark.parametrize(("depth", "millions"), [(18, 11.17), (34, 21.28)])
def test_it_has_the_usual_size_and_names(depth: int, millions: float) -> None:
    with torch.device("meta"):
        net = PreActResNet(10, depth)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, rel=0.01)
    assert last_linear(net).in_features == 512
    names = net.state_dict()
    assert {"conv1.weight", "layer2.0.shortcut.0.weight", "layer4.1.bn2.running_var", "linear.bias"} <= names.keys()
    assert not {"layer1.0.shortcut.0.weight", "bn.weight"} & names.keys()


def test_with_a_last_norm() -> None:
    assert "bn.running_mean" in PreActResNet(10, last_norm=True).state_dict()
    assert PreActResNet(3, last_norm=True, channels=1).eval()(torch.rand(1, 1, 32, 32)).shape == (1, 3)


@pytest.mark.parametrize("side", [16, 32])
def test_logits(side: int) -> None:
    assert PreActResNet(7).eval()(torch.rand(1, 3, side, side)).shape == (1, 7)
