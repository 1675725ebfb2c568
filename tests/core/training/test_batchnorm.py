"""Statistics taken anew."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from core.models.classifier import Classifier
from core.training.batchnorm import (
    adopt_statistics,
    has_batch_norm,
    has_normalisation,
    moved_statistics,
    recompute_statistics,
)


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


def poisoned_statistics() -> Classifier:
    """A network whose statistics are of other images than clean ones."""
    model = network()
    layer = model.net[1]  # type: ignore[index]
    with torch.no_grad():
        layer.running_mean.copy_(torch.tensor([0.5, -1.0, 2.0, 0.0]))  # type: ignore[operator, union-attr]
        layer.running_var.copy_(torch.tensor([9.0, 0.5, 4.0, 1.0]))  # type: ignore[operator, union-attr]
        layer.weight.copy_(torch.tensor([1.0, -2.0, 0.5, 3.0]))  # type: ignore[operator, union-attr]
    return model


def test_adopted_statistics_are_those_of_the_images_and_the_answers_stay() -> None:
    model = poisoned_statistics()
    images = torch.rand(600, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    others = torch.rand(20, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        before = model(others)
        adopt_statistics(model, images)
        torch.testing.assert_close(model(others), before, rtol=1e-4, atol=1e-5)
    recomputed = network()
    recompute_statistics(recomputed, images)  # the same convolution in front
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(getattr(model.net[1], name), getattr(recomputed.net[1], name), rtol=1e-4, atol=1e-5)  # type: ignore[index]
    assert not any(module.training for module in model.modules())


def test_with_adopted_statistics_training_mode_begins_where_evaluation_mode_is() -> None:
    images = torch.rand(600, 3, 8, 8, generator=torch.Generator().manual_seed(1))

    def apart(model: Classifier) -> float:
        model.net[3].p = 0.0  # type: ignore[index, assignment]
        with torch.no_grad():
            in_use = model(images)
            return float((model.train()(images) - in_use).abs().max())

    foreign, adopted = poisoned_statistics(), poisoned_statistics()
    adopt_statistics(adopted, images)
    assert apart(foreign) > 0.1
    assert apart(adopted) < 0.01


def test_statistics_are_adopted_only_where_there_are_weights_to_make_up_for_them() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = Classifier(nn.Sequential(*net, nn.Linear(4, 2))).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    adopt_statistics(model, torch.rand(10, 3, 8, 8))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
