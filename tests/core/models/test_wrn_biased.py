import pytest
import torch

from core.models.wrn_biased import BiasedWideResNet, name_from


@pytest.mark.parametrize(("depth", "width", "millions"), [(28, 10, 36.5), (40, 2, 2.25)])
def test_sizes_are_those_of_the_paper(depth: int, width: int, millions: float) -> None:
    with torch.device("meta"):
        net = BiasedWideResNet(10, depth, width)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, rel=0.02)
    assert name_from({name: value.shape for name, value in net.state_dict().items()}) == f"wrn{depth}-{width}-biased"


def test_names_and_logits() -> None:
    net = BiasedWideResNet(4, 10, 1).eval()
    assert {"conv1.bias", "layer1.0.conv1.bias", "layer2.0.shortcut.0.bias", "linear.weight"} <= net.state_dict().keys()
    assert net(torch.rand(2, 3, 32, 32)).shape == (2, 4)


def test_other_names_are_another_networks() -> None:
    assert name_from({"layer1.0.conv1.weight": (16, 16, 3, 3)}) is None
