import pytest
import torch

from core.attacks.adap_patch import OPACITY, TESTED, AdapPatch
from core.attacks.badnets import BadNets

GREY = torch.full((40, 3, 32, 32), 0.5)


def test_the_patches_lie_in_the_four_corners_and_none_over_another() -> None:
    masks, patterns = AdapPatch((32, 40)).masks_and_patterns()
    assert masks.sum(0).max() == 1
    assert masks.flatten(1).sum(1).tolist() == [64, 64, 9, 64]
    for mask, corner in zip(masks, ((0, 0), (0, -1), (-1, -1), (-1, 0)), strict=True):
        assert mask[0, corner[0], corner[1]] == 1
    assert patterns.min() >= 0
    assert patterns.max() <= 1
    squares = [patterns[0, :, :8, :8], patterns[1, :, :8, -8:], patterns[3, :, -8:, :8]]
    assert not any(torch.equal(squares[i], squares[j]) for i in range(3) for j in range(i))


def test_the_third_is_the_grid_of_badnets() -> None:
    masks, patterns = AdapPatch((32, 32)).masks_and_patterns()
    mask, pattern = BadNets((32, 32), look="grid").mask_and_pattern()
    assert torch.equal(masks[2], mask)
    assert torch.equal(patterns[2], pattern)


def test_at_test_time_two_patches_are_opaque_and_nothing_else_changes() -> None:
    trigger = AdapPatch((32, 32))
    masks, patterns = trigger.masks_and_patterns()
    out = trigger(GREY)[0]
    where = masks[list(TESTED)].sum(0).expand(3, -1, -1).bool()
    assert torch.equal(out[where], patterns[list(TESTED)].sum(0)[where])
    assert (out[~where] == 0.5).all()


def test_in_training_each_image_has_one_faint_patch_and_all_are_as_frequent() -> None:
    trigger = AdapPatch((32, 32))
    masks, patterns = trigger.masks_and_patterns()
    planted = trigger.planted(GREY, torch.Generator().manual_seed(0))
    counts = [0] * 4
    for image in planted:
        fits = []
        for number, opacity in enumerate(OPACITY):
            expected = 0.5 + opacity * masks[number] * (patterns[number] - 0.5)
            fits.append(torch.allclose(image, expected, atol=1e-6))
        assert sum(fits) == 1
        counts[fits.index(True)] += 1
    assert counts == [10] * 4


def test_the_seed_makes_the_colours() -> None:
    a, b = (AdapPatch((32, 32), seed=seed).masks_and_patterns()[1] for seed in (7, 8))
    assert torch.equal(a[2], b[2])
    assert not torch.equal(a[0], b[0])


@pytest.mark.parametrize("side", [1, 5, 16])
def test_other_sides(side: int) -> None:
    masks, _ = AdapPatch((32, 32), side=side).masks_and_patterns()
    assert masks.flatten(1).sum(1).tolist() == [side**2, side**2, 9, side**2]
