from __future__ import annotations

import pytest
import torch

from core.models import build
from core.models.row_structures import structures


@pytest.mark.parametrize(("arch", "places"), [("cifar-vgg11", "2-4-8-12-16"), ("cifar-vgg16", "4-8-14-20-26")])
def test_the_usual_network_comes_first(arch: str, places: str) -> None:
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in build(arch, 10).state_dict().items()}
    assert structures(shapes, 32)[0].name == f"sequential/relu/max/{places}/same/flat"


def test_numbered_places_leave_no_choice() -> None:
    """Activation, pooling and dropout after each pair: a gap of three says so, and the first linear layer agrees."""
    shapes = {name: tuple(value.shape) for name, value in build("vgg-small", 10).state_dict().items()}
    assert [structure.name for structure in structures(shapes, 32)] == ["sequential/relu/max/4-8-12/same/flat"]


def test_a_size_that_does_not_go_with_the_first_linear_layer_leaves_nothing_flat() -> None:
    shapes = {
        "conv1.weight": (6, 1, 5, 5),
        "conv2.weight": (16, 6, 5, 5),
        "fc1.weight": (20, 256),
        "fc2.weight": (7, 20),
    }
    assert any(structure.end == "flat" for structure in structures(shapes, 28))
    assert all(structure.end != "flat" for structure in structures(shapes, 40))


def test_weights_that_are_no_row_have_none() -> None:
    assert structures({"a": (3,)}, 32) == []
