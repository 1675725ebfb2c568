"""The model-contrastive loss against its formula, by hand and where numbers are extreme."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.defenses.mcl.contrast import contrast


def literal(triggered: np.ndarray, clean0: np.ndarray, triggered0: np.ndarray, tau: float) -> float:
    """The paper's formula as it is written, in float64."""

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    losses = []
    for f, f0, f0_t in zip(*(part.astype(np.float64) for part in (triggered, clean0, triggered0)), strict=True):
        up, down = math.exp(cosine(f, f0) / tau), math.exp(cosine(f, f0_t) / tau)
        losses.append(-math.log(up / (up + down)))
    return float(np.mean(losses))


# away from vectors of no length, for which a cosine says nothing
NUMBERS = st.floats(0.125, 100, width=32) | st.floats(-100, -0.125, width=32)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 4), st.integers(1, 6), st.floats(0.05, 5))
def test_contrast_is_the_papers_formula(data: st.DataObject, n: int, d: int, tau: float) -> None:
    parts = [data.draw(arrays(np.float32, (n, d), elements=NUMBERS)) for _ in range(3)]
    a, b, c = parts
    found = contrast(torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(c), tau)
    assert float(found) == pytest.approx(literal(a, b, c, tau), rel=1e-3, abs=1e-5)


def test_contrast_by_hand() -> None:
    east, north = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    home = contrast(east, clean0=east, triggered0=north, tau=0.5)
    away = contrast(north, clean0=east, triggered0=north, tau=0.5)
    assert float(home) == pytest.approx(math.log(1 + math.exp(-2)))
    assert float(away) == pytest.approx(math.log(1 + math.exp(2)))
    between = contrast(torch.tensor([[1.0, 1.0]]), clean0=east, triggered0=north, tau=0.5)
    assert float(between) == pytest.approx(math.log(2))


def test_contrast_is_a_mean_over_the_batch() -> None:
    a, b, c = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    single = [float(contrast(a[i : i + 1], b[i : i + 1], c[i : i + 1], 0.5)) for i in range(5)]
    assert float(contrast(a, b, c, 0.5)) == pytest.approx(np.mean(single), rel=1e-5)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-12, 1e12, 1e30])
@pytest.mark.parametrize("tau", [1e-6, 0.5, 1e6])
def test_contrast_and_its_gradient_stay_finite(scale: float, tau: float) -> None:
    generator = torch.Generator().manual_seed(0)
    f = (scale * torch.randn(4, 8, generator=generator)).requires_grad_()
    f0, f0_t = scale * torch.randn(2, 4, 8, generator=generator)
    loss = contrast(f, f0, f0_t, tau)
    loss.backward()
    assert torch.isfinite(loss)
    assert f.grad is not None
    assert torch.isfinite(f.grad).all()
