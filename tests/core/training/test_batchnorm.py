"""Statistics taken anew."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from core.models.classifier import Classifier
from core.training.batchnorm import has_batch_norm, has_normalisation, moved_statistics, recompute_statistics


class Own(nn.Module):
    """Somebody's own batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        return x - self.running_mean[:, None, None]  # type: ignore[index]


def network() -> Classifier:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 2),
    )  # fmt: skip
    return Classifier(net).eval()


def test_the_statistics_are_those_of_the_images() -> None:
    model = network()
    images = torch.rand(600, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    recompute_statistics(model, images)
    out = model.net[0](images)  # type: ignore[index]
    assert torch.allclose(model.net[1].running_mean, out.mean((0, 2, 3)), atol=1e-4)  # type: ignore[index, arg-type]
    assert torch.allclose(model.net[1].running_var, out.var((0, 2, 3)), rtol=0.02)  # type: ignore[index, arg-type]


def test_nothing_else_changes() -> None:
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    recompute_statistics(model, torch.rand(10, 3, 8, 8))
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"net.1.running_mean", "net.1.running_var", "net.1.num_batches_tracked"}
    assert model.net[1].momentum == 0.1  # type: ignore[index]
    assert not any(module.training for module in model.modules())


def test_a_network_without_batch_norm_and_one_image_are_left_alone() -> None:
    plain = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(12, 2))).eval()
    recompute_statistics(plain, torch.rand(4, 3, 2, 2))
    model = network()
    before = model.net[1].running_mean.clone()  # type: ignore[index, operator, union-attr]
    recompute_statistics(model, torch.rand(1, 3, 8, 8))
    assert torch.equal(model.net[1].running_mean, before)  # type: ignore[index, arg-type]


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.LayerNorm([4, 6, 6]), Own()]
)
def test_a_network_with_any_normalisation_is_told_from_one_without(layer: nn.Module) -> None:
    def built(*layers: nn.Module) -> Classifier:
        return Classifier(nn.Sequential(nn.Conv2d(3, 4, 3), *layers, nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)))

    assert has_normalisation(built(layer))
    assert not has_normalisation(built())
    assert not has_normalisation(built(nn.Dropout(0.5)))
    assert has_batch_norm(built(layer)) == isinstance(layer, (nn.BatchNorm2d, Own))
    assert not has_batch_norm(built())


def test_twice_the_spread_is_an_octave() -> None:
    before, after = network(), network()
    assert moved_statistics(before, after) == 0
    with torch.no_grad():
        after.net[1].running_var.mul_(4)  # type: ignore[index, operator, union-attr]
    assert moved_statistics(before, after) == pytest.approx(1, abs=1e-4)
    with torch.no_grad():
        after.net[1].running_var[:3].div_(4)  # type: ignore[index, operator, union-attr]
    assert moved_statistics(after, before) == pytest.approx(0.5, abs=1e-4), "one of four channels"
    plain = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)))
    assert moved_statistics(plain, plain) == 0
