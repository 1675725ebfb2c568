"""FT-SAM: its step by hand, what it leaves alone, and what it does to a victim."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from core.defenses.fine_tuning import FineTuning
from core.defenses.ft_sam import FTSAM, at_worst_weights, settings_for
from core.models.classifier import Classifier
from tests.core.tiny import Tiny


def make(tiny: Tiny, **changes: float) -> FTSAM:
    return FTSAM(tiny.model, tiny.x, tiny.y, (), settings_for("default", **{"batch": 16, "least": 0} | changes))


def linear() -> Classifier:
    torch.manual_seed(0)
    return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)))


def test_the_worst_weights_by_hand() -> None:
    """With weights w = (2, -1), gradient g = (1, 3): |w g| = (2, 3), so e = rho (4, 3) / sqrt(13)."""
    model = linear()
    weight, bias = model.net[1].weight, model.net[1].bias  # type: ignore[index]
    before = weight.detach().clone()
    with torch.no_grad():
        weight.zero_()
        weight[0, 0], weight[0, 1] = 2.0, -1.0
        before = weight.clone()
    weight.grad, bias.grad = torch.zeros_like(weight), torch.zeros_like(bias)
    weight.grad[0, 0], weight.grad[0, 1] = 1.0, 3.0
    with at_worst_weights(model, 0.5):
        moved = (weight - before).detach().numpy()
        np.testing.assert_allclose(moved[0, :2], 0.5 * np.array([4, 3]) / np.sqrt(13), rtol=1e-6)
        assert np.count_nonzero(moved) == 2
    assert torch.equal(weight, before)


def test_they_lie_within_rho_of_the_weights_weight_by_weight(tiny: Tiny) -> None:
    model = deepcopy(tiny.model)
    F.cross_entropy(model(tiny.x[:16].float() / 255), tiny.y[:16]).backward()
    before = [p.detach().clone() for p in model.net.parameters()]
    with at_worst_weights(model, 2.0):
        shares = [
            ((p - w) / w.abs()).flatten()[w.flatten() != 0] for p, w in zip(model.net.parameters(), before, strict=True)
        ]
    assert float(torch.cat(shares).norm().detach()) == pytest.approx(2.0, rel=1e-3)


def test_the_step_takes_the_gradient_of_the_worst_weights(tiny: Tiny) -> None:
    """Against a step written out with functional calls; without batch norm, so that a pass changes nothing."""
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 4, 3, stride=2), nn.ELU(), nn.Flatten(), nn.Linear(4 * 49, 10))
    settings = settings_for("default", rho=0.3, shift=0, batch=20, least=0, clip=0.0)
    defence = FTSAM(Classifier(nn.Sequential(*layers)), tiny.x[:20], tiny.y[:20], (), settings)
    defence.model = defence.model.double()
    defence.x = defence.x.double()
    x, y = defence.x, defence.y
    weights = {name: p.detach().clone().requires_grad_(True) for name, p in defence.model.named_parameters()}

    def slope(at: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        loss = F.cross_entropy(functional_call(defence.model, at, (x,)), y, label_smoothing=0.1)
        return dict(zip(at, torch.autograd.grad(loss, list(at.values())), strict=True))

    first = slope(weights)
    length = torch.stack([(weights[name].abs() * g).square().sum() for name, g in first.items()]).sum().sqrt()
    worst = {name: (w + 0.3 * w**2 * first[name] / length).detach() for name, w in weights.items()}
    expected = slope({name: w.requires_grad_(True) for name, w in worst.items()})
    next(defence.steps())
    for name, p in defence.model.named_parameters():
        w = weights[name].detach()  # from where the step is taken, not from the worst weights
        stepped = w - settings.lr * (expected[name] + settings.weight_decay * w)
        torch.testing.assert_close(p.detach(), stepped, rtol=1e-6, atol=1e-9, msg=name)


def test_running_statistics_are_taken_once_at_the_weights_themselves(tiny: Tiny) -> None:
    ours, plain = make(tiny), FineTuning(tiny.model, tiny.x, tiny.y, (), settings_for("default", batch=16, least=0))
    for defence in (ours, plain):
        next(defence.steps())
    theirs = dict(plain.model.named_buffers())
    means = [name for name in theirs if name.endswith(("running_mean", "running_var"))]
    assert means
    for name in means:
        assert torch.equal(dict(ours.model.named_buffers())[name], theirs[name]), name
    momenta = {m.momentum for m in ours.model.modules() if isinstance(m, nn.BatchNorm2d)}
    assert momenta == {0.1}


def test_a_victim_forgets_its_backdoor(tiny: Tiny) -> None:
    defence = make(tiny, epochs=40, lr=0.05)
    for _ in defence.steps():
        pass
    ba, asr = tiny.figures(defence.result(best=True))
    assert asr < 50 < 85 < ba
