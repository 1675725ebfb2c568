import torch

from core.attacks.wanet import WaNet

IMAGES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def smooth() -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(IMAGES, 9, 1, 4)


def test_without_strength_nothing_moves() -> None:
    torch.testing.assert_close(WaNet((32, 32), strength=0)(IMAGES), IMAGES, atol=1e-5, rtol=0)


def test_the_field_is_smooth_and_moves_no_pixel_far() -> None:
    field = WaNet((32, 32)).field()
    assert field.shape == (1, 32, 32, 2)
    assert field.abs().max() <= 1
    moved = field - WaNet((32, 32), strength=0).field()
    assert 0.1 < (moved * 16).abs().mean() < 1, "a fraction of a pixel on the whole"
    inner = moved[:, 4:-4, 4:-4]  # at the border nothing is fetched from outside
    assert inner.diff(dim=1).abs().max() < 0.5 * inner.abs().max()


def test_it_is_hard_to_see_and_more_strength_shows_more() -> None:
    images = smooth()
    change = [(WaNet((32, 32), strength=s)(images) - images).abs().mean() for s in (0.5, 2.0)]
    assert 0 < change[0] < 0.03
    assert change[1] > 2 * change[0]


def test_colours_are_not_changed_only_places() -> None:
    flat = torch.rand(2, 3, 1, 1).expand(2, 3, 32, 32)
    torch.testing.assert_close(WaNet((32, 32))(flat), flat)


def test_noise_differs_from_image_to_image_and_repeats_with_its_generator() -> None:
    trigger, same = WaNet((32, 32)), IMAGES[:1].expand(3, -1, -1, -1)
    first = trigger.covers(same, torch.Generator().manual_seed(1))
    assert torch.equal(first, trigger.covers(same, torch.Generator().manual_seed(1)))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], trigger(same)[0])
    assert first.min() >= 0
    assert first.max() <= 1 + 1e-6


def test_pictures_that_are_not_square() -> None:
    assert WaNet((24, 40))(torch.rand(1, 3, 24, 40)).shape == (1, 3, 24, 40)
