from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from core.stress.calibration import calibration_error


def by_hand(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Equation 3 of the paper, bin by bin: ((m - 1) / M, m / M]."""
    total = 0.0
    for m in range(1, bins + 1):
        inside = (confidence > (m - 1) / bins) & (confidence <= m / bins)
        if inside.any():
            total += inside.sum() * abs(right[inside].mean() - confidence[inside].mean())
    return 100 * total / len(confidence)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_sum_of_the_paper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    confidence = rng.random(500)
    right = rng.random(500) < confidence**2
    found = calibration_error(torch.from_numpy(confidence), torch.from_numpy(right))
    assert found == pytest.approx(by_hand(confidence, right), abs=1e-9)


def test_a_model_that_is_always_sure_and_half_right() -> None:
    assert calibration_error(torch.ones(10), torch.arange(10) < 5) == pytest.approx(50)


def test_a_model_as_sure_as_it_is_right() -> None:
    assert calibration_error(torch.full((4,), 0.75), torch.tensor([True, True, True, False])) == pytest.approx(0)


def test_no_answer_has_no_calibration() -> None:
    assert math.isnan(calibration_error(torch.zeros(0), torch.zeros(0, dtype=torch.bool)))
