from __future__ import annotations

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.models.evaluate import answers
from core.watch import scale_up
from core.watch.detector import Watched, see


def consistency(watched: Watched, x: Tensor, expected: Tensor) -> Tensor:
    same = [answers(watched.model, (as_float(x) * k).clamp(0, 1)) == expected for k in scale_up.FACTORS]
    return torch.stack(same).float().mean(0)


def test_the_share_is_told_by_the_class_that_is_answered(watched: Watched, clean: tuple[Tensor, Tensor]) -> None:
    x, y = clean
    state = scale_up.fit(watched, x, y, see(watched.model, x), 0)
    share = consistency(watched, x, answers(watched.model, x))
    torch.testing.assert_close(state["mean"][7], share[y == 7].mean())
    seen = see(watched.model, x[:40])
    expected = (consistency(watched, x[:40], seen.answers) - state["mean"][seen.answers]) / state["spread"][
        seen.answers
    ]
    torch.testing.assert_close(scale_up.score(watched, state, x[:40], seen), expected)


def test_a_class_with_one_image_takes_the_figures_of_all(watched: Watched, clean: tuple[Tensor, Tensor]) -> None:
    x, y = clean
    kept = (y != 4) | (torch.cumsum(y == 4, 0) == 1)
    state = scale_up.fit(watched, x[kept], y[kept], see(watched.model, x[kept]), 0)
    share = consistency(watched, x[kept], answers(watched.model, x[kept]))
    torch.testing.assert_close(state["mean"][4], share.mean())
    assert (state["spread"] >= scale_up.MIN_SPREAD).all()
