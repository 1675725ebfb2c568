from __future__ import annotations

import torch
from torch import Tensor

from core.data.imageset import as_float
from core.watch import strip
from core.watch.detector import Watched, see
from tests.core.tiny import Tiny


def test_the_score_is_minus_the_mean_entropy_over_the_overlays(watched: Watched, clean: tuple[Tensor, Tensor]) -> None:
    x, y = clean
    state = strip.fit(watched, x, y, see(watched.model, x), 0)
    found = strip.score(watched, state, x[:3], see(watched.model, x[:3]))
    with torch.no_grad():
        for at in range(3):
            entropies = []
            for overlay in state["overlays"]:
                laid = (as_float(x[at]) + as_float(overlay)).clamp(0, 1)
                entropies.append(torch.distributions.Categorical(logits=watched.model.eval()(laid[None])).entropy())
            torch.testing.assert_close(found[at], -torch.cat(entropies).mean(), rtol=1e-2, atol=1e-3)


def test_the_sticker_keeps_the_answer_under_overlays(
    tiny: Tiny, watched: Watched, clean: tuple[Tensor, Tensor]
) -> None:
    state = strip.fit(watched, *clean, see(watched.model, clean[0]), 0)
    x = tiny.images.x_test[tiny.images.y_test != tiny.target][:100]
    triggered = tiny.trigger(as_float(x))
    usual, bad = (strip.score(watched, state, part, see(tiny.model, part)) for part in (x, triggered))
    assert bad.mean() > usual.mean() + 0.2


def test_the_overlays_come_from_the_seed(watched: Watched, clean: tuple[Tensor, Tensor]) -> None:
    first, same, other = (
        strip.fit(watched, *clean, see(watched.model, clean[0]), seed)["overlays"] for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert len(first) == strip.OVERLAYS
