"""Images mixed in pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from core.defenses.mcl.mixing import mixed, mixed_within


def some() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sixty-four black images of class 0, to be mixed with one of thirty white ones of class 1."""
    labels = torch.eye(2)
    return torch.zeros(64, 3, 6, 8), labels[[0] * 64], torch.ones(30, 3, 6, 8), labels[[1] * 30]


def test_labels_are_mixed_as_the_images_are() -> None:
    images, labels = mixed(*some(), torch.Generator().manual_seed(0))
    share = images.mean((1, 2, 3))
    torch.testing.assert_close(labels, torch.stack([1 - share, share], 1))


def test_one_half_is_seen_through_its_partner_and_the_other_has_a_piece_of_it() -> None:
    images, _ = mixed(*some(), torch.Generator().manual_seed(0))
    through, pieces = images.split(32)
    assert torch.equal(through, through[:, :1, :1, :1].expand_as(through))
    assert set(pieces.unique().tolist()) == {0.0, 1.0}
    for piece in pieces[:, 0]:
        rows, columns = piece.amax(1), piece.amax(0)
        assert torch.equal(piece, rows[:, None] * columns)
        assert all(int(side.diff().abs().sum()) <= 2 for side in (rows, columns))  # in one go


def test_every_proportion_comes_and_any_partner() -> None:
    black, first, white, second = some()
    white = white * torch.linspace(0.5, 1, 30)[:, None, None, None]
    images, labels = mixed(black, first, white, second, torch.Generator().manual_seed(0))
    for half in labels[:, 1].split(32):
        assert float(half.min()) < 0.15
        assert float(half.max()) > 0.85
    assert len((images.amax((1, 2, 3)) / labels[:, 1].clamp(min=0.01))[:32].round(decimals=3).unique()) > 12


def test_the_generator_decides() -> None:
    first, again, other = (mixed(*some(), torch.Generator().manual_seed(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_pairs_within_a_class_are_made_of_that_class_alone() -> None:
    """Images of class k have brightness k, with a grain of their own."""
    labels = torch.tensor([0, 1, 2, 3]).repeat_interleave(5)
    images = labels.view(-1, 1, 1, 1) + 0.4 * torch.rand(20, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    made = mixed_within(images, labels, (3, 1), 7, torch.Generator().manual_seed(0))
    assert made.floor().flatten(1).unique(dim=1).tolist() == [[3]] * 4 + [[1]] * 4
    assert sum(any(torch.equal(one, image) for image in images) for one in made) < 4, "few are mixed with themselves"
    again, other = (mixed_within(images, labels, (3, 1), 7, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert torch.equal(made, again)
    assert not torch.equal(made, other)


def test_a_class_without_images_is_left_out() -> None:
    images, labels = torch.rand(4, 3, 6, 8), torch.tensor([0, 0, 0, 1])
    made = mixed_within(images, labels, (1, 2), 6, torch.Generator().manual_seed(0))
    assert len(made) == 3
    torch.testing.assert_close(made, images[3:].expand_as(made), msg="the only one is mixed with itself")
    assert mixed_within(images, labels, (2,), 6, torch.Generator().manual_seed(0)).shape == (0, 3, 6, 8)
