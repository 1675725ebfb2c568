"""Random stamps: legal images, drawn anew for each, of every kind."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor, nn

from core.models.classifier import Classifier
from core.triggers import stamps
from core.triggers.stamps import KINDS, UNIFORM_SHARE, Kind, flip_counts, kind_shares, stamped
from tests.core.tiny import Tiny

ALIKE = torch.ones(len(KINDS))


def seeded(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int = 8, h: int = 32, w: int = 32) -> Tensor:
    return torch.rand(n, 3, h, w, generator=seeded(1))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(8, 40), st.integers(8, 40), st.integers(0, 1000))
def test_any_size_of_picture_stays_a_picture(n: int, h: int, w: int, seed: int) -> None:
    images = pictures(n, h, w)
    kept = images.clone()
    result = stamped(images, seeded(seed), ALIKE)
    assert result.shape == images.shape
    assert result.dtype == torch.float32
    assert 0 <= float(result.min()) <= float(result.max()) <= 1
    assert torch.equal(images, kept)


def test_a_seed_draws_the_same_stamps_and_another_draws_others() -> None:
    images = pictures()
    assert torch.equal(stamped(images, seeded(3), ALIKE), stamped(images, seeded(3), ALIKE))
    assert not torch.equal(stamped(images, seeded(3), ALIKE), stamped(images, seeded(4), ALIKE))


def test_equal_images_get_stamps_of_their_own() -> None:
    images = pictures(1).expand(40, -1, -1, -1)
    changes = (stamped(images, seeded(), ALIKE) - images).flatten(1)
    assert float(changes.norm(dim=1).min()) > 0
    assert len(changes.unique(dim=0)) == 40


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_each_kind_changes_every_image_a_little(kind: Kind) -> None:
    images = pictures(64)
    change = (kind(images, seeded()).clamp(0, 1) - images).square().mean((1, 2, 3)).sqrt()
    assert float(change.min()) > 0.005
    assert float(change.max()) < 0.4


def test_a_patch_is_one_small_square() -> None:
    images = torch.full((64, 3, 32, 32), 0.5)
    changed = (KINDS["patch"](images, seeded()) != images).any(1)
    for picture in changed:
        rows, columns = picture.any(1).nonzero()[:, 0], picture.any(0).nonzero()[:, 0]
        assert len(rows) == len(columns) == int(rows[-1] - rows[0]) + 1
        assert 2 <= len(rows) <= 6
        assert int(picture.sum()) == len(rows) ** 2


def test_sparse_pixels_are_few() -> None:
    images = torch.full((64, 3, 32, 32), 0.5)
    changed = (KINDS["sparse"](images, seeded()) != images).any(1)
    assert float(changed.float().mean()) == pytest.approx(stamps.SPARSE_SHARE, rel=0.2)


def test_waves_are_of_no_colour_and_no_brighter_than_they_may() -> None:
    change = KINDS["waves"](pictures(64), seeded()) - pictures(64)
    assert torch.allclose(change[:, 0], change[:, 1], atol=1e-6)
    highest = change.abs().amax((1, 2, 3))
    assert float(highest.max()) <= stamps.WAVE_AMPLITUDE[1] + 1e-5
    straight = change.std(2).amax((1, 2)) < 1e-5
    assert 0 < int(straight.sum()) < 64, "some run along the rows, some do not"


def test_a_warp_moves_pixels_and_invents_none() -> None:
    flat = torch.full((8, 3, 32, 32), 0.3)
    assert torch.allclose(KINDS["warp"](flat, seeded()), flat, atol=1e-6)
    ramp = torch.linspace(0, 1, 32).expand(8, 3, 32, 32)
    moved = (KINDS["warp"](ramp, seeded()) - ramp).abs().mean() * 31
    assert 0.3 < float(moved) < 2, "pixels"


def test_kinds_are_drawn_as_often_as_their_shares_say() -> None:
    flat = torch.full((400, 3, 32, 32), 0.5)
    warps_and_waves = torch.zeros(len(KINDS))
    warps_and_waves[list(KINDS).index("warp")], warps_and_waves[list(KINDS).index("waves")] = 0.75, 0.25
    changed = (stamped(flat, seeded(), warps_and_waves) - flat).abs().amax((1, 2, 3)) > 1e-5
    assert float(changed.float().mean()) == pytest.approx(0.25, abs=0.07), "a warp changes nothing of a flat picture"


def test_turned_counts_answers_that_change(tiny: Tiny) -> None:
    kinds = ["sparse", "warp"]
    counts = flip_counts(tiny.model, tiny.images.x_test, kinds)
    assert counts.shape == (2, tiny.images.num_classes)
    assert torch.equal(counts, flip_counts(tiny.model, tiny.images.x_test, kinds))
    assert torch.equal(counts[1:], flip_counts(tiny.model, tiny.images.x_test, ["warp"]))
    assert 0 < float(counts.sum(1).min()) <= float(counts.sum(1).max()) < len(tiny.images.x_test)


def test_turned_counts_by_the_class_that_the_stamp_leads_to() -> None:
    """Of a network that answers 7 where any pixel is bright, and else 2."""
    head = nn.Linear(3, 10)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(F.one_hot(torch.tensor(2), 10))
        head.weight[7] = 1.0
        head.bias[7] = -0.75  # ahead where the brightest of each colour add up to 1.75; in grey it is 1.5
    model = Classifier(nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), head)).eval()
    counts = flip_counts(model, torch.full((40, 3, 32, 32), 128, dtype=torch.uint8), ["sparse", "warp"])
    assert counts[0].tolist() == [40 * (label == 7) for label in range(10)]
    assert counts[1].tolist() == [0] * 10
    assert kind_shares(counts).argmax() == 0


def test_a_kind_that_turns_many_images_to_one_class_is_drawn_more() -> None:
    counts = torch.zeros(len(KINDS), 10)
    assert kind_shares(counts).tolist() == pytest.approx([1 / len(KINDS)] * len(KINDS)), "nothing turns an image"
    counts[3, 7], counts[4] = 89, 8.9
    found = kind_shares(counts)
    assert float(found.sum()) == pytest.approx(1)
    assert int(found.argmax()) == 3
    assert float(found.min()) > UNIFORM_SHARE / len(KINDS)
    assert found[4] < found[3] / 3, "as many images, but to many classes"
