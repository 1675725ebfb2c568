import pytest
import torch

from core.attacks.lf import LF
from tests.core.attacks.learned import learned


def high_share(picture: torch.Tensor, beyond: int) -> float:
    """Share of the variance at more than so many waves across the picture."""
    height, width = picture.shape[-2:]
    rows = (torch.fft.fftfreq(height) * height).abs()[:, None]
    columns = (torch.fft.fftfreq(width) * width).abs()[None, :]
    power = torch.fft.fft2(picture - picture.mean((-2, -1), keepdim=True)).abs().square()
    return float(power[..., (rows > beyond) | (columns > beyond)].sum() / power.sum())


@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
def test_the_pattern_has_no_high_frequencies_where_noise_has_nearly_all_of_its_energy_there(
    size: tuple[int, int],
) -> None:
    noise = torch.rand(3, *size, generator=torch.Generator().manual_seed(0))
    assert high_share(noise, 3) > 0.9
    assert high_share(LF(size).pattern(), 3) < 1e-3
    assert high_share(LF(size, sigma=1 / 32).pattern(), 3) > 0.1, "a narrower filter lets more pass"


def test_it_reaches_from_nothing_to_its_strength_and_is_added_and_clipped() -> None:
    pattern = LF((32, 32)).pattern()
    assert (float(pattern.min()), float(pattern.max())) == (0.0, pytest.approx(0.2))
    grey = torch.full((2, 3, 32, 32), 0.5)
    torch.testing.assert_close(LF((32, 32))(grey) - 0.5, pattern.expand(2, -1, -1, -1))
    assert (LF((32, 32))(torch.ones(1, 3, 32, 32)) == 1).all()
    torch.testing.assert_close(LF((32, 32), strength=0.1).pattern() * 2, pattern)


def test_no_strength_adds_nothing_and_no_filter_divides_by_nothing() -> None:
    assert (LF((8, 8), strength=0).pattern() == 0).all()
    assert LF((8, 8), sigma=1).pattern().isfinite().all()


def test_the_seed_makes_the_pattern() -> None:
    assert torch.equal(LF((32, 32)).pattern(), LF((32, 32)).pattern())
    assert not torch.equal(LF((32, 32)).pattern(), LF((32, 32), seed=8).pattern())


def test_a_tiny_network_learns_it() -> None:
    ba, asr = learned(LF((16, 16)), rate=0.1)
    assert ba > 90
    assert asr > 80
