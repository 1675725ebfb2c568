from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.models.classifier import Classifier
from core.watch import DETECTORS
from core.watch.detector import Watched, detector, see
from tests.core.tiny import Tiny


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_scores_every_image_by_itself(
    name: str, tiny: Tiny, honest: Classifier, clean: tuple[Tensor, Tensor]
) -> None:
    x, y = clean
    pair = Watched(tiny.model, honest)
    state = detector(name).fit(pair, x, y, see(pair.model, x), 0)
    together = detector(name).score(pair, state, x[:12], see(tiny.model, x[:12]))
    alone = torch.cat(
        [detector(name).score(pair, state, x[i : i + 1], see(tiny.model, x[i : i + 1])) for i in range(12)]
    )
    assert together.shape == (12,)
    assert together.isfinite().all()
    torch.testing.assert_close(together, alone, rtol=1e-2, atol=1e-2)


def test_features_that_are_no_numbers_are_cut(tiny: Tiny) -> None:
    broken = torch.full((1, 3, 16, 16), float("nan"))
    seen = see(tiny.model, broken)
    assert seen.features.isfinite().all()
    assert seen.logits.isfinite().all()
