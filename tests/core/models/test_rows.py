from __future__ import annotations

import pytest
from torch import nn

from core.models import build
from core.models.rows import layers_of


def shapes(net: nn.Module, shuffled: bool = False) -> dict[str, tuple[int, ...]]:
    found = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    return dict(sorted(found.items())) if shuffled else found


ROW = nn.ModuleDict(
    {
        "features": nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, groups=8),
            nn.Conv2d(8, 4, 1, bias=False), nn.ReLU(),
        ),
        "classifier": nn.Sequential(nn.Dropout(), nn.Linear(16, 6), nn.BatchNorm1d(6), nn.Linear(6, 5)),
    }
)  # fmt: skip


@pytest.mark.parametrize("shuffled", [False, True])
def test_layers_come_in_the_order_in_which_they_fit_together(shuffled: bool) -> None:
    """Safetensors files are sorted by name: there the classifier comes first."""
    layers = layers_of(shapes(ROW, shuffled))
    assert layers is not None
    assert [layer.path for layer in layers] == [
        "features.0", "features.1", "features.4", "features.5", "classifier.1", "classifier.2", "classifier.3",
    ]  # fmt: skip
    assert [layer.kind for layer in layers] == ["conv", "norm", "conv", "conv", "linear", "norm", "linear"]
    assert [layer.gap for layer in layers] == [0, 2, 0, None, 0, 0, None]
    assert [layer.groups for layer in layers] == [1, 1, 8, 1, 1, 1, 1]
    assert [layer.bias for layer in layers] == [True, True, True, False, True, True, True]


@pytest.mark.parametrize("shuffled", [False, True])
def test_plain_names_go_by_their_numbers(shuffled: bool) -> None:
    net = nn.ModuleDict(
        {
            "conv1": nn.Conv2d(1, 6, 5), "bn1": nn.BatchNorm2d(6), "conv2": nn.Conv2d(6, 16, 5),
            "bn2": nn.BatchNorm2d(16), "conv10": nn.Conv2d(16, 16, 3), "fc1": nn.Linear(64, 10),
            "fc2": nn.Linear(10, 4),
        }
    )  # fmt: skip
    layers = layers_of(shapes(net, shuffled))
    assert layers is not None
    assert [layer.path for layer in layers] == ["conv1", "bn1", "conv2", "bn2", "conv10", "fc1", "fc2"]
    assert layers[0].into == 1
    assert all(layer.gap is None for layer in layers)


@pytest.mark.parametrize("arch", ["wrn16-1", "cifar-resnet18", "cifar-mobilenetv2"])
def test_networks_with_branches_are_no_row(arch: str) -> None:
    assert layers_of(shapes(build(arch, 10))) is None


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"weight": (3, 3)},
        {"a.weight": (3, 3), "a.other": (3,)},
        {"conv.weight": (4, 3, 3, 3)},
        {"conv.weight": (4, 3, 3, 3), "fc.weight": (2, 7)},
        {"conv1.weight": (4, 3, 3, 3), "conv2.weight": (4, 5, 3, 3), "fc.weight": (2, 4)},
        {"norm.weight": (3,), "norm.bias": (3,), "fc.weight": (2, 3)},
    ],
)
def test_what_does_not_fit_together_is_no_row(found: dict[str, tuple[int, ...]]) -> None:
    assert layers_of(found) is None
