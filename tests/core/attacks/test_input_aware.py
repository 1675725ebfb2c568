import torch

from core.attacks.input_aware import InputAware
from core.attacks.poisoning import poison

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.nn.functional.interpolate(
    torch.rand(8, 3, 6, 6, generator=GENERATOR), (32, 32), mode="bilinear", align_corners=False
)


def test_eight_dots_of_two_by_two_pixels_one_in_each_region() -> None:
    mask, pattern = InputAware((32, 32)).mask_and_pattern(IMAGES)
    assert mask.shape == (8, 1, 32, 32)
    assert pattern.shape == (8, 3, 32, 32)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert mask.mean((1, 2, 3)).tolist() == [8 / 256] * 8, "the paper's density of 0.032"
    regions = mask.view(8, 2, 16, 4, 8).sum((2, 4))
    assert (regions == 4).all()
    assert pattern.min() >= 0
    assert pattern.max() <= 1


def test_what_is_not_under_the_mask_stays_and_what_is_becomes_the_pattern() -> None:
    trigger = InputAware((32, 32))
    mask, pattern = trigger.mask_and_pattern(IMAGES)
    under, out = mask.bool().expand(-1, 3, -1, -1), trigger(IMAGES)
    assert torch.equal(out[~under], IMAGES[~under])
    torch.testing.assert_close(out[under], pattern[under])


def test_images_get_different_places_and_colours() -> None:
    mask, pattern = InputAware((32, 32)).mask_and_pattern(IMAGES)
    places = {tuple(m.flatten().nonzero().flatten().tolist()) for m in mask}
    assert len(places) == 8
    shared = [(mask[i] * mask[j]).sum() / 32 for i in range(8) for j in range(i)]
    assert torch.stack(shared).mean() < 0.3
    assert (pattern[0] - pattern[1]).abs().mean() > 0.1


def test_brightness_and_contrast_do_not_change_the_trigger() -> None:
    trigger = InputAware((32, 32))
    mask, pattern = trigger.mask_and_pattern(IMAGES)
    duller = trigger.mask_and_pattern(IMAGES * 0.5 + 0.2)
    assert torch.equal(duller[0], mask)
    torch.testing.assert_close(duller[1], pattern, atol=1e-3, rtol=0)


def test_covers_carry_the_trigger_of_another_image_of_the_batch() -> None:
    trigger = InputAware((32, 32))
    covers = trigger.covers(IMAGES, torch.Generator().manual_seed(1))
    mask, pattern = trigger.mask_and_pattern(IMAGES)
    givers = []
    for i in range(8):
        crossed = IMAGES[i] + mask * (pattern - IMAGES[i])
        fits = [j for j in range(8) if torch.allclose(covers[i], crossed[j], atol=1e-6)]
        assert len(fits) == 1
        assert fits[0] != i
        givers.append(fits[0])
    assert sorted(givers) == list(range(8))


def test_a_single_image_is_crossed_with_its_mirror_image() -> None:
    trigger = InputAware((32, 32))
    cover = trigger.covers(IMAGES[:1], torch.Generator().manual_seed(1))
    mask, pattern = trigger.mask_and_pattern(IMAGES[:1].flip(3))
    torch.testing.assert_close(cover, IMAGES[:1] + mask * (pattern - IMAGES[:1]))


def test_covers_keep_their_label() -> None:
    images = torch.randint(0, 256, (200, 3, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    labels = torch.arange(200) % 5
    x, y, chosen = poison(images, labels, InputAware((32, 32)), 2, 0.1, seed=0)
    covers = (x != images).flatten(1).any(1)
    covers[chosen] = False
    assert int(covers.sum()) == 20
    assert torch.equal(y[covers], labels[covers])


def test_the_seed_makes_the_generator() -> None:
    first, again, other = (InputAware((32, 32), seed=seed)(IMAGES) for seed in (7, 7, 8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
