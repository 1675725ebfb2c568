from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.watch.detector import Watched
from core.watch.fitting import FOLDS, combined, fit_profile, hash_of, standard, standardised
from core.watch.guard import Guard
from tests.core.tiny import Tiny


def test_the_threshold_is_the_conformal_quantile_of_scores_that_were_held_out(guard: Guard) -> None:
    scores = np.sort(guard.profile.arrays["calibration"])
    assert len(scores) == 2 * guard.profile.images  # each clean image and a varied copy of it
    expected = np.quantile(scores, 0.99 * (len(scores) + 1) / len(scores), method="inverted_cdf")
    assert guard.profile.threshold == np.float32(expected)


def test_with_too_few_images_the_threshold_is_the_largest_score(tiny: Tiny, watched: Watched) -> None:
    profile = fit_profile(watched, tiny.x[:30], tiny.y[:30], tiny.images.class_names)
    assert profile.threshold == profile.arrays["calibration"].max()


def test_standard_scores_put_the_median_at_0_and_the_95th_percentile_at_1() -> None:
    raw = torch.rand(2001, 2, generator=torch.Generator().manual_seed(0)) ** 2 * torch.tensor([1.0, 500.0])
    found = standardised(raw, *standard(raw))
    for column in found.T:
        assert abs(column.median()) < 0.01
        assert abs(column.quantile(0.95) - 1) < 0.02
    torch.testing.assert_close(combined(raw, *standard(raw)), (found[:, 0] + found[:, 1]) / 2)


def test_scores_that_are_all_the_same_or_no_numbers_do_no_harm() -> None:
    raw = torch.zeros(50, 1)
    centre, spread = standard(raw)
    odd = torch.tensor([[0.0], [float("nan")], [float("inf")]])
    found = standardised(odd, centre, spread)
    assert found.isfinite().all()
    assert found[1] > 1  # suspicious, not passed over
    assert found[2] > 1


def test_the_second_model_is_asked_where_there_is_one(tiny: Tiny, honest: Classifier) -> None:
    told: list[tuple[int, int]] = []
    profile = fit_profile(
        Watched(tiny.model, honest), tiny.x, tiny.y, tiny.images.class_names, progress=lambda *step: told.append(step)
    )
    assert "disagreement" in profile.detectors
    assert told == [(number, FOLDS + 1) for number in range(1, FOLDS + 2)]


def test_the_hash_tells_images_and_classes_apart(clean: tuple[Tensor, Tensor]) -> None:
    x, y = clean
    assert hash_of(x, y) == hash_of(x.clone(), y.clone())
    assert len({hash_of(x, y), hash_of(x.flip(0), y), hash_of(x, y.flip(0))}) == 3
