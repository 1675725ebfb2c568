"""Accuracy class by class, where classes are unequal."""

from __future__ import annotations

import pytest
import torch

from core.models.balance import are_unequal, images_worth, pick, weights

MANY = torch.tensor([0] * 90 + [1] * 6 + [3] * 4)  # no image of class 2


@pytest.mark.parametrize(("counts", "unequal"), [((90, 6, 4), True), ((9, 3, 0), False), ((10, 3), True), ((), False)])
def test_unequal_is_more_than_three_times_as_many(counts: tuple[int, ...], unequal: bool) -> None:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts, dtype=torch.int64))
    assert are_unequal(labels) is unequal


def test_each_class_counts_the_same() -> None:
    weight = weights(MANY, balanced=True)
    for label in (0, 1, 3):
        assert float(weight[label == MANY].sum()) == pytest.approx(1 / 3)
    right = MANY == 0  # a network that knows one class
    assert float((weight * right).sum()) == pytest.approx(1 / 3)
    assert float((weights(MANY, balanced=False) * right).sum()) == pytest.approx(0.9)


def test_rare_classes_make_a_figure_less_sure() -> None:
    assert images_worth(weights(MANY, balanced=False)) == 100
    assert images_worth(weights(MANY, balanced=True)) == round(9 / (1 / 90 + 1 / 6 + 1 / 4))


def test_images_are_picked_from_all_classes_in_turn() -> None:
    assert torch.bincount(MANY[pick(MANY, 12, balanced=True)]).tolist() == [4, 4, 0, 4]
    assert torch.bincount(MANY[pick(MANY, 20, balanced=True)]).tolist() == [10, 6, 0, 4]
    chosen = pick(MANY, 1000, balanced=True)
    assert chosen.tolist() == list(range(100))
    assert pick(MANY, 5, balanced=False).tolist() == [0, 25, 50, 74, 99]
