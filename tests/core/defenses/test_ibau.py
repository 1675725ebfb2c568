"""I-BAU: its hypergradient against exact ones, its perturbation, and what it does to a victim."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from core.data.budget import clean_budget
from core.defenses.ibau import IBAU, implicit, settings_for
from tests.core.tiny import Tiny


def make(tiny: Tiny, **changes: float) -> IBAU:
    return IBAU(tiny.model, tiny.x, tiny.y, (), settings_for("default", **{"batch": 16, "least": 0} | changes))


@pytest.mark.parametrize(("rounds", "exact"), [(400, True), (1, False)])
def test_the_hypergradient_of_a_quadratic_is_the_exact_one(rounds: int, exact: bool) -> None:
    """inner = d'Ad/2 - d'Bw has its least at d* = inv(A) B w; outer = |d - c|^2 / 2 + |w|^2 / 2.

    So the gradient is w + B' inv(A) (d* - c); one round of the fixed point takes s in place of inv(A).
    """
    generator = torch.Generator().manual_seed(0)
    root, b = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64)
    a = root @ root.T + torch.eye(3, dtype=torch.float64)
    w, c = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    w.requires_grad_(True)
    d = (torch.linalg.inv(a) @ b @ w).detach().requires_grad_(True)
    outer = (d - c).square().sum() / 2 + w.square().sum() / 2
    (by_d,) = torch.autograd.grad(outer, d, retain_graph=True)
    inner = d @ a @ d / 2 - d @ b @ w
    (slope,) = torch.autograd.grad(inner, d, create_graph=True)
    (found,) = torch.autograd.grad(outer + implicit(slope, d, by_d, rounds, 0.1), w)
    inverse = torch.linalg.inv(a) if exact else 0.1 * torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(found, (w + b.T @ inverse @ (d - c)).detach(), rtol=1e-6, atol=1e-9)


def test_it_is_the_slope_of_the_loss_after_the_perturbation_has_moved(tiny: Tiny) -> None:
    """One round: as if the search took one more step of size s. Finite differences of the network's last bias."""
    defence = make(tiny, share=1.0, fixed_point=1, fixed_point_lr=5.0, curvature=60)
    defence.model = defence.model.double().eval()
    defence.x = defence.x.double()
    chosen, bias = torch.arange(60), defence.model.head[0].bias
    start = torch.zeros_like(defence.x[:1]) + 0.05

    def after(shift: float) -> float:
        with torch.no_grad():
            bias[3] += shift
        d = start.clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(defence.inner(d, chosen), d)
        with torch.no_grad():
            loss = float(defence.outer((d - 5.0 * slope).detach(), chosen))
            bias[3] -= shift
        return loss

    d = start.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(defence.inner(d, chosen), d, create_graph=True)
    moved = (d - 5.0 * slope).detach().requires_grad_(True)
    outer = defence.outer(moved, chosen)
    (by_d,) = torch.autograd.grad(outer, moved, retain_graph=True)
    (found,) = torch.autograd.grad(outer + implicit(slope, d, by_d, 1, 5.0), bias)
    (alone,) = torch.autograd.grad(defence.outer(moved.detach(), chosen), bias)
    measured = (after(1e-5) - after(-1e-5)) / 2e-5
    assert float(found[3]) == pytest.approx(measured, rel=1e-4)
    assert abs(float(alone[3]) - measured) > 1e-4, "without the implicit part it would be another"


def test_the_perturbation_misleads_within_its_radius(tiny: Tiny) -> None:
    defence = make(tiny, radius=2.0)
    d = defence.search()
    assert d.shape == (1, *tiny.x.shape[1:])
    assert float(d.norm()) <= 2.0 + 1e-5
    noise = torch.randn(d.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        every = torch.arange(60)
        found, chance = defence.inner(d, every), defence.inner(noise * float(d.norm()) / noise.norm(), every)
    assert float(found) < float(chance) - 0.5


def test_it_is_sought_anew_each_round_and_carried_by_a_share_of_the_images(tiny: Tiny) -> None:
    defence = make(tiny, epochs=2, share=0.25)
    assert not defence.perturbation.any()
    used = [defence.perturbation.clone() for _ in defence.steps()]
    assert used[0].any()
    assert [torch.equal(one, other) for one, other in pairwise(used)] == [True] * 3 + [False] + [True] * 3
    model, seen = defence.model, list[torch.Tensor]()
    hook = model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    defence.outer(torch.ones_like(defence.x[:1]), torch.arange(16))
    hook.remove()
    changed = (seen[0] - defence.x[:16]).flatten(1).abs().amax(1)
    assert changed.tolist() == [1.0] * 4 + [0.0] * 12


def test_a_victim_forgets_its_backdoor(tiny: Tiny) -> None:
    """With 60 images, of which one in a batch carries the perturbation, 32 to 99 of 100 are left: what the perturbation
    finds is then another way to the target as often as the trigger."""
    budget = clean_budget(tiny.images.y_train, 200, tiny.images.num_classes, seed=0)
    settings = settings_for("default", batch=32, least=0, epochs=5, share=0.1, lr=0.002)
    defence = IBAU(tiny.model, tiny.images.x_train[budget], tiny.images.y_train[budget], (), settings)
    for _ in defence.steps():
        pass
    ba, asr = tiny.figures(defence.result(best=True))
    assert asr < 50, "0 to 17 in seven trainings of the victim"
    assert ba > 40, "65 to 79, by chance 10"
