from __future__ import annotations

import colorsys
import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from core.registry import loaded
from core.stress.corruption import Corruption
from core.stress.corruptions import corrupt
from core.stress.settings import CORRUPTIONS, NAMES, STRENGTHS

DRAWN = [
    name for name in NAMES if name not in ("gaussian_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg")
]


def scene(n: int = 4, channels: int = 3, height: int = 32, width: int = 32) -> torch.Tensor:
    """Discs and stripes with edges and shades, float in [0, 1]."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    disc = (x**2 + y**2 < 0.5).float()
    shade = torch.stack([0.2 + 0.6 * disc, 0.5 + 0.2 * x, 0.4 + 0.3 * torch.sin(9 * x + 2 * y)])[:channels]
    return torch.stack([(shade * (0.7 + 0.1 * k)).clamp(0, 1) for k in range(n)])


@pytest.mark.parametrize("name", NAMES)
def test_each_stands_where_the_list_says_with_a_level_for_each_strength(name: str) -> None:
    corruption = loaded(CORRUPTIONS[name])
    assert isinstance(corruption, Corruption)
    assert len(corruption.small) == len(corruption.large) == len(STRENGTHS)
    assert len({len(level) for level in (*corruption.small, *corruption.large)}) == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("size", "channels"), [((8, 8), 3), ((16, 20), 1), ((33, 32), 3), ((96, 96), 1)])
def test_shape_range_type_and_repetition(name: str, size: tuple[int, int], channels: int) -> None:
    x = scene(2, channels, *size)
    for strength in (1, 5):
        made = corrupt(x, name, strength, seed=3)
        assert made.shape == x.shape
        assert made.isfinite().all()
        assert 0 <= made.min() <= made.max() <= 1
        assert torch.equal(made, corrupt(x, name, strength, seed=3))
    whole = corrupt((x * 255).to(torch.uint8), name, 5, seed=3)
    assert whole.dtype == torch.uint8
    assert whole.shape == x.shape


@pytest.mark.parametrize("name", NAMES)
def test_a_large_picture_goes_through(name: str) -> None:
    assert corrupt(scene(1, 3, 224, 224), name, 5).shape == (1, 3, 224, 224)


@pytest.mark.parametrize("name", DRAWN)
def test_another_seed_draws_another_picture_and_the_callers_numbers_are_left_alone(name: str) -> None:
    x = scene()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    assert not torch.equal(corrupt(x, name, 4, seed=0), corrupt(x, name, 4, seed=1))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name != "elastic"]
)  # whose published strengths differ in kind
@pytest.mark.parametrize("side", [32, 128])
def test_stronger_is_farther_from_the_picture(name: str, side: int) -> None:
    x = scene(8, 3, side, side)
    weak, strong = (float((corrupt(x, name, strength) - x).abs().mean()) for strength in (1, 5))
    assert 0 < weak < strong


def test_strengths_are_the_published_ones_at_both_ends_and_between_them_elsewhere() -> None:
    noise = loaded(CORRUPTIONS["gaussian_noise"])
    assert [noise.level(strength, 32)[0] for strength in STRENGTHS] == [0.04, 0.06, 0.08, 0.09, 0.10]
    assert [noise.level(strength, 224)[0] for strength in STRENGTHS] == pytest.approx([0.08, 0.12, 0.18, 0.26, 0.38])
    assert noise.level(5, 8) == noise.level(5, 32)
    assert 0.10 < noise.level(5, 96)[0] < 0.38
    blur = loaded(CORRUPTIONS["motion_blur"])
    assert blur.level(5, 32)[0] * 32 == pytest.approx(9)
    assert blur.level(5, 224)[0] * 224 == pytest.approx(20)


def test_noise_is_as_large_as_it_says() -> None:
    grey = torch.full((20, 3, 32, 32), 0.5)
    assert float((corrupt(grey, "gaussian_noise", 3) - 0.5).std()) == pytest.approx(0.08, rel=0.05)
    assert float((corrupt(grey, "shot_noise", 3) - 0.5).std()) == pytest.approx((0.5 / 100) ** 0.5, rel=0.05)
    salted = corrupt(grey, "impulse_noise", 5)
    assert float((salted != 0.5).float().mean()) == pytest.approx(0.07, rel=0.1)
    assert sorted(salted.unique().tolist()) == [0, 0.5, 1]


def test_blur_is_scipys() -> None:
    x = scene(1)
    expected = ndimage.gaussian_filter(x[0].numpy(), (0, 0.8, 0.8), mode="mirror", truncate=4)
    np.testing.assert_allclose(corrupt(x, "gaussian_blur", 4)[0], expected, atol=2e-3)


def test_brightness_is_that_of_hue_saturation_and_value() -> None:
    pixels = [(0.2, 0.5, 0.1), (0.9, 0.9, 0.8), (0.0, 0.0, 0.0), (0.4, 0.1, 0.7)]
    made = corrupt(torch.tensor(pixels).T.reshape(1, 3, 1, 4).repeat(1, 1, 4, 1), "brightness", 5)[0, :, 0].T
    for pixel, found in zip(pixels, made.tolist(), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        assert found == pytest.approx(colorsys.hsv_to_rgb(hue, saturation, min(1, value + 0.3)), abs=1e-5)


def test_jpeg_is_as_pillow_writes_it() -> None:
    x = (scene(1) * 255).to(torch.uint8)
    file = io.BytesIO()
    Image.fromarray(x[0].permute(1, 2, 0).numpy()).save(file, "jpeg", quality=40)
    expected = np.asarray(Image.open(file)).transpose(2, 0, 1).astype(int)
    assert np.abs(corrupt(x, "jpeg", 5)[0].numpy().astype(int) - expected).mean() < 1.5


def test_a_dead_pixel_is_black_or_white_in_all_channels() -> None:
    grey = torch.full((20, 3, 32, 32), 0.5)
    made = corrupt(grey, "dead_pixels", 5)
    faulty = made != 0.5
    assert (faulty.all(1) == faulty.any(1)).all()
    assert (made[:, 0] == made[:, 2]).all()
    assert 0.08 < float(faulty.float().mean()) < 0.2


def test_motion_leaves_the_middle_where_it_was() -> None:
    dot = torch.zeros(6, 3, 33, 33)
    dot[:, :, 16, 16] = 1
    made = corrupt(dot, "motion_blur", 5)[:, 0]
    ys, xs = torch.meshgrid(torch.arange(33.0), torch.arange(33.0), indexing="ij")
    for picture in made:
        assert float((picture * xs).sum() / picture.sum()) == pytest.approx(16, abs=0.05)
        assert float((picture * ys).sum() / picture.sum()) == pytest.approx(16, abs=0.05)
        assert float(picture.sum()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("name", "strength"), [("glass_blur", 1), ("snow", 0), ("snow", 6)])
def test_what_there_is_not_is_refused(name: str, strength: int) -> None:
    with pytest.raises(ValueError, match=str(name)):
        corrupt(scene(), name, strength)
