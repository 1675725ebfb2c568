import pytest
import torch

from core.models.small import SmallNet


@pytest.mark.parametrize(("side", "classes", "width"), [(8, 2, 4), (16, 10, 8), (32, 12, 16), (33, 3, 4)])
def test_any_size_from_8_px(side: int, classes: int, width: int) -> None:
    net = SmallNet(classes, width).eval()
    assert net(torch.rand(2, 3, side, side)).shape == (2, classes)
    assert net.fc.in_features == 4 * width


def test_it_is_small() -> None:
    assert sum(parameter.numel() for parameter in SmallNet(12).parameters()) < 70_000
