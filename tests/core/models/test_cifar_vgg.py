import pytest
import torch

from core.models.cifar_vgg import CifarVGG


@pytest.mark.parametrize(("depth", "millions"), [(11, 9.2), (13, 9.4), (16, 14.7), (19, 20.0)])
def test_sizes_and_names(depth: int, millions: float) -> None:
    with torch.device("meta"):
        net = CifarVGG(10, depth)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, rel=0.01)
    convolutions = [name for name, value in net.state_dict().items() if value.ndim == 4]
    assert len(convolutions) == depth - {11: 3, 13: 3, 16: 3, 19: 3}[depth]
    assert {"features.0.weight", "features.1.running_mean", "classifier.weight"} <= net.state_dict().keys()


def test_logits() -> None:
    assert CifarVGG(7, 11, channels=1).eval()(torch.rand(2, 1, 32, 32)).shape == (2, 7)
