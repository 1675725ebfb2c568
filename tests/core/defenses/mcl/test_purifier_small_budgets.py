"""MCL with few clean images: one of each class, the last one of an epoch, and what is held out of them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.defenses.mcl.purifier import Purifier
from tests.core.defenses.mcl.purifiers import QUICK, make, watched
from tests.core.tiny import Tiny


def make_with(tiny: Tiny, x: Tensor, y: Tensor, seed: int) -> Purifier:
    return Purifier(tiny.model, x, y, [tiny.aimed], QUICK, seed)


def test_ten_images_are_enough_whichever_is_held_out(tiny: Tiny) -> None:
    """One image per class, one of them held out: if it is of the target class, it cannot tell of the attack."""
    one_each = torch.stack([torch.nonzero(tiny.y == k)[0, 0] for k in range(10)])
    held = set()
    for seed in range(40):
        purifier = make_with(tiny, tiny.x[one_each], tiny.y[one_each], seed)
        held.add(tuple(purifier.held_out.labels.tolist()))
        step = next(purifier.steps())
        assert all(math.isfinite(value) for value in step.losses.values())
    assert () in held, "no seed drew the target class"
    assert (tiny.target,) not in held
    assert len(held) > 3


def test_something_is_left_to_train_on_however_much_is_held_out(tiny: Tiny) -> None:
    purifier = make(tiny, replace(QUICK, holdout=0.999))
    assert len(purifier.x) == 1
    next(purifier.steps())


@pytest.mark.parametrize(("n", "sizes"), [(64, [32, 32]), (65, [33, 32]), (66, [22, 22, 22]), (1, [1]), (31, [31])])
def test_every_image_is_seen_once_an_epoch(tiny: Tiny, n: int, sizes: list[int]) -> None:
    x, y = tiny.images.x_train[:n], tiny.images.y_train[:n]
    purifier = Purifier(tiny.model, x, y, [tiny.aimed], replace(QUICK, holdout=0, batch=32))
    epochs = []
    seen = watched(purifier)
    for step in purifier.steps():
        if step.step % len(sizes) == 0:
            epochs.append(seen[:])
            seen.clear()
        if len(epochs) == 3:
            break
    assert all([len(part) for part in epoch] == sizes for epoch in epochs)
    orders = [torch.cat(epoch).tolist() for epoch in epochs]
    assert all(sorted(order) == list(range(n)) for order in orders)
    assert n == 1 or orders[0] != orders[1]
