from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from core.watch.variations import varied
from tests.core.tiny import Tiny


def test_every_image_changes_a_little_and_stays_itself(tiny: Tiny) -> None:
    x = tiny.images.x_test[:50]
    copies = varied(x, 0)
    assert copies.dtype == torch.uint8
    assert copies.shape == x.shape
    change = (copies.float() - x.float()).abs().mean((1, 2, 3))
    assert (change > 0).all()
    flat, before = (part.float().flatten(1) for part in (copies, x))
    likeness = [float(torch.corrcoef(torch.stack(pair))[0, 1]) for pair in zip(flat, before, strict=True)]
    assert sorted(likeness)[len(likeness) // 10] > 0.5


def test_the_seed_decides(tiny: Tiny) -> None:
    x = tiny.images.x_test[:5]
    assert torch.equal(varied(x, 3), varied(x, 3))
    assert not torch.equal(varied(x, 3), varied(x, 4))


@given(st.integers(2, 40), st.integers(2, 40))
def test_any_size_will_do(height: int, width: int) -> None:
    grey = torch.full((2, 3, height, width), 128, dtype=torch.uint8)
    assert varied(grey, 0).shape == grey.shape
