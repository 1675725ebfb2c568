"""SAU: the divergence against SciPy's, shared examples that both models misread alike, its loss by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from torch import Tensor

from core.defenses.fine_tuning import FineTuning
from core.defenses.fine_tuning import settings_for as tuning
from core.defenses.sau import SAU, divergence, settings_for
from tests.core.tiny import Tiny


def make(tiny: Tiny, **changes: float) -> SAU:
    return SAU(tiny.model, tiny.x, tiny.y, (), settings_for("default", **{"batch": 16, "least": 0} | changes))


@pytest.fixture(scope="module")
def apart(tiny: Tiny) -> SAU:
    """A defence whose model is no longer the victim: fine-tuned for a while."""
    defence = make(tiny)
    tuned = FineTuning(tiny.model, tiny.x, tiny.y, (), tuning("default", lr=0.05, epochs=5, batch=16, least=0))
    for _ in tuned.steps():
        pass
    defence.model = tuned.result()
    defence.model.requires_grad_(False)
    return defence


def alike(defence: SAU, x: Tensor) -> float:
    """Share of the images (60) that both models take for the same class, another than each takes the clean one for."""
    with torch.no_grad():
        ours, theirs = defence.model(x).argmax(1), defence.victim(x).argmax(1)
        clean, clean0 = defence.model(defence.x).argmax(1), defence.victim(defence.x).argmax(1)
    return float(((ours == theirs) & (ours != clean) & (theirs != clean0)).float().mean())


def test_the_divergence_is_that_of_jensen_and_shannon() -> None:
    generator = torch.Generator().manual_seed(0)
    p, q = torch.randn(2, 6, 10, generator=generator).mul(3)
    by_scipy = [
        jensenshannon(a, b) ** 2
        for a, b in zip(p.double().softmax(1).numpy(), q.double().softmax(1).numpy(), strict=True)
    ]
    np.testing.assert_allclose(divergence(p, q), by_scipy, rtol=1e-4)
    assert float(divergence(p, p).abs().max()) < 1e-6


def test_shared_examples_are_misread_alike_and_lie_within_the_radius(apart: SAU) -> None:
    d = apart.shared(apart.x, apart.y)
    assert float(d.abs().max()) <= apart.settings.radius + 1e-6
    noise = apart.settings.radius * torch.randn(d.shape, generator=torch.Generator().manual_seed(0)).sign()
    found = alike(apart, apart.x + d)
    assert found > 0.4, "0.57 to 0.72"
    assert found > 2 * alike(apart, apart.x + noise)


def test_an_example_that_serves_is_left_as_it_is(apart: SAU) -> None:
    """Once all images are misread alike the search ends: the same perturbation with more steps."""
    with torch.no_grad():
        ours, theirs = apart.model(apart.x + 0.2).argmax(1), apart.victim(apart.x + 0.2).argmax(1)
        clean, clean0 = apart.model(apart.x).argmax(1), apart.victim(apart.x).argmax(1)
    served = (ours == theirs) & (ours != clean) & (theirs != clean0)
    assert bool(served.any())
    d = apart.shared(apart.x[served], apart.y[served])
    assert bool((d == 0.2).all()), "the first try, all pixels brighter"


def test_the_loss_by_hand(tiny: Tiny) -> None:
    """The model is the victim still, so it answers the shared examples as that does."""
    defence, chosen = make(tiny), torch.arange(20)
    attacked = defence.x[chosen] + defence.shared(defence.x[chosen], defence.y[chosen])
    losses = defence.losses(chosen)
    with torch.no_grad():
        clean, shares = tiny.model(defence.x[chosen]).argmax(1), tiny.model(attacked).double().softmax(1)
    taken, y = shares.argmax(1), defence.y[chosen]
    misled = [k for k in range(20) if taken[k] != y[k] and taken[k] != clean[k]]
    assert len(misled) > 10
    expected = -sum(np.log(1 - min(float(shares[k, taken[k]]), 0.999)) for k in misled) / 20
    assert float(losses["shared"].detach()) == pytest.approx(expected, rel=1e-3)


def test_running_statistics_stay_the_victims(tiny: Tiny) -> None:
    defence = make(tiny, epochs=1)
    for _ in defence.steps():
        pass
    buffers = dict(tiny.model.net.named_buffers())
    assert all(torch.equal(value, buffers[name]) for name, value in defence.model.net.named_buffers())


def test_a_victim_forgets_its_backdoor(tiny: Tiny) -> None:
    defence = make(tiny, epochs=25, lr=0.006)
    for _ in defence.steps():
        pass
    ba, asr = tiny.figures(defence.result(best=True))
    assert asr < 60, "2 to 23 in seven trainings of the victim; it began at 100"
    assert ba > 50, "83 to 93, by chance 10"
