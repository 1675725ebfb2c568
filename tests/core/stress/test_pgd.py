from __future__ import annotations

import torch
from torch import nn

from core.models.classifier import Classifier
from core.stress.pgd import survivors


def linear(weight: torch.Tensor) -> Classifier:
    """Two classes, told apart by ``weight`` alone; a batch norm that an attack must leave as it is."""
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(weight.numel(), 2, bias=False))
    with torch.no_grad():
        net[2].weight[0] = -weight.flatten() / 2  # type: ignore[index, operator]
        net[2].weight[1] = weight.flatten() / 2  # type: ignore[index, operator]
    return Classifier(net.eval())


def test_a_linear_model_falls_exactly_within_reach() -> None:
    """Its margin w.x shrinks by epsilon times the sum of |w|: the best that any adversary can do."""
    torch.manual_seed(0)
    weight = torch.randn(3, 4, 4)
    images = 0.3 + 0.4 * torch.rand(200, 3, 4, 4)
    margin = (images * weight).sum((1, 2, 3)) / (1 + 1e-5) ** 0.5
    labels = (margin > 0).long()
    epsilon = 0.02
    expected = margin.abs() > epsilon * weight.abs().sum()
    assert 20 < int(expected.sum()) < 180
    found = survivors(linear(weight), images, labels, epsilon)
    assert int((found != expected).sum()) <= 1  # one on the very edge may go either way
    assert torch.equal(survivors(linear(weight), images, labels, epsilon), found)


def test_an_image_that_was_wrong_before_stays_lost_and_the_model_as_it_was() -> None:
    torch.manual_seed(0)
    model = linear(torch.ones(3, 4, 4))
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images = torch.full((2, 3, 4, 4), 0.5)
    assert survivors(model, images, torch.tensor([1, 0]), 1e-4).tolist() == [True, False]
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
