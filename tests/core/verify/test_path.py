"""The straight line from a purified model back to its victim."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.models.classifier import Classifier
from core.verify.path import interpolated
from tests.core.tiny import Tiny


def plain(seed: int) -> Classifier:
    torch.manual_seed(seed)
    return Classifier(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))).eval()


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_every_weight_lies_so_far_on_the_line(share: float) -> None:
    with torch.random.fork_rng(devices=[]):
        victim, purified = plain(0), plain(1)
    images = torch.randint(256, (6, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = interpolated(victim, purified, share, images).net.state_dict()
    ends = victim.net.state_dict(), purified.net.state_dict()
    for name, value in found.items():
        expected = share * ends[0][name].numpy() + (1 - share) * ends[1][name].numpy()
        assert value.numpy() == pytest.approx(expected, abs=1e-6)


def test_batch_norm_takes_its_statistics_of_clean_images(tiny: Tiny, honest: Classifier) -> None:
    """Against the mean and variance of what enters the first such layer."""
    model = interpolated(tiny.model, honest, 0.5, tiny.x)
    first = model.net.trunk[0]
    norm = next(layer for layer in model.net.trunk if isinstance(layer, nn.BatchNorm2d))
    with torch.no_grad():
        seen = first((tiny.x.float() / 255 - model.mean) / model.std)
    torch.testing.assert_close(norm.running_mean, seen.mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(norm.running_var, seen.var((0, 2, 3)), rtol=1e-3, atol=1e-4)
    assert not model.training


def test_the_ends_act_as_the_models_do_and_the_attack_comes_back_on_the_way(tiny: Tiny, honest: Classifier) -> None:
    images = tiny.images.x_train
    rates = [tiny.figures(interpolated(tiny.model, honest, share, images))[1] for share in (0.0, 0.3, 0.6, 1.0)]
    assert rates[0] < 2
    assert rates[-1] > 95
    assert rates == sorted(rates)


def test_neither_end_changes(tiny: Tiny, honest: Classifier) -> None:
    ends = tiny.model, honest
    before = [{name: value.clone() for name, value in model.state_dict().items()} for model in ends]
    interpolated(tiny.model, honest, 0.5, tiny.x)
    for model, kept in zip(ends, before, strict=True):
        assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
